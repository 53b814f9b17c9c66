"""Refusals: a client that is still sending sees why it is refused, and not a reset."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.blackbox import load
from tests.blackbox.conftest import eventually
from tests.lib import wire

MIB = 1 << 20
HEAD = b"POST /echo HTTP/1.1\r\nHost: lab\r\n"
# How a client gets each refusal, and what it goes on sending without looking.
REFUSED = {
    400: (b"GET /hello HTTP/1.1\r\nBad Name: x\r\n\r\n", b"x" * 65536),
    413: (HEAD + b"Content-Length: 99999999\r\n\r\n", b"body" * 16384),
    414: (b"GET /" + b"l" * 9000, b"o" * 65536),
    431: (HEAD + b"X: y\r\n" * 3000, b"X: y\r\n" * 10_000),
    501: (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", b"z" * 65536),
    505: (b"GET / HTTP/2.0\r\n\r\n", b"SM\r\n\r\n" * 10_000),
}
statuses = pytest.mark.parametrize("status", REFUSED)


@statuses
def test_a_client_that_still_sends_sees_the_status(server, status):
    """Fails on a server that closes after the refusal: closing with unread input sends RST, which
    takes the answer away from the client."""
    start, more = REFUSED[status]
    with wire.connect(server) as client:
        client.sock.sendall(start)
        for _ in range(8 * MIB // len(more)):
            client.sock.sendall(more)
        client.shutdown()
        answers = wire.responses(client.read_to_eof())
    assert [a.status for a in answers] == [status]
    assert answers[0].closes


@statuses
def test_it_listens_for_a_second(server, status):
    """Fails where input is discarded once and not for a second: this client sends a little, looks
    late, and still has its answer and an orderly end. 0.8 s of pauses leave room for that second
    to begin late, not early."""
    start, more = REFUSED[status]
    with wire.connect(server) as client:
        client.sock.sendall(start)
        begin = time.monotonic()
        while time.monotonic() - begin < 0.7:
            client.sock.sendall(more[:60])
            time.sleep(0.1)
        answers = wire.responses(client.read_to_eof())
    assert [a.status for a in answers] == [status]


LAST = {  # what is answered with the last word
    "refused": REFUSED[400][0],
    "close": wire.request("GET", "/hello", "Connection: close"),
    "1.0": wire.request("GET", "/hello", version="1.0"),
}


@pytest.mark.parametrize("last", LAST)
def test_the_end_is_told_with_the_last_word(start_http, last):
    """Fails without the half-close: the end comes when the socket is closed, a second later, and a
    client that reads up to it waits so long. No clock: the server still has both, this client and
    the one that asks for them."""
    server = start_http()
    with wire.connect(server) as client:
        client.send(LAST[last])
        assert len(wire.responses(client.read_to_eof())) == 1
        assert wire.stats(server)["connections_open"] == 2


def test_who_lingers_has_no_last_look(start_http):
    """Fails where a client that is only listened to has the time of one that is served: the second
    passes while the server stands still, and what came meanwhile is no reason to go on. Then it is
    reset with that unread; a server that reads on has read all of it when it closes."""
    server = start_http()
    with wire.connect(server) as client:
        client.send(REFUSED[400][0])
        assert wire.responses(client.read_to_eof())[0].status == 400
        server.signal(signal.SIGSTOP)
        client.sock.sendall(b"x" * 200_000)
        time.sleep(1.1)
        before = server.sockets()
        server.signal(signal.SIGCONT)
        eventually(lambda: server.sockets() < before, what="it is closed")
        assert client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0, "no reset"


def test_408_is_seen_by_a_client_that_sends_on(start):
    """Fails where the time-out closes at once with the rest of the request on its way."""
    server = start("--idle-timeout", "0.5")
    with wire.connect(server) as client:
        client.sock.sendall(HEAD)
        time.sleep(0.6)
        for _ in range(3):
            client.sock.sendall(b"X: y\r\n")
            time.sleep(0.1)
        answers = wire.responses(client.read_to_eof())
    assert [a.status for a in answers] == [408]
    assert answers[0].closes


@pytest.mark.parametrize("pause", [0, 0.1], ids=["flood", "trickle"])
def test_patience_is_bounded(server, pause):
    """Fails on a server that discards for as long as the client sends."""
    begin = time.monotonic()
    with wire.connect(server) as client:
        client.sock.sendall(REFUSED[400][0])
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - begin < 15:
                client.sock.sendall(b"x" * 65536)
                time.sleep(pause)


def test_a_refused_flood_delays_nobody(plain):
    """Fails where discarding has the loop for itself."""
    server = plain()
    clients = [wire.connect(server) for _ in range(20)]
    for client in clients:
        client.sock.sendall(REFUSED[413][0])
        load.stuff(client.sock, b"x" * 65536, most=MIB, quiet=0.01)
    assert load.hello_times(server, 50)[25] < 0.5
    for client in clients:
        client.close()
