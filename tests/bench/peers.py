"""The parser beside others: what each refuses, allocates, and needs in instructions.

    -m tests.bench.peers ours llhttp     a table in Markdown, as in notes/http_parser.md
"""

from __future__ import annotations

import subprocess
import sys

from tests import harness
from tests.bench import instructions

ALL = ("ours", "picohttpparser", "http_parser", "llhttp")
HEADS = {"45": "a head of 45 bytes", "107": "107 bytes", "703": "703 bytes",
         "703_cut": "703 bytes, one at a time"}


def examine(name: str) -> dict[str, str]:
    """What stands in its column."""
    done = subprocess.run([harness.binary(f"peer_{name}")], capture_output=True, text=True,
                          check=True, timeout=60)
    said = dict(line.split(": ") for line in done.stdout.splitlines())
    counts = instructions.count(f"peer_{name}")
    return ({f"instructions: {HEADS[head]}": f"{counts[head]:,}" for head in HEADS}
            | {"allocations": said.pop("allocations")}
            | {f"refuses {what}": verdict for what, verdict in said.items()})


def main(*names: str) -> int:
    for missing in set(ALL) - set(names):
        print(f"without {missing}: not installed (picohttpparser is in libh2o-dev)",
              file=sys.stderr)
    columns = {name: examine(name) for name in ALL if name in names}
    print(f"| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for row in next(iter(columns.values())):
        print(f"| {row} | {' | '.join(column[row] for column in columns.values())} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
