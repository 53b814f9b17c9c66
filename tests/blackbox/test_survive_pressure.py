"""Back-pressure: who does not read costs little, delays nobody, and gets everything in the end."""

from __future__ import annotations

import socket

import pytest

from tests.blackbox import load
from tests.blackbox.conftest import comes_to_rest, eventually
from tests.lib import wire

KIB = 1024
MIB = 1 << 20
SLACK = 256 * KIB  # what a stalled client may cost beside its body and its response
BODY = b"p" * MIB

# What a client may send without reading, and what that may cost. Whole requests, repeated.
STALLS = {
    "text": ("text", b"abcdefgh" * 8 * KIB, SLACK),
    "hello": ("http", load.HELLO * 1000, SLACK),
    "small-bodies": ("http", wire.request("POST", "/echo", body=b"s" * 3000) * 20, SLACK + 6 * KIB),
    "largest-bodies": ("http", wire.request("POST", "/upper", body=BODY), SLACK + 2 * MIB),
    "chunked-bodies": (
        "http", wire.request("POST", "/echo", "Transfer-Encoding: chunked") +
        wire.chunked(*[BODY[:50_000]] * 20), SLACK + 2 * MIB),
}
stalls = pytest.mark.parametrize("kind", STALLS)


def settled(server) -> int:
    """Resident memory after a first round of everything, so that what is kept on purpose (spare
    blocks, tables) is part of the baseline."""
    for port, data in (("http", wire.request("POST", "/echo", body=BODY)), ("text", b"a" * MIB)):
        for most in (40_000, MIB):  # it ends in the middle of a body; behind answers
            with server.connect(port) as sock:
                load.stuff(sock, data[:most], most=most, quiet=0.1)
    load.hello_times(server, 20)
    return server.resident()


@stalls
def test_who_never_reads_costs_little_and_delays_nobody(plain, kind):
    """Fails on a server that buffers answers without a bound, that keeps reading while it owes, or
    whose loop is kept busy by the stalled client. Without sanitizers, which keep freed memory."""
    port, data, allowed = STALLS[kind]
    server = plain()
    before = settled(server)
    usual = load.hello_times(server, 100)[50]
    with server.connect(port) as sock:
        load.stuff(sock, data)
        cost = server.resident() - before
        assert cost <= allowed, f"{cost / KIB:.0f} KiB"
        meanwhile = load.hello_times(server, 100)[50]
        assert meanwhile < max(0.1, 5 * usual), f"median {meanwhile:.3f} s, before {usual:.3f} s"


@stalls
def test_who_reads_late_gets_everything(server, kind):
    """Fails where the answers of a stalled client are dropped, where reading is not resumed after
    it, where FIN overtakes what is owed, or where the loop is busy while nothing can be done."""
    port, data, _ = STALLS[kind]
    with wire.connect(server, port) as client:
        sent = load.stuff(client.sock, data, most=48 * MIB)
        client.shutdown()
        comes_to_rest(server)
        got = client.read_to_eof()
    whole, cut = divmod(sent, len(data))
    if port == "text":
        assert got == (data * whole + data[:cut]).upper()
        return
    per_copy = data.count(b" HTTP/1.1\r\n")
    one = wire.strip_date(wire.exchange(server, data[:len(data) // per_copy]))
    assert b"200 OK" in one
    count = got.count(b"HTTP/1.1 200 OK\r\n")
    assert per_copy * whole <= count <= per_copy * (whole + 1)
    assert wire.strip_date(got) == one * count


def test_a_large_body_is_not_kept_for_what_follows(start_http, without_sanitizers):
    """Fails where the block of a megabyte waits with the beginning of the next request in it: eight
    clients, half a request each, are not worth four of these."""
    server = start_http()
    request = wire.request("POST", "/echo", body=BODY)
    with wire.connect(server) as first:
        first.ask(request)
    before = server.resident()
    clients = [wire.connect(server) for _ in range(8)]
    for client in clients:
        client.send(request + load.HELLO[:20])
        assert client.read_response().body == BODY
    comes_to_rest(server)
    cost = server.resident() - before
    assert cost < 4 * MIB, f"{cost / KIB:.0f} KiB"
    for client in clients:
        client.send(load.HELLO[20:])
        assert client.read_response().status == 200
        client.close()


def test_fin_while_output_is_stalled(start):
    """Fails on a loop that asks to be told of FIN (a level-triggered EPOLLRDHUP) and does nothing
    about it while it owes output. One large answer: its request is read to the end, so that the
    FIN behind it is not stuck in front of a full receive buffer."""
    server = start("--max-body", str(32 * MIB))
    body = b"f" * (32 * MIB)
    with wire.connect(server) as client:
        client.sock.sendall(wire.request("POST", "/upper", body=body))
        client.shutdown()
        eventually(lambda: wire.stats(server)["bytes_in"] > len(body), 20, "it has read all of it")
        comes_to_rest(server)
        answers = wire.responses(client.read_to_eof())
    assert [a.body == body.upper() for a in answers] == [True]


def test_resumes_without_fin(server):
    """Fails where back-pressure is never taken off: the client stalls, reads, and goes on."""
    with wire.connect(server, "text") as client:
        for _ in range(3):
            sent = load.stuff(client.sock, b"ab" * 32 * KIB, quiet=0.2)
            assert client.read_exactly(sent) == (b"AB" * (sent // 2 + 1))[:sent]
        client.shutdown()
        client.expect_eof()


@pytest.mark.parametrize("port", ["text", "http"])
def test_urgent_data_does_not_spin(server, port):
    """Fails on a loop that is woken up by out-of-band data and does not take it."""
    with wire.connect(server, port) as client:
        client.send(b"GET /hel")
        client.sock.send(b"l", socket.MSG_OOB)
        comes_to_rest(server)
        client.send(b"o HTTP/1.1\r\nHost: lab\r\n\r\n")
        client.shutdown()
        answer = client.read_to_eof()
    assert (b"HELLO HTTP" if port == "text" else b"hello, world\n") in answer


def test_a_stalled_client_that_resets_is_forgotten(server):
    """Fails where RST while output is stalled leaves the connection behind, or spins."""
    with server.connect("http") as idle:
        idle.sendall(load.HELLO)
        assert idle.recv(4096)
        before = server.descriptors()
        sock = server.connect("text")
        load.stuff(sock, b"x" * MIB, quiet=0.2)
        load.reset(sock)
        eventually(lambda: server.descriptors() == before, what="the descriptor is freed")
