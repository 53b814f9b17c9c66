"""The player: two recordings made by hand, and all that were made of real runs."""

from __future__ import annotations

import json
import re

import pytest
from selenium.webdriver.common.keys import Keys

from tests.player import build, sample

MOST_BYTES = 3_000_000
PLACE = "#conv=line&a=01&b=02"
PICTURE = """return [...document.querySelectorAll("#pair, #wire, #notice, #question, nav")]
    .map((each) => each.outerHTML).join("\\n")"""

TOO_WIDE = """return [...document.querySelectorAll(".region, .now, #wire")]
    .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.outerHTML)"""


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    folder = tmp_path_factory.mktemp("player")
    own = sample.recordings()[1] | {"server": "mine", "title": "02_epoll_reactor, mine"}
    own["sources"] = {"02_epoll_reactor/server.cc": "a line of my own\n" * 400}
    for each in (*sample.recordings(), own):
        (folder / f"{each['server']}.json").write_text(json.dumps(each), encoding="utf-8")
    page = folder / "index.html"
    assert build.main(["--recordings", str(folder), "--page", str(page)]) == 0
    return page.as_uri()


@pytest.fixture
def open_page(tab):
    """Opens a page, and fails where that asks for anything but itself."""
    tab.home = ""
    asked = []

    def visit(url: str, **how):
        tab.visit(url, **how)
        tab.wait(lambda: tab.run("return document.documentElement.dataset.ready"), "the player")
        asked.append(url.partition("#")[0])
        return tab
    yield visit
    requests = {url.partition("#")[0] for url in tab.requests() if not url.startswith("data:")}
    assert requests <= {*asked, "about:blank"}


def now(page) -> list[str]:
    """What stands at the head of the two columns."""
    return page.run("return ['now-a', 'now-b'].map((id) => "
                    "document.getElementById(id).textContent)")


def test_what_one_does_alone_stands_alone(open_page, by_hand):
    """Fails where the rows are matched by position, or by functions before calls: then stage 2's
    own calls stand beside others of stage 1."""
    page = open_page(by_hand + PLACE)
    marks = page.run("return rows.map((row) => row.mark).join('')")
    assert marks == " " * 9 + ">>" + " " + ">" + " " * 5
    page.press("d")
    assert "epoll_ctl(MOD, c1, EPOLLOUT)" in now(page)[1] and "MOD" not in now(page)[0]
    page.press("dd")
    assert "epoll_ctl(MOD, c1, EPOLLIN)" in now(page)[1]
    page.press("D")
    assert "EPOLLOUT" in now(page)[1]


def test_keyboard_only(open_page, by_hand):
    """Fails where a key does nothing, or something else than its button says."""
    page = open_page(by_hand + PLACE)
    last = page.run("return rows.length - 1")
    for key, wanted in ((Keys.ARROW_RIGHT, 1), (Keys.ARROW_RIGHT, 2), (Keys.ARROW_LEFT, 1),
                        (Keys.ARROW_DOWN, 5), (Keys.ARROW_UP, 0), (Keys.END, last), (Keys.HOME, 0)):
        page.press(key)
        assert page.run("return at") == wanted, key
    page.press("++++", " ")
    page.wait(lambda: page.run("return at") > 2, "that it plays")
    page.press(" ")
    assert not page.run("return playing")
    before = page.run("return getComputedStyle(document.documentElement).fontSize")
    page.press("b")
    assert page.run("return getComputedStyle(document.documentElement).fontSize") != before
    page.press("?")
    assert page.run("return document.getElementById('keys').open")
    page.press(Keys.ESCAPE)
    assert not page.run("return document.getElementById('keys').open")


def test_the_choosers_by_keyboard(open_page, by_hand):
    """Fails where Tab does not lead to a chooser, or its keys step instead of choosing."""
    page = open_page(by_hand + PLACE)
    page.run("document.getElementById('a').focus()")
    page.press(Keys.ARROW_DOWN)
    page.wait(lambda: page.run("return chosen.a") == "02", "stage 2 on the left")
    page.wait(lambda: page.run("return rows.every((row) => row.mark === ' ')"), "no difference")


def test_a_server_of_ones_own(open_page, by_hand):
    """Fails where it is not to be chosen, or the lines shown are those of the tree."""
    page = open_page(by_hand + "#conv=line&a=02&b=mine&at=c1-first-in")
    assert "a line of my own" in page.text("#source-b .here")
    assert page.text("#source-a .here") and "my own" not in page.text("#source-a .here")


def test_back_shows_the_same_pictures(open_page, by_hand):
    """Fails where what is drawn depends on where one came from: a mark of a change that stays, a
    list that grows."""
    page = open_page(by_hand + PLACE)
    pictures = [page.run(PICTURE)]
    for _ in range(page.run("return rows.length - 1")):
        page.press(Keys.ARROW_RIGHT)
        pictures.append(page.run(PICTURE))
    assert len(set(pictures)) == len(pictures), "a step that changes nothing"
    for wanted in reversed(pictures[:-1]):
        page.press(Keys.ARROW_LEFT)
        assert page.run(PICTURE) == wanted


def test_a_link_names_an_event(open_page, by_hand):
    """Fails where an address leads elsewhere, does not follow the steps, or is lost at a reload;
    where what it names is not there and nobody says so."""
    page = open_page(by_hand + PLACE + "&at=c1-first-out")
    assert all("sendto(c1) = 6" in text for text in now(page))
    page.press(Keys.ARROW_RIGHT)
    page.wait(lambda: page.run("return location.hash").endswith("at=c1-first-out~1"), "the address")
    address, shown = page.run("return location.hash"), now(page)
    page.driver.refresh()
    page.wait(lambda: page.run("return document.documentElement.dataset.ready"), "the player")
    assert now(page) == shown and page.run("return location.hash") == address
    page.run("location.hash = arguments[0]", PLACE + "&at=no-such-step")
    page.wait(lambda: "no-such-step" in page.text("#notice"), "a word about it")


def test_both_languages(open_page, by_hand):
    """Fails where a text stands in one language only, the choice is not kept, or a gloss of the
    recording stays English."""
    texts = json.loads((build.HERE / "strings.json").read_text(encoding="utf-8"))
    assert set(texts["en"]) == set(texts["zh"])
    page = open_page(by_hand + PLACE + "&at=c1-first-out")
    assert page.run("return document.documentElement.lang") == "en"
    page.press("l")
    page.driver.refresh()
    page.wait(lambda: page.run("return document.documentElement.lang") == "zh", "Chinese")
    shown = page.run("return document.body.innerText")
    left = [text for text in texts["en"].values() if len(text.split()) > 1 and text in shown]
    assert not left and "向 c1 发送 6 字节" in shown
    page.run("localStorage.clear()")


def test_predict(open_page, by_hand):
    """Fails where it does not ask, shows the answer with the question, or takes any answer."""
    page = open_page(by_hand + PLACE + "&at=c1-send-1")
    page.press("p", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "Which call comes next?" in page.text("#question")
    assert page.run("return at") == 6 and "recvfrom(c1)" not in page.text("#calls-a")
    answers = page.run("return [...document.querySelectorAll('#question button')]"
                       ".map((each) => each.textContent.slice(2))")
    page.press(str(answers.index("recvfrom") + 1))
    assert page.text("#notice").startswith("Right") and "recvfrom(c1)" in now(page)[0]
    page.press(Keys.ARROW_RIGHT)
    page.press(Keys.ARROW_RIGHT)
    assert "Will c1 be ready" in page.text("#question"), "stage 2 asks for EPOLLOUT"
    page.press("2")
    assert page.text("#notice").startswith("No") and "EPOLLOUT" in now(page)[1]


def test_what_happened_is_said(open_page, by_hand):
    """Fails where somebody who listens learns nothing of a step, or of a place on the scrubber."""
    page = open_page(by_hand + PLACE)
    page.press("d")
    for said in (page.text("#live"),
                 page.run("return document.getElementById('at').ariaValueText")):
        assert "B: epoll_ctl(MOD, c1, EPOLLOUT)" in said and "writable" in said


@pytest.mark.parametrize("dark", (False, True))
@pytest.mark.parametrize("width", (360, 1280))
def test_no_sideways_scrolling(open_page, by_hand, width, dark):
    """Fails where a region is wider than a phone; where dark mode is not followed."""
    page = open_page(by_hand + PLACE, width=width, dark=dark)
    for _ in range(page.run("return rows.length - 1")):
        page.press(Keys.ARROW_RIGHT)
        assert page.sideways() == 0
        assert page.run(TOO_WIDE) == []
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 3 * 128) == dark


# ---- all recordings ------------------------------------------------------------------------------

LARGEST = "#conv=byte_by_byte&a=02&b=02-del-add"
STEP = """
    for (let row = arguments[0]; row !== arguments[1]; row += Math.sign(arguments[1] - row)) {
      go(row);
      document.body.offsetHeight;  // laid out
    }"""
COUNT = "return document.querySelectorAll('main *').length - lanes.querySelectorAll('*').length"
OPEN_EACH = """
    const done = arguments[0], odd = [];
    (async () => {
      for (const { name, servers } of contents.conversations) {
        for (const server of servers) {
          await show({ conv: name, a: servers[0], b: server, position: "" });
          go(rows.length - 1);
          const sourceless = recordings.some((each, side) => each.steps.some((step) =>
              step.where && !sources[side].get(step.where.file)?.[step.line - 1]));
          if (sourceless || !calls[1].length) odd.push(`${name} ${server}`);
        }
      }
    })().then(() => done(odd), (why) => done([String(why.stack)]))"""


def test_weight():
    """Fails where the page is too heavy to be handed around, or holds no recording."""
    assert 100_000 < build.PAGE.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("place", ("#conv=two_clients&a=03&b=04&at=c2-first-read~2",
                                   "#conv=emfile&a=02&b=evhttp&at=c1-first-send"))
def test_all_that_libevent_has_fits_on_a_phone(open_page, place):
    """Fails where a column of numbers is cut off, as there are more with libevent's buffers."""
    page = open_page(build.PAGE.as_uri() + place, width=360)
    assert page.run(TOO_WIDE) == []


def test_each_recording_opens(open_page):
    """Fails where one server's recording cannot be drawn, has no call, or speaks of a line that its
    sources have not."""
    page = open_page(build.PAGE.as_uri())
    page.driver.set_script_timeout(120)
    assert page.driver.execute_async_script(OPEN_EACH) == []


def milliseconds(page, first: int, last: int) -> float:
    """Of the processor, for a step from row to row: what else runs does not count."""
    def spent() -> float:
        metrics = page.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    page.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    before = spent()
    page.run(STEP, first, last)
    return 1000 * (spent() - before) / abs(last - first)


def test_steps_are_drawn_at_once(open_page, record_property):
    """Fails where a step draws more the more went before, as it does where a list grows. What it
    takes is printed (-s)."""
    page = open_page(build.PAGE.as_uri() + LARGEST)
    page.driver.set_script_timeout(120)
    rows = page.run("return rows.length")
    early, nodes = milliseconds(page, 0, 100), page.run(COUNT)
    late, more = milliseconds(page, rows - 100, rows), page.run(COUNT)
    back = milliseconds(page, rows - 1, rows - 101)
    print(f"{rows} rows; a step takes {early:.1f} ms at the start, {late:.1f} ms at the end, "
          f"{back:.1f} ms back")
    record_property("milliseconds a step", late)
    assert rows > 500 and more < 2 * nodes


def test_each_gloss_is_translated():
    """Fails where a gloss, or a client's step, has no pattern in the table and stays English."""
    table = build.texts()
    known = re.compile("|".join(re.sub(r"\(\?<\w+>", "(?:", f"(?:{each})")
                                for each, _ in table["patterns"]["zh"]))
    found = build.load(build.RECORDINGS)
    recordings = [recording for each in found.values() for recording in each.values()]
    texts = {step["call"]["gloss"] for each in recordings for step in each["steps"]
             if "call" in step} | {step["text"] for each in recordings for step in each["client"]}
    assert [text for text in sorted(texts) if text and not known.fullmatch(text)] == []
    assert set(table["conversations"]["zh"]) == set(found)
    assert set(table["broken"]["zh"]) == {one["server"] for one in recordings if one["broken"]}


@pytest.mark.parametrize("link, why", (
    ("conv=line&a=01&b=02&at=c1-first-out~2", ""), ("conv=line&a=01&b=02&at=x", "no step"),
    ("conv=line&a=01&b=09&at=c1-first-out", "no recording of 09"),
    ("conv=gone&a=01&b=02&at=c1-first-out", "no recording of 01")))
def test_a_dead_link_of_a_note_is_found(tmp_path, link, why):
    """Fails where a note may link to a step that no recording has."""
    (tmp_path / "note.md").write_text(f"[it](player.md#{link})", encoding="utf-8")
    found = {"line": {each["server"]: each for each in sample.recordings()}}
    dead = build.dead_links(found, tmp_path)
    assert [why in line for line in dead] == ([True] if why else [])
