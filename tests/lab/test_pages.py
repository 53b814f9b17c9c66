"""The pages of the lab say what the table of checkpoints says, and give nothing away."""

from __future__ import annotations

import pathlib
import re

import pytest

from tests import harness
from tests.lab import checkpoints, skeleton
from tests.lab.checkpoints import Checkpoint
from tests.lib import cpp

README = checkpoints.PAGES / "README.md"
PARTS = ["The idea", "What to write", "How it will be tested", "When it fails", "Hints",
         "When it passes"]
MOST_LINES = 10  # of an idea
OF_STAGES = [c for c in checkpoints.load() if c.program]
LONG = 25  # characters of a line that could only be copied


def read(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8")


def by_id(checkpoint: Checkpoint) -> str:
    return checkpoint.id


def section(text: str, heading: str) -> str:
    """What stands under it."""
    return re.split(r"^## ", text.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def text_of(checkpoint: Checkpoint) -> str:
    """Its page; on track 0 its part of the page that all share."""
    text = read(checkpoint.page)
    return text if checkpoint.program else section(text, f"{checkpoint.id}: {checkpoint.title}")


@pytest.mark.parametrize("checkpoint", checkpoints.load(), ids=by_id)
def test_each_checkpoint_has_its_page(checkpoint):
    """Fails where a title or its points change in the table and not on the page."""
    text = text_of(checkpoint)
    if checkpoint.program:
        assert text.startswith(f"# {checkpoint.id}: {checkpoint.title}\n")
    assert f"\n{checkpoint.points} points." in text


@pytest.mark.parametrize("checkpoint", OF_STAGES, ids=by_id)
def test_a_page_has_all_its_parts_in_order(checkpoint):
    """Fails where a part is missing, or the idea takes a page of its own."""
    text = text_of(checkpoint)
    assert re.findall(r"^## (.*)$", text, re.M) == PARTS
    assert sum(bool(line) for line in section(text, "The idea").splitlines()) <= MOST_LINES
    hints = section(text, "Hints").count("<details>")
    assert 2 <= hints <= 4 if checkpoint.writes else hints == 0


@pytest.mark.parametrize("checkpoint", checkpoints.track(""), ids=by_id)
def test_a_part_of_the_shared_page_is_complete(checkpoint):
    """Fails where a checkpoint of track 0 says no idea, no test or no hint."""
    marks = re.findall(r"^\*\*(.*?)\*\*|<summary>(Hint)", text_of(checkpoint), re.M)
    assert [bold or hint for bold, hint in dict.fromkeys(marks) if bold or hint] == [
        "The idea.", "How it will be tested.", "Hint", "When it passes,"]


@pytest.mark.parametrize("checkpoint", checkpoints.load(), ids=by_id)
def test_a_page_names_each_function_and_each_check(checkpoint):
    """Fails where the table asks for a function or a check of which the page says nothing, and
    where the page names one that the table does not have."""
    text = text_of(checkpoint)
    tested = section(text, "How it will be tested") if checkpoint.program else text
    named = re.findall(r"^- `([^`]+)`: ", tested, re.M) or re.findall(r"`(steps/\d)`: ", tested)
    assert named == list(checkpoint.checks)
    if checkpoint.program:
        functions = re.findall(r"^- `([\w:]+)`[:,]", section(text, "What to write"), re.M)
        assert sorted(functions) == sorted(
            place.name.partition("#")[0] for place in checkpoint.writes)


def test_points_are_a_hundred_per_track():
    """Fails where a checkpoint is added and a track is worth more than another."""
    for program in checkpoints.TRACKS:
        assert sum(c.points for c in checkpoints.track(program)) == 100, program


def test_the_list_is_that_of_the_table():
    """Fails where the lab's README has other points or titles, or leaves a checkpoint out."""
    rows = re.findall(r"^\| \[(\d\.\d)\]\(([\w.]+)[^)]*\) \| (\d+) \| (.*) \|$", read(README), re.M)
    assert rows == [(c.id, c.page.name, str(c.points), c.title) for c in checkpoints.load()]


def test_the_map_leads_to_each_page_once():
    """Fails where a page is added and the map of the course does not lead there."""
    rows = [line for line in read(harness.ROOT / "notes/README.md").splitlines()
            if line.startswith("| ")]
    head = next(i for i, row in enumerate(rows) if "| checkpoint |" in row)
    column = [cell.strip() for cell in rows[head].strip("|").split("|")].index("checkpoint")
    linked = [page for row in rows[head + 1:]
              for page in re.findall(r"\(lab/(\w+\.md)\)", row.strip("|").split("|")[column])]
    assert sorted(linked) == sorted(p.name for p in checkpoints.PAGES.glob("*.md") if p != README)


def told(page: str) -> set[str]:
    """Lines of the functions to write that stand on a page as code."""
    found = set()
    for place in {p for checkpoint in checkpoints.load() for p in checkpoint.writes}:
        body = skeleton.body_of(cpp.find_in(skeleton.reference(place.file), place.name).code)
        found |= {line.strip() for line in body.splitlines()
                  if len(line.strip()) >= LONG and line.strip() not in place.until}
    flat = " ".join(page.split())
    return {line for line in found if " ".join(line.split("  //")[0].split()) in flat}


@pytest.mark.parametrize("page", sorted(checkpoints.PAGES.glob("*.md")), ids=lambda p: p.name)
def test_no_page_tells_the_solution(page):
    """Fails where a hint ends in the line that the student is to find."""
    assert not told(read(page))


def test_a_solution_would_be_found():
    """Fails where the search for it finds nothing, whatever stands there."""
    body = skeleton.body_of(cpp.find_in(skeleton.reference("common/deadlines.h"),
                                        "Deadlines::free_closed").code)
    assert told(f"Hint: write\n```cpp\n{body}\n```\n")


def named(text: str) -> list:
    """What both languages of a page have to say alike: checks, functions, points, hints."""
    return [re.findall(r"^- `([^`]+)`[:,：，]", text, re.M),
            re.findall(r"^(\d+) (?:points\.|分。)", text, re.M), text.count("<summary>")]


@pytest.mark.parametrize("page", sorted(checkpoints.PAGES.glob("*.md")), ids=lambda p: p.name)
def test_the_chinese_page_asks_for_the_same(page):
    """Fails where a check, a function, points or a hint are in one language alone, and where the
    Chinese page tells the solution."""
    text = read(checkpoints.PAGES.parent / "zh" / "lab" / page.name)
    assert named(text) == named(read(page)) and not told(text)


def test_the_chinese_list_is_that_of_the_chinese_pages(monkeypatch):
    """Fails where a title is changed on its page and not in the list, or the points are others."""
    monkeypatch.setenv("LAB_LANG", "zh")
    rows = re.findall(r"^\| \[(\d\.\d)\]\(([\w.]+)[^)]*\) \| (\d+) \| (.*) \|$",
                      read(checkpoints.PAGES.parent / "zh" / "lab" / "README.md"), re.M)
    assert rows == [(c.id, c.page.name, str(c.points), c.shown) for c in checkpoints.load()]
