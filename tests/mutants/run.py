"""Do the tests notice? Makes mutants, builds each and runs the tests that reach it.

    -m tests.mutants.run [FILE...]       40 mutants of each file; FILE: all, if not given
        --number N    so many of each; 0: all
        --seed S      others
        --kind K      of one kind: constant, left-out and so on (mutate.KINDS)
        --quick       what CI runs: some of common/, the unit tests and two files at one stage
        --list        only prints them

A mutant is killed when the unit tests, or a black-box test that reaches it, fail; one that survives
stands in equivalent.txt with the reason why nobody could notice, or is a test to be written: then
this fails. Results are kept in build/mutants/results.json until the function or the tests change.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

from tests import harness, trees
from tests.mutants import mutate, reach, table

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = reach.OUTPUT
RESULTS = OUTPUT / "results.json"
EQUIVALENT = HERE / "equivalent.txt"
BLACKBOX = harness.ROOT / "tests" / "blackbox"
UNIT_TESTS = harness.ROOT / "tests" / "unit"

AT_ONCE = 2
FACTOR = 4  # what a test may take, in times of what it took without a mutant
SPARE = 30  # seconds more, for what else the machine does
MEMORY = 6 << 30
TOGETHER = 20  # seconds of tests that are worth several at a time
STAGE = "02_epoll_reactor"  # that runs the mutants of common/
QUICK_TESTS = ("test_http_rules.py", "test_text.py")
# What looks at the sources sees any mutant; what counts a stage's calls sees what clients do not.
WHICH = "not repository or calls"
# In the tree and in each copy. Without sanitizers: with them a mutant of common/ takes 12 s of the
# processor instead of 3, most of it in tests that fork. So they look at those alone that survive.
PLAIN, ASAN = "", "address,undefined"
UNIT = {PLAIN: ("build/obj/g++/tests/unit/unit", "build/obj/g++/tests/unit/allocation"),
        ASAN: ("build/obj/g++-address-undefined/tests/unit/unit",)}


@dataclasses.dataclass
class Result:
    name: str  # of the mutant
    outcome: str  # killed, survived, uncompilable
    by: str  # the test, or what else ended it
    tests: list[str]  # the files that decided it
    digest: str  # of the function and these
    seconds: float


class Trouble(Exception):
    """The tool cannot do its work: nothing that a mutant did."""


# ---- running -------------------------------------------------------------------------------------

def run(command: list[str], limit: float, most: int = MEMORY, **kwargs) -> tuple[int | None, str]:
    """Exit status (None: it hung) and what was printed. Nothing that it started is left. A mutant
    may ask for memory without end: no process gets more than `most` bytes."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", start_new_session=True, **kwargs) as process:
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (most, most))
        try:
            said, _ = process.communicate(timeout=limit)
            return process.returncode, said
        except subprocess.TimeoutExpired:
            kill_group(process.pid)
            said, _ = process.communicate()
            return None, said
        finally:
            kill_group(process.pid)


def kill_group(leader: int) -> None:
    """A mutated server may outlive the test that gave it up, and spin."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kinds(quick: bool) -> tuple[str, ...]:
    """Of builds for the unit tests."""
    return (PLAIN,) if quick else (PLAIN, ASAN)


def make(folder: pathlib.Path, sanitizers: str, *targets: str) -> None:
    # A warning is no error: `if (c) ;` is what is left of a statement that was left out.
    trees.make(folder, "CXX=g++", "WERROR=", f"SAN={sanitizers}", *targets)


class Tree:
    """A copy of the sources with their objects, and at most one mutant in it."""

    def __init__(self, folder: pathlib.Path, quick: bool = False):
        self.folder = folder
        self.mutated: str | None = None
        objects = {UNIT[kind][0].partition("/tests")[0] for kind in kinds(quick)}
        trees.copy(folder, "tests/unit", *objects, source=harness.ROOT)

    def put(self, mutant: mutate.Mutant) -> None:
        """Written with the time of now, so that make compiles it; as is what it was before."""
        if self.mutated not in (None, mutant.file):
            shutil.copyfile(harness.ROOT / self.mutated, self.folder / self.mutated)
        self.mutated = mutant.file
        source = (harness.ROOT / mutant.file).read_bytes()
        (self.folder / mutant.file).write_bytes(mutant.apply(source))

    def build(self, sanitizers: str, *targets: str) -> bool:
        try:
            make(self.folder, sanitizers, *targets)
            return True
        except trees.Failure:
            return False

    def unit(self, sanitizers: str, limit: float) -> str:
        """Which unit test fails, or "". It must do so twice."""
        most = resource.RLIM_INFINITY if sanitizers else MEMORY  # ASan maps all that there is
        for program in UNIT[sanitizers]:
            passed: list[str] = []  # the second time
            while True:
                command = [str(self.folder / program), "--gtest_brief=1", "--gtest_fail_fast"]
                status, said = run([*command, f"--gtest_filter=-{':'.join(passed)}"], limit, most,
                                   cwd=self.folder)
                if status == 0:
                    break
                if status is None:
                    return "unit tests: a hang"
                failed = re.search(r"^\[  FAILED  \] (\S+?),? ", said, re.M)
                if not failed:
                    return f"unit tests: exit status {status}"
                again, _ = run([*command, f"--gtest_filter={failed[1]}"], limit, most,
                               cwd=self.folder)
                if again != 0:
                    return failed[1]
                passed.append(failed[1])
        return ""

    def blackbox(self, names: list[str], stage: str, seconds: float) -> str:
        """Which black-box test fails, or "". A test that fails must do so twice: the machine may
        be busy, and no mutant is killed by that."""
        names = list(names)
        while names:
            status, said = self.pytest(names, stage, seconds)
            if status is None:
                return "black-box tests: a hang"
            if status in (0, 5):
                return ""
            found = re.search(r"^(?:FAILED|ERROR) \S*?(test_\w+\.py::\w+)", said, re.M)
            if status not in (1, 2) or not found:  # 2: several at a time, and -x
                raise Trouble(f"pytest could not run {names}:\n{said[-3000:]}")
            if self.pytest([found[1]], stage, seconds)[0] not in (0, 5):
                return found[1]
            names = [n for n in names if n not in (found[1], found[1].partition("::")[0])]
        return ""

    def pytest(self, names: list[str], stage: str, seconds: float) -> tuple[int | None, str]:
        """-x does not stop those that run beside the one that fails; so several at a time only
        where there is much to run."""
        many = ["-n", "3"] if seconds > TOGETHER and len(names) > 1 else []
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-x", "-rfE",
                   "--tb=no", "-m", WHICH, *many, *(str(BLACKBOX / n) for n in names)]
        return run(command, SPARE + FACTOR * seconds, cwd=harness.ROOT, env={
            **os.environ, "LAB_BIN": str(self.folder / "build"), "LAB_STAGES": stage[:2],
            "PYTHONDONTWRITEBYTECODE": "1"})


# ---- judging -------------------------------------------------------------------------------------

def digest(mutant: mutate.Mutant, tests: list[str]) -> str:
    sha = hashlib.sha256(f"{mutant.text} {mutant.name}".encode())
    for test in tests:
        path = harness.ROOT / test
        sha.update(path.read_bytes() if path.exists() else b"gone")
    return sha.hexdigest()


def unit_files(failed: str = "") -> list[str]:
    """Of all unit tests, or of Group.Name alone."""
    test = re.compile(rf"\({re.escape(failed.replace('.', ', '))}\)")
    every = sorted(UNIT_TESTS.glob("*.*"))
    some = [path for path in every if failed and test.search(path.read_text(encoding="utf-8"))]
    return [str(path.relative_to(harness.ROOT)) for path in some or every]


def batches(tests: list[reach.Test]) -> list[list[reach.Test]]:
    """First those of a few seconds, one after the other: most mutants go no further."""
    seconds = itertools.accumulate(test.seconds for test in tests)
    few = sum(at <= TOGETHER for at in seconds)
    return [some for some in (tests[:few], tests[few:]) if some]


def blackbox_files(names: Iterable[str]) -> list[str]:
    return sorted({f"tests/blackbox/{name.partition('::')[0]}" for name in names})


class Judge:
    """Decides what becomes of a mutant; knows what became of others."""

    def __init__(self, reached: reach.Reach | None, quick: bool):
        self.reached = reached
        self.quick = quick
        self.unit_limits: dict[str, float] = {}
        self.killers: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)

    def calibrate(self, tree: Tree) -> None:
        for kind in kinds(self.quick):
            tree.build(kind, *UNIT[kind])
            began = time.monotonic()
            if failed := tree.unit(kind, 600):
                raise Trouble(f"the unit tests fail without a mutant: {failed}")
            self.unit_limits[kind] = SPARE + FACTOR * (time.monotonic() - began)

    def blackbox_tests(self, mutant: mutate.Mutant) -> dict[str, list[reach.Test]]:
        """The stages to run, and the tests of each, the likeliest to notice first; "": those that
        name their programs themselves. What is common to all is run at one; stage 4 has a file of
        stage 3."""
        if self.quick:
            return {STAGE: [reach.Test(name, STAGE, 15.0) for name in QUICK_TESTS]}
        text = (harness.ROOT / mutant.file).read_text(encoding="utf-8")
        found = [test for test in self.reached.of(
            mutant.file, mutant.line if mutant.inside else None, text) if test.exists(BLACKBOX)]
        stages = {test.stage for test in found if test.stage}
        own = next((s for s in harness.STAGES if mutant.file.startswith(s[:3])), STAGE)
        first = own if own in stages else min(stages, default=own)
        others = stages - {first} if not mutant.file.startswith("common/") else set()
        before = self.killers[mutant.function]
        return {stage: sorted((test for test in found if test.stage == stage),
                              key=lambda t: (-before[t.name], t.seconds))
                for stage in (first, "", *sorted(others))}

    def judge(self, mutant: mutate.Mutant, tree: Tree) -> Result:
        began = time.monotonic()

        def result(outcome: str, by: str, tests: list[str]) -> Result:
            return Result(mutant.name, outcome, by, tests, digest(mutant, tests),
                          round(time.monotonic() - began, 1))

        tree.put(mutant)
        if mutant.file.startswith("common/"):
            for kind in kinds(self.quick):
                if not tree.build(kind, *UNIT[kind]):
                    return result("uncompilable", "", [])
                if failed := tree.unit(kind, self.unit_limits[kind]):
                    return result("killed", failed, unit_files(failed))
        stages = self.blackbox_tests(mutant)
        if not tree.build(PLAIN, f"build/{STAGE}" if self.quick else "all"):
            return result("uncompilable", "", [])
        tests = unit_files() if mutant.file.startswith("common/") else []
        tests += blackbox_files({test.name for chosen in stages.values() for test in chosen})
        for stage, some in ((stage, some) for stage in stages for some in batches(stages[stage])):
            if failed := tree.blackbox([test.name for test in some], stage,
                                       sum(test.seconds for test in some)):
                self.killers[mutant.function][failed] += 1
                return result("killed", failed,
                              blackbox_files([failed]) if "::" in failed else tests)
        return result("survived", "", tests)


class Results:
    """Those of earlier runs, too. Written whenever one is added: a run may be ended."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.lock = threading.Lock()
        saved = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        self.of = {one["name"]: Result(**one) for one in saved}

    def known(self, mutant: mutate.Mutant) -> Result | None:
        """Unless the function or the tests are others by now."""
        one = self.of.get(mutant.name)
        return one if one and one.digest == digest(mutant, one.tests) else None

    def add(self, one: Result) -> None:
        with self.lock:
            self.of[one.name] = one
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps([dataclasses.asdict(r) for r in self.of.values()], indent=1),
                           encoding="utf-8")
            new.replace(self.path)


# ---- what is asked for ---------------------------------------------------------------------------

def sources() -> list[str]:
    return sorted(str(path.relative_to(harness.ROOT)) for folder in ("common", *harness.STAGES)
                  for path in (harness.ROOT / folder).iterdir() if path.suffix in (".h", ".cc"))


def is_quick(file: str) -> bool:
    """Judged by unit tests alone, mostly; and compiled by itself, as no header is."""
    return (file.startswith("common/") and file.endswith(".cc")
            and file not in ("common/serve.cc", "common/process.cc"))


def flags() -> tuple[str, ...]:
    said = subprocess.run(["pkg-config", "--cflags", "libevent_core"], check=True,
                          capture_output=True, text=True).stdout
    return (*shlex.split(said), f"-I{harness.ROOT}/build/obj/g++/gen")


def sample(mutants: list[mutate.Mutant], number: int, seed: str) -> list[mutate.Mutant]:
    """Those with the smallest hashes: which ones, depends on no other mutant, so a change of one
    function never brings those of another into the sample. The first of a larger sample are the
    smaller one."""
    by_hash = sorted(mutants, key=lambda m: hashlib.sha256((seed + m.name).encode()).digest())
    return by_hash[:number] if number else by_hash


def equivalents(mutants_of: dict[str, list[mutate.Mutant]], path: pathlib.Path = EQUIVALENT
                ) -> dict[str, str]:
    """Name -> reason. A line about a file that was read must name a mutant of today."""
    reasons = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, mark, reason = line.partition("  # ")
        if not mark or not reason.strip():
            raise Trouble(f"{path.name}: no reason in: {line}")
        reasons[name.strip()] = reason.strip()
    names = {mutant.name for of in mutants_of.values() for mutant in of}
    gone = [name for name in reasons if name not in names and (
        (file := name.partition(" ")[0]) in mutants_of or not (harness.ROOT / file).exists())]
    if gone:
        raise Trouble("\n".join([f"{path.name} names no mutant of today:", *gone]))
    return reasons


# ---- output --------------------------------------------------------------------------------------

def survivor(mutant: mutate.Mutant, one: Result) -> str:
    return (f"{mutant.file}:{mutant.line}: {mutant.kind}: survives {len(one.tests)} test files\n"
            f"  - {mutant.was}\n  + {mutant.now}\n  {mutant.name}")


# ---- all -----------------------------------------------------------------------------------------

def prepare(quick: bool) -> None:
    """The build that is copied."""
    for kind in kinds(quick):
        make(harness.ROOT, kind, f"-j{os.cpu_count()}", *UNIT[kind])
    make(harness.ROOT, PLAIN, f"-j{os.cpu_count()}", f"build/{STAGE}" if quick else "all")


def judge_all(todo: list[mutate.Mutant], judge: Judge, results: Results) -> None:
    """AT_ONCE copies of the tree, each with the next mutant. They come file by file: then what make
    compiles is that file alone."""
    queue = collections.deque(sorted(todo, key=lambda m: (m.file, m.begin, m.after)))
    copies = [Tree(OUTPUT / f"tree-{i}", judge.quick) for i in range(min(AT_ONCE, len(queue)))]
    judge.calibrate(copies[0])

    def work(tree: Tree) -> None:
        while True:
            try:
                mutant = queue.popleft()
            except IndexError:
                return
            try:
                one = judge.judge(mutant, tree)
            except Trouble:
                queue.clear()  # for the others, too
                raise
            results.add(one)
            print(f"{one.outcome:12s} {one.seconds:5.1f} s  {mutant.file}:{mutant.line} "
                  f"{mutant.now}  [{one.by}]", file=sys.stderr, flush=True)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for done in [pool.submit(work, tree) for tree in copies]:
                done.result()
        except KeyboardInterrupt:
            queue.clear()
            print("ends when those at work are judged", file=sys.stderr, flush=True)
            raise


def report(chosen: dict[str, list[mutate.Mutant]], results: Results, reasons: dict[str, str]
           ) -> int:
    pairs = {file: [(m, results.of[m.name]) for m in mutants] for file, mutants in chosen.items()}
    rows = table.rows_of(pairs, reasons)
    left = [(m, one) for file in pairs.values() for m, one in file
            if one.outcome == "survived" and m.name not in reasons]
    for mutant, one in left:
        print(survivor(mutant, one))
    needless = [m.name for file in pairs.values() for m, one in file
                if one.outcome == "killed" and m.name in reasons]
    for name in needless:
        print(f"{EQUIVALENT.name} calls it equivalent, and a test notices it: {name}")
    print(table.printed(rows))
    (OUTPUT / table.PATH.name).write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 1 if left or needless else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("files", nargs="*")
    parser.add_argument("--number", type=int, default=40)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--kind", choices=["", *mutate.KINDS], default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.files) - set(sources()):
        parser.error(f"no source of common/ or a stage: {' '.join(sorted(unknown))}")
    prepare(asked.quick)
    files = asked.files or [f for f in sources() if not asked.quick or is_quick(f)]
    made = {file: mutate.mutants(harness.ROOT, file, flags()) for file in files}
    reasons = equivalents(made)
    made = {file: [m for m in of if asked.kind in ("", m.kind)] for file, of in made.items()}
    if asked.quick:
        every = sample([m for of in made.values() for m in of], asked.number, asked.seed)
        chosen = {file: [m for m in every if m.file == file] for file in files}
    else:
        chosen = {file: sample(of, asked.number, asked.seed) for file, of in made.items()}
    if asked.list:
        print(*(m.name for of in chosen.values() for m in of), sep="\n")
        return 0
    results = Results(OUTPUT / ("quick.json" if asked.quick else RESULTS.name))
    todo = [m for of in chosen.values() for m in of if not results.known(m)]
    if todo:
        judge_all(todo, Judge(None if asked.quick else reach.Reach.load(), asked.quick), results)
    return report(chosen, results, reasons)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Trouble, trees.Failure, mutate.Unparsable) as why:
        sys.exit(str(why))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
