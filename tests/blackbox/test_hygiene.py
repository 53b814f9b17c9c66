"""Hygiene: what a storm of clients leaves behind is nothing."""

from __future__ import annotations

import os
import random
import re
import socket
import time

import pytest

from tests.blackbox import load
from tests.blackbox.conftest import eventually
from tests.lib import strace, wire

KIB = 1024


def storm(server, seed: int, count: int = 2000) -> None:
    """Clients of all kinds, 250 at a time: some ask and leave, some reset, some say nonsense."""
    rng = random.Random(seed)
    kinds = [load.HELLO, b"GET / HTTP/1.1\r\n", b"\0\xff nonsense\r\n\r\n", b"",
             wire.request("POST", "/echo", body=b"b" * 30_000),
             wire.request("POST", "/echo", "Transfer-Encoding: chunked") + b"5\r\nab"]
    for _ in range(count // 250):
        guests = [load.Guest(rng.choice(kinds), rng.choice(["http", "http", "text"]))
                  for _ in range(250)]
        with load.Crowd(server, guests) as crowd:
            crowd.until(lambda: sum(g.done for g in guests) >= 150, 30, "half of a storm")
            for guest in guests:
                if not guest.done and rng.random() < 0.5:
                    crowd.selector.unregister(guest.sock)
                    load.reset(guest.sock)
                    guest.done = True
            crowd.run(30)


def resting_descriptors(server) -> int:
    """How many it has without a client. It answers, so its loop has all it needs by then."""
    wire.exchange(server, load.HELLO)
    return server.descriptors()


def test_a_storm_leaves_no_descriptor(server):
    """Fails on a server that leaks a descriptor on any way out of a connection."""
    before = resting_descriptors(server)
    storm(server, 1)
    eventually(lambda: server.descriptors() == before, what=f"back to {before} descriptors")


def test_a_storm_leaves_no_memory(plain):
    """Fails on a server that leaks as little as 100 bytes per connection: it grows with every
    storm. What is kept on purpose (spare blocks, tables, the heap's holes) stops growing."""
    server = plain()
    descriptors = resting_descriptors(server)
    sizes = []
    while len(sizes) < 2 or (sizes[-1] - sizes[-2] > 2000 * 100 and len(sizes) < 7):
        storm(server, len(sizes))
        eventually(lambda: server.descriptors() == descriptors, what="all clients are gone")
        sizes.append(server.resident())
    grown = [(after - before) // KIB for before, after in zip(sizes, sizes[1:])]
    assert grown[-1] <= 2000 * 100 // KIB, f"grows by {grown} KiB, storm after storm"


def test_descriptors_are_close_on_exec_and_sockets_non_blocking(server):
    """Fails where a flag is missing on any descriptor: a blocking socket stops the loop for one
    client, and one without close-on-exec lives on in a child."""
    clients = [wire.connect(server, port) for port in ("text", "http")]
    for client in clients:
        client.send(load.HELLO)
        client.read_until(b"\r\n\r\n") if client is clients[1] else client.read_exactly(5)
    sockets = load.sockets_of(server.pid).values()
    assert len(sockets) >= 4
    for fd in map(int, os.listdir(f"/proc/{server.pid}/fd")):
        with open(f"/proc/{server.pid}/fdinfo/{fd}", encoding="ascii") as info:
            flags = int(dict(line.split(":\t") for line in list(info)[:3])["flags"], 8)
        what = os.readlink(f"/proc/{server.pid}/fd/{fd}")
        assert fd < 3 or flags & os.O_CLOEXEC, f"{what} is inherited by children"
        assert fd not in sockets or flags & os.O_NONBLOCK, f"{what} blocks"
    for client in clients:
        client.close()


def borrowed(server, before: set[int]) -> socket.socket:
    """A duplicate of the one socket that it has not had before."""
    mine = set(load.sockets_of(server.pid)) - before
    assert len(mine) == 1
    try:
        return load.borrow_socket(server.pid, load.sockets_of(server.pid)[mine.pop()])
    except PermissionError:
        pytest.skip("not allowed to look into the server's descriptors here")


@pytest.mark.parametrize("port", ["text", "http"])
def test_nodelay(server, port):
    """Fails where Nagle's algorithm holds an answer back until the last one is acknowledged."""
    before = set(load.sockets_of(server.pid))
    with wire.connect(server, port) as client:
        client.send(load.HELLO)
        client.read_exactly(5)
        with borrowed(server, before) as copy:
            assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_socket_that_another_process_has_too(server):
    """Fails where an event finds a connection that is freed: as long as another process has its
    socket, too (a child that was just forked, say), close(2) takes it off no tree, and the kernel
    goes on telling of it. The table of stage 1 must say that nobody has that number."""
    before = set(load.sockets_of(server.pid))
    with wire.connect(server, "text") as client:
        client.send(b"hello")
        assert client.read_exactly(5) == b"HELLO"
        copy = borrowed(server, before)
    with copy:
        eventually(lambda: set(load.sockets_of(server.pid)) == before, what="it is closed")
        assert wire.exchange(server, b"meanwhile", "text") == b"MEANWHILE"
    assert wire.exchange(server, b"alive", "text") == b"ALIVE"


def test_no_call_names_what_is_not_there(start_http, tmp_path, without_sanitizers, tracing):
    """Fails where a descriptor is used after it was closed, or taken off a tree that it is not on:
    the number may be somebody else's by then. All ways out, and a drain of two loops."""
    log = tmp_path / "calls"
    server = start_http("--threads", "2", wrapper=strace.command(log, "", "-f", "-Z"))
    with wire.connect(server) as client:
        client.send(load.HELLO[:20])
        for kind in (load.HELLO, b"NOT HTTP\r\n\r\n"):
            wire.exchange(server, kind)
        with server.connect("http") as sock:
            load.reset(sock)
        server.signal()
        with pytest.raises(OSError):
            for _ in range(100):  # until it listens no more
                server.connect("http").close()
                time.sleep(0.05)
        client.send(load.HELLO[20:])
        assert client.read_response().status == 200
        client.expect_eof()
    assert server.wait() == 0
    failed = re.findall(r"(\w+)\(.* = -1 (E\w+)", log.read_text(encoding="utf-8"))
    assert ("accept4", "EAGAIN") in failed  # such calls are seen
    assert [call for call in failed if call[1] in ("EBADF", "ENOTSOCK", "EINVAL", "EEXIST")
            or call == ("epoll_ctl", "ENOENT")] == []
