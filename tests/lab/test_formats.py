"""The files that graders read, held against what the documentation of each says."""

from __future__ import annotations

import json
import pathlib
import re
import unicodedata
import xml.etree.ElementTree as xml

import pytest

from tests.lab import formats, record
from tests.lab.record import Mark, Outcome

NASTY = "quotes ' \" ]]> <b>&amp; \x00\x1b[31m \udcff\udc80 \ufffe 你好 \u0085"
HUGE = "x" * 1_000_000
# As junit-10.xsd has it, by element: the attributes it may have and must have, what is in it.
SCHEMA = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "package",
                   "group", "hostname", "id", "file", "log", "url", "version"},
                  {"name", "tests", "failures", "errors"},
                  {"testsuite", "properties", "testcase", "system-out", "system-err"}),
    "testcase": ({"name", "time", "classname", "group"}, {"name"},
                 {"skipped", "failure", "system-out", "system-err"}),
    "failure": ({"type", "message"}, set(), set()),
    "skipped": ({"type", "message"}, set(), set()),
    "system-out": (set(), set(), set()),
}
SECONDS = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?")


@pytest.fixture(name="report")
def fixture_report() -> formats.Report:
    """Half done: two stages, one check of each kind, one checkpoint that was not reached."""
    return formats.Report({
        "01_plain_epoll": [
            Mark("1.0", "It builds", 4, [Outcome("lab/starts", record.PASSED, seconds=0.25)]),
            Mark("1.1", NASTY, 16, [
                Outcome("steps/1", record.UNSTABLE, "it failed once", seconds=1.0),
                Outcome("calls/one", record.SKIPPED, "strace may not trace here"),
                Outcome("test_text.py::test_x[01_plain_epoll]", record.PASSED)]),
            Mark("1.2", "It answers", 30, [
                Outcome("steps/2", record.PASSED, seconds=1234.5678),
                Outcome("steps/3", record.FAILED, f"{NASTY}\nand more",
                        ["1  c1 sends", NASTY, HUGE]),
                Outcome("steps/4", record.FAILED, HUGE)]),
            Mark("1.3", "Time", 50, message="not reached"),
        ],
        "02_epoll_reactor": [Mark("2.1", "The reactor", 100, message=f"no compiler: {NASTY}")],
    }, began=1_700_000_000.0, seconds=1240.7)


def strings(value) -> list[str]:
    if isinstance(value, dict):
        return [part for item in value.items() for part in strings(item)]
    if isinstance(value, (list, tuple)):
        return [part for item in value for part in strings(item)]
    return [value] if isinstance(value, str) else []


def controls(text: str) -> set[str]:
    """Control characters and halves of characters, but line feed and tab."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cs")} - {"\n", "\t"}


def made(name: str, report: formats.Report, tmp_path: pathlib.Path) -> str:
    """As a reader gets it: the bytes of the file, which have to be UTF-8."""
    formats.write(report, tmp_path, [name])
    return (tmp_path / formats.FORMATS[name][0]).read_bytes().decode("utf-8")


@pytest.mark.parametrize("name", formats.FORMATS)
def test_anything_a_program_prints_can_stand_in_it(name, report, tmp_path):
    """Fails where a byte of a student's output makes the file invalid, or a megabyte goes into it:
    a grader takes a file that it cannot read for no points at all."""
    contents = made(name, report, tmp_path)
    assert not controls(contents)
    assert len(contents) < 100_000
    if name != "autolab":  # has no room for text
        assert "characters are left out here" in contents
        assert "你好" in contents and "\\x00" in contents.replace("\\\\", "\\")


def test_nothing_half_written_is_left(report, tmp_path):
    """Fails where the file is written in place: a run that is cut off leaves half a file."""
    made("text", report, tmp_path)
    before = (tmp_path / "results.txt").stat().st_ino
    made("text", report, tmp_path)
    assert (tmp_path / "results.txt").stat().st_ino != before
    with pytest.raises(TypeError):
        formats.replace(tmp_path / "results.txt", None)
    assert [path.name for path in tmp_path.iterdir()] == ["results.txt"]


def test_text_says_what_was_reached(report, tmp_path):
    """Fails where the sum is wrong, where a checkpoint without points does not say why, or where
    one with points hides that a check was skipped."""
    contents = made("text", report, tmp_path)
    assert contents.splitlines()[-1] == "20 of 200 points"
    assert "   0 of  50  1.3 Time\n        not reached\n" in contents
    assert "  16 of  16  1.1" in contents
    assert "skipped  calls/one: strace may not trace here" in contents


# ---- JUnit ---------------------------------------------------------------------------------------

def test_junit_keeps_to_its_schema(report, tmp_path):
    """Fails where an element or an attribute is none of junit-10.xsd, or one is missing."""
    root = xml.fromstring(made("junit", report, tmp_path))
    assert root.tag == "testsuites"
    for element in root.iter():
        may, must, inside = SCHEMA[element.tag]
        assert must <= set(element.attrib) <= may, element.attrib
        assert {child.tag for child in element} <= inside
        assert SECONDS.fullmatch(element.get("time", "0"))


def test_junit_counts(report, tmp_path):
    """Fails where a count is not that of the elements, or two cases have one name."""
    root = xml.fromstring(made("junit", report, tmp_path))
    suites = root.findall("testsuite")
    assert [suite.get("package") for suite in suites] == 4 * ["01_plain_epoll"] + [
        "02_epoll_reactor"]
    for suite in suites:
        found = suite.findall("testcase")
        assert int(suite.get("tests")) == len(found) > 0
        assert int(suite.get("failures")) == len(suite.findall("*/failure"))
        assert int(suite.get("skipped")) == len(suite.findall("*/skipped"))
        assert len({case.get("name") for case in found}) == len(found)
    assert int(root.get("tests")) == 9 and int(root.get("failures")) == 4
    assert suites[2].get("time") == "1234.568"


# ---- Gradescope ----------------------------------------------------------------------------------

def test_gradescope_keeps_to_its_documentation(report, tmp_path):
    """Fails where a field has another type or value than documented; where the sum of the tests is
    not the score, which overrides it; where a student's output would be read as HTML."""
    result = json.loads(made("gradescope", report, tmp_path))
    assert result["score"] == sum(test["score"] for test in result["tests"]) == 20
    assert {result[f] for f in ("output_format", "test_output_format", "test_name_format")} == {
        "text"}
    assert isinstance(result["execution_time"], int) and isinstance(result["output"], str)
    for test in result["tests"]:
        assert set(test) == {"score", "max_score", "status", "name", "number", "output",
                             "visibility"}
        assert 0 <= test["score"] <= test["max_score"]
        assert test["status"] == ("passed" if test["score"] == test["max_score"] else "failed")
        assert test["visibility"] == "visible"
        assert test["name"] and isinstance(test["number"], str) and isinstance(test["output"], str)
    numbers = [test["number"] for test in result["tests"]]
    assert numbers == ["1.0", "1.1", "1.2", "1.3", "2.1"]
    assert not [text for text in strings(result) if controls(text)]
    assert result["tests"][3]["output"] == "not reached"


# ---- Autolab -------------------------------------------------------------------------------------

def test_autolab_is_one_line(report, tmp_path):
    """Fails where it is more than the one line that Autolab reads, or a score is no number."""
    contents = made("autolab", report, tmp_path)
    assert contents.count("\n") == 1
    assert json.loads(contents) == {"scores": {"1.0": 4, "1.1": 16, "1.2": 0, "1.3": 0, "2.1": 0}}


# ---- Classroom 50 --------------------------------------------------------------------------------

ENVIRONMENT = {"CLASSROOM": "loops", "ASSIGNMENT": "stage-1", "SUBMISSION_TAG": "submit/2026-a1b2",
               "COMMIT_URL": "https://example.org/c", "RELEASE_URL": "https://example.org/r"}


@pytest.mark.parametrize("environment", [ENVIRONMENT, {}])
def test_classroom50_keeps_to_its_contract(report, tmp_path, monkeypatch, environment):
    """Fails where a field is missing, empty, or of another type: what collects the scores then
    leaves the whole submission out."""
    for name in (*ENVIRONMENT, "REVIEW_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = json.loads(made("classroom50", report, tmp_path))
    assert result["schema"] == "classroom50/result/v1"
    for field in ("classroom", "assignment", "submission", "commit", "release", "review"):
        assert isinstance(result[field], str) and result[field]
    assert result["submission"].startswith("submit/")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result["datetime"])
    for row in (result, *result["tests"]):
        assert type(row["score"]) is int and type(row["max-score"]) is int  # True is no score
        assert 0 <= row["score"] <= row["max-score"]
    assert result["score"] == sum(test["score"] for test in result["tests"])
    assert result["max-score"] == sum(test["max-score"] for test in result["tests"])
    names = [test["test-name"] for test in result["tests"]]
    assert all(names) and len(set(names)) == len(names)
    assert all(type(test["passed"]) is bool for test in result["tests"])
    if environment:
        assert result["review"] == result["commit"] == "https://example.org/c"
