"""evhttp_server against what the stages withstand, as far as it can be had from outside evhttp.

What cannot is in notes/05_evhttp.md, and in tests/compare/evhttp_differences.txt, which notices
when libevent changes.
"""

from __future__ import annotations

import functools
import json
import time
from concurrent import futures

import pytest

from tests.blackbox import load
from tests.blackbox.conftest import eventually
from tests.lib import wire

MIB = 1 << 20
HELLO = load.HELLO
LAST = wire.request("GET", "/hello", "Connection: close")


@pytest.fixture(params=[(), ("--no-guard",)], ids=["guarded", "bare"])
def evhttp(launch, request):
    """evhttp(*flags) -> a running evhttp_server, with its guard and without."""
    return functools.partial(launch, "evhttp_server", *request.param)


def test_a_batch_is_not_one_turn_of_the_loop(evhttp):
    """Fails where event_base_loop(EVLOOP_ONCE) is taken for one batch: above 32 postponed callbacks
    libevent goes on in the same call, in which a client is accepted, answered and freed before it
    is in the books. 60 clients with 600 requests each postpone more than that, while others come
    and go."""
    server = evhttp()
    crowd = [load.Guest(HELLO * 600 + LAST, fin=False) for _ in range(60)]
    with load.Crowd(server, crowd) as clients, futures.ThreadPoolExecutor(1) as pool:
        served = pool.submit(clients.run)
        while not served.done():
            assert wire.ask(server, LAST).status == 200
        assert clients.summary() == "60 of 60 served; errors: none"
    eventually(lambda: wire.stats(server)["connections_open"] == 1, what="only the one that asks")


@pytest.mark.usefixtures("without_sanitizers")
def test_who_never_reads_costs_little(evhttp):
    """Fails without a high-water mark for what is read: evhttp reads on for ever."""
    server = evhttp()
    before = server.resident()
    with wire.connect(server) as client:
        load.stuff(client.sock, HELLO * 2000, most=40 * MIB)
        assert server.resident() - before < 8 * MIB
        assert wire.ask(server, HELLO).status == 200


@pytest.mark.usefixtures("without_sanitizers")
@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked\r\n\r\n5;ext=", b"A: "])
def test_a_line_without_end_costs_little(evhttp, head):
    """Fails without that mark: a chunk extension has no limit of its own in evhttp. A field line
    has one."""
    server = evhttp("--idle-timeout", "2")
    before = server.resident()
    with wire.connect(server) as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\n" + head)
        load.stuff(client.sock, b"x" * MIB, most=40 * MIB)
        assert server.resident() - before < 8 * MIB


def test_the_largest_body_still_fits(evhttp):
    """Fails where the high-water mark is below a whole request: evhttp waits for the rest, and
    nothing reads it."""
    server = evhttp("--max-body", str(3 * MIB))
    body = b"x" * (3 * MIB)
    assert wire.ask(server, wire.request("POST", "/echo", body=body)).body == body
    chunked = wire.request("POST", "/echo", "Transfer-Encoding: chunked") + wire.chunked(body)
    assert wire.ask(server, chunked).body == body


def test_slow_senders_make_room(evhttp):
    """Fails where the clock restarts with every byte, as evhttp's own does: who sends a byte now
    and then keeps its place, and whoever waits behind --max-connections is never served."""
    server = evhttp("--max-connections", "20", "--idle-timeout", "1")
    slow = [wire.connect(server) for _ in range(20)]
    with wire.connect(server, timeout=10) as late:
        late.send(HELLO)
        end = time.monotonic() + 10
        late.sock.settimeout(0.2)
        got = b""
        while not got and time.monotonic() < end:
            for client in slow:
                try:
                    client.sock.send(b"G")
                except OSError:
                    pass
            try:
                got = late.sock.recv(1000)
            except TimeoutError:
                pass
        assert got.startswith(b"HTTP/1.1 200")
    for client in slow:
        client.close()


@pytest.mark.parametrize("request_", [
    wire.request("POST", "/echo", "Content-Length: 4000000000"),
    wire.request("POST", "/echo", "Content-Length: 4000000000", "Expect: 100-continue"),
    wire.request("POST", "/echo", body=b"x" * (10 * MIB)),
    wire.request("POST", "/echo", "Transfer-Encoding: chunked") + wire.chunked(b"x" * (10 * MIB)),
], ids=["announced", "expected", "sent", "chunked"])
def test_a_large_body_is_told_so(evhttp, request_):
    """Fails with EVHTTP_SERVER_LINGERING_CLOSE, which reads all of the body first; and without it
    where the socket is closed at once, and the client is reset while it sends."""
    with wire.connect(evhttp()) as client:
        client.send(request_)
        assert client.read_response().status == 413
        client.expect_eof()


def test_byte_by_byte(evhttp):
    """Fails where a request must come in one piece."""
    body = b"abcdefgh" * 8
    whole = wire.request("POST", "/upper", body=body) + LAST
    with wire.connect(evhttp()) as client:
        client.send_pieces(wire.byte_by_byte(whole), pause=0.001)
        assert client.read_response().body == body.upper()
        assert client.read_response().status == 200
        client.expect_eof()


def test_fin_behind_a_large_post(evhttp):
    """Fails where evhttp reads on while it writes: it takes the FIN for the end, and drops the
    answer that is still going out."""
    body = b"x" * MIB
    server = evhttp()
    for _ in range(5):
        answer = wire.read_late(server, wire.request("POST", "/echo", body=body))
        assert len(answer) > MIB and answer.endswith(body)


def test_a_tls_hello_is_closed(evhttp):
    """Fails without a deadline: a line that has no end is waited for. The guard says 400 at the
    first byte that no request line can have; evhttp looks at whole lines."""
    server = evhttp("--idle-timeout", "1")
    with wire.connect(server) as client:
        client.send(bytes.fromhex("16030100f8010000f4030300") + bytes(200))
        if "--no-guard" not in server.command:
            assert client.read_response().status == 400
        client.expect_eof()


def test_counts_its_own_refusals_as_the_stages_do(evhttp):
    """Fails where only what reaches the application is counted."""
    server = evhttp()
    for request in (b"nonsense\r\n\r\n", wire.request("BREW", "/hello"),
                    wire.request("POST", "/echo", "Content-Length: x")):
        assert wire.ask(server, request).status in (400, 501)
    assert json.loads(wire.ask(server, wire.request("GET", "/stats")).body)["requests"] == 3


@pytest.mark.parametrize("count", [3, 150_000])
def test_fin_behind_pipelined_requests(evhttp, count):
    """Fails where evhttp is let to look for a FIN while answers go out: one answer of three comes
    then, and some of 150,000."""
    server = evhttp()
    for _ in range(10 if count == 3 else 1):
        got = wire.read_late(server, HELLO * count)
        assert got.count(b"hello, world\n") == count
