"""What the checks share: requests, bytes in and out, and what strace saw."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import tempfile
import time

from tests import harness
from tests.lib import strace, wire
from tests.lib.wire import HELLO

PATIENCE = 20.0


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


def closes_a_silent_client(stage: str) -> None:
    with harness.Server(stage, "--idle-timeout", "0.5") as server, server.connect("http") as sock:
        began = time.monotonic()
        sock.settimeout(5)
        require(sock.recv(1) == b"", "the server said something")
        passed = time.monotonic() - began
        require(0.4 < passed < 4, f"closed after {passed:.2f} s")


# ---- strace --------------------------------------------------------------------------------------


def interests(trace: strace.Log, operation: str = "ADD") -> list[str]:
    """The events of each such epoll_ctl on a descriptor that accept4 gave."""
    clients = {call.result for call in trace.calls("accept4")}
    return [call.events[0][0] for call in trace.calls("epoll_ctl")
            if call.parts[1] == f"EPOLL_CTL_{operation}" and call.parts[2] in clients]


@contextlib.contextmanager
def traced(stage: str, *flags: str, calls: str):
    """A server under strace, and what that says; read it after the block, when all has been
    written."""
    if why := harness.why_no_tracing():
        raise CannotLook(why)
    with tempfile.NamedTemporaryFile(prefix="strace-") as file:
        wrapper = strace.command(file.name, calls, "-f")
        with harness.Server(stage, *flags, wrapper=wrapper) as server:
            yield server, strace.Log(file.name)
