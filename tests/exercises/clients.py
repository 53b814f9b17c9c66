"""What the checks share: requests, bytes in and out, and what strace saw."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import resource
import select
import shutil
import signal
import socket
import tempfile
import time

from tests import harness
from tests.lib import strace, wire
from tests.lib.wire import HELLO

PATIENCE = 20.0
ONE_IN_EACH_LOOP = ("--threads", "4", "--max-connections", "4")


class Unmet(Exception):
    """A point of an exercise is not met: says what was seen."""


class CannotLook(Exception):
    """Whether a point is met cannot be told on this machine: says why."""


def require(condition, seen: str) -> None:
    """An assert that is there with PYTHONOPTIMIZE, too."""
    if not condition:
        raise Unmet(seen)


def connection(server: harness.Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.host, server.http_port, timeout=PATIENCE)


def ask(client: http.client.HTTPConnection, method: str, path: str, body=None, **headers):
    """(answer, its body)."""
    client.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = client.getresponse()
    return answer, answer.read()


def stats(client: http.client.HTTPConnection) -> dict:
    answer, body = ask(client, "GET", "/stats")
    require(answer.status == 200, f"GET /stats: {answer.status}")
    return json.loads(body)


def noise(size: int) -> bytes:
    """The same bytes each time, without letters: the text port returns them as they are."""
    return random.Random(7).randbytes(size).translate(bytes(b & 0x1F for b in range(256)))


def receive(sock: socket.socket, size: int) -> bytes:
    """`size` bytes, or fewer at the end of the stream."""
    got = bytearray()
    while len(got) < size:
        try:
            piece = sock.recv(min(1 << 20, size - len(got)))
        except TimeoutError:
            raise Unmet(
                f"{len(got)} of {size} bytes came back, then nothing more") from None
        if not piece:
            break
        got += piece
    return bytes(got)


def to_the_end(sock: socket.socket, what: str, patience: float = 5.0) -> bytes:
    """All that comes until the server closes."""
    got = bytearray()
    sock.settimeout(patience)
    try:
        while piece := sock.recv(1 << 18):
            got += piece
    except TimeoutError:
        raise Unmet(f"{what}: after {len(got)} bytes ({bytes(got[-40:])!r}) nothing came for "
                    f"{patience:.0f} s, and it is not closed") from None
    return bytes(got)


def through(sock: socket.socket, data: bytes, wait: float = 0.0, patience: float = 10.0) -> None:
    """Sends `data` to the text port, reads after `wait` seconds; all must come back, then FIN."""
    sock.settimeout(patience)
    got = wire.stream(sock, data, wait=wait)
    require(got == data, f"{len(got)} of {len(data)} bytes came back, or not the same ones")


def stream_of_answers(sock: socket.socket, count: int) -> None:
    """`count` answers to HELLO."""
    client = wire.Client(sock)
    for number in range(count):
        try:
            body = client.read_response().body
        except (TimeoutError, wire.Unexpected) as why:
            raise Unmet(f"{number} of {count} answers came, then nothing more: {why}") from None
        require(body == b"hello, world\n", f"answer {number + 1}: {body[:40]!r}")


def ask_hello(sock: socket.socket, times: int = 1) -> None:
    for _ in range(times):
        sock.sendall(HELLO)
        stream_of_answers(sock, 1)


@contextlib.contextmanager
def stopped(server: harness.Server):
    """What happens in the block is found by the server in one batch, after it."""
    server.signal(signal.SIGSTOP)
    while harness.stat_of(server.pid)[0] not in "Tt":  # t: under strace
        time.sleep(0.01)
    try:
        yield
    finally:
        server.signal(signal.SIGCONT)


@contextlib.contextmanager
def stopped_at_work(server: harness.Server):
    """As `stopped`, but not where it sleeps: that would be a batch of its own, of the clock alone.
    What happens in the block is found in one batch with the deadlines that it takes."""
    work = memoryview(b"1;a=b\r\na\r\n" * 1_000_000)
    with server.connect("http") as sock:
        wire.reset_when_closed(sock)
        sock.sendall(wire.request("POST", "/echo", "Transfer-Encoding: chunked"))
        sock.setblocking(False)
        for _ in range(2):
            select.select([], [sock], [], 5)  # there is room again: it has begun
            with contextlib.suppress(OSError):
                while work:
                    work = work[sock.send(work):]
        with stopped(server):
            yield


def closed_by_the_clock(server: harness.Server) -> None:
    """In the batch in which it was reported: a byte has come of one that was refused a second ago,
    and of one between two requests whose --idle-timeout, a second at most, is over."""
    with server.connect("http") as refused:
        refused.sendall(wire.request("POST", "/echo", "Content-Length: 99999999"))
        status = wire.Client(refused).read_response().status
        require(status == 413, f"a body of 99,999,999 bytes: {status}, expected 413")
        with server.connect("http") as idle:
            with contextlib.suppress(Unmet, OSError):  # a busy machine: it was closed before
                ask_hello(idle)
            with stopped_at_work(server):
                with contextlib.suppress(OSError):
                    refused.sendall(b"a")
                    idle.sendall(b"\r\n")
                time.sleep(1.2)
            with contextlib.suppress(OSError):
                to_the_end(idle, "--idle-timeout", PATIENCE)


def closed_by_sigterm(server: harness.Server) -> None:
    """In the batch in which it was reported, by the signal's handler: that sees who has left. The
    server goes on for another, of whom half a request has come."""
    with server.connect("http") as half, server.connect("http") as left:
        half.sendall(HELLO[:-2])
        ask_hello(left)
        time.sleep(0.1)  # both wait again: what comes first is reported first
        with contextlib.suppress(OSError):  # as above
            with stopped(server):
                left.sendall(b"\r\n")
                left.shutdown(socket.SHUT_WR)
                server.signal()
            to_the_end(left, "a client that has left, then SIGTERM", PATIENCE)
            half.sendall(HELLO[-2:])


def send_until_full(sock: socket.socket, most: int = 64 << 20) -> int:
    """Sends without reading, until nobody has taken more for half a second; how much that was."""
    piece, sent, timeout = noise(1 << 16), 0, sock.gettimeout()
    sock.settimeout(0.5)
    try:
        while sent < most:
            sent += sock.send(piece)
    except TimeoutError:
        pass
    finally:
        sock.settimeout(timeout)
    return sent


def reset(sock: socket.socket) -> None:
    wire.reset_when_closed(sock)
    sock.close()


def lets_go(server: harness.Server, before: int, patience: float = 5.0) -> None:
    """The server has as many sockets as it had, at the latest after so long."""
    deadline = time.monotonic() + patience
    while (left := server.sockets() - before) > 0:
        require(time.monotonic() < deadline, f"{left} sockets are still open after {patience} s")
        time.sleep(0.05)


def serves_a_crowd(stage: str, *flags: str) -> None:
    """150 clients of each port, of which one event tells."""
    with harness.Server(stage, *flags) as server:
        with stopped(server):
            socks = [server.connect(port) for port in ("text", "http") for _ in range(150)]
        for sock in socks:
            sock.sendall(HELLO)
        for number, sock in enumerate(socks):
            sock.settimeout(5)
            try:
                require(sock.recv(1000), f"client {number} was closed")
            except TimeoutError:
                raise Unmet(f"of {len(socks)} clients, number {number} got no answer") from None
            sock.close()


TWO_PLACES = ("--threads", "2", "--max-connections", "2")


def passes_two_places(server: harness.Server) -> None:
    """12 clients, of which two at a time have a place."""
    socks = [server.connect("http") for _ in range(12)]
    for sock in socks:
        sock.sendall(HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    for sock in socks:
        stream_of_answers(sock, 1)
        sock.close()


def lets_go_of_who_leaves(server: harness.Server) -> None:
    """Whose end comes with bytes that are no whole request, and are answered or not."""
    upload = wire.request("POST", "/echo", body=noise(40_000))[:-20_000]
    end = {reset: "RST", socket.socket.close: "FIN"}
    for port, beginning in (("http", HELLO[:-2]), ("http", upload), ("text", b"1")):
        for leave, name in end.items():
            try:
                leaves_with_the_last_bytes(server, port, beginning, leave)
            except Unmet as error:
                raise Unmet(f"5 clients that sent {beginning[:9]!r}, then {name}: "
                            f"{error}") from None


def accepts_all(server: harness.Server, before: int, count: int) -> None:
    """So many clients, beside the `before` sockets that it had."""
    deadline = time.monotonic() + PATIENCE
    while (have := server.sockets() - before) < count:
        require(time.monotonic() < deadline, f"{have} of {count} clients have been accepted")
        time.sleep(0.01)


def leaves_with_the_last_bytes(server: harness.Server, port: str, data: bytes, leave) -> None:
    """One event tells of the bytes and of the end. Who reads gets the bytes, and must look again
    to see the end: the time-out would come after a minute."""
    before = server.sockets()
    socks = [server.connect(port) for _ in range(5)]
    accepts_all(server, before, len(socks))
    with stopped(server):
        for sock in socks:
            sock.sendall(data)
            leave(sock)
    lets_go(server, before)


def closes_a_silent_client(stage: str, *flags: str) -> None:
    with harness.Server(stage, *flags, "--idle-timeout", "0.5") as server, \
            server.connect("http") as sock:
        began = time.monotonic()
        sock.settimeout(5)
        require(sock.recv(1) == b"", "the server said something")
        passed = time.monotonic() - began
        require(0.4 < passed < 4, f"closed after {passed:.2f} s")


def limit_descriptors(server: harness.Server, most: int = 0) -> None:
    """0: as many as it may have; 3: no more than it has."""
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most or hard, hard))


def lets_in_the_starved(stage: str) -> None:
    """Who waits for a free descriptor."""
    with harness.Server(stage) as server, contextlib.ExitStack() as stack:
        limit_descriptors(server, 40)
        socks = [stack.enter_context(server.connect("text", timeout=5)) for _ in range(60)]
        for sock in socks:
            sock.sendall(b"1")
        time.sleep(0.5)
        limit_descriptors(server, 200)
        for sock in socks:
            receive(sock, 1)


def needs_valgrind() -> None:
    if not shutil.which("valgrind"):
        raise CannotLook("valgrind is not installed")
    if harness.binary("").name.startswith("bin-"):
        raise CannotLook("valgrind cannot run what is built with sanitizers")


@contextlib.contextmanager
def watched_by_valgrind(stage: str, *flags: str, ports: tuple[str, ...] = ("text", "http")):
    """A server that is to end in the block, looks at no memory that is free, and frees its own."""
    needs_valgrind()
    valgrind = ("valgrind", "-q", "--leak-check=full", "--show-leak-kinds=definite")
    with harness.Server(stage, *flags, ports=ports, wrapper=valgrind, start_timeout=60) as server:
        try:
            yield server
            server.wait(30)
        finally:  # what valgrind says tells more than a connection that it broke
            said = re.search(r"==\d+== (Invalid.*|.*uninitialised.*|.* definitely lost).*\n"
                             r"((?:==\d+== +(?:at|by) .*\n)*)", server.stderr())
            if said:
                frames = re.findall(r": (.*)", said[2])
                ours = next((frame for frame in frames if ".cc:" in frame), frames[0])
                raise Unmet(f"valgrind says: {said[1]}, {ours}")


def looks_at_nothing_freed(stage: str, conversation, *flags: str) -> None:
    """`conversation` with a server under valgrind, which leaves it no sockets."""
    with watched_by_valgrind(stage, *flags) as server:
        sockets = server.sockets()
        conversation(server)
        lets_go(server, sockets, patience=20)
        server.signal()


# ---- strace --------------------------------------------------------------------------------------


def interests(trace: strace.Log, operation: str = "ADD") -> list[str]:
    """The events of each such epoll_ctl on a descriptor that accept4 gave."""
    clients = {call.result for call in trace.calls("accept4")}
    return [call.events[0][0] for call in trace.calls("epoll_ctl")
            if call.parts[1] == f"EPOLL_CTL_{operation}" and call.parts[2] in clients]


@contextlib.contextmanager
def four_clients(server: harness.Server):
    """HTTP clients: one in each loop, if there are four and each has room for one."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(wire.connect(server)) for _ in range(4)]


@contextlib.contextmanager
def four_loops(stage: str):
    """A server built with ThreadSanitizer, which must have nothing to say; and a client in each of
    its loops."""
    folder = pathlib.Path(os.environ.get("LAB_TSAN", "build/bin-g++-thread"))
    try:
        server = harness.Server(harness.ROOT / folder / stage, *ONE_IN_EACH_LOOP,
                                env={"TSAN_OPTIONS": "halt_on_error=0"})
    except harness.StartError as error:
        if "FATAL: ThreadSanitizer" in error.stderr:
            raise CannotLook("ThreadSanitizer does not run here: see notes/machine.md") from None
        raise
    with server:
        try:
            with four_clients(server) as clients:
                yield clients
        finally:
            if found := re.search(r"SUMMARY: ThreadSanitizer: (.*)", server.stderr()):
                raise Unmet(f"ThreadSanitizer says: {found[1]}")


@contextlib.contextmanager
def traced(stage: str, *flags: str, calls: str, options: tuple[str, ...] = ()):
    """A server under strace, and what that says; read it after the block, when all has been
    written."""
    if why := harness.why_no_tracing():
        raise CannotLook(why)
    with tempfile.NamedTemporaryFile(prefix="strace-") as file:
        wrapper = strace.command(file.name, calls, "-f", *options)
        with harness.Server(stage, *flags, wrapper=wrapper) as server:
            yield server, strace.Log(file.name)
