"""The stages answer byte for byte the same, Date aside: every difference would be the loop's."""

from __future__ import annotations

import random

import pytest

from tests import harness
from tests.blackbox.test_http_routes import ROUTES
from tests.blackbox.test_http_rules import CASES, PROBE
from tests.lib import wire
from tests.lib.wire import request


@pytest.fixture(scope="module")
def four():
    servers = []
    try:
        for name in harness.STAGES:
            servers.append(harness.Server(name, "--auth", "a:b"))
        yield servers
    finally:
        for server in servers:
            server.__exit__()


def mutated(seed: int) -> bytes:
    """A conversation with some bytes changed, dropped or doubled."""
    rng = random.Random(seed)
    cases = [data for data, _, _ in CASES.values() if len(data) < 2000]
    data = bytearray(b"".join(rng.choices(cases, k=4)) + PROBE)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        data[at:at + rng.randrange(2)] = rng.choice(
            [b"", b"\0", b"\n", b"\r", b" ", b":", b"0", b"\xff", bytes(data[at:at + 9])])
    return bytes(data)


CONVERSATIONS = {
    **{f"route-{name}": data for name, (data, *_) in ROUTES.items()},
    **{f"rule-{name}": data + PROBE for name, (data, *_) in CASES.items()},
    "all-routes": b"".join(data for data, *_ in ROUTES.values() if b"text=a%" not in data),
    "credentials": request("GET", "/hello") + request("GET", "/upper?text=a") + request(
        "GET", "/upper?text=a", "Authorization: Basic YTpi"),
    **{f"mutated-{seed}": mutated(seed) for seed in range(60)},
}


def answers(four, data: bytes, port: str, pieces=None) -> dict[str, bytes]:
    """What each stage says to it, without dates. A reset counts as an answer too."""
    heard = {}
    for server in four:
        wire.LOG.append(f"-- {server.name}")
        heard[server.name] = wire.strip_date(wire.exchange(server, data, port, pieces))
    return heard


def without_continue(data: bytes) -> bytes:
    """100 is said only where the body had not come yet: the one thing that hangs on timing."""
    return data.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_same_bytes(four, name):
    """Fails where a stage says one byte more, less or other than its siblings, or where what it
    says depends on where the bytes were cut."""
    data = CONVERSATIONS[name]
    whole = answers(four, data, "http")
    cut = answers(four, data, "http", wire.random_split(data, random.Random(name), 8))
    for heard in (whole, cut):
        for stage, said in heard.items():
            assert without_continue(said) == without_continue(whole[harness.STAGES[0]]), stage


def test_same_text(four):
    """Fails where one stage's text differs."""
    data = random.Random(5).randbytes(300_000)
    assert set(answers(four, data, "text").values()) == {data.upper()}
