"""build/report/index.html, opened as a file: that is how it is handed around."""

from __future__ import annotations

import re

import pytest

from tests import harness

REPORT = harness.ROOT / "build" / "report" / "index.html"


@pytest.fixture
def page(tab):
    tab.home = ""
    tab.visit(REPORT.as_uri())
    return tab


def test_every_section_has_something(page):
    """Fails where a part of the report was left out, or a placeholder was left in."""
    assert "{{" not in page.text("body")
    counts = page.run("return ['.wire tbody tr', 'details .call', '.cost tbody tr', '.plots svg', "
                      "'dl dd'].map((s) => document.querySelectorAll(s).length)")
    assert all(found >= least for found, least in zip(counts, (20, 40, 5, 5, 5))), counts
    ids = page.run("return [...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids)), "an id twice: one plot would draw with another one's parts"


def test_it_leads_to_the_player(page):
    """Fails where the report links to a page that is not there."""
    page.run("document.getElementById('player').click()")
    page.wait(lambda: page.run("return document.documentElement.dataset.ready"), "the player")


def test_a_call_is_explained_on_focus(page):
    """Fails where only a mouse, or nothing at all, shows what a call is for."""
    opacity = "return getComputedStyle(document.querySelector('details[open] .gloss')).opacity"
    assert page.run(opacity) == "0"
    page.run("document.querySelector('details[open] .call').focus()")
    assert page.run(opacity) == "1"
    assert page.text("details[open] .gloss")


@pytest.mark.parametrize("width", (360, 800, 1280))
def test_no_sideways_scrolling(tab, width):
    """Fails where a table or a timeline makes the whole page wider than the screen."""
    tab.home = ""
    tab.visit(REPORT.as_uri(), width=width)
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert tab.sideways() == 0


def test_plots_follow_dark_mode(tab):
    """Fails where a plot's text is black on black."""
    tab.home = ""
    colours = []
    for dark in (False, True):
        tab.visit(REPORT.as_uri(), dark=dark)
        colours.append(tab.run("return getComputedStyle("
                               "document.querySelector('.plots svg text')).fill"))
    assert colours[0] != colours[1]


def test_both_languages(page):
    """Fails where a heading, a plot or the gloss of a call stays English for a Chinese reader, or
    the page says that it is in the other language."""
    words = """return [document.documentElement.lang, ...[".cost th", ".plots figcaption",
        ".plots svg [data-zh]", "details .gloss", "dt", "h2"].map(
            (s) => document.querySelector(s).textContent)]"""
    english = page.run(words)
    assert english[0] == "en" and not re.search("[一-鿿]", "".join(english))
    page.run("document.getElementById('language').click()")
    chinese = page.run(words)
    assert chinese[0] == "zh-CN" and all(re.search("[一-鿿]", text) for text in chinese[1:])
    page.run("document.getElementById('language').click()")
    assert page.run(words) == english
