"""GET /: one page, self-contained, with ids that other tests may rely on."""

from __future__ import annotations

import html.parser
import re

from tests.lib import wire

IDS = {"stage", "upper-form", "text", "send", "answer", "wire-sent", "wire-received", "stats"}


class Page(html.parser.HTMLParser):
    """Collects each element's attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def values(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.elements if name in attrs]


def fetch(server) -> str:
    with wire.connect(server) as client:
        client.send(wire.request("GET", "/"))
        answer = client.read_response()
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.body.decode()


def test_names_its_stage(server, stage):
    """Fails where the placeholder is left, or another stage is named."""
    text = fetch(server)
    assert "{{" not in text
    assert set(re.findall(r"\b0[1-4]_\w+", text)) == {stage}


def test_ids(server):
    """Fails where an id is gone or stands twice."""
    found = Page(fetch(server)).values("id")
    assert IDS <= set(found) and len(found) == len(set(found))


def test_no_external_asset(server):
    """Fails where the page loads, or posts to, anything but this server."""
    text = fetch(server)
    page = Page(text)
    for name in ("src", "href", "action", "srcset", "poster"):
        for value in page.values(name):
            assert value.startswith(("data:", "/")) and not value.startswith("//"), value
    assert not re.search(r"https?://|url\(|@import", text)


def test_usable_without_a_mouse_and_on_a_phone(server):
    """Fails where a control has no label, or the phone shows a shrunken desktop page."""
    page = Page(fetch(server))
    tags = [tag for tag, _ in page.elements]
    assert tags.count("input") == tags.count("label") == 1 and "button" in tags
    assert "width=device-width" in " ".join(page.values("content"))
    assert page.values("lang") == ["en", "zh-CN"]  # of the page, and of the other language's name
    assert all(int(value) <= 0 for value in page.values("tabindex")), "an order of its own"
