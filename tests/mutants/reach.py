"""Which black-box test reaches which line, and how long it takes: asked once, used for each mutant.

    pytest -p tests.mutants.reach ...     with a coverage build: each test's counters are kept apart
    -m tests.mutants.reach                reads them; writes build/mutants/reach.json

A test is a function of a file, with all of its cases, at one stage ("" where it names none). Tests
that share a server (a fixture of a module) are one.
"""

from __future__ import annotations

import collections
import dataclasses
import difflib
import functools
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from tests import harness

OUTPUT = harness.ROOT / "build" / "mutants"
COUNTERS = OUTPUT / "reach"
MAP = OUTPUT / "reach.json"


@dataclasses.dataclass(frozen=True)
class Test:
    """`name` is what pytest is told to run in tests/blackbox."""

    name: str
    stage: str
    seconds: float

    @property
    def file(self) -> str:
        return self.name.partition("::")[0]

    def exists(self, folder: pathlib.Path) -> bool:
        path, _, function = self.name.partition("::")
        source = folder / path
        return source.exists() and f"def {function}" in source.read_text(encoding="utf-8")


# ---- in pytest -----------------------------------------------------------------------------------

def folder_of(item) -> pathlib.Path:
    shared = any(found[-1].scope == "module"
                 for found in item._fixtureinfo.name2fixturedefs.values())
    name = item.path.name if shared else f"{item.path.name}::{item.originalname}"
    stage = item.callspec.params.get("stage", "") if hasattr(item, "callspec") else ""
    return COUNTERS / name / (stage or "none")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    folder = folder_of(item)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["GCOV_PREFIX"] = str(folder)  # its servers inherit it
    began = time.monotonic()
    yield
    with open(folder / "seconds", "a", encoding="ascii") as seconds:
        seconds.write(f"{time.monotonic() - began}\n")


def pytest_runtest_logreport(report):
    """What fails without a mutant says nothing about one."""
    if report.failed and (prefix := os.environ.get("GCOV_PREFIX")):
        (pathlib.Path(prefix) / "failed").touch()


# ---- afterwards ----------------------------------------------------------------------------------

def lines_in(folder: pathlib.Path) -> dict[str, set[int]]:
    """The lines of each source that were reached."""
    counters = [str(path) for path in folder.rglob("*.gcda")]
    for path in counters:  # gcov looks for its notes beside the counters
        notes = pathlib.Path(path).with_suffix(".gcno")
        if not notes.exists():
            notes.symlink_to("/" / notes.relative_to(folder))
    reached: dict[str, set[int]] = collections.defaultdict(set)
    if counters:
        said = subprocess.run(["gcov", "--json-format", "--stdout", *counters], check=True,
                              capture_output=True, text=True, cwd=harness.ROOT).stdout
        for line in said.splitlines():
            for file in json.loads(line)["files"]:
                reached[file["file"]] |= {at["line_number"] for at in file["lines"] if at["count"]}
    return {file: lines for file, lines in reached.items() if file.startswith(("common/", "0"))}


class Reach:
    """The lines are those of the sources as they were; they are found again in those of today."""

    def __init__(self, tests: list[Test], lines: dict[str, dict[int, int]], texts: dict[str, str]):
        self.tests = tests
        self.lines = lines  # of each file, by its number: a bit per test
        self.texts = texts

    @classmethod
    def gather(cls) -> Reach:
        tests: list[Test] = []
        lines: dict[str, dict[int, int]] = collections.defaultdict(dict)
        for times in sorted(COUNTERS.glob("*/*/seconds")):
            folder = times.parent
            if (folder / "failed").exists():
                print(f"left out, because it fails unmutated: {folder.relative_to(COUNTERS)}")
                continue
            for file, reached in lines_in(folder).items():
                for line in reached:
                    lines[file][line] = lines[file].get(line, 0) | 1 << len(tests)
            stage = folder.name.removeprefix("none")
            took = sum(map(float, times.read_text(encoding="ascii").split()))
            tests.append(Test(folder.parent.name, stage, round(took, 3)))
        texts = {file: (harness.ROOT / file).read_text(encoding="utf-8") for file in lines}
        return cls(tests, lines, texts)

    def save(self) -> None:
        MAP.write_text(json.dumps({
            "tests": [dataclasses.astuple(test) for test in self.tests], "texts": self.texts,
            "lines": {file: {line: f"{bits:x}" for line, bits in reached.items()}
                      for file, reached in self.lines.items()}}), encoding="utf-8")

    @classmethod
    def load(cls) -> Reach:
        saved = json.loads(MAP.read_text(encoding="utf-8"))
        return cls([Test(*test) for test in saved["tests"]],
                   {file: {int(line): int(bits, 16) for line, bits in reached.items()}
                    for file, reached in saved["lines"].items()}, saved["texts"])

    def of(self, file: str, line: int | None, text: str) -> list[Test]:
        """The tests that reach this line of the file whose text is now that; where a line holds
        nothing to count (the rest of a statement), those of the nearest one above; without a line
        all that reach the file, or simply all, where it is nothing but constants."""
        reached = self.lines.get(file, {})
        if line is None:
            return self._chosen(functools.reduce(int.__or__, reached.values(), 0) or -1)
        old = self.texts.get(file, "").split("\n")
        before = line
        if "\n".join(old) != text:
            matcher = difflib.SequenceMatcher(None, old, text.split("\n"), autojunk=False)
            before = max((a + min(line - 1 - b, size - 1) + 1
                          for a, b, size in matcher.get_matching_blocks()
                          if size and b < line), default=0)
        for number in range(before, max(before - 8, 0), -1):
            if number in reached:
                return self._chosen(reached[number])
        return []

    def _chosen(self, bits: int) -> list[Test]:
        return [test for i, test in enumerate(self.tests) if bits >> i & 1]


if __name__ == "__main__":
    found = Reach.gather()
    found.save()
    print(f"{len(found.tests)} tests reach {len(found.lines)} files")
    sys.exit(0 if found.tests else 1)
