"""Instruction counts of common/, by callgrind: they do not depend on the machine's mood.

    -m tests.bench.instructions record    writes instructions.txt
    -m tests.bench.instructions check     fails where a count grew by over 2 %

The counts include the C library.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from tests import harness
from tests.bench import record

RECORD = pathlib.Path(__file__).resolve().parent / "instructions.txt"
RUNS = 100  # what the first dump of a workload has, and the second one more


def parse_dump(text: str) -> tuple[str, int]:
    """The workload's name and the instructions of one dump."""
    name = re.search(r"^desc: Trigger: Client Request: (\S+)", text, re.M)[1]
    return name, int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1])


def differences(dumps: list[tuple[str, int]]) -> record.Counts:
    """Instructions per run, from pairs of dumps of RUNS and 2 * RUNS runs."""
    return {name: round((more - less) / RUNS)
            for (name, less), (_, more) in zip(dumps[::2], dumps[1::2])}


def count(program: str = "instructions") -> record.Counts:
    with tempfile.TemporaryDirectory(prefix="callgrind-") as folder:
        out = pathlib.Path(folder) / "out"
        counted = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                   harness.binary(program)]
        done = subprocess.run(counted, check=False, capture_output=True, text=True, timeout=300,
                              env={**os.environ, "GLIBC_TUNABLES": record.NO_FEATURES})
        files = sorted((f for f in out.parent.glob("out.*")), key=lambda f: int(f.suffix[1:]))
        if done.returncode != 0 or not files:
            raise RuntimeError(f"valgrind failed:\n{done.stderr}")
        return differences([parse_dump(f.read_text(encoding="utf-8")) for f in files])


def main(action: str) -> int:
    return record.main(action, RECORD, record.toolchain(), count)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
