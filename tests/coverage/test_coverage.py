"""The judge of coverage, on reports that were made up."""

from __future__ import annotations


import pytest

from tests.coverage import coverage


def line(number: int, count: int, *branches: int, throw: int | None = None) -> dict:
    taken = [{"count": c, "fallthrough": False, "throw": False} for c in branches]
    if throw is not None:
        taken.append({"count": throw, "fallthrough": False, "throw": True})
    return {"line_number": number, "count": count, "branches": taken}


@pytest.fixture(name="judge")
def fixture_judge(tmp_path, capsys):
    """judge(lines) -> exit status and output, for a tree of one source of 200 lines."""
    (tmp_path / "common").mkdir()
    text = "\n".join(f"text {n}" for n in range(1, 201))
    (tmp_path / "common/a.cc").write_text(text, encoding="utf-8")

    def judge(*lines: dict, excused=()) -> tuple[int, str]:
        report = {"files": [{"file": "common/a.cc", "lines": lines}]}
        files = coverage.read(report, tmp_path, {"common/a.cc": excused})
        return coverage.report_on(files, tmp_path), capsys.readouterr().out

    judge.root = tmp_path
    return judge


def test_lines(judge):
    """Catches a check that never fails, or fails at exactly the limit; and one that does not say
    which lines."""
    reached = [line(n, 1) for n in range(1, 96)]
    missed = [line(n, 0) for n in range(96, 101)]
    assert judge(*reached, *missed)[0] == 0
    status, said = judge(*reached[1:], *missed)
    assert status == 1 and "TOO LOW" in said and "   96  never reached: text 96" in said


def test_branches(judge):
    """Catches a check of lines alone, and branches of exceptions that are counted."""
    both = [line(n, 1, 1, 1) for n in range(1, 5)]
    half = line(9, 1, 7, 0, throw=0)
    assert judge(*both, half)[0] == 0  # 9 of 10
    status, said = judge(*both[1:], half)
    assert status == 1 and "    9  1 of 2 branches not taken: text 9" in said


def test_a_source_without_counters(judge):
    """Catches a check that is content because nothing ran."""
    (judge.root / "common/b.cc").write_text("", encoding="utf-8")
    status, said = judge(line(1, 1))
    assert status == 1 and "common/b.cc: no counters" in said
    assert coverage.report_on([], judge.root) == 1


def test_excuses(judge):
    """Catches an excuse that is silent, or that stays when nothing needs it any more."""
    half = line(9, 1, 7, 0)
    status, said = judge(half, excused=[("text 9", "because")])
    assert status == 0 and "    9  1 of 2 branches not taken (because): text 9" in said
    status, said = judge(line(9, 1, 7, 7), excused=[("text 9", "because")])
    assert status == 1 and "is excused, and need not be" in said
    assert judge(half, excused=[("text 10", "because")])[0] == 1


def test_the_excused_files_exist():
    """Catches an excuse for a file that was renamed."""
    assert all((coverage.ROOT / name).is_file() for name in coverage.EXCUSED)
