"""No byte lost, none invented: whatever the load, the sizes and the cuts."""

from __future__ import annotations

import random

import pytest

from tests.blackbox import load
from tests.lib import wire

MIB = 1 << 20


def random_bytes(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def test_64_mib_through_the_text_port(server):
    """Fails where a partial send is not continued from the right place, where a read is cut at a
    buffer's end, or where FIN overtakes what is owed."""
    data = random_bytes(MIB, 1) * 64
    with server.connect("text", timeout=60) as sock:
        assert wire.stream(sock, data, 300_000, seed=2) == data.upper()


@pytest.mark.threads
def test_500_text_clients_at_once(server):
    """Fails where one client's bytes reach another, or a client is forgotten."""
    guests = [load.Guest(random_bytes(20_000 + 37 * i, i), "text", most=9_000) for i in range(500)]
    with load.Crowd(server, guests) as crowd:
        crowd.run()
    assert crowd.summary() == "500 of 500 served; errors: none"
    assert all(g.got == g.data.upper() for g in guests)


@pytest.mark.threads
def test_500_http_clients_at_once(server):
    """Fails where bodies are mixed up or cut: each client's body is its own, and pipelined."""
    bodies = [[random_bytes(1 + 71 * i, i), random_bytes(9_000, -i)] for i in range(500)]
    guests = [load.Guest(b"".join(wire.request("POST", "/echo", body=b) for b in pair), most=9_000)
              for pair in bodies]
    with load.Crowd(server, guests) as crowd:
        crowd.run()
    assert crowd.summary() == "500 of 500 served; errors: none"
    for guest, pair in zip(guests, bodies):
        assert [answer.body for answer in wire.responses(bytes(guest.got))] == pair


def test_half_close_is_answered_to_the_end(server):
    """Fails on a server that closes at FIN although it owes answers that the kernel would not
    take: 8 MiB of them, and the client starts to read after its FIN."""
    body = random_bytes(MIB, 3)
    with wire.connect(server) as client:
        client.sock.settimeout(30)
        requests = wire.request("POST", "/upper", body=body) * 8
        client.sock.setblocking(False)
        sent = 0
        while sent < len(requests):
            try:
                sent += client.sock.send(requests[sent:sent + 65536])
            except BlockingIOError:
                break
        client.sock.settimeout(30)
        complete = sent // (len(requests) // 8)
        client.shutdown()
        answers = wire.responses(client.read_to_eof())
    assert complete >= 1
    assert [a.body == body.upper() for a in answers] == [True] * complete


@pytest.mark.parametrize("tail", [b"x" * 100_000, load.HELLO * 2_000], ids=["junk", "requests"])
def test_input_behind_the_last_answer_does_not_reset_it(server, tail):
    """Fails on a server that closes a socket whose input it has not read: the kernel then sends
    RST, and the client loses the answer that it had not read yet."""
    body = random_bytes(600_000, 4)
    with wire.connect(server) as client:
        client.send(wire.request("POST", "/echo", "Connection: close", body=body) + tail)
        client.shutdown()
        answers = wire.responses(client.read_to_eof())
    assert [a.body for a in answers] == [body]
    assert answers[0].closes
