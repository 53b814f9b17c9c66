"""GET / of every stage, as a person uses it."""

from __future__ import annotations

import re

import pytest
from selenium.webdriver.common.keys import Keys

from tests import harness

TEXT = "Grüße, reactor 42"
ANSWER = "GRüßE, REACTOR 42"  # only a-z change


@pytest.fixture
def page(tab, stage):
    tab.home = f"127.0.0.1:{stage.http_port}"
    tab.visit(f"http://{tab.home}/")
    return tab


def stat(page, name: str) -> int:
    return int(page.text(f"#stat-{name}").replace(",", "") or 0)


def type_and_submit(page) -> None:
    page.overwrite(TEXT)
    page.press(Keys.ENTER)
    page.wait(lambda: page.text("#answer"), "an answer")


def test_type_submit_and_see(page):
    """Fails where the answer is not shown, is not the server's, or the bytes of a letter beyond
    ASCII are changed on their way."""
    page.run("document.getElementById('text').focus()")
    type_and_submit(page)
    assert page.text("#answer") == ANSWER


def test_what_went_over_the_wire(page):
    """Fails where the request shown is not the one that was sent, by length or by body, or the
    answer shown lacks what the server said."""
    page.run("document.getElementById('text').focus()")
    type_and_submit(page)
    sent, received = page.text("#wire-sent"), page.text("#wire-received")
    assert sent.startswith("POST /upper HTTP/1.1\n") and sent.endswith("\n\n" + TEXT)
    length = len(TEXT.encode())
    assert f"Content-Length: {length}\n" in sent
    assert received.startswith("HTTP/1.1 200 OK\n") and received.endswith("\n\n" + ANSWER)
    assert f"content-length: {length}\n" in received


def test_stats_move(page):
    """Fails where /stats is not read again by itself, or does not count."""
    page.wait(lambda: stat(page, "requests"), "the figures")
    before = stat(page, "requests")
    page.wait(lambda: stat(page, "requests") > before, "more requests, without a click")
    assert stat(page, "connections_open") >= 1


def test_keyboard_only(page):
    """Fails where the field has no focus at the start, or Tab does not lead on in reading order, or
    a button cannot be pressed by a key."""
    assert page.focused() == "text"
    page.overwrite(TEXT)
    page.press(Keys.TAB)
    assert page.focused() == "send"
    page.press(Keys.SPACE)
    page.wait(lambda: page.text("#answer") == ANSWER, "the answer")
    page.press(Keys.TAB)
    assert page.focused() == "wire-sent"
    page.press(Keys.TAB)
    assert page.focused() == "wire-received"
    style, width = page.run("const seen = getComputedStyle(document.activeElement);"
                            "return [seen.outlineStyle, parseFloat(seen.outlineWidth)]")
    assert style != "none" and width >= 1, "nobody sees where the focus is"


def spoken(page) -> tuple[str, str, str]:
    return (page.run("return document.documentElement.lang"), page.text("#send"),
            page.text("#language"))


ENGLISH, CHINESE = ("en", "Send", "中文"), ("zh-CN", "发送", "English")


def test_both_languages(page):
    """Fails where the page does not speak the browser's language, or forgets the one that was
    chosen; where it says that it is in the other, or a word stays in the other."""
    page.speaks("zh-CN,zh;q=0.9")
    page.visit(f"http://{page.home}/")
    assert spoken(page) == CHINESE
    text = page.run("return document.body.innerText")
    assert not re.search(r"Text for|Sent|Received|Nothing|browser|Live|loops", text), text
    page.run("document.getElementById('language').click()")
    assert spoken(page) == ENGLISH
    page.visit(f"http://{page.home}/")
    assert spoken(page) == ENGLISH, "the choice is forgotten"
    assert not re.search("[一-鿿]", page.run("return document.body.innerText")
                         .replace("中文", "").replace("世界", ""))
    page.run("localStorage.clear()")
    page.speaks("en")
    page.visit(f"http://{page.home}/")
    assert spoken(page) == ENGLISH


@pytest.mark.parametrize("dark", (False, True))
def test_on_a_phone(page, dark):
    """Fails where a long answer, or anything else, makes the page wider than the phone; where dark
    mode is not followed, or leaves dark text on a dark ground."""
    page.visit(f"http://{page.home}/", width=360, dark=dark)
    assert page.sideways() == 0
    page.run("const field = document.getElementById('text'); field.value = 'x'.repeat(500);"
             "field.form.requestSubmit()")
    page.wait(lambda: len(page.text("#answer")) == 500, "the answer")
    assert page.sideways() == 0
    ink, ground = luminances(page, "#answer")
    assert (ink > ground) == dark
    assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) > 7, "hard to read (WCAG)"


def luminances(page, selector: str) -> list[float]:
    """Of an element's text, and of the page's ground."""
    colours = page.run("""
        const canvas = document.createElement("canvas").getContext("2d",
            { willReadFrequently: true });
        const rgb = (colour) => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
                                  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
        const probe = document.createElement("p");
        probe.style.color = "Canvas";
        document.body.append(probe);
        const ground = getComputedStyle(probe).color;
        probe.remove();
        return [rgb(getComputedStyle(document.querySelector(arguments[0])).color), rgb(ground)]""",
                       selector)
    return [luminance(colour) for colour in colours]


def luminance(colour: list[int]) -> float:
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_says_when_the_server_is_gone(chromium):
    """Fails where the page keeps an old answer when there was none."""
    with harness.Server(harness.STAGES[0]) as server:
        chromium.visit(f"http://127.0.0.1:{server.http_port}/")
        type_and_submit(chromium)
        server.stop()
        chromium.press(Keys.ENTER)
        chromium.wait(lambda: "No answer" in chromium.text("#wire-received"), "the failure")
        assert chromium.text("#answer") == ""
