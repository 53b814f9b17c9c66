"""Fairness: work per connection per wake-up is bounded."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time

import pytest

from tests import harness
from tests.blackbox import load
from tests.lib import wire

CROWD = """
import time
from tests.blackbox import load

class Target:
    host, ports = {host!r}, {ports!r}

guests = [load.Guest(load.HELLO * 100_000, "http", fin=False, most=2000) for _ in range(500)]
with load.Crowd(Target, guests) as crowd:
    end = time.monotonic() + 60
    def trimmed():
        for guest in guests:
            guest.got.clear()
        return time.monotonic() > end
    crowd.until(trimmed, 90, "the load")
"""
BULK = """
import socket, threading
sock = socket.create_connection(({host!r}, {port}))
def read():
    while sock.recv(1 << 20):
        pass
threading.Thread(target=read, daemon=True).start()
data = b"bulk" * (1 << 18)
while True:
    sock.sendall(data)
"""


@contextlib.contextmanager
def processes(*scripts: str):
    running = [subprocess.Popen([sys.executable, "-c", s], cwd=harness.ROOT,
                                stderr=subprocess.DEVNULL) for s in scripts]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_small_requests_beside_a_bulk_stream_and_500_clients(plain):
    """Fails on a server that reads or answers one connection until nothing is left, where the bulk
    sender is faster than the server; the test below catches it each time. The best of three rounds
    counts, so that a busy machine is not taken for an unfair server."""
    server = plain()
    crowd = CROWD.format(host=server.host, ports=server.ports)
    bulk = BULK.format(host=server.host, port=server.text_port)
    with processes(crowd, bulk) as running:
        time.sleep(1.0)
        rounds = []
        while len(rounds) < 3 and not any(p99 < 0.1 for p99 in rounds):
            rounds.append(load.hello_times(server, 200)[197])
        assert all(process.poll() is None for process in running), "the load has stopped"
    assert min(rounds) < 0.1, f"p99 of {rounds} s"


@pytest.mark.parametrize("port", ["text", "http"])
def test_accepting_has_a_bound(start, port):
    """Fails on a server that accepts until nobody waits: whoever is connected waits for all of
    them. Each turn of the loop takes 64, so 640 newcomers take ten turns at least."""
    server = start("--threads", "1")
    before = wire.stats(server)["loop_wakeups"]
    server.signal(signal.SIGSTOP)
    newcomers = [server.connect(port) for _ in range(640)]
    server.signal(signal.SIGCONT)
    while (seen := wire.stats(server))["connections_open"] < len(newcomers):
        continue
    for sock in newcomers:
        sock.close()
    assert seen["loop_wakeups"] - before >= 10


def test_a_batch_is_one_wake_up(start):
    """Fails on a server that counts, or wakes up for, each client: 40 ask in one batch, and are
    answered in it, or in the next one."""
    server = start("--threads", "1")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(wire.connect(server)) for _ in range(40)]
        for client in clients:
            client.ask(wire.HELLO)
        before = wire.stats(server)["loop_wakeups"]
        server.signal(signal.SIGSTOP)
        for client in clients:
            client.send(wire.HELLO)
        server.signal(signal.SIGCONT)
        for client in clients:
            client.read_response()
        assert wire.stats(server)["loop_wakeups"] - before <= 20


@pytest.mark.parametrize("port, data", [("text", b"bulk" * 16384), ("http", load.HELLO * 2000)],
                         ids=["text", "pipelined"])
def test_a_bulk_sender_has_one_turn_at_a_time(server, port, data):
    """Fails on a server that serves one connection until it would block. No clock: the server wakes
    up to megabytes from each of eight clients and to a newcomer's GET /stats, whose answer says how
    much was read before it. (A client from before could be first: epoll looks again at whom it has
    reported last.)"""
    bulk = [server.connect(port) for _ in range(8)]
    wire.exchange(server, load.HELLO)  # so that the server has accepted all of them
    server.signal(signal.SIGSTOP)
    waiting = sum(load.stuff(sock, data, most=2 << 20, quiet=0.1) for sock in bulk)
    with wire.connect(server) as client:
        client.send(wire.request("GET", "/stats"))
        server.signal(signal.SIGCONT)
        read = json.loads(client.read_response().body)["bytes_in"]
    for sock in bulk:
        sock.close()
    assert waiting > 4 << 20
    assert 8 * 1024 < read < 8 * 64 * 1024, f"{read} of {waiting} bytes came before the request"
