"""The remote procedure Upper, over libevent's RPC framework."""

from __future__ import annotations

import random
import time

import pytest

from tests.blackbox.test_evhttp_client import closed_port, run, scripted
from tests.blackbox.test_knobs import crowd, held_for_nobody
from tests.lib import wire

PATH = "/.rpc.Upper"


@pytest.fixture
def server(launch):
    return launch("evhttp_server", "--auth", "lab:secret", "--max-body", "100000")


def tagged(tag: int, data: bytes) -> bytes:
    """A member: the tag in groups of 7 bits, then the length in hexadecimal digits, the number of
    digits (less one) in front of them."""
    digits = f"{len(data):x}"[::-1]
    nibbles = f"{len(digits) - 1:x}" + digits
    return bytes([tag]) + bytes.fromhex(nibbles + "0" * (len(nibbles) % 2)) + data


def ask(server, body: bytes, method="POST", auth=True) -> wire.Response:
    fields = ["Authorization: Basic bGFiOnNlY3JldA=="] if auth else []
    return wire.ask(server, wire.request(method, PATH, *fields, body=body))


@pytest.mark.parametrize("text", ["abc", "", "Hello, 世界", "x" * 70000], ids=str.__len__)
def test_call(server, text):
    """Fails where the two sides do not agree on the tagged form, or a length is cut."""
    done = run("-u", "lab:secret", "--rpc-upper", text, f"http://localhost:{server.http_port}")
    expected = bytes(b - 32 if 97 <= b <= 122 else b for b in text.encode())
    assert (done.returncode, done.stdout) == (0, expected + b"\n")


def test_on_the_wire(server):
    """Fails where only our own client can talk to our own server."""
    answer = ask(server, tagged(1, b"a\0bc" * 10))
    assert (answer.status, answer.body) == (200, tagged(1, b"A\0BC" * 10) + b"\x02\x02\x18\x20")


@pytest.mark.parametrize("body", [
    b"", b"\x01", b"\x01\x05ab", b"\x02\x01a", b"\xff" * 100, tagged(1, b"a") * 2,
    tagged(1, b"a") + b"\0", b"\x01\x7f\xff\xff\xff\xff",
    b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff",
], ids=["empty", "tag", "cut", "unknown", "ff", "twice", "more", "huge", "huger"])
def test_malformed(server, body):
    """Fails where the framework's 503 comes through, or memory is touched that is not there."""
    assert ask(server, body).status == 400
    assert ask(server, tagged(1, b"ok")).status == 200


def test_a_call_leaves_nothing(launch):
    """Fails where what a good or a bad call was read into is not freed."""
    server = launch("evhttp_server", "--count-memory")

    def held() -> int:
        for body in (tagged(1, b"ok"), b"\x01") * 30:
            ask(server, body, auth=False)
        return held_for_nobody(server)

    with crowd(server, 20):
        pass  # as for what is counted to the byte: no later descriptor is higher
    held()
    assert held() == held()


def test_random_bodies(server):
    """Fails (under ASan) where some body crashes the unmarshalling."""
    rng = random.Random(5)
    for _ in range(100):
        data = bytearray(tagged(1, rng.randbytes(rng.randrange(40))))
        data[rng.randrange(len(data))] = rng.randrange(256)
        assert ask(server, bytes(data)).status in (200, 400)


def test_refusals(server):
    """Fails where the procedure can be called without the password, or by another method."""
    assert ask(server, tagged(1, b"a"), auth=False).status == 401
    refused = ask(server, b"", method="GET")
    assert (refused.status, refused.headers["allow"]) == (405, "POST")
    done = run("--rpc-upper", "a", f"http://127.0.0.1:{server.http_port}")
    assert done.returncode == 22 and b"401" in done.stderr


@pytest.mark.parametrize("answer, status", [
    (b"", 52), (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 8), (b"nonsense\r\n\r\n", 8),
    (None, 28),
], ids=["empty", "no-rpc", "nonsense", "time-out"])
def test_client_failures(answer, status):
    """Fails (under ASan) where a failed call leaves something unfreed; and where one whose time is
    up goes on until the server ends it."""
    with scripted(answer) as (url, requests):
        done = run("-m", "0.5" if answer is None else "20", "--rpc-upper", "a", url)
    assert (done.returncode, done.stderr.count(b"\n")) == (status, 1)
    assert time.monotonic() - requests[0].at < 15  # a silent server waits 20 s


def test_no_server():
    """Fails where a closed port is not told from a failed call."""
    assert run("--rpc-upper", "a", f"http://localhost:{closed_port()}").returncode == 7


@pytest.mark.parametrize("body", [
    tagged(1, b"A"), tagged(1, b"A") * 2 + b"\x02\x02\x18\x20", b"\x02\x02\x18\x20" * 2,
    b"\x02\x02\x18\x20", b"\x03\x01a",
], ids=["no-length", "two-texts", "two-lengths", "no-text", "unknown"])
def test_malformed_replies(body):
    """Fails (under ASan) where half a reply is taken for a whole one, or is not freed."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with scripted(answer) as (url, _):
        done = run("--rpc-upper", "a", url)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (8, b"", 1)
