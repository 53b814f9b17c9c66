"""--threads: loops that share ports and nothing else. Worth the most under ThreadSanitizer."""

from __future__ import annotations

import random
import signal

import pytest

from tests.blackbox import load
from tests.blackbox.conftest import comes_to_rest, needs_descriptors
from tests.lib import wire

pytestmark = pytest.mark.threads
THREADS = ("--threads", "4")


def test_mixed_load_on_four_loops(start):
    """Fails where loops share a buffer, a date, a counter or an event: bytes get mixed up, or
    ThreadSanitizer reports the race."""
    server = start(*THREADS)
    rng = random.Random(21)
    guests = []
    for i in range(400):
        body = rng.randbytes(rng.randrange(1, 60_000))
        guests.append(rng.choice([
            load.Guest(body, "text", most=9000),
            load.Guest(wire.request("POST", "/echo", body=body), most=9000),
            load.Guest(load.HELLO * 30 + wire.request("GET", "/stats")),
            load.Guest(wire.request("GET", "/upper?text=" + "ab%20" * 20)),
        ]))
    with load.Crowd(server, guests) as crowd:
        crowd.run()
    assert crowd.summary() == "400 of 400 served; errors: none"
    for guest in guests:
        if guest.port == "text":
            assert guest.got == guest.data.upper()
        elif guest.data.startswith(b"POST"):
            assert guest.data.endswith(wire.responses(bytes(guest.got))[0].body)
        else:
            assert {a.status for a in wire.responses(bytes(guest.got))} == {200}


def test_stats_add_up(start):
    """Fails where /stats shows one loop's counters instead of all loops'."""
    server = start(*THREADS)
    for _ in range(60):
        wire.exchange(server, load.HELLO)
    stats = wire.stats(server)
    assert stats["connections_accepted"] == 61
    assert stats["requests"] >= 60


def test_as_many_loops_as_may_be(start):
    """Fails where something has room for fewer loops than --threads takes."""
    needs_descriptors(4000)
    server = start("--threads", "256")
    guests = [load.Guest(load.HELLO) for _ in range(300)]
    with load.Crowd(server, guests) as crowd:
        crowd.run()
    assert crowd.summary() == "300 of 300 served; errors: none"
    assert wire.stats(server)["requests"] >= 300
    assert server.stop() == 0


def test_drain_under_load(start):
    """Fails where the loop that got the signal forgets the others, frees what they use, or ends
    the process before they have answered."""
    server = start(*THREADS)
    guests = [load.Guest(load.HELLO * 200, fin=False) for _ in range(100)]
    with load.Crowd(server, guests) as crowd:
        crowd.send_all()
        server.signal(signal.SIGTERM)
        crowd.run()
    assert server.wait() == 0
    assert crowd.summary() == "100 of 100 served; errors: none"
    assert all(g.got.count(b"HTTP/1.1 200 OK\r\n") == 200 for g in guests)


def test_max_connections_with_four_loops(start):
    """Fails where each loop counts for itself and the process serves four times the limit, or
    where a loop without a share keeps clients waiting."""
    for limit in (2, 8):
        server = start(*THREADS, "--max-connections", str(limit))
        wire.exchange(server, load.HELLO)  # all listen by now
        without = server.sockets()
        holders = [server.connect() for _ in range(3 * limit)]
        comes_to_rest(server)
        assert server.sockets() == without + limit
        for sock in holders:
            sock.close()
        guests = [load.Guest(load.HELLO) for _ in range(100)]
        with load.Crowd(server, guests) as crowd:
            crowd.run()
        assert crowd.summary() == "100 of 100 served; errors: none"
