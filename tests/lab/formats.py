"""The results of a grading, as those who collect them want to read them.

    text         results.txt    for people
    junit        junit.xml      for CI servers and editors
    gradescope   results.json   /autograder/results/results.json
    autolab      autolab.json   one line; make lab-grade prints it as the last line, too
    classroom50  result.json    schema classroom50/result/v1

What a student's program printed may be anything: it is made printable, and cut where it is long, so
that no file becomes invalid or larger than its reader accepts.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import pathlib
import re
import tempfile
import xml.etree.ElementTree as xml
from collections.abc import Callable

from tests.lab import record
from tests.lab.record import Mark, Outcome

MOST = 10_000  # characters of what one check has to say; Classroom 50 reads 10 MiB in all
LONGEST = 300  # characters of a message, which is one line
# Neither XML 1.0 nor a terminal takes these; \ud800 and on are bytes that were not UTF-8.
UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
STATUS = {record.PASSED: "ok", record.FAILED: "FAILED", record.UNSTABLE: "unstable",
          record.SKIPPED: "skipped"}


@dataclasses.dataclass(frozen=True)
class Report:
    """What is known so far."""

    stages: dict[str, list[Mark]]  # by the program that was graded
    began: float  # seconds since the epoch
    seconds: float = 0.0

    @property
    def marks(self) -> list[Mark]:
        return [mark for marks in self.stages.values() for mark in marks]

    @property
    def points(self) -> int:
        return sum(mark.points for mark in self.marks)

    @property
    def max(self) -> int:
        return sum(mark.max for mark in self.marks)


# ---- any text ------------------------------------------------------------------------------------

def printable(text: str) -> str:
    """With \\x00 and so on where a character cannot stand in every format."""
    def escaped(match: re.Match) -> str:
        code = ord(match[0])
        return f"\\x{code - 0xdc00 if 0xdc80 <= code <= 0xdcff else code:02x}"

    return UNPRINTABLE.sub(escaped, text.replace("\r\n", "\n"))


def cut(text: str, most: int = MOST) -> str:
    """Its beginning and its end."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters are left out here]\n{text[-half:]}"


def line(text: str) -> str:
    """One, and not a long one."""
    text = " ".join(printable(text[:4 * LONGEST]).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def told(outcome: Outcome) -> str:
    """What a check has to say beside its message."""
    return printable(cut("\n".join(outcome.replay)))


def title(mark: Mark) -> str:
    return line(f"{mark.id} {mark.title}")


def shown(mark: Mark) -> str:
    """A checkpoint, in lines."""
    lines = [line(mark.message)] if mark.message else []
    for outcome in mark.outcomes:
        message = f": {line(outcome.message)}" if outcome.message else ""
        lines.append(f"{STATUS[outcome.verdict]:8} {outcome.check}{message}")
        if outcome.failed and outcome.replay:
            lines += [f"    {told_line}" for told_line in told(outcome).split("\n")]
    return "\n".join(lines)


# ---- the formats ---------------------------------------------------------------------------------

def row(mark: Mark) -> str:
    """A checkpoint, for people: below it why it has no points, or what they do not rest on."""
    plain = mark.passed and all(o.verdict == record.PASSED for o in mark.outcomes)
    body = [] if plain else shown(mark).split("\n")
    return "\n".join([f"{mark.points:4} of {mark.max:3}  {title(mark)}",
                      *(f"        {told_line}".rstrip() for told_line in body)])


def text(report: Report) -> str:
    parts = ["\n".join([stage, "", *map(row, marks), ""]) for stage, marks in
             report.stages.items()]
    return "\n".join([*parts, f"{report.points} of {report.max} points\n"])


def count(outcomes: list[Outcome], verdict: str) -> str:
    return str(sum(outcome.verdict == verdict for outcome in outcomes))


def cases(mark: Mark) -> list[Outcome]:
    """Its checks; the checkpoint itself where there was nothing to check."""
    if not mark.message and mark.outcomes:
        return mark.outcomes
    message = mark.message or "nothing was checked"
    return [*mark.outcomes, Outcome(title(mark), record.FAILED, message)]


def junit(report: Report) -> str:
    """Attributes and elements are those of the schema junit-10.xsd (Jenkins, Surefire, pytest): a
    suite for each checkpoint, a case for each check."""
    every = [outcome for mark in report.marks for outcome in cases(mark)]
    root = xml.Element("testsuites", name="reactor lab", tests=str(len(every)), errors="0",
                       failures=count(every, record.FAILED), time=f"{report.seconds:.3f}")
    when = datetime.datetime.fromtimestamp(report.began, datetime.timezone.utc)
    for stage, marks in report.stages.items():
        for mark in marks:
            outcomes = cases(mark)
            suite = xml.SubElement(
                root, "testsuite", name=title(mark), package=stage,
                tests=str(len(outcomes)), failures=count(outcomes, record.FAILED), errors="0",
                skipped=count(outcomes, record.SKIPPED), time=f"{mark.seconds:.3f}",
                timestamp=f"{when:%Y-%m-%dT%H:%M:%S}")
            for outcome in outcomes:
                add_case(suite, f"{stage}.{mark.id}", outcome)
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, "unicode") + "\n"


def add_case(suite: xml.Element, classname: str, outcome: Outcome) -> None:
    case = xml.SubElement(suite, "testcase", classname=classname, name=line(outcome.check),
                          time=f"{outcome.seconds:.3f}")
    if outcome.failed:
        failure = xml.SubElement(case, "failure", type="failed", message=line(outcome.message))
        failure.text = told(outcome)
    elif outcome.verdict == record.SKIPPED:
        xml.SubElement(case, "skipped", message=line(outcome.message))
    elif outcome.verdict == record.UNSTABLE:
        xml.SubElement(case, "system-out").text = line(f"unstable: {outcome.message}")


def dumped(value: dict) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def gradescope(report: Report) -> str:
    """The formats are said: without that Gradescope reads the outermost output as HTML."""
    return dumped({
        "score": report.points,
        "execution_time": round(report.seconds),
        "output": f"{report.points} of {report.max} points",
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "tests": [{
            "score": mark.points,
            "max_score": mark.max,
            "status": "passed" if mark.passed else "failed",
            "name": title(mark),
            "number": mark.id,
            "output": shown(mark),
            "visibility": "visible",
        } for mark in report.marks],
    })


def autolab(report: Report) -> str:
    """The names are those that the lab's problems have on the site of Autolab."""
    return json.dumps({"scores": {mark.id: mark.points for mark in report.marks}}) + "\n"


def classroom50(report: Report) -> str:
    """Who and which submission is said by the runner's environment; it adds the owner itself."""
    def given(name: str, default: str = "unknown") -> str:
        return os.environ.get(name) or default

    now = datetime.datetime.now(datetime.timezone.utc)
    return dumped({
        "schema": "classroom50/result/v1",
        "classroom": given("CLASSROOM"),
        "assignment": given("ASSIGNMENT"),
        "submission": given("SUBMISSION_TAG", "submit/unknown"),
        "commit": given("COMMIT_URL"),
        "release": given("RELEASE_URL"),
        "review": given("REVIEW_URL", given("COMMIT_URL")),
        "datetime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "score": report.points,
        "max-score": report.max,
        "tests": [{
            "test-name": title(mark),
            "passed": mark.passed,
            "score": mark.points,
            "max-score": mark.max,
            "output": shown(mark),
        } for mark in report.marks],
    })


FORMATS: dict[str, tuple[str, Callable[[Report], str]]] = {
    "text": ("results.txt", text),
    "junit": ("junit.xml", junit),
    "gradescope": ("results.json", gradescope),
    "autolab": ("autolab.json", autolab),
    "classroom50": ("result.json", classroom50),
}


# ---- writing -------------------------------------------------------------------------------------

def replace(path: pathlib.Path, contents: str) -> None:
    """Whoever reads it meets the old file or the new one, whenever we are cut off."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(contents)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise


def write(report: Report, out: pathlib.Path, names: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        file, made = FORMATS[name]
        replace(out / file, made(report))
