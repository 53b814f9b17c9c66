"""build/site, served on the loopback."""

from __future__ import annotations

import html
import itertools
import os
import pathlib
import re
import urllib.parse

import pytest
from selenium.webdriver.common.keys import Keys

from tests.site import hooks, make_site


@pytest.fixture
def visit(tab, site):
    tab.home = site

    def go(path: str, **how):
        tab.visit(f"http://{site}/{path}", **how)
        return tab
    return go


def diagrams(page) -> bool:
    """All are drawn: each has become an element with a height, and none is text still. Where npm
    is missing there are none."""
    heights, waiting = page.run("""return [
        [...document.querySelectorAll("div.mermaid")].map((e) => e.offsetHeight),
        document.querySelectorAll("pre.mermaid").length]""")
    if not (make_site.SITE / "assets" / "mermaid.min.js").exists():
        return not heights and not waiting
    return heights and not waiting and min(heights) > 40


@pytest.mark.parametrize("width", (360, 1280))
def test_front_page(visit, width):
    """Fails where a diagram is not drawn, or a table makes the page wider than the screen."""
    page = visit("", width=width)
    page.wait(lambda: diagrams(page), "the diagrams")
    assert page.text("h1").startswith("The reactor lab")
    assert page.sideways() == 0


@pytest.mark.parametrize("path", ("notes/01_plain_epoll/", "notes/zh/02_epoll_reactor/"))
def test_a_note(visit, path):
    """Fails where a note's diagrams are not drawn, or the other language is not one click away."""
    page = visit(path, width=360)
    page.wait(lambda: diagrams(page), "the diagrams")
    chinese = "/zh/" in path
    assert page.run("return document.documentElement.lang") == ("zh" if chinese else "en")
    assert page.sideways() == 0
    page.run("document.querySelector('.translation').click()")
    other = path.replace("/zh/", "/") if chinese else path.replace("notes/", "notes/zh/")
    page.wait(lambda: page.driver.current_url.endswith("/" + other), "the translation")


def test_no_space_within_chinese():
    """Fails where the end of a line becomes a space in the middle of a Chinese sentence."""
    for page in make_site.SITE.glob("**/zh/**/index.html"):
        text = re.sub(r"<pre.*?</pre>", "", page.read_text(encoding="utf-8"), flags=re.S)
        assert not re.search(r"[一-鿿，。；：、]\n[一-鿿]", text), page


NAVIGATION = re.compile(r'<a href="([^"#]*)"[^>]* class="md-(?:nav|tabs|footer)__link'
                        r'|<a href="([^"#]*)"[^>]*data-md-component="logo"'
                        r'|md-nav__link--index[^>]*>\s*<a href="([^"#]*)"')


def test_each_language_has_its_own_navigation():
    """Fails where the way on, back, up or beside leads a reader into the other language."""
    seen = set()
    for page in make_site.SITE.glob("**/index.html"):
        url = f"{page.parent.relative_to(make_site.SITE)}/".removeprefix("./")
        found = NAVIGATION.findall(page.read_text(encoding="utf-8"))
        for href in filter(None, itertools.chain(*found)):
            there = os.path.normpath(page.parent / href)
            to = f"{os.path.relpath(there, make_site.SITE)}/".removeprefix("./")
            if not to.startswith("player/"):  # which speaks both
                assert hooks.chinese(to) == hooks.chinese(url), (url, href)
            seen.add(to)
    assert seen >= {"", "notes/lab/", "stages/", "zh/", "notes/zh/", "notes/zh/02_epoll_reactor/",
                    "zh/stages/"}


def test_dark_mode(visit):
    """Fails where the site does not follow what the system prefers."""
    page = visit("")
    page.run("localStorage.clear()")
    grounds = [visit("", dark=dark).run("localStorage.clear();"
                                        "return getComputedStyle(document.body).backgroundColor")
               for dark in (False, True)]
    assert grounds[0] != grounds[1]


def search(page, query: str) -> list[tuple[str, list[str]]]:
    """For each result: where it leads, and what is marked in it."""
    page.run("document.querySelector('.md-search__input').focus()")
    page.press(query)
    found = page.wait(lambda: page.run("""
        return [...document.querySelectorAll(".md-search-result__link")].map((link) =>
            [link.href, [...link.querySelectorAll("mark")].map((mark) => mark.textContent)])"""),
                      f"results for {query}")
    page.press(Keys.ESCAPE)
    return found


def test_search(visit):
    """Fails where the index is not built, not found, or searched by nothing; or where an English
    reader gets every page in Chinese, too."""
    found = search(visit(""), "recvfrom")
    assert not [url for url, _ in found if "/zh/" in url]


def test_search_in_chinese(visit):
    """Fails where Chinese is cut into words at spaces only, so that a word is found at the start of
    a sentence at most, or where pages are found that have its characters but not the word."""
    found = search(visit("notes/zh/"), "监听套接字")
    assert len(found) > 3
    for url, marked in found:
        page = make_site.SITE / urllib.parse.urlsplit(url).path.strip("/") / "index.html"
        assert "监听套接字" in re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8")), url
    assert any("监听" in marked for _, marked in found)
    assert search(visit("notes/zh/"), "smuggling"), "what is there in English only"


def test_labels_in_chinese(visit):
    """Fails where the theme speaks English on Chinese pages, or Chinese on English ones."""
    labels = """return [
        document.querySelector(".md-search__input").placeholder,
        document.querySelector(".md-nav--secondary > .md-nav__title").textContent]"""
    for path, wanted in (("notes/zh/00_sockets/", ["搜索", "目录"]),
                         ("notes/00_sockets/", ["Search", "Table of contents"])):
        assert [label.strip() for label in visit(path).run(labels)] == wanted


def test_a_quote_leads_to_its_lines(visit):
    """Fails where the link under a quote leads to no page, or the page does not show the lines."""
    page = visit("notes/01_plain_epoll/")
    target = page.run("return document.querySelector('a[href*=\"server.cc/#L\"]').href")
    first, last = target.partition("#L")[2].split("-L")
    page = visit("src/" + target.partition("/src/")[2])
    lines = page.run("return [...document.querySelectorAll('.meant')].map((e) => e.id)")
    assert lines == [f"L{n}" for n in range(int(first), int(last) + 1)]
    top = page.run("return document.querySelector('.meant').getBoundingClientRect().top")
    assert 0 < top < 800, "the lines are not in view"


def test_a_note_leads_to_a_step_of_the_player(visit):
    """Fails where the link is to the page about the player, or the player forgets the step."""
    page = visit("notes/01_plain_epoll/")
    page.run("document.querySelector('a[href*=\"at=c1-partial-send\"]').click()")
    page.wait(lambda: page.run("return document.documentElement.dataset.ready"), "the player")
    assert "sendto(c1)" in page.text("#now-a")
    assert page.run("return location.hash").endswith("at=c1-partial-send")


def test_a_stage_is_chosen_in_all_tabs(visit):
    """Fails where the tabs of the functions go their own ways, or show another stage's code."""
    page = visit("stages/")
    page.run("""
        const labels = [...document.querySelectorAll(".tabbed-labels > label")];
        labels.find((label) => label.textContent.startsWith("03")).click()""")
    shown = page.run("""
        return [...document.querySelectorAll(".tabbed-set")].map((set) => {
          const chosen = [...set.querySelectorAll(":scope > input")].findIndex((e) => e.checked);
          const labels = [...set.querySelectorAll(".tabbed-labels > label")]
              .map((e) => e.textContent.slice(0, 2));
          const link = set.querySelectorAll(".tabbed-block")[chosen].querySelector("p a");
          return [labels[chosen], labels, link.getAttribute("href")];
        })""")
    assert len(shown) > 10
    for label, labels, link in shown:
        assert label == "03" or "03" not in labels
        assert f"/{label}_" in link


def test_no_dead_link():
    """Fails where a link within the site names a page, or a heading of one, that is not there:
    mkdocs looks at the pages only."""
    ids: dict[pathlib.Path, set[str]] = {}
    dead = []
    for page in make_site.SITE.glob("**/index.html"):
        for href in re.findall(r'<a [^>]*href="([^"]+)"', page.read_text(encoding="utf-8")):
            path, _, anchor = urllib.parse.unquote(html.unescape(href)).partition("#")
            if ":" in path:
                continue
            target = (page.parent / path).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                dead.append((str(page), href))
            elif anchor and not re.fullmatch(r"L\d+-L\d+|conv=.*", anchor):
                if target not in ids:
                    ids[target] = set(re.findall(r'id="([^"]*)"', target.read_text("utf-8")))
                if anchor not in ids[target]:
                    dead.append((str(page), href))
    assert dead == []
