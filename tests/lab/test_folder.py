"""Skeletons, and the folder that a student gets."""

from __future__ import annotations

import pathlib
import re

import pytest

from tests import harness
from tests.lab import checkpoints, skeleton, start
from tests.lib import cpp

PLACES = [(checkpoint, place) for checkpoint in checkpoints.load() for place in checkpoint.writes]
PROGRAMS = [program for program in checkpoints.TRACKS if program]


@pytest.mark.parametrize("checkpoint, place", PLACES, ids=lambda thing: getattr(
    thing, "name", getattr(thing, "id", "")))
def test_each_place_is_a_function_and_its_stub_another(checkpoint, place):
    """Fails where a function was renamed, or its stub is what the student is to find out."""
    reference = cpp.find(harness.ROOT / place.file, place.name).code
    assert not skeleton.is_unwritten(place, reference)
    assert skeleton.is_unwritten(place, skeleton.stub(place, checkpoint, reference))


@pytest.mark.parametrize("program", PROGRAMS)
def test_points_and_numbers(program):
    """Fails where a track's points are not 100, or its numbers leave one out."""
    track = checkpoints.track(program)
    numbers = [c.number for c in track]
    assert sum(c.points for c in track) == 100
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


@pytest.mark.parametrize("checkpoint", [c for c in checkpoints.load() if c.program],
                         ids=lambda c: c.id)
def test_there_is_something_to_write(checkpoint):
    """Fails where a checkpoint of a stage is a line and a half: brackets and comments are no lines.
    (1.0 passes at once, and 1.8 is the whole suite.)"""
    bodies = [skeleton.body_of(cpp.find(harness.ROOT / place.file, place.name).code)
              for place in checkpoint.writes]
    lines = [line for body in bodies for line in cpp.blanked(body, directives=False).split("\n")
             if re.search(r"\w", line)]
    assert len(lines) >= {"1.0": 0, "1.8": 5}.get(checkpoint.id, 10)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_last_checkpoint_gives_the_reference(program):
    """Fails where making a skeleton changes more than the functions that are to be written."""
    until = checkpoints.track(program)[-1].number
    assert skeleton.sources(program, until) == {
        file: skeleton.reference(file) for file in skeleton.files_of(program)}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_skeleton_looks_like_the_sources(program):
    """Fails where a comment runs out of the page."""
    for file, text in skeleton.sources(program, 0).items():
        assert max(map(len, text.splitlines())) <= 100, file


def test_what_a_folder_holds(tmp_path):
    """Fails where a checkpoint's page, a header or a stub is missing, or a solution is not."""
    assert start.main([str(tmp_path)]) == 0
    server = (tmp_path / "01_plain_epoll" / "server.cc").read_text(encoding="utf-8")
    assert "// To write (1.2):" in server and "epoll_ctl(loop.tree.get(), operation" not in server
    assert (tmp_path / "common" / "page.html").exists() and not (tmp_path / "tests").exists()
    assert not (tmp_path / "02_epoll_reactor").exists()
    for checkpoint in checkpoints.track("01_plain_epoll"):
        assert not checkpoint.page.exists() or (tmp_path / "lab" / checkpoint.page.name).exists()
        assert len(skeleton.unwritten_in(tmp_path, checkpoint)) == len(checkpoint.writes)


@pytest.mark.parametrize("program", PROGRAMS)
def test_pages_lead_somewhere(program, tmp_path):
    """Fails where a page is copied with its links as they were: the folder has no ../steps.md."""
    assert start.main([str(tmp_path), "--stage", program]) == 0
    pages = list((tmp_path / "lab").iterdir())
    links = [(page, link[1]) for page in pages
             for link in start.LINK_TO.finditer(page.read_text(encoding="utf-8"))]
    assert len(links) >= len(pages)
    assert [(page.name, to) for page, to in links if not (page.parent / to).exists()] == []


def test_from_a_later_checkpoint(tmp_path):
    """Fails where who catches up gets too little, or too much."""
    assert start.main([str(tmp_path), "--from", "3"]) == 0
    unwritten = {c.id for c in checkpoints.track("01_plain_epoll")
                 if skeleton.unwritten_in(tmp_path, c)}
    assert unwritten == {f"1.{k}" for k in range(3, 9)}


def test_what_is_there_stays(tmp_path, capsys):
    """Fails where starting twice costs a student an evening."""
    start.main([str(tmp_path)])
    mine = tmp_path / "common" / "deadlines.h"
    mine.write_text("// an evening\n", encoding="utf-8")
    assert start.main([str(tmp_path)]) == 2 and "stays as it is" in capsys.readouterr().err
    assert start.main([str(tmp_path), "--stage", "2"]) == 0
    assert mine.read_text(encoding="utf-8") == "// an evening\n"


def test_the_next_stage_takes_over_what_is_the_same(tmp_path, capsys):
    """Fails where a student writes on_writable twice, gets the reference's instead of his, or is
    not told of it, and where the folder's page forgets stage 1."""
    start.main([str(tmp_path), "--from", "8"])
    first = tmp_path / "01_plain_epoll" / "server.cc"
    text = first.read_text(encoding="utf-8")
    first.write_text(re.sub(r"(void on_writable\(Connection& c\) \{\n)", r"\1  // mine\n", text),
                     encoding="utf-8")
    assert start.main([str(tmp_path), "--stage", "2"]) == 0
    second = (tmp_path / "02_epoll_reactor" / "server.cc").read_text(encoding="utf-8")
    assert "  // mine\n" in second and "// To write (2.2):" in second
    told = re.search(r"taken over from your 01_plain_epoll: (.*)", capsys.readouterr().out)
    assert "on_writable" in told[1].split(", ")
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "# 02_epoll_reactor" in page and "(lab/1_8.md)" in page and "(lab/2_3.md)" in page


@pytest.mark.parametrize("arguments, said", [
    (["{}", "--stage", "07"], "no stage '07'"), (["{}", "--from", "11"], "no checkpoint 11"),
    ([str(harness.ROOT / "mine")], "the lab's own tree"), (["{}/file"], "is no folder")])
def test_refused(arguments, said, tmp_path, capsys):
    """Fails where a slip ends in a traceback, or in files among the lab's own."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert start.main([word.format(tmp_path) for word in arguments]) == 2
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1


def test_release(tmp_path):
    """Fails where a teacher's files for those who are late are not those of that checkpoint, or
    the folder's README then leads to pages that are not there."""
    assert start.main([str(tmp_path), "--release", "2"]) == 0
    for name, text in skeleton.sources("01_plain_epoll", 2).items():
        assert (pathlib.Path(tmp_path) / name).read_text(encoding="utf-8") == text
    assert start.main([str(tmp_path), "--release", "8"]) == 0
    assert start.main([str(tmp_path), "--stage", "2"]) == 0
    pages = re.findall(r"\]\(([^)]+)", (tmp_path / "README.md").read_text(encoding="utf-8"))
    assert len(pages) == 12 and [page for page in pages if not (tmp_path / page).exists()] == []
