"""Runs the checks of notes/exercises.md, and checks the checks.

    -m tests.exercises.exercises check 02a       does the tree do what exercise 02a asks for?
    -m tests.exercises.exercises probe 02a       the same, until the first point that is missing
    -m tests.exercises.exercises verify [02a..]
        in copies of the tree: each solution (notes/solutions/02a.patch) passes its check; the tree
        as it is and each wrong solution (tests/exercises/wrong/02a-*.patch) fail it

A check is a module check_02a.py. Its functions that begin with `check_` are the points asked for,
in order: the docstring's first line says what must hold, an Unmet says what was seen, a CannotLook
why nothing could be. BINARIES names what must be built. Exit status: 0 solved, 1 not, 77 not known.
"""

from __future__ import annotations

import collections
import concurrent.futures
import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable

from tests import harness, skips, trees
from tests.compare import show
from tests.exercises.clients import CannotLook, Unmet
from tests.lib import wire
from tests.lib.words import shown
from tests.trees import Failure

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = harness.ROOT / "build" / "exercises"
SOLUTIONS = harness.ROOT / "notes" / "solutions"
OBJECTS = "build/obj/g++"
SOLVED, TO_DO, NOT_KNOWN = 0, 1, 77
IDS = sorted(path.stem.removeprefix("check_") for path in HERE.glob("check_*.py"))


def module_of(name: str):
    if name not in IDS:
        raise SystemExit(f"there is no exercise {name}; there are {' '.join(IDS)}")
    return importlib.import_module(f"tests.exercises.check_{name}")


def points(module) -> list:
    return [thing for name, thing in vars(module).items() if name.startswith("check_")]


def missing(point) -> str:
    """What this point lacks; empty if nothing."""
    try:
        point()
    except (Unmet, wire.Unexpected) as error:
        return str(error)
    except harness.StartError as error:
        return f"the server does not start: {error}"
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


def point_of(check_: Callable) -> str:
    """What has to be so, on one line."""
    return " ".join(check_.__doc__.split("\n\n")[0].split())


def told(text: str) -> str:
    """In the reader's language, behind a verdict."""
    width = show.columns() - 10
    lines = [part for line in text.splitlines() for part in show.wrap(shown(line), width)]
    return "\n          ".join(lines)


def check(name: str, all_points: bool = True) -> int:
    count: collections.Counter[str] = collections.Counter()
    for point in points(module_of(name)):
        verdict, why = look_at(point)
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


# ---- the checks, checked -------------------------------------------------------------------------


def build(tree: pathlib.Path, *names: str) -> None:
    binaries = {binary for name in names for binary in module_of(name).BINARIES}
    trees.make(tree, "CXX=g++", *(f"build/{binary}" for binary in sorted(binaries)))


def outcome(tree: pathlib.Path, name: str) -> subprocess.CompletedProcess:
    """With PYTHONOPTIMIZE, which leaves out every `assert`: a check made of these would pass."""
    program = [sys.executable, "-B", "-m", "tests.exercises.exercises"]
    result = trees.run([*program, "probe", name], cwd=harness.ROOT, timeout=120,
                       env={**os.environ, "LAB_BIN": str(tree / "build"), "PYTHONOPTIMIZE": "1",
                            "LAB_LANG": "en"})
    if "exercise " + name not in result.stdout:
        raise Failure(f"the check of {name} broke down:\n{result.stdout}")
    return result


def verify_patch(patch: pathlib.Path, untouched: pathlib.Path) -> str:
    """One solution, or one wrong solution."""
    name, right = patch.stem[:3], patch.parent == SOLUTIONS
    tree = OUTPUT / patch.stem
    trees.copy(tree, OBJECTS, source=untouched)
    trees.apply(patch, tree)
    build(tree, name)
    result = outcome(tree, name)
    if right and result.returncode == TO_DO:
        raise Failure(f"the solution does not pass its check:\n{result.stdout}")
    if not right and result.returncode == SOLVED:
        raise Failure(f"{patch.relative_to(harness.ROOT)} passes the check, and should not")
    shutil.rmtree(tree)
    return f"{patch.stem}: " + verdict(result, "solved" if right else "noticed")


def verify_untouched(name: str, untouched: pathlib.Path) -> str:
    result = outcome(untouched, name)
    if result.returncode == SOLVED:
        raise Failure("the tree passes the check without a solution")
    return f"{name}: " + verdict(result, "not solved by the tree as it is")


def verdict(result: subprocess.CompletedProcess, known: str) -> str:
    """In a word; for what is not known, the first reason that was given."""
    if result.returncode != NOT_KNOWN:
        return known
    return "skipped, " + re.search(r"(?m)^skipped .*\n(?: .*\n)* +(.*)", result.stdout)[1]


def verify(names: list[str]) -> int:
    wanted = names or IDS
    shutil.rmtree(OUTPUT, ignore_errors=True)
    untouched = OUTPUT / "untouched"
    trees.copy(untouched, OBJECTS)  # what is edited meanwhile changes nothing
    build(untouched, *wanted)  # by one make: two of them in a tree trip over each other
    # More than cores: most checks wait rather than work.
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + 2) as pool:
        jobs = {}
        for name in wanted:
            wrong = sorted((HERE / "wrong").glob(f"{name}-*.patch"))
            for patch in (SOLUTIONS / f"{name}.patch", *wrong):
                jobs[pool.submit(verify_patch, patch, untouched)] = patch.stem
            jobs[pool.submit(verify_untouched, name, untouched)] = name
        failed, skipped = report(jobs)
    print(f"{len(wanted)} exercises: " + (f"{failed} failures" if failed else "all hold")
          + (f", {skipped} of {len(jobs)} trees skipped" if skipped else ""))
    return 1 if failed else 0


def report(jobs: dict) -> tuple[int, int]:
    """How many failed, and how many were skipped."""
    failed = skipped = 0
    for job in concurrent.futures.as_completed(jobs):
        try:
            said = job.result()
            name, gap, why = said.partition(": skipped, ")
            skipped += bool(gap)
            print(said, flush=True)
            if gap and (text := skips.complaint([(f"exercise {name}", why)])):
                raise Failure(text)
        except (Failure, OSError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAILED {jobs[job]}: {error}", flush=True)
    return failed, skipped


def main(argv: list[str]) -> int:
    if len(argv) == 2 and argv[0] in ("check", "probe"):
        return check(argv[1], all_points=argv[0] == "check")
    if argv[:1] == ["verify"]:
        return verify(argv[1:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
