"""Hostile bytes: the same answers at all stages, however the bytes are cut."""

from __future__ import annotations

import random

import pytest

from tests import harness
from tests.blackbox import conftest, load
from tests.lib import wire

# Pieces that a garbage generator would never find, from which it makes garbage.
WORDS = [
    b"GET ", b"POST ", b"HEAD ", b"OPTIONS * ", b"G\0T ", b"/hello ", b"/upper?text=a%41+b ",
    b"/echo ", b"http://h/hello ", b"HTTP/1.1\r\n", b"HTTP/1.0\r\n", b"HTTP/1.1\n", b"HTTP/3.0\r\n",
    b"Host: a\r\n", b"Host:\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: +5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked, gzip\r\n", b"Expect: 100-continue\r\n", b" folded\r\n",
    b"\r\n", b"\r\n", b"\n", b"\r", b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b"5;x=y\r\n",
    b"ffffffffffffffffff\r\n", b"\xff\xfe\x00", b": ", b"\t", b"a" * 300, load.HELLO,
    wire.request("POST", "/upper", body=b"mixed Case"), wire.request("GET", "/nothing"),
    wire.request("POST", "/echo", "Transfer-Encoding: chunked") + wire.chunked(b"ab", b"cde"),
]


def hostile(seed: int) -> bytes:
    rng = random.Random(seed)
    if seed % 4 == 0:
        return rng.randbytes(rng.randrange(1, 400))
    words = [rng.choice(WORDS) for _ in range(rng.randrange(1, 14))]
    if seed % 4 == 1:  # at least begins well
        words.insert(0, load.HELLO)
    if seed % 4 == 2:  # one byte of something good is wrong
        good = bytearray(rng.choice(WORDS[-4:]) * 2)
        good[rng.randrange(len(good))] = rng.randrange(256)
        return bytes(good)
    return b"".join(words)


def answer(server, data: bytes, pieces=None) -> bytes:
    return wire.strip_date(wire.exchange(server, data, "http", pieces))


def cut(data: bytes, seed: int) -> list[bytes]:
    if len(data) <= 120 and seed % 3 == 0:
        return wire.byte_by_byte(data)
    return wire.random_split(data, random.Random(seed), cuts=5)


def test_cuts_do_not_matter(server):
    """Fails on a parser whose state depends on where a read ended. Every conversation is sent in
    one piece and in several; TCP may join pieces, which makes this test miss, never fail."""
    for seed in range(150):
        data = hostile(seed)
        whole = answer(server, data)
        pieces = cut(data, seed)
        assert answer(server, data, pieces) == whole, f"seed {seed}: {pieces}"
    assert b"hello, world\n" in answer(server, load.HELLO)


def test_all_stages_answer_the_same(request):
    """Fails where a stage's loop shows in its answers: a lost half-close, another order, an answer
    behind Connection: close."""
    stages = conftest.chosen_stages(request.config)
    if len(stages) < 2:
        pytest.skip("one stage alone has none to agree with")
    servers = [harness.Server(stage) for stage in stages]
    try:
        for seed in range(1000, 1200):
            data = hostile(seed)
            answers = {answer(server, data, cut(data, seed)) for server in servers}
            assert len(answers) == 1, f"seed {seed}: {data!r}: {answers}"
        for server in servers:
            assert server.stop() == 0
    finally:
        for server in servers:
            server.__exit__()


def test_garbage_on_the_text_port(server):
    """Fails where any byte means something to the text port."""
    for seed in range(0, 40, 4):
        data = hostile(seed)
        assert wire.exchange(server, data, "text", cut(data, seed)) == data.upper()
