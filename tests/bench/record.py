"""A file of counts, one a line, that a check holds the tree to.

The counts hang on compiler and libraries, so the file says with which it was made. With others
nothing is compared.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
from collections.abc import Callable

TOLERANCE = 0.02

# It picks memcpy and its like by what the CPU can do, so it is told that the CPU can do nothing
# beyond the base instruction set: then two machines with the same Debian count the same.
NO_FEATURES = "glibc.cpu.hwcaps=" + ",".join(
    "-" + name for name in ("AVX", "AVX2", "AVX512F", "AVX512VL", "BMI2", "ERMS", "FSRM", "SSE4_1",
                            "SSE4_2", "SSSE3", "Fast_Unaligned_Copy", "Fast_Unaligned_Load"))

Counts = dict[str, int]


def toolchain() -> str:
    """What the counts depend on besides the source."""
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    library = os.confstr("CS_GNU_LIBC_VERSION")
    return f"{compiler.stdout.splitlines()[0]}; {library}; {os.uname().machine}"


def table(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows)]

    def line(row: list[str]) -> str:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        return "  ".join(cells).rstrip()
    return "\n".join([line(rows[0]), "  ".join("-" * w for w in widths), *map(line, rows[1:])])


def write(path: pathlib.Path, counts: Counts, tools: str) -> None:
    width = max(24, *(len(name) + 1 for name in counts))
    lines = [f"# {path.stem}, counted with {tools}",
             *(f"{n:{width}s}{c:8d}" for n, c in counts.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(path: pathlib.Path) -> tuple[Counts, str]:
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    counts = {name.rstrip(): int(number) for name, number in (li.rsplit(" ", 1) for li in lines)}
    return counts, first.removeprefix(f"# {path.stem}, counted with ")


def compare(recorded: Counts, now: Counts) -> tuple[list[str], bool]:
    """A line per count, and whether all is well. One that is new, or gone, is not."""
    lines, well = [], True
    for name in recorded | now:
        old, new = recorded.get(name), now.get(name)
        if old is None or new is None:
            lines.append(f"{name:24s}{'not on record' if old is None else 'not counted any more'}")
            well = False
            continue
        change = new / old - 1
        verdict = ""
        if new - old > TOLERANCE * old:
            verdict, well = f"  GREW by {change:.1%}, which is {new - old}", False
        elif change < -TOLERANCE:
            verdict = f"  fell by {-change:.1%}: make bench-record keeps it that way"
        lines.append(f"{name:24s}{old:8d} -> {new:8d}{verdict}")
    return lines, well


def main(action: str, path: pathlib.Path, tools: str, count: Callable[[], Counts]) -> int:
    if action == "record":
        write(path, count(), tools)
        print(path.read_text(encoding="utf-8"), end="")
        return 0
    recorded, with_tools = read(path)
    what = f"bench-check, {path.name}"
    if tools != with_tools:
        print(f"{what}: not compared, the record was made with {with_tools}, this is {tools}")
        return 0
    lines, well = compare(recorded, count())
    if well:
        print(f"{what}: {len(lines)} counts, none grew by more than {TOLERANCE:.0%}")
        for line in lines:
            if "fell" in line:
                print(line)
        return 0
    print("\n".join(lines))
    print(f"{what}: more than {TOLERANCE:.0%} above the record. Find the cause, or, if it is "
          "worth it: make bench-record")
    return 1
