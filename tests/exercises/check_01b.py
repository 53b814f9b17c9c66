"""Edge-triggered clients in stage 1."""

import signal
import socket
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, Unmet, ask_hello, closed_by_sigterm, closed_by_the_clock, four_loops, interests, lets_go,
    lets_go_of_who_leaves, noise, receive, require, reset, send_until_full, serves_a_crowd, stopped,
    stream_of_answers, through, to_the_end, traced, watched_by_valgrind)
from tests.lib import wire
from tests.exercises.kept import stays

STAGE = "01_plain_epoll"
BINARIES = TSAN = [STAGE]


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


def check_answer():
    """An HTTP answer of 1 MB, taken in many pieces, comes to its end; and again on the same
    connection."""
    data = noise(1_000_000)
    with harness.Server(STAGE) as server, server.connect("http", timeout=5) as sock:
        for _ in range(2):
            sock.sendall(wire.request("POST", "/echo", body=data))
            time.sleep(0.2)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = receive(sock, 1)
                require(byte, f"closed after {len(head)} bytes")
                head += byte
            got = b"".join(receive(sock, 10_000) for _ in range(100))
            require(got == data, "the body is not the request's")


def check_refused():
    """Who is refused is heard out: 413 comes, and 2 MB that are sent all the same are read, and no
    reason to reset the connection."""
    with harness.Server(STAGE) as server:
        before = server.sockets()
        with server.connect("http", timeout=5) as sock:
            try:
                sock.sendall(wire.request("POST", "/echo", "Content-Length: 2000000"))
                for _ in range(2):
                    sock.sendall(bytes(1_000_000))
                    time.sleep(0.1)
                sock.shutdown(socket.SHUT_WR)
                got = to_the_end(sock, "413")
            except OSError as error:
                raise Unmet(f"413 was expected, then the end; {error} came") from None
            require(b" 413 " in got[:20], f"413 was expected, {got[:40]!r} came")
            lets_go(server, before)
        read = wire.stats(server)["bytes_in"]
        require(read >= 2_000_000, f"{read} of 2000000 bytes were read before it was closed")


def check_drain():
    """What has come before SIGTERM, or together with it, is answered: 60,000 bytes for the text
    port, 1,000 requests, and one of which the rest comes later."""
    requests = HELLO * 1000
    with harness.Server(STAGE) as server:
        text, many, half = (server.connect(port) for port in ("text", "http", "http"))
        with text, many, half:
            for sock in (text, many, half):
                sock.sendall(HELLO)
                sock.recv(1000)
            with stopped(server):
                text.sendall(noise(60_000))
                many.sendall(requests)
                half.sendall(HELLO[:-2])
                server.signal(signal.SIGTERM)
            time.sleep(0.1)
            half.sendall(HELLO[-2:])
            for sock, count in ((many, 1000), (half, 1)):
                sock.settimeout(4)
                stream_of_answers(sock, count)
            got = to_the_end(text, "60,000 bytes and SIGTERM")
            require(got == noise(60_000), f"{len(got)} of 60000 bytes came back")


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
    closes, too; be it that they are no whole request, and that it is RST."""
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
        lets_go_of_who_leaves(server)


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
    of them to read, one that the clock ends, and some of whom bytes come in the turn in which the
    clock or SIGTERM ends them. Their memory is free: valgrind looks."""
    with watched_by_valgrind(STAGE, "--idle-timeout", "1") as server:
        before = server.sockets()
        with server.connect("text") as owed:
            send_until_full(owed)
            lets_go(server, before, patience=20)
        for _ in range(6):
            sock = server.connect("text")
            with stopped(server):
                sock.sendall(noise(1 << 16))
                reset(sock)
            with server.connect("http") as other:  # the next turn
                ask_hello(other)
        closed_by_the_clock(server)
        lets_go(server, before, patience=20)
        closed_by_sigterm(server)


def check_rest():
    """The loop sleeps while nothing comes: beside two silent clients, and one that does not read
    what it is owed."""
    with traced(STAGE, calls="?epoll_wait,epoll_pwait") as (server, trace):
        socks = [server.connect(port) for port in ("http", "text", "text")]
        for sock in socks:
            sock.sendall(HELLO)
            sock.recv(1000)
        send_until_full(socks[-1])
        before = len(trace.calls("epoll_wait"))
        time.sleep(0.6)
        woken = len(trace.calls("epoll_wait")) - before
        require(woken <= 3, f"{woken} wake-ups in 0.6 s of silence")
        for sock in socks:
            sock.close()


def check_threads():
    """Four loops share nothing: each gets 1,000 requests at the same time. ThreadSanitizer
    looks."""
    with four_loops(STAGE) as clients:
        for client in clients:
            client.send(HELLO * 1000)
        for client in clients:
            for _ in range(1000):
                client.read_response()


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
