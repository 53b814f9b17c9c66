"""Runs the checks of notes/exercises.md, and checks the checks.

    -m tests.exercises.exercises check 02a       does the tree do what exercise 02a asks for?
    -m tests.exercises.exercises probe 02a [P]   the same, until the first point that is missing, or
                                                 the point check_P alone
    -m tests.exercises.exercises verify 02a..
        in copies of the tree: each solution (notes/solutions/02a.patch) passes its check, and so
        does an answer that goes another way (tests/exercises/unusual/02a-*.patch); the tree as it
        is and each wrong answer (tests/exercises/wrong/02a-*.patch) are refused
    -m tests.exercises.exercises verify          the same of all, with one wrong answer to each

A check is a module check_02a.py. Its functions that begin with `check_` are the points asked for,
in order: the docstring's first line says what must hold, an Unmet says what was seen, a CannotLook
why nothing could be. BINARIES names what must be built, TSAN what must be built with
ThreadSanitizer, too. Exit status: 0 solved, 1 not, 77 not known.

Wrong and unusual answers are patches to the solution, not to the tree: a few lines each, and a few
files to compile. A wrong one's head says which point refuses it (`Misses: check_quiet`); that one
alone is looked at.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

from tests import harness, skips, trees
from tests.compare import show
from tests.exercises.clients import CannotLook, Unmet
from tests.lib import wire
from tests.lib.words import shown
from tests.trees import Failure

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = harness.ROOT / "build" / "exercises"
SOLUTIONS = harness.ROOT / "notes" / "solutions"
OBJECTS = ("build/obj/g++", "build/obj/g++-thread")
TSAN = "build/bin-g++-thread"
AT_ONCE = 2  # points of a check: they mostly wait
SOLVED, TO_DO, NOT_KNOWN = 0, 1, 77
IDS = sorted(path.stem.removeprefix("check_") for path in HERE.glob("check_*.py"))


def module_of(name: str):
    if name not in IDS:
        raise SystemExit(f"there is no exercise {name}; there are {' '.join(IDS)}")
    return importlib.import_module(f"tests.exercises.check_{name}")


def points(module, only: str = "") -> list:
    found = {name: thing for name, thing in vars(module).items() if name.startswith("check_")}
    return [found["check_" + only]] if only else list(found.values())


def missing(point) -> str:
    """What this point lacks; empty if nothing."""
    try:
        point()
    except (Unmet, wire.Unexpected) as error:
        return str(error)
    except harness.StartError as error:
        return f"the server does not start: {error}"
    except TimeoutError:
        return "a client waited for the server to answer, or to close, and it did neither"
    except (OSError, EOFError, ValueError, LookupError) as error:
        return f"{type(error).__name__}: {error}"
    except subprocess.TimeoutExpired as error:
        return f"the server did not end within {error.timeout} s"
    except Exception as error:  # http.client's errors have no common base but this one
        if type(error).__module__ != "http.client":
            raise
        return f"{type(error).__name__}: {error}"
    return ""


def look_at(point) -> tuple[str, str]:
    """ok, missing or skipped; and why it is not ok."""
    try:
        lacks = missing(point)
    except CannotLook as why:
        return "skipped", str(why)
    return ("missing", lacks) if lacks else ("ok", "")


def all_at_once(found: list[Callable]) -> Iterator[tuple[str, str]]:
    """In their order; but the black-box tests, which take longest, begin first."""
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    begun = {point: pool.submit(look_at, point)
             for point in sorted(found, key=lambda point: point.__name__ != "check_the_rest")}
    return (begun[point].result() for point in found)


def point_of(check_: Callable) -> str:
    """What has to be so, on one line."""
    return " ".join(check_.__doc__.split("\n\n")[0].split())


def told(text: str) -> str:
    """In the reader's language, behind a verdict."""
    width = show.columns() - 10
    lines = [part for line in text.splitlines() for part in show.wrap(shown(line), width)]
    return "\n          ".join(lines)


def check(name: str, all_points: bool = True, only: str = "") -> int:
    count: collections.Counter[str] = collections.Counter()
    found = points(module_of(name), only)
    looks = all_at_once(found) if all_points else map(look_at, found)
    for point, (verdict, why) in zip(found, looks):
        count[verdict] += 1
        print(show.fit(shown(verdict), 7), told(point_of(point)), flush=True)
        if why:
            print("          " + told(why), flush=True)
        if verdict == "missing" and not all_points:
            break
    if left := count["missing"]:
        print(shown(f"exercise {name}: {left} to go"))
        return TO_DO
    if left := count["skipped"]:
        print(shown(f"exercise {name}: not known, {left} of its points were skipped"))
        return NOT_KNOWN
    print(shown(f"exercise {name}: solved"))
    return SOLVED


def goals(folder: str, tsan: str, *names: str) -> list[list[str]]:
    """What make is told, once per sanitizer, to build all that these checks start."""
    found = []
    for attribute, sanitizer, into in (("BINARIES", "", folder), ("TSAN", "thread", tsan)):
        binaries = {b for name in names for b in getattr(module_of(name), attribute, ())}
        if binaries:
            found.append([f"SAN={sanitizer}", *(f"{into}/{b}" for b in sorted(binaries))])
    return found


def build_and_check(name: str) -> int:
    """What the check says stands first: the compiler's warnings follow it, its errors stand alone.
    """
    said = ""
    for arguments in goals("build", os.environ.get("LAB_TSAN", TSAN), name):
        made = trees.run(["make", "-s", f"-j{os.cpu_count() or 1}", *arguments], cwd=harness.ROOT)
        said += made.stdout
        if made.returncode != 0:
            print(said, file=sys.stderr)
            return TO_DO
    status = check(name)
    print(said, end="", file=sys.stderr)
    return status


# ---- the checks, checked -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Answer:
    """A patch to the solution of an exercise."""

    patch: pathlib.Path
    misses: str  # the point that refuses it; empty: none, because it is right

    @classmethod
    def read(cls, patch: pathlib.Path) -> Answer:
        found = re.search(r"^Misses: check_(\w+)$", patch.read_text(encoding="utf-8"), re.MULTILINE)
        right = patch.parent.name == "unusual"
        if right == bool(found):
            raise Failure(f"{patch.name}: a wrong answer's head says Misses:, another's does not")
        return cls(patch, "" if right else found[1])


def answers(name: str) -> list[Answer]:
    """To each exercise three wrong ones, and one that is right and not the solution."""
    wrong, unusual = (sorted((HERE / folder).glob(f"{name}-*.patch"))
                      for folder in ("wrong", "unusual"))
    if len(wrong) < 3 or not unusual:
        raise Failure(f"{name}: {len(wrong)} wrong answers and {len(unusual)} unusual ones")
    return [Answer.read(patch) for patch in (*wrong, *unusual)]


def build(tree: pathlib.Path, *names: str) -> None:
    for arguments in goals("build", TSAN, *names):
        trees.make(tree, "CXX=g++", *arguments)


def outcome(tree: pathlib.Path, name: str, point: str = "") -> subprocess.CompletedProcess:
    """With PYTHONOPTIMIZE, which leaves out every `assert`: a check made of these would pass."""
    program = [sys.executable, "-B", "-m", "tests.exercises.exercises", "probe", name]
    result = trees.run(program + [point] * bool(point), cwd=harness.ROOT, timeout=240,
                       env={**os.environ, "LAB_BIN": str(tree / "build"),
                            "LAB_TSAN": str(tree / TSAN), "PYTHONOPTIMIZE": "1",
                            "LAB_LANG": "en"})
    if "exercise " + name not in result.stdout:
        raise Failure(f"the check of {name} broke down:\n{result.stdout}")
    return result


def solve(name: str, untouched: pathlib.Path) -> pathlib.Path:
    """A tree with the solution, built."""
    tree = OUTPUT / name
    trees.copy(tree, *OBJECTS, source=untouched)
    trees.apply(SOLUTIONS / f"{name}.patch", tree)
    build(tree, name)
    return tree


def verify_right(name: str, tree: pathlib.Path) -> str:
    """A busy machine may fail a right answer once. That is printed; a wrong one has one chance."""
    first = outcome(tree, name)
    if first.returncode != TO_DO:
        return verdict(first, "solved")
    second = outcome(tree, name)
    if second.returncode == TO_DO:
        raise Failure(f"it does not pass its check, twice:\n{second.stdout}")
    return verdict(second, "solved at the second try; at first: " + reason(first))


def verify_answer(name: str, answer: Answer, solution: pathlib.Path) -> str:
    tree = OUTPUT / answer.patch.stem
    trees.copy(tree, *OBJECTS, source=solution)
    trees.apply(answer.patch, tree)
    build(tree, name)
    if not answer.misses:
        said = verify_right(name, tree)
    else:
        result = outcome(tree, name, answer.misses)
        if result.returncode == SOLVED:
            raise Failure(f"check_{answer.misses} does not refuse it")
        said = verdict(result, "refused: " + reason(result))
    shutil.rmtree(tree)
    return said


def verify_untouched(name: str, untouched: pathlib.Path) -> str:
    result = outcome(untouched, name)
    if result.returncode == SOLVED:
        raise Failure("the tree passes the check without a solution")
    return verdict(result, "not solved by the tree as it is")


def reason(result: subprocess.CompletedProcess) -> str:
    """Of the first point that is not ok: its last line."""
    return re.search(r"(?m)^(?:missing|skipped) .*\n(?: .*\n)* +(.*)", result.stdout)[1]


def verdict(result: subprocess.CompletedProcess, known: str) -> str:
    return known if result.returncode != NOT_KNOWN else "skipped, " + reason(result)


def verify(names: list[str]) -> int:
    wanted = names or IDS
    shutil.rmtree(OUTPUT, ignore_errors=True)
    untouched = OUTPUT / "untouched"
    trees.copy(untouched, *OBJECTS)  # what is edited meanwhile changes nothing
    build(untouched, *wanted)  # by one make: two of them in a tree trip over each other
    # More than cores: most checks wait rather than work.
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + 2) as pool:
        jobs = {pool.submit(verify_untouched, name, untouched): f"{name} untouched"
                for name in wanted}
        solutions = {name: pool.submit(solve, name, untouched) for name in wanted}
        for name, solution in solutions.items():
            tree = solution.result()
            jobs[pool.submit(verify_right, name, tree)] = f"{name} solution"
            for answer in answers(name) if names else answers(name)[:1]:
                jobs[pool.submit(verify_answer, name, answer, tree)] = answer.patch.stem
        failed, skipped = report(jobs)
    print(f"{len(wanted)} exercises: " + (f"{failed} failures" if failed else "all hold")
          + (f", {skipped} of {len(jobs)} trees skipped" if skipped else "")
          + ("" if names else "; make exercises-all tries the other wrong answers"))
    return 1 if failed else 0


def report(jobs: dict) -> tuple[int, int]:
    """How many failed, and how many were skipped."""
    failed = skipped = 0
    for job in concurrent.futures.as_completed(jobs):
        try:
            said = job.result()
            before, _, why = said.partition("skipped, ")
            skipped += not before
            print(f"{jobs[job]}: {said}", flush=True)
            if not before and (text := skips.complaint([(f"exercise {jobs[job]}", why)])):
                raise Failure(text)
        except (Failure, OSError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAILED {jobs[job]}: {error}", flush=True)
    return failed, skipped


def main(argv: list[str]) -> int:
    if len(argv) == 2 and argv[0] == "check":
        return build_and_check(argv[1])
    if len(argv) in (2, 3) and argv[0] == "probe":
        return check(argv[1], all_points=False, only=argv[2] if argv[2:] else "")
    if argv[:1] == ["verify"]:
        return verify(argv[1:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
