"""Limits: --max-connections, and too few descriptors.

Starved servers run without sanitizers: UBSan needs a descriptor of its own to look at an object."""

from __future__ import annotations

import resource
import signal
import time

import pytest

from tests.blackbox import load
from tests.blackbox.conftest import comes_to_rest, needs_descriptors
from tests.lib import wire


def limit(soft: int, hard: int):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("newcomer", ["text", "http"])
def test_max_connections_counts_both_ports(start, newcomer):
    """Fails where each port counts for itself, where the client over the limit is accepted and
    closed instead of left to wait, or where it waits for ever."""
    server = start("--max-connections", "4", "--threads", "1")
    guests = [wire.connect(server, port) for port in ("text", "http", "text", "http")]
    for guest in guests[1::2]:
        guest.send(load.HELLO)
        guest.read_response()
    for guest in guests[::2]:
        guest.send(b"a")
        guest.read_exactly(1)
    descriptors = server.descriptors()
    with wire.connect(server, newcomer) as client:
        client.send(load.HELLO)
        comes_to_rest(server)  # a listener that it may not serve is no reason to wake up
        client.expect_silence(0.1)
        assert server.descriptors() == descriptors
        guests.pop().close()
        client.shutdown()
        assert client.read_to_eof().lower().count(b"hello") == 1
    for guest in guests:
        guest.close()


def test_max_connections_serves_all_in_turn(start):
    """Fails where a place that became free is given to nobody: 300 clients, ten places."""
    server = start("--max-connections", "10", "--threads", "1")
    guests = [load.Guest(load.HELLO, ("http", "text")[i % 2]) for i in range(300)]
    with load.Crowd(server, guests) as crowd:
        crowd.run()
    assert crowd.summary() == "300 of 300 served; errors: none"
    assert all(b"hello" in g.got.lower() for g in guests)


def test_out_of_descriptors(start_http, without_sanitizers):
    """Fails on a server that exits at EMFILE, that spins because the listener stays readable, that
    prints a line for each failed accept, or that forgets to listen again."""
    server = start_http(preexec=limit(64, 64))
    guests = [load.Guest(load.HELLO, fin=False, enough=lambda got: got.endswith(b"world\n"))
              for _ in range(200)]
    for guest in guests:
        guest.data = load.HELLO[:-2]  # holds its descriptor until the second half of its request
    with load.Crowd(server, guests) as crowd:
        crowd.send_all()
        comes_to_rest(server)
        cpu, stop = server.cpu_seconds(), time.monotonic() + 1.5
        while time.monotonic() < stop:
            time.sleep(0.1)
        assert server.cpu_seconds() - cpu <= 0.05 * 1.5 + 0.01, "busy while starved"
        for guest in guests:
            guest.sock.send(b"\r\n")
        crowd.run()
    assert crowd.summary() == "200 of 200 served; errors: none"
    assert len(server.stderr()) < 2000, server.stderr()


def descriptor_limits(server, *new: tuple[int, int]) -> tuple[int, int]:
    """Of another process, which may be somebody else's (make lab-grade)."""
    try:
        return resource.prlimit(server.pid, resource.RLIMIT_NOFILE, *new)
    except PermissionError:
        pytest.skip("the limits of a process of another user may not be seen here")


def test_a_descriptor_that_frees_is_used_at_once_and_after_a_while(plain):
    """Fails where the listener comes back only when a client of this server leaves: at ENFILE
    nobody here may ever leave. Here the limit itself is raised while the server is starved."""
    needs_descriptors(4096)
    server = plain("--threads", "1", preexec=limit(32, 4096))
    wire.exchange(server, load.HELLO)  # its loop runs, and has the descriptors that it needs
    descriptor_limits(server, (server.descriptors() + 2, 4096))
    guests = [wire.connect(server) for _ in range(6)]
    comes_to_rest(server)
    descriptor_limits(server, (4096, 4096))
    for guest in guests:
        guest.send(load.HELLO)
    assert [guest.read_response().status for guest in guests] == [200] * 6
    for guest in guests:
        guest.close()


def test_a_descriptor_that_a_client_frees_is_used_at_once(start_http, without_sanitizers):
    """Fails where a starved server waits out its pause, 100 ms, although one of its own clients has
    left. The median counts, so that a busy machine is not taken for that."""
    needs_descriptors(4096)
    server = start_http("--threads", "1", preexec=limit(64, 4096))
    wire.exchange(server, load.HELLO)
    descriptor_limits(server, (server.descriptors() + 4, 4096))
    clients = [wire.connect(server) for _ in range(15)]
    comes_to_rest(server)
    waited = []
    for client, next_one in zip(clients, clients[4:]):
        client.close()
        begin = time.monotonic()
        assert next_one.ask(load.HELLO).status == 200
        waited.append(time.monotonic() - begin)
    for client in clients:
        client.close()
    assert sorted(waited)[len(waited) // 2] < 0.05, waited


def test_the_soft_limit_is_raised(start):
    """Fails on a server that makes do with the shell's soft limit: 200 clients need more than
    40."""
    needs_descriptors(4096)
    server = start(preexec=limit(40, 4096))
    assert descriptor_limits(server) == (4096, 4096)
    guests = [wire.connect(server) for _ in range(200)]
    for guest in guests:
        guest.send(load.HELLO)
    for guest in guests:
        assert guest.read_response().status == 200
        guest.close()


def test_a_low_limit_is_no_start_error(plain):
    """Fails on a server that asks for descriptors in advance."""
    server = plain("--threads", "1", preexec=limit(16, 16))
    assert b"hello, world" in wire.exchange(server, load.HELLO)


def test_the_backlog_holds_a_thousand(start):
    """Fails with listen(fd, 5): while the server stands still, the clients could not even
    connect."""
    server = start()
    server.signal(signal.SIGSTOP)
    guests = [load.Guest(load.HELLO) for _ in range(1000)]
    with load.Crowd(server, guests) as crowd:
        crowd.send_all(timeout=10)
        server.signal(signal.SIGCONT)
        crowd.run()
    assert crowd.summary() == "1000 of 1000 served; errors: none"
