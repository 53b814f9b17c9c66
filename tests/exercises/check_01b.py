"""Edge-triggered clients in stage 1."""

import socket

from tests import harness
from tests.exercises.clients import (
    HELLO, ask_hello, interests, lets_go, looks_at_nothing_freed, noise, receive, require, reset,
    send_until_full, serves_a_crowd, stopped, stream_of_answers, through, to_the_end, traced)
from tests.exercises.kept import stays

STAGE = "01_plain_epoll"
BINARIES = [STAGE]


def check_edge():
    """Every client hangs on the tree with EPOLLET, whether it is to be read or to be written."""
    with traced(STAGE, calls="epoll_ctl,accept4") as (server, trace):
        with server.connect("http") as sock:
            ask_hello(sock)
        with server.connect("text") as sock:
            through(sock, noise(1 << 20), wait=0.3)
        trace.settle()
        added, changed = interests(trace), interests(trace, "MOD")
        require(len(added) == 2, f"{len(added)} of 2 clients were added to the tree")
        level = [events for events in added + changed if "EPOLLET" not in events]
        require(not level, f"interests without it: {', '.join(sorted(set(level)))}")


def check_burst():
    """4 MiB in one burst come back exactly, though one event stands for many reads."""
    with harness.Server(STAGE) as server, server.connect("text") as sock:
        through(sock, noise(4 << 20))


def check_slow_reader():
    """A client that reads late gets everything: writing stopped at EAGAIN and went on."""
    with harness.Server(STAGE) as server, server.connect("text") as sock:
        through(sock, noise(16 << 20), wait=0.7)


def check_pipeline():
    """5,000 requests in one write get 5,000 answers."""
    with harness.Server(STAGE) as server, server.connect("http") as sock:
        sock.sendall(HELLO * 5000)
        stream_of_answers(sock, 5000)


def check_pieces():
    """A request that comes byte by byte is answered, and so is the next one."""
    with harness.Server(STAGE) as server, server.connect("http") as sock:
        for _ in range(2):
            for byte in HELLO:
                sock.sendall(bytes([byte]))
            stream_of_answers(sock, 1)


def check_crowd():
    """150 clients of each port that connect at once are all accepted and answered."""
    serves_a_crowd(STAGE)


def check_end():
    """A client's last bytes and its FIN come as one edge: the bytes are answered, and the server
    closes, too."""
    with harness.Server(STAGE) as server:
        for port, data in (("text", b"12"), ("http", HELLO)):
            with server.connect(port) as sock:
                sock.sendall(HELLO)
                sock.recv(1000)
                with stopped(server):
                    sock.sendall(data)
                    sock.shutdown(socket.SHUT_WR)
                got = to_the_end(sock, f"bytes and FIN at once, {port} port")
                require(got, f"{port} port: closed without an answer")


def check_reset():
    """Who resets the connection is let go: 20 clients that waited, and 20 that were owed bytes."""
    with harness.Server(STAGE) as server:
        before = server.sockets()
        idle = [server.connect("http") for _ in range(20)]
        for sock in idle:
            ask_hello(sock)
        owed = [server.connect("text") for _ in range(20)]
        for sock in owed:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)
            sock.setblocking(False)
            try:
                while sock.send(noise(1 << 16)):
                    pass
            except BlockingIOError:
                pass
        for sock in idle + owed:
            reset(sock)
        lets_go(server, before)


def check_freed():
    """Who is gone is not looked at again: 6 clients that reset the connection while there is more
    of them to read. Their memory is free: valgrind looks."""
    def conversation(server):
        for _ in range(6):
            sock = server.connect("text")
            with stopped(server):
                sock.sendall(noise(1 << 16))
                reset(sock)
            with server.connect("http") as other:  # the next turn
                ask_hello(other)
    looks_at_nothing_freed(STAGE, conversation)


def check_memory():
    """A client that sends and does not read is not read from, either: it costs less than 1 MiB.
    One that is read from without end may pause first: so one after the other, five of them."""
    with harness.Server(STAGE) as server:
        for _ in range(5):
            with server.connect("text") as sock:
                sock.sendall(b"12")
                receive(sock, 2)
                before = server.resident()
                with stopped(server):
                    sent = send_until_full(sock)
                sent += send_until_full(sock)
                grown = (server.resident() - before) >> 10
            require(grown < 1024, f"{sent >> 10} KiB were taken of one that does not read, and "
                    f"the server has grown by {grown} KiB")


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
