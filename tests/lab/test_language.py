"""The lab in Chinese, for who asks for it: its messages and its pages."""

from __future__ import annotations

import re

import pytest

from tests import harness
from tests.compare import conversation as conv
from tests.exercises import exercises
from tests.lab import check, checkpoints, one, record, start
from tests.lab.record import Mark, Outcome
from tests.lib import words

PROSE = re.compile(r"[a-z]+ [a-z]+ [a-z]+")  # English that was left
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SAID_BY = ("tests/compare", "tests/exercises", "tests/lab", "tests/steps", "notes/steps")


def blocks(text: str) -> list[str]:
    """Lines of what commands printed."""
    return [line for block in re.findall(r"^```text\n(.*?)^```$", text, re.M | re.S)
            for line in block.splitlines()]


def shown() -> set[str]:
    """What was wrong, on the pages of the lab."""
    lines = [line for page in sorted(checkpoints.PAGES.glob("*.md"))
             for line in blocks(page.read_text(encoding="utf-8"))]
    found = [match[1] for line in lines
             if (match := re.match(r"\d\.\d, (?!test_)\S+: (.*)$", line))]
    assert len(found) > 15
    return set(found)


def captions() -> set[str]:
    """Of all conversations: what they are called, and what their parts are."""
    told = [c for folder in one.FOLDERS.values() for c in conv.load_all(folder)]
    return {text for c in told for text in (c.title, *(step.caption for step in c.steps)) if text}


def asked() -> set[str]:
    """What exercises ask for, point by point."""
    return {exercises.point_of(point) for name in exercises.IDS
            for point in exercises.points(exercises.module_of(name))}


def test_all_that_is_shown_is_in_the_table():
    """Fails where a message, a caption or a point of an exercise was changed, and its Chinese is
    not found."""
    told = [text for text in shown() | captions() | asked() if re.search("[a-z]{2},? [a-z]", text)]
    english = {text: now for text in told
               if PROSE.search(now := words.finished(text)) or not CHINESE.search(now)}
    assert english == {}


def pairs(text: str) -> set[tuple[str, str]]:
    """Of words that follow each other; what the code puts in between is left out."""
    text = re.sub(r'(?<!\\)["\']\s*\n\s*f?["\']', " ", text.lower())
    text = re.sub(r"""\{[^{}\n"']*\}|\b1 byte|\bbytes""", " ", text)
    told = re.findall(r"[a-z']+", text)
    return set(zip(["", *told], told))


def test_the_table_has_nothing_that_nobody_says():
    """Fails where a message was taken out, or said otherwise, and its Chinese stays."""
    files = [path for folder in SAID_BY for path in (harness.ROOT / folder).rglob("*")
             if path.suffix in (".py", ".conv", ".cc") and path.name != "test_language.py"]
    said = set().union(*(pairs(path.read_text(encoding="utf-8")) for path in files))

    def nowhere(key: str) -> bool:
        told = {pair for pair in pairs(key) if pair[0]}
        return bool(told) and 2 * len(told & said) <= len(told)

    assert list(filter(nowhere, words.FINISHED)) == []
    assert nowhere("the client walked home late")


def test_each_hole_is_one_of_the_english():
    """Fails where the Chinese leaves out what the code puts in, or asks for more: a KeyError."""
    assert [english for english, chinese in words.FINISHED.items()
            if set(words.holes(chinese)) != set(words.holes(english))] == []


def test_what_the_table_does_not_know_stays(monkeypatch):
    """Fails where a student's own output is lost, or taken for a message."""
    monkeypatch.setenv("LAB_LANG", "zh")
    assert words.shown("a line of mine") == "a line of mine"
    assert words.shown("it crashes: mine.cc:7: runtime error: bad") == (
        "崩溃：mine.cc:7: runtime error: bad")


def test_a_message_of_one_stage(monkeypatch):
    """Fails where the name of a stage before a message leaves it in English."""
    monkeypatch.setenv("LAB_LANG", "zh")
    assert words.shown("01_plain_epoll: POST /reverse: 404, expected 200") == (
        "01_plain_epoll: POST /reverse：404，应当是 200")
    assert words.shown("02_epoll_reactor: cannot stay") == "02_epoll_reactor: cannot stay"


@pytest.mark.parametrize("program", [program for program in checkpoints.TRACKS if program])
def test_a_folder_in_chinese(program, tmp_path, monkeypatch, capsys):
    """Fails where who reads Chinese gets English pages, or pages whose links lead nowhere."""
    monkeypatch.setenv("LAB_LANG", "zh")
    assert start.main([str(tmp_path), "--stage", program]) == 0
    assert CHINESE.search(capsys.readouterr().out)
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert not PROSE.search(re.sub(r"`[^`]*`|\]\([^)]*\)", "", readme))
    pages = [tmp_path / "lab" / c.page.name for c in checkpoints.track(program)]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "\n## 怎样检查\n" in text
        links = [link[1] for link in start.LINK_TO.finditer(text)]
        assert [to for to in links if not (page.parent / to).exists()] == []


def test_a_report_in_chinese(monkeypatch, capsys):
    """Fails where a line of lab-check's is printed past the table, or a title is cut."""
    monkeypatch.setenv("LAB_LANG", "zh")
    wanted = checkpoints.track("")[:2]
    good, bad = (Outcome(c.checks[0], record.PASSED) for c in wanted)
    bad.verdict, bad.message = record.FAILED, "step 3: c1 gets nothing within 2.5 s"
    marks = [Mark(c.id, c.title, c.points, [o]) for c, o in zip(wanted, (good, bad))]
    check.Printer(check.Work(command=("true",)), wanted).finish(marks)
    assert capsys.readouterr().out.splitlines() == [
        "0.1  一次只服务一个客户端   10/10", "0.2  同时服务许多客户端      0/14",
        "     steps/2: 第 3 步：c1 在 2.5 秒内什么也没收到", "得分 10，满分 24", "",
        "0.2, steps/2: 第 3 步：c1 在 2.5 秒内什么也没收到", "",
        "说明页：notes/zh/lab/0_from_nothing.md"]
