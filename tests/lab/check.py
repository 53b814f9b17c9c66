"""Checks a student's work, checkpoint by checkpoint.

    python3 -m tests.lab.check run --bin './mine --text-port 0' [--cp 3] [--all]
    python3 -m tests.lab.check run --dir mine [--stage 01] [--cp 3] [--all]
    python3 -m tests.lab.check run --dir mine --check steps/3       that one alone, for no points
    python3 -m tests.lab.check watch ...      again, whenever a file of the student's changes
    python3 -m tests.lab.check full --dir mine              all black-box tests, as pytest says it
    python3 -m tests.lab.check list --dir mine              what is solved

The checks of all checkpoints up to --cp run in order, until one fails (--all: to the end). Exit
status: 0 all pass, 1 not, 2 nothing could be checked.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable

from tests import harness, trees
from tests.compare import show
from tests.lab import checkpoints, one, record, skeleton
from tests.lab.checkpoints import Checkpoint
from tests.lab.one import Target
from tests.lab.record import Mark, Outcome
from tests.lib.words import shown

OUTPUT = harness.ROOT / "build" / "lab"
KNOWN_GOOD = pathlib.Path(__file__).resolve().parent / "fixtures" / "one_client.py"
UNIT = pathlib.Path(__file__).resolve().parent / "unit"
WITH_UNITS = ("-f", "unit.mk")  # for make
NOMINAL = 0.6  # seconds that the first conversation with it takes on the machine PATIENCE is for
DEADLINE = 60.0  # seconds for a conversation and its second run, before they are scaled
TEST_DEADLINE = 300.0  # for the black-box tests of one file, or name
SAN = "address,undefined"
OBJECTS = ("build/obj/g++", "build/obj/g++-address-undefined")
FIRST_ERRORS = 30  # lines
PR_SET_CHILD_SUBREAPER = 36


class Unusable(Exception):
    """Nothing can be checked; one line that says why."""


# ---- what is checked -----------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Work:
    """A student's: a command line, or a folder with the sources of one program of the lab."""

    command: tuple[str, ...] = ()
    folder: pathlib.Path | None = None
    program: str = ""

    @property
    def checkpoints(self) -> list[Checkpoint]:
        return checkpoints.track(self.program)

    @property
    def files(self) -> list[pathlib.Path]:
        """What is judged: the student's sources, or all files that the command line names."""
        if self.folder:
            return [self.folder / name for name in skeleton.files_of(self.program)]
        return [pathlib.Path(path) for word in self.command
                if (path := shutil.which(word) or word) and os.path.isfile(path)]

    @property
    def digest(self) -> str:
        """Another one as soon as a file has changed."""
        found = hashlib.sha256(shlex.join(self.command).encode())
        for path in self.files:
            found.update(path.read_bytes() if path.exists() else b"\0")
        return found.hexdigest()

    @property
    def key(self) -> str:
        """Of its folder or file in build/lab."""
        name = self.folder.name if self.folder else pathlib.Path(self.command[0]).name
        where = str(self.folder) if self.folder else f"{os.getcwd()} {shlex.join(self.command)}"
        return f"{name}-{hashlib.sha256(where.encode()).hexdigest()[:8]}"

    def unwritten(self, checkpoint: Checkpoint) -> list[str]:
        return skeleton.unwritten_in(self.folder, checkpoint) if self.folder else []


def work_in(folder: str, stage: str = "") -> Work:
    """Without a stage: the last one that the folder has."""
    path = pathlib.Path(folder).resolve()
    programs = [p for p in checkpoints.TRACKS if p and (path / skeleton.server_of(p)).exists()]
    if not programs:
        raise Unusable(f"{folder}: no stage's server.cc lies there (make lab-start DIR={folder})")
    if not stage:
        return Work(folder=path, program=programs[-1])
    program = checkpoints.program_of(stage)
    if program not in programs:
        raise Unusable(f"{folder}: {skeleton.server_of(program)} does not lie there")
    return Work(folder=path, program=program)


def work_of(command: str) -> Work:
    words = tuple(shlex.split(command))
    if not words or not shutil.which(words[0]):
        raise Unusable(f"{words[0] if words else 'BIN'}: there is no such program")
    return Work(command=(shutil.which(words[0]), *words[1:]))


# ---- building it ---------------------------------------------------------------------------------

def lay(path: pathlib.Path, text: bytes) -> None:
    """Its time changes only where its text does: make compiles nothing else."""
    if not path.exists() or path.read_bytes() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def lay_out(work: Work, tree: pathlib.Path) -> None:
    """A clean copy of the tree, with the student's files, and no others of his, over it."""
    if not (tree / "Makefile").exists():
        trees.copy(tree, *OBJECTS)
    mine = {pathlib.Path(name) for name in skeleton.files_of(work.program)}
    for top in trees.SOURCES:
        path = harness.ROOT / top
        for source in ([path] if path.is_file() else sorted(path.rglob("*"))):
            name = source.relative_to(harness.ROOT)
            if source.is_file() and name not in mine:
                lay(tree / name, source.read_bytes())
    for name, stubs in skeleton.sources(work.program, -1).items():
        path = work.folder / name  # a file that is not there is one that is not written
        lay(tree / name, path.read_bytes() if path.exists() else stubs.encode())
    lay_units(tree)


def units(program: str) -> list[str]:
    """The programs that checks of this track run, beside the student's."""
    return [name.removeprefix("unit/") for checkpoint in checkpoints.track(program)
            for name in checkpoint.checks if name.startswith("unit/")]


def lay_units(tree: pathlib.Path) -> None:
    for path in sorted(UNIT.iterdir()):
        lay(tree / ("unit" if path.suffix == ".cc" else "") / path.name, path.read_bytes())


def folder_of(sanitizers: str) -> str:
    """Of the programs, in build/: the checks know by it how they were built."""
    return f"bin-g++-{sanitizers.replace(',', '-')}" if sanitizers else ""


def build(work: Work, tree: pathlib.Path | None = None, plain: bool = True) -> Target:
    """Builds it with sanitizers; and without, for what is measured or traced. A trees.Failure shows
    the compiler's first errors."""
    if work.command:
        return Target(work.command)
    tree = tree or OUTPUT / work.key
    lay_out(work, tree)
    jobs, with_sanitizers = f"-j{os.cpu_count() or 1}", f"build/{folder_of(SAN)}"
    trees.make(tree, jobs, *WITH_UNITS, "CXX=g++", f"SAN={SAN}",
               *(f"{with_sanitizers}/{name}" for name in (work.program, *units(work.program))))
    if plain:
        trees.make(tree, jobs, "CXX=g++", f"build/{work.program}")
    return Target(program=work.program, folder=str(tree / with_sanitizers))


def first_errors(text: str) -> list[str]:
    """Of what the compiler said: from the first error on."""
    lines = [line for line in text.splitlines() if not line.startswith("make")]
    start = next((i for i, line in enumerate(lines)
                  if re.search(r"error[: ]|undefined reference", line)), 1)
    while start > 0 and re.search(r": (In|At) |^In file included|^ +from ", lines[start - 1]):
        start -= 1
    cut, more = lines[start:start + FIRST_ERRORS], len(lines) - start - FIRST_ERRORS
    return cut + ([f"... {more} more lines"] if more > 0 else [])


# ---- running one check ---------------------------------------------------------------------------

def children() -> set[int]:
    return {int(pid) for task in pathlib.Path("/proc/self/task").iterdir()
            for pid in (task / "children").read_text(encoding="ascii").split()}


def end_all(group: int, before: set[int]) -> None:
    """Kills a process group, and whoever left it: these became children of this process."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    while left := children() - before:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def answer_of(pipe: int, process: subprocess.Popen, seconds: float) -> bytes | None:
    """What comes out of the pipe until it is closed; None if that takes longer."""
    import selectors  # pylint: disable=import-outside-toplevel

    deadline, got = time.monotonic() + seconds, b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(min(left, 0.5)):
                if process.poll() is not None:  # somebody it started has the pipe still
                    return got
                continue
            piece = os.read(pipe, 1 << 16)
            if not piece:
                return got
            got += piece
    return None


def perform(check: str, target: Target, scale: float = 1.0, prefix: Iterable[str] = ()) -> Outcome:
    """One check in a process of its own, with all it starts in a group that is killed at the end.
    `prefix` is put in front of the command line: what makes it run as somebody else, say."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    seconds = scale * (TEST_DEADLINE if one.is_test(check) else DEADLINE)
    began, before = time.monotonic(), children()
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-B", "-m", "tests.lab.one", check, *target.arguments,
             "--scale", f"{scale:.3f}", "--to", str(writing)],
            cwd=harness.ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=(writing,), start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1",  # what it prints stands in the order it was
                 **({"LAB_BIN": target.folder} if target.folder else {})})
        try:
            os.close(writing)
            answer = answer_of(reading, process, seconds)
            if answer:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
        finally:
            os.close(reading)
            end_all(process.pid, before)
            process.wait()
        log.seek(0)
        said = log.read().decode(errors="replace").strip().splitlines()
    try:
        return Outcome(**json.loads(answer or b""))
    except (ValueError, TypeError):
        why = (f"it hangs: not done after {seconds:.0f} s" if answer is None else
               f"the check broke down: {said[-1] if said else process.returncode}")
        return Outcome(check, record.FAILED, why, [f"       {line}" for line in said[-20:]],
                       round(time.monotonic() - began, 3))


def calibrate() -> float:
    """How much slower than NOMINAL this machine is, now; at least 1."""
    began = time.monotonic()
    known_good = Target((sys.executable, str(KNOWN_GOOD), "--text-port", "0"))
    outcome = perform("steps/1", known_good, scale=8)
    if outcome.failed:
        raise Unusable(f"this machine cannot run the checks: {outcome.message}")
    return max(1.0, (time.monotonic() - began) / NOMINAL)


# ---- running them all ----------------------------------------------------------------------------

def run(wanted: list[Checkpoint], target: Target, scale: float = 1.0, every: bool = False,
        prefix: Iterable[str] = (), after: Callable[[list[Mark]], None] = lambda marks: None
        ) -> list[Mark]:
    """A Mark for each checkpoint, in order. The checks of one end at the first that fails; so does
    the run, unless `every`. `after` is called after each check with the marks so far: the last of
    them has no points before all its checks are done."""
    marks: list[Mark] = []
    known: dict[str, Outcome] = {}  # a check may serve two checkpoints
    failed = ""
    for checkpoint in wanted:
        mark = Mark(checkpoint.id, checkpoint.title, checkpoint.points, message="not done yet")
        marks.append(mark)
        if failed and not every:
            mark.message = f"not checked: {failed} comes first"
            continue
        for check in checkpoint.checks:
            if check not in known:
                known[check] = perform(check, target, scale, prefix)
            mark.outcomes.append(known[check])
            if known[check].failed or len(mark.outcomes) == len(checkpoint.checks):
                mark.message = ""
            after(marks)
            if known[check].failed:
                failed = failed or mark.id
                break
    return marks


def not_built(wanted: list[Checkpoint], why: trees.Failure) -> list[Mark]:
    """It does not compile."""
    lines = [f"       {line}" for line in first_errors(str(why))]
    first = wanted[0]
    outcome = Outcome("build", record.FAILED, "it does not compile", lines)
    marks = [Mark(c.id, c.title, c.points, message="it does not compile") for c in wanted]
    marks[0] = Mark(first.id, first.title, first.points, [outcome])
    return marks


def up_to(work: Work, last: str) -> list[Checkpoint]:
    """`last` is a number or an id, "3" or "1.3"; "": all."""
    known = work.checkpoints
    if not last:
        return known
    at = next((i for i, c in enumerate(known) if last in (str(c.number), c.id)), None)
    if at is None:
        raise Unusable(f"no checkpoint {last}: there are {' '.join(c.id for c in known)}")
    return known[:at + 1]


def check_one(work: Work, name: str) -> bool:
    """A check of the table alone, or one test of a file that stands there. Does it pass?"""
    asking = next((c for c in work.checkpoints for check in c.checks
                   if name == check or name.startswith(f"{check}::")), None)
    if asking is None:
        raise Unusable(f"no checkpoint of this track asks for {name}")
    try:
        target = build(work, plain=one.is_test(name))
    except trees.Failure as why:
        outcome = not_built([asking], why)[0].outcomes[0]
    else:
        outcome = perform(name, target, calibrate())
    if outcome.failed:
        Printer(work, [asking]).failure(asking, outcome)
    else:
        print(f"{asking.id}, {name}: {shown(outcome.verdict)} {shown(outcome.message)}".rstrip())
    return not outcome.failed


def check(work: Work, last: str, every: bool) -> list[Mark]:
    """All of it: builds, runs, prints, and remembers."""
    wanted = up_to(work, last)
    digest = work.digest
    printer = Printer(work, wanted)
    try:
        tests = any(one.is_test(name) for c in wanted for name in c.checks)
        target = build(work, plain=tests)
    except trees.Failure as why:
        marks = not_built(wanted, why)
    else:
        marks = run(wanted, target, calibrate(), every, after=printer)
    printer.finish(marks)
    remember(work, digest, marks)
    return marks


# ---- what is printed -----------------------------------------------------------------------------

class Printer:
    """A line per checkpoint, as soon as it is known; then the sum, and the first failure."""

    def __init__(self, work: Work, wanted: list[Checkpoint]):
        self.work = work
        self.wanted = wanted
        self.titles = {c.id: c.shown for c in wanted}
        self.width = max(map(show.width_of, self.titles.values())) + 2
        self.printed = 0

    def __call__(self, marks: list[Mark]) -> None:
        for mark in marks[self.printed:]:
            if mark.message == "not done yet":
                return
            self.line(mark)
            self.printed += 1

    def line(self, mark: Mark) -> None:
        points = f"{mark.points if mark.outcomes else '-':>3}/{mark.max}"
        unstable = [o.check for o in mark.outcomes if o.verdict == record.UNSTABLE]
        more = "  " + shown(f"unstable: {', '.join(unstable)}") if unstable else ""
        colour = "green" if mark.passed else "dim" if mark.message else "red"
        title = show.fit(self.titles[mark.id], self.width)
        print(show.paint(f"{mark.id}  {title}{points}{more}", colour), flush=True)
        for outcome in mark.outcomes:
            if outcome.verdict in (record.FAILED, record.SKIPPED):
                print(f"     {outcome.check}: {shown(outcome.message)}", flush=True)

    def finish(self, marks: list[Mark]) -> None:
        self(marks)
        points, most = sum(mark.points for mark in marks), sum(mark.max for mark in marks)
        print(show.paint(shown(f"{points} of {most} points"), "bold"))
        failed = next((mark for mark in marks if not mark.passed), None)
        if failed:
            checkpoint = next(c for c in self.wanted if c.id == failed.id)
            print()
            self.failure(checkpoint, failed.outcomes[-1])

    def failure(self, checkpoint: Checkpoint, outcome: Outcome) -> None:
        for place in self.work.unwritten(checkpoint):
            print(show.paint(shown(f"nothing is written here yet: {place}"), "yellow"))
        message = shown(outcome.message)
        print(show.paint(f"{checkpoint.id}, {outcome.check}: {message}", "red"))
        print("\n".join(outcome.replay))
        if checkpoint.page.exists():
            print(shown(f"its page: {checkpoint.page.relative_to(harness.ROOT)}"))


# ---- what is remembered --------------------------------------------------------------------------

def results(work: Work) -> pathlib.Path:
    return OUTPUT / "results" / f"{work.key}.json"


def remembered(work: Work) -> dict[str, dict]:
    try:
        return json.loads(results(work).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def remember(work: Work, digest: str, marks: list[Mark]) -> None:
    known = remembered(work)
    for mark in marks:
        if mark.outcomes:
            known[mark.id] = {"digest": digest, "passed": mark.passed,
                              "message": next((o.message for o in mark.outcomes if o.failed), "")}
    results(work).parent.mkdir(parents=True, exist_ok=True)
    results(work).write_text(json.dumps(known, indent=1), encoding="utf-8")


def list_all(work: Work) -> None:
    known, digest = remembered(work), work.digest
    width = max(show.width_of(c.shown) for c in work.checkpoints) + 2
    for checkpoint in work.checkpoints:
        entry = known.get(checkpoint.id)
        if entry is None:
            state = "not checked yet"
        elif entry["digest"] != digest:
            was = "solved" if entry["passed"] else "failed"
            state = f"not checked since you changed it ({was} before)"
        else:
            state = "solved" if entry["passed"] else f"fails: {entry['message']}"
        print(f"{checkpoint.id}  {show.fit(checkpoint.shown, width)}{shown(state)}")


def watch(work: Work, last: str, every: bool) -> None:
    """Until Ctrl-C."""
    seen = None
    while True:
        now = [path.stat().st_mtime_ns if path.exists() else 0 for path in work.files]
        if now != seen:
            seen = now
            print(f"\n---- {time.strftime('%H:%M:%S')}")
            check(work, last, every)
            print(shown("waiting for a change (Ctrl-C ends it)"), flush=True)
        time.sleep(0.3)


# ---- everything ----------------------------------------------------------------------------------

def full(work: Work) -> int:
    """All black-box tests that are about what this program does, for no points."""
    if not work.folder:
        raise Unusable("the black-box tests ask for flags and for both ports: DIR=mine")
    try:
        target = build(work)
    except trees.Failure as why:
        print(shown("it does not compile"), *first_errors(str(why)), sep="\n")
        return 1
    if work.program in harness.STAGES:
        # Each test names the stage it is run on; the client's are about another program.
        chosen = ["-k", f"{work.program} and not evhttp_client", "tests/blackbox"]
    else:
        chosen = [f"tests/blackbox/test_evhttp_{part}.py" for part in ("server", "guard", "bounds")]
    done = subprocess.run([sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q",
                           "-rs", "-n", "3", "-m", "not repository", *chosen], cwd=harness.ROOT,
                          env={**os.environ, "LAB_BIN": target.folder, "LAB_STAGES": ""},
                          check=False)
    return 0 if done.returncode == 0 else 1


# ---- the command line ----------------------------------------------------------------------------

def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.lab.check", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "watch", "list", "full"))
    parser.add_argument("--bin", default="", help="a command line")
    parser.add_argument("--dir", default="", help="a folder of sources")
    parser.add_argument("--stage", default="")
    parser.add_argument("--cp", default="", help="up to this checkpoint, 3 or 1.3")
    parser.add_argument("--check", default="", help="this check alone")
    parser.add_argument("--all", action="store_true", help="go on after a failure")
    options = parser.parse_args(arguments)
    try:
        if bool(options.bin) == bool(options.dir):
            raise Unusable("what is to be checked? BIN='./mine --text-port 0', or DIR=mine")
        work = work_of(options.bin) if options.bin else work_in(options.dir, options.stage)
        if options.what == "list":
            list_all(work)
        elif options.what == "watch":
            watch(work, options.cp, options.all)
        elif options.what == "full":
            return full(work)
        elif options.check:
            return 0 if check_one(work, options.check) else 1
        else:
            return 0 if all(m.passed for m in check(work, options.cp, options.all)) else 1
    except (Unusable, checkpoints.NoCheckpoint, ValueError) as why:
        print(shown(str(why)), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(show.guarded(main, sys.argv[1:]))
