"""Packs what a grading system wants from a teacher: this tree, and what it calls.

    python3 -m tests.lab.bundle gradescope [--stage 01] [--to folder]
    python3 -m tests.lab.bundle autolab [--stage 01] [--to folder]

The tree is that of the last commit, solutions and all: a bundle is for the teacher only. Without a
stage, all stages are graded that were handed in.
"""

from __future__ import annotations

import argparse
import io
import pathlib
import sys
import zipfile

from tests import harness
from tests.lab import checkpoints, handout

PARTS = pathlib.Path(__file__).resolve().parent / "autograder"
TREE = "lab"


def part(name: str, stage: str) -> bytes:
    return (PARTS / name).read_bytes().replace(b"@STAGE@", stage.encode())


def tree() -> dict[str, bytes]:
    """What is committed, but for the notes: nobody reads them there."""
    return {f"{TREE}/{name}": (harness.ROOT / name).read_bytes() for name in handout.committed()
            if not name.startswith(("notes/", "."))}


def mode_of(name: str) -> int:
    inside = name.removeprefix(f"{TREE}/")
    return handout.mode(inside) if inside != name else handout.mode(f"tests/lab/autograder/{name}")


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | mode_of(name)) << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def gradescope(stage: str) -> dict[str, bytes]:
    """Both scripts stand at the top of the archive."""
    scripts = {name: part(name, stage) for name in ("setup.sh", "run_autograder")}
    return {"autograder-gradescope.zip": zipped(scripts | tree())}


def autolab(stage: str) -> dict[str, bytes]:
    files = {"grade.sh": part("grade.sh", stage)} | tree()
    return {"autograde.tar": handout.tarred(files, mode_of),
            "autograde-Makefile": part("autograde-Makefile", stage)}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bundle", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=["gradescope", "autolab"])
    parser.add_argument("--stage", default="")
    parser.add_argument("--to", type=pathlib.Path, default=harness.ROOT / "build")
    options = parser.parse_args(arguments)
    try:
        stage = options.stage and checkpoints.program_of(options.stage)
    except checkpoints.NoCheckpoint as why:
        print(why, file=sys.stderr)
        return 2
    options.to.mkdir(parents=True, exist_ok=True)
    for name, data in {"gradescope": gradescope, "autolab": autolab}[options.system](stage).items():
        (options.to / name).write_bytes(data)
        print(options.to / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
