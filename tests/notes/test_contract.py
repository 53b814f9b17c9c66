"""Every rule of the contract names tests, and these exist."""

from __future__ import annotations

import collections
import functools
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTRACT = (ROOT / "notes/contract.md").read_text(encoding="utf-8")
IN_BRACKETS = "|".join(harness.STAGES)
STAGE = re.compile(rf"\[(?:{IN_BRACKETS})\]|(?<=\[)(?:{IN_BRACKETS})-|-(?:{IN_BRACKETS})(?=\])")


def rules(text: str) -> list[str]:
    """The items of its lists, each in one line."""
    return [re.sub(r"\n +", " ", item) for item in re.findall(r"^- .*(?:\n +.*)*", text, re.M)]


def evidence(rule: str) -> list[str]:
    """What a rule is shown by, or nothing."""
    _, _, behind = rule.partition("*Shown by* ")
    return re.findall(r"`([^`]+)`", behind)


def may_stand(rule: str) -> bool:
    """A rule that is not built yet may have no test."""
    return bool(evidence(rule)) or rule.startswith("- *due*: ")


@functools.cache
def collected(folder: pathlib.Path) -> frozenset[str]:
    """What pytest finds there: `file::test` and, but for the stage, `file::test[case]`."""
    env = {name: value for name, value in os.environ.items() if name != "LAB_STAGES"}
    run = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q",
         "--override-ini=addopts=", folder],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    names = re.findall(r"^\S*?([^/\s]+\.py::.+)$", run.stdout, re.M)
    assert run.returncode == 0 and names, run.stdout + run.stderr
    whole = {STAGE.sub("", name) for name in names}
    return frozenset(whole | {name.partition("[")[0] for name in whole})


@functools.cache
def unit_tests() -> frozenset[str]:
    files = (ROOT / "tests/unit").glob("*.cc")
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    found = re.findall(r"^TEST(?:_[FP])?\((\w+),\s*(\w+)\)", text, re.M)
    return frozenset(".".join(pair) for pair in found)


@functools.cache
def targets() -> frozenset[str]:
    files = (ROOT / "Makefile", *(ROOT / "tests").glob("*/*.mk"))
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    return frozenset(re.findall(r"^([\w-]+)(?: [\w -]+)?:(?!=)", text, re.M))


def exists(name: str) -> bool:
    if name.startswith("make "):
        return name.removeprefix("make ") in targets()
    if "::" in name:
        files = list((ROOT / "tests").glob("*/" + name.partition("::")[0]))
        return len(files) == 1 and name in collected(files[0].parent)
    return name in unit_tests()


NAMED = collections.Counter(name for rule in rules(CONTRACT) for name in evidence(rule))


@pytest.mark.parametrize("name", NAMED)
def test_it_exists(name):
    """Catches a test that was renamed or removed while a rule counts on it."""
    assert exists(name), f"notes/contract.md names {name}, which there is not"


@pytest.mark.parametrize("rule", rules(CONTRACT), ids=lambda rule: rule[2:40])
def test_every_rule_is_shown(rule):
    """Catches a rule that nothing holds."""
    assert may_stand(rule)


@pytest.mark.parametrize("name", [
    "test_drain.py::test_no_such", "test_no_such.py::test_rule", "Parser.NoSuch", "NoSuch.Host",
    "test_http_rules.py::test_rule[no-such]", "make no-such",
])
def test_what_there_is_not(name):
    """Catches a check to which every name is good, of whatever kind."""
    assert not exists(name)


def test_rules_and_their_evidence_are_found():
    """Catches a reader that overlooks rules, or takes any code span for a test."""
    text = ("Text `a`.\n\n- One `b`:\n  more.\n  *Shown by* `C.D`,\n  `make e`.\n"
            "- *due*: Two.\n- Three `f`.\n")
    assert [evidence(rule) for rule in rules(text)] == [["C.D", "make e"], [], []]
    assert [may_stand(rule) for rule in rules(text)] == [True, True, False]
    assert len(rules(CONTRACT)) > 60 and len(NAMED) > 100
