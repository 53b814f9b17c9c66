"""Instruction counts of common/, by callgrind: they do not depend on the machine's mood.

    -m tests.bench.instructions record build/instructions    writes instructions.txt
    -m tests.bench.instructions check build/instructions     fails where a count grew by over 2 %

The counts include the C library. It picks memcpy and its like by what the CPU can do, so here it is
told that the CPU can do nothing beyond the base instruction set: then two machines with the same
Debian count the same.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tempfile

RECORD = pathlib.Path(__file__).resolve().parent / "instructions.txt"
RUNS = 100  # what the first dump of a workload has, and the second one more
TOLERANCE = 0.02
NO_FEATURES = "glibc.cpu.hwcaps=" + ",".join(
    "-" + name for name in ("AVX", "AVX2", "AVX512F", "AVX512VL", "BMI2", "ERMS", "FSRM", "SSE4_1",
                            "SSE4_2", "SSSE3", "Fast_Unaligned_Copy", "Fast_Unaligned_Load"))

Counts = dict[str, int]


def toolchain() -> str:
    """What the counts depend on besides the source."""
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    library = os.confstr("CS_GNU_LIBC_VERSION")
    return f"{compiler.stdout.splitlines()[0]}; {library}; {os.uname().machine}"


def parse_dump(text: str) -> tuple[str, int]:
    """The workload's name and the instructions of one dump."""
    name = re.search(r"^desc: Trigger: Client Request: (\S+)", text, re.M)[1]
    return name, int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1])


def differences(dumps: list[tuple[str, int]]) -> Counts:
    """Instructions per run, from pairs of dumps of RUNS and 2 * RUNS runs."""
    return {name: round((more - less) / RUNS)
            for (name, less), (_, more) in zip(dumps[::2], dumps[1::2])}


def count(program: str) -> Counts:
    with tempfile.TemporaryDirectory(prefix="callgrind-") as folder:
        out = pathlib.Path(folder) / "out"
        counted = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program]
        done = subprocess.run(counted,
                              env={**os.environ, "GLIBC_TUNABLES": NO_FEATURES}, check=False,
                              capture_output=True, text=True, timeout=300)
        files = sorted((f for f in out.parent.glob("out.*")), key=lambda f: int(f.suffix[1:]))
        if done.returncode != 0 or not files:
            raise RuntimeError(f"valgrind failed:\n{done.stderr}")
        return differences([parse_dump(f.read_text(encoding="utf-8")) for f in files])


def write(path: pathlib.Path, counts: Counts, tools: str) -> None:
    lines = [f"# instructions, counted with {tools}",
             *(f"{n:24s}{c:8d}" for n, c in counts.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(path: pathlib.Path) -> tuple[Counts, str]:
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    return {name: int(number) for name, number in map(str.split, lines)}, \
        first.removeprefix("# instructions, counted with ")


def compare(recorded: Counts, now: Counts) -> tuple[list[str], bool]:
    """A line per workload, and whether all is well. A workload that is new, or gone, is not."""
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
            verdict, well = f"  GREW by {change:.1%}, which is {new - old} instructions", False
        elif change < -TOLERANCE:
            verdict = f"  fell by {-change:.1%}: make bench-record keeps it that way"
        lines.append(f"{name:24s}{old:8d} -> {new:8d}{verdict}")
    return lines, well


def main(action: str, program: str) -> int:
    tools = toolchain()
    if action == "record":
        write(RECORD, count(program), tools)
        print(RECORD.read_text(encoding="utf-8"), end="")
        return 0
    recorded, with_tools = read(RECORD)
    if tools != with_tools:
        print(f"bench-check: not compared, the record was made with {with_tools}, this is {tools}")
        return 0
    lines, well = compare(recorded, count(program))
    if well:
        print(f"bench-check: {len(lines)} counts, none grew by more than {TOLERANCE:.0%}")
        for line in lines:
            if "fell" in line:
                print(line)
        return 0
    print("\n".join(lines))
    print(f"bench-check: more than {TOLERANCE:.0%} above the record. Find the cause, or, if it is "
          "worth it: make bench-record")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
