"""Grades what a student handed in, whoever he is: his code runs in a sandbox.

    python3 -m tests.lab.grade --dir handed_in --out results [--stage 01] [--format text,junit]
                               [--within 540] [--unsafe]

All checkpoints of the stages that lie there are checked. The files of results, as formats.py has
them, are written anew after each check: a run that is cut off counts for what was reached. After
--within seconds it cuts itself off. Exit status: 0 it was graded, whatever the points; 2 it could
not be.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from tests import harness, trees
from tests.compare import show
from tests.lab import check, checkpoints, formats, sandbox, skeleton
from tests.lab.check import Work
from tests.lab.checkpoints import Checkpoint
from tests.lab.formats import Report
from tests.lab.one import Target
from tests.lab.record import Mark
from tests.lab.sandbox import Box

VARIANTS = {"plain": "", "sanitized": check.SAN}
# What a program is built from beside common/ and its own folder.
ALSO = {"04_bufferevent_http": ("03_libevent_raw",), "evhttp_server": ("03_libevent_raw",)}


class TimeIsUp(Exception):
    """As many seconds as --within says have passed."""


# ---- building ------------------------------------------------------------------------------------

def lay_out(work: Work, tree: pathlib.Path) -> None:
    """The clean tree, without solutions: what is not handed in is as it was handed out. Only the
    student's files are compiled; the other objects are there."""
    trees.copy(tree, *check.OBJECTS)
    mine = skeleton.files_of(work.program)
    folders = {pathlib.PurePath(skeleton.server_of(work.program)).parts[0],
               *ALSO.get(work.program, ())}
    for stage in set(harness.STAGES) - folders:
        shutil.rmtree(tree / stage)
    for name in {*mine, *map(skeleton.server_of, checkpoints.TRACKS[1:])}:
        stem = name.rpartition(".")[0]
        for path in (tree / name, *tree.glob(f"build/obj/*/{stem}.[od]")):
            path.unlink(missing_ok=True)
    for name, unwritten in skeleton.sources(work.program, -1).items():
        try:
            contents = sandbox.read_plain(work.folder, name)
        except FileNotFoundError:
            contents = unwritten.encode()
        except (OSError, sandbox.Refused) as why:
            raise trees.Failure(f"{work.program} does not compile:\nerror: {why}") from None
        (tree / name).write_bytes(contents)
    check.lay_units(tree)


def compiled(name: str, box: Box, tree: pathlib.Path, sanitizers: str) -> pathlib.Path:
    """The program, made in that tree, in the sandbox."""
    made = pathlib.Path("build", check.folder_of(sanitizers), name)
    status, said = box.run(["make", "-s", *check.WITH_UNITS, "CXX=g++", f"SAN={sanitizers}",
                            str(made)], tree, sandbox.BUILD)
    if status or (tree / made).is_symlink():
        raise trees.Failure(f"{name} does not compile:\n{said}")
    return tree / made


def build(work: Work, box: Box, room: pathlib.Path) -> Target:
    """Then `room` holds the programs, and what starts each in the sandbox: the checks take that for
    the program."""
    tree, launchers = room / "tree", room / "launchers"
    lay_out(work, tree)
    box.own(tree)
    names = [("plain", work.program), *(("sanitized", name) for name in
                                        (work.program, *check.units(work.program)))]
    for variant, name in names:
        folder = launchers / check.folder_of(VARIANTS[variant])
        program, launcher = room / variant / name, folder / name
        for path in (program, launcher):
            path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(compiled(name, box, tree, VARIANTS[variant]), program)
        launcher.write_text(box.launcher(program), encoding="utf-8")
        for path in (program, launcher):
            path.chmod(0o755)
    return Target(program=work.program, folder=str(folder))


# ---- grading -------------------------------------------------------------------------------------

@dataclasses.dataclass
class Grading:
    """Keeps the files of results at what is known."""

    out: pathlib.Path
    names: list[str]
    wanted: dict[str, list[Checkpoint]]
    began: float = dataclasses.field(default_factory=time.time)
    marks: dict[str, list[Mark]] = dataclasses.field(default_factory=dict)
    why: str = "not reached yet"  # no points yet
    printed: int = 0  # of these marks

    @property
    def report(self) -> Report:
        return Report({program: self.known(program) for program in self.wanted}, self.began,
                      time.time() - self.began)

    def known(self, program: str) -> list[Mark]:
        """A mark for each checkpoint, also for those to come."""
        marks = [dataclasses.replace(mark, message=self.why if mark.message == "not done yet"
                                     else mark.message) for mark in self.marks.get(program, [])]
        return marks + [Mark(c.id, c.title, c.points, message=self.why)
                        for c in self.wanted[program][len(marks):]]

    def write(self) -> None:
        formats.write(self.report, self.out, self.names)

    def add(self, program: str, marks: list[Mark]) -> None:
        self.marks[program] = marks
        self.write()
        done = [m for known in self.marks.values() for m in known if m.message != "not done yet"]
        for mark in done[self.printed:]:
            print(formats.row(mark), flush=True)
        self.printed = len(done)


def say_what_is_unwritten(work: Work, wanted: list[Checkpoint], marks: list[Mark]) -> None:
    for checkpoint, mark in zip(wanted, marks):
        if mark.outcomes and mark.outcomes[-1].failed:
            replay = mark.outcomes[-1].replay
            lines = [f"     nothing is written here yet: {p}" for p in work.unwritten(checkpoint)]
            replay[:] = lines + [line for line in replay if line not in lines]


def grade(work: Work, box: Box, scale: float, grading: Grading) -> None:
    wanted = grading.wanted[work.program]
    with tempfile.TemporaryDirectory(prefix=f"{work.program}-", dir=os.environ["LAB_ROOM"]) as room:
        os.chmod(room, 0o711)
        laid_out = Work(folder=pathlib.Path(room) / "tree", program=work.program)

        def after(marks: list[Mark]) -> None:
            say_what_is_unwritten(laid_out, wanted, marks)
            grading.add(work.program, marks)

        try:
            target = build(work, box, pathlib.Path(room))
        except trees.Failure as why:
            after(check.not_built(wanted, why))
            return
        with in_sandbox(box):
            check.run(wanted, target, scale, every=True, after=after)


@contextlib.contextmanager
def in_sandbox(box: Box) -> Iterator[None]:
    """For the checks that are started meanwhile. Nothing of them is left."""
    os.environ["LAB_SANDBOX"] = box.name
    try:
        yield
    finally:
        del os.environ["LAB_SANDBOX"]
        box.end()


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def stop(*_) -> None:
        raise TimeIsUp

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def grade_all(works: list[Work], box: Box, options: argparse.Namespace) -> None:
    grading = Grading(options.out, options.format, {w.program: w.checkpoints for w in works})
    grading.write()
    try:
        with at_most(options.within):
            scale = check.calibrate()
            for work in works:
                grade(work, box, scale, grading)
    except TimeIsUp:
        grading.why = f"not reached within {options.within:g} s"
    grading.write()
    print(f"{grading.report.points} of {grading.report.max} points")
    if "autolab" in options.format:  # reads the last line
        print(formats.autolab(grading.report), end="", flush=True)


# ---- the room around it --------------------------------------------------------------------------

def enter(box: Box, arguments: list[str]) -> int:
    """The same again, where there are no other processes and there is no network, with a folder
    that is gone afterwards."""
    words = sandbox.room() if box.name != "none" else []
    if not words and box.name != "none":
        print("no network namespace may be made here: what is graded reaches the network",
              file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="lab-grade-") as room:
        os.chmod(room, 0o711)
        where = {"LAB_BOX": f"{box.name} {box.uid}", "LAB_ROOM": room,
                 "LAB_LOOPBACK": "down" if words else "up"}
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *words, sys.executable, "-B", "-m",
             "tests.lab.grade", *arguments], env={**os.environ, **where})
        try:
            return process.wait()
        finally:
            process.kill()
            process.wait()
            box.end()


def box_of(options: argparse.Namespace) -> Box:
    if options.unsafe:
        return Box()
    box = sandbox.find()
    if box.uid and sandbox.may_write(box.uid, options.out):
        raise sandbox.Refused(f"anyone may write into {options.out}: results go where nobody may")
    return box


def options_of(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.lab.grade", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True, help="what was handed in")
    parser.add_argument("--out", required=True, type=lambda out: pathlib.Path(out).resolve())
    parser.add_argument("--stage", default="", help="only this one")
    parser.add_argument("--format", default=list(formats.FORMATS), type=lambda t: t.split(","))
    parser.add_argument("--within", type=float, default=0, help="seconds for everything")
    parser.add_argument("--unsafe", action="store_true", help="without a sandbox")
    options = parser.parse_args(arguments)
    for name in options.format:
        if name not in formats.FORMATS:
            parser.error(f"no format {name!r}: there are {', '.join(formats.FORMATS)}")
    return options


def works_in(folder: str, stage: str) -> list[Work]:
    if stage:
        return [check.work_in(folder, stage)]
    path = pathlib.Path(folder).resolve()
    return [work for program in checkpoints.TRACKS[1:]
            if (path / skeleton.server_of(program)).is_file()
            and (work := check.work_in(folder, program)).checkpoints] or [check.work_in(folder)]


def main(arguments: list[str]) -> int:
    options = options_of(arguments)
    try:
        works = works_in(options.dir, options.stage)
        if "LAB_BOX" not in os.environ:
            options.out.mkdir(parents=True, exist_ok=True)
            return enter(box_of(options), arguments)
        name, uid = os.environ.pop("LAB_BOX").split()
        if os.environ.pop("LAB_LOOPBACK") == "down":
            sandbox.loopback_up()
        grade_all(works, sandbox.WAYS[name](int(uid)), options)
    except (check.Unusable, checkpoints.NoCheckpoint, sandbox.Refused, OSError) as why:
        print(why, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(show.guarded(main, sys.argv[1:]))
