"""Are the checkpoints true? With the reference up to checkpoint K the checks of 0 to K pass, and
those of K+1 fail; each broken server fails at the checkpoint that is meant to catch it.

    python3 -m tests.lab.matrix             all of it, half an hour
    python3 -m tests.lab.matrix --quick     of each K: its own conversations, and the next's failure
    python3 -m tests.lab.matrix --row 01_plain_epoll 3        one row; --broken NAME: one server

A row is: what the reference was filled in for, the points it gets, and where it fails. Exit status:
0 if all is as it should be.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

from tests import harness, skips, trees
from tests.lab import check, checkpoints, record, skeleton
from tests.lab.checkpoints import Checkpoint
from tests.lab.one import Target

OUTPUT = harness.ROOT / "build" / "lab-matrix"
BROKEN = harness.ROOT / "tests" / "broken"
COMPILERS = ("g++", "clang++")


def build(program: str, until: int, quick: bool) -> Target:
    """The reference up to there, without a warning from either compiler. Where it must be quick,
    without sanitizers, and warnings are looked for only where all is stubs."""
    folder = OUTPUT / f"{program}-{until}"
    for name, text in skeleton.sources(program, until).items():
        check.lay(folder / "mine" / name, text.encode())
    work, tree = check.Work(folder=folder / "mine", program=program), folder / "tree"
    if quick:
        check.lay_out(work, tree)
        trees.make(tree, *check.WITH_UNITS, "CXX=g++",
                   *(f"build/{name}" for name in (program, *check.units(program))))
        target = Target(program=program, folder=str(tree / "build"))
    else:
        target = check.build(work, tree, plain=True)
    for compiler in COMPILERS if until == 0 or not quick else ():
        objects = [f"werror/obj/{compiler}/{name.removesuffix('.cc')}.o"
                   for name in skeleton.files_of(program) if name.endswith(".cc")]
        trees.make(tree, "BUILD=werror", "WERROR=1", f"CXX={compiler}", "CXXFLAGS=-O0", *objects)
    return target


def wrong(marks: list[record.Mark], passed: int) -> str:
    """What is not as it should be: the first `passed` of them pass, the next one does not."""
    for number, mark in enumerate(marks):
        if mark.passed != (number < passed):
            why = next((f"{o.check}: {o.message}" for o in mark.outcomes if o.failed), "")
            return f"{mark.id} passes, and should not" if mark.passed else f"{mark.id} fails: {why}"
        skipped = [o for o in mark.outcomes if o.verdict == record.SKIPPED]
        if skipped:
            print(f"  {mark.id}: skipped {', '.join(o.check for o in skipped)}")
        if text := skips.complaint([(f"lab {o.check}", o.message) for o in skipped]):
            return text
    return ""


def only_conversations(checkpoint: Checkpoint) -> Checkpoint:
    """Those checks that are done in a second each; the first one, if there are no others."""
    fast = tuple(name for name in checkpoint.checks if "::" not in name and ".py" not in name)
    return Checkpoint(checkpoint.id, checkpoint.title, checkpoint.points,
                      fast or checkpoint.checks[:1], checkpoint.writes)


def chosen(track: list[Checkpoint], at: int, quick: bool) -> tuple[list[Checkpoint], int]:
    """The checkpoints to check with the first `at` of the track written; how many shall pass."""
    if not quick:
        return track[:at + 1], at
    own = [only_conversations(track[at - 1])] if at else []
    return own + [only_conversations(c) for c in track[at:at + 1]], len(own)


def row(program: str, until: int, quick: bool) -> str:
    """Prints the row; returns what is wrong with it."""
    track = checkpoints.track(program)
    at = sum(c.number <= until for c in track)
    wanted, passed = chosen(track, at, quick)
    marks = check.run(wanted, build(program, until, quick), check.calibrate())
    fails = wanted[passed].id if len(wanted) > passed else "nothing"
    points = sum(c.points for c in track[:at])
    found = wrong(marks, passed)
    print(f"{program:20} up to {track[at - 1].id if at else '-':4} {points:3} points, "
          f"fails {fails:8} {found or 'as it should be'}", flush=True)
    return found


def broken(name: str) -> str:
    """That server is caught where its head says, and passes what comes before."""
    from tests.blackbox import test_broken  # pylint: disable=import-outside-toplevel

    patch = test_broken.Broken.read(BROKEN / f"{name}.patch")
    where = checkpoint_of(patch.patch)
    folder = test_broken.build(patch)
    trees.make(patch.tree, "CXX=g++", f"build/{patch.stage}")  # for what is measured
    check.lay_units(patch.tree)
    trees.make(patch.tree, *check.WITH_UNITS, "CXX=g++", f"SAN={check.SAN}",
               *(f"build/{check.folder_of(check.SAN)}/{name}" for name in check.units(patch.stage)))
    track = checkpoints.track(patch.stage)
    at = [c.id for c in track].index(where)
    target = Target(program=patch.stage, folder=str(folder))
    found = wrong(check.run(track[:at + 1], target, check.calibrate()), at)
    print(f"{name:45} caught at {where} {found or 'as it should be'}", flush=True)
    return found


def checkpoint_of(patch: pathlib.Path) -> str:
    found = re.search(r"^Checkpoint: (\d\.\d)$", patch.read_text(encoding="utf-8"), re.M)
    if not found:
        raise trees.Failure(f"{patch.name}: its head lacks Checkpoint:")
    return found[1]


def everything(quick: bool) -> list[list[str]]:
    rows = []
    for program in filter(None, checkpoints.TRACKS):
        numbers = [c.number for c in checkpoints.track(program)]
        rows += [["--row", program, str(until)] for until in {0, *numbers}]
    if not quick:
        rows += [["--broken", patch.stem] for patch in sorted(BROKEN.glob("*.patch"))]
    return [[*words, *(["--quick"] if quick else [])] for words in rows]


def run_all(quick: bool) -> int:
    """Each row in a process of its own: what a check leaves behind is killed with all children."""
    def run(words: list[str]) -> int:
        done = subprocess.run([sys.executable, "-B", "-m", "tests.lab.matrix", *words],
                              cwd=harness.ROOT, capture_output=True, text=True, check=False)
        print(done.stdout + done.stderr, end="", flush=True)
        return done.returncode

    jobs = everything(quick)
    # More than cores: most of the time a check waits for what does not come.
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) * (3 if quick else 1)) as pool:
        failed = sum(status != 0 for status in pool.map(run, jobs))
    print(f"{len(jobs)} rows: " + (f"{failed} are wrong" if failed else "all as they should be"))
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="lab-matrix", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--row", nargs=2, metavar=("PROGRAM", "K"))
    parser.add_argument("--broken", metavar="NAME")
    options = parser.parse_args(arguments)
    try:
        if options.row:
            return 1 if row(options.row[0], int(options.row[1]), options.quick) else 0
        if options.broken:
            return 1 if broken(options.broken) else 0
    except (trees.Failure, check.Unusable) as why:
        print(f"{' '.join(arguments)}: {why}")
        return 1
    return run_all(options.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
