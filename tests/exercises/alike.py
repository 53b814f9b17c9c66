"""POST /reverse, said to be like /echo: whatever stands in a request, and around it."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
from collections.abc import Iterator

from tests import harness
from tests.exercises.clients import require, stopped
from tests.lib import wire
from tests.lib.wire import HELLO

MODEL, ROUTE = "/echo", "/reverse"
ESCAPED = {MODEL: "/%65cho?a=b", ROUTE: "/%72everse?a=b"}
LOCKED, KEY = ("--auth", "a:b"), "Authorization: Basic YTpi"
CHUNKED = "Transfer-Encoding: chunked"
FRAMINGS = (
    ((), b""), (("Content-Length: 0",), b""), (("Content-Length: 6",), b"abcdef"),
    (("Content-Length: 7",), b"abcdef"), (("Content-Length: 2000000",), b"abcdef"),
    ((CHUNKED,), wire.chunked(b"ab", b"cdef")), ((CHUNKED,), b"6\r\nabcdefx"))
Said = list[list[bytes]]  # by each client's conversation, part by part


def requests(path: str, *fields: str) -> list[tuple[bytes, bytes]]:
    """Heads and bodies: what may stand in one, each with each."""
    kept = (("1.1",), ("1.1", "Connection: close"), ("1.0",), ("1.0", "Connection: keep-alive"))
    return [(wire.request(method, path, *framed, *expected, *more, *fields, version=version), body)
            for method, (framed, body), expected, (version, *more) in itertools.product(
                ("GET", "HEAD", "POST", "PUT"), FRAMINGS,
                ((), ("Expect: 100-continue",), ("Expect: tea",)), kept)]


def in_parts(path: str, *fields: str) -> Said:
    """The client waits before each body. It asks twice, then for something else."""
    return [[head, body, head, body, HELLO] for head, body in requests(path, *fields)]


def turned(said: bytes) -> bytes:
    """Bodies the other way round. Of 7 bytes the last is the first one of what came behind."""
    return re.sub(rb"(?<=\r\n\r\n)abcdef[GP]?", lambda body: body[0][::-1], said)


def what_came(sock: socket.socket) -> bytes:
    """Until now; if it may wait, until the end. Without the date."""
    got = bytearray()
    with contextlib.suppress(BlockingIOError, ConnectionError):
        while piece := sock.recv(1 << 16):
            got += piece
    return re.sub(rb"Date: [^\r]*\r\n", b"", got)


def tell(server: harness.Server, conversations: Said, drains: bool = False) -> Said:
    """What is said to each part, and to FIN. The clients talk at the same time: a part has been
    answered when one who asks behind them has been answered twice. `drains`: SIGTERM comes behind
    the first part."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(server.connect("http")) for _ in conversations]
        behind = stack.enter_context(wire.connect(server))
        behind.send(HELLO[:-2])

        def answered() -> None:
            for _ in range(2):  # half a request is always left over, so a drain lets it stay
                behind.ask(HELLO[-2:] + HELLO[:-2])

        said = []
        for parts in itertools.zip_longest(*conversations, fillvalue=b""):
            for sock, part in zip(socks, parts):
                sock.settimeout(10)
                with contextlib.suppress(ConnectionError):
                    sock.sendall(part)
            answered()
            if drains and not said:
                server.signal()
                answered()
            for sock in socks:
                sock.setblocking(False)
            said.append([what_came(sock) for sock in socks])
        return [list(each) for each in zip(*said, until_closed(socks))]


def until_closed(socks: list[socket.socket]) -> Iterator[bytes]:
    for sock in socks:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
    for sock in socks:
        sock.settimeout(10)
        yield what_came(sock)


def compare(where: str, sent: Said, wanted: Said, got: Said) -> None:
    for parts, one, other in zip(sent, wanted, got):
        for number, (model, came) in enumerate(zip(map(turned, one), other), 1):
            request = [part[:160] for part in parts[:number]]
            require(model == came, f"{where}, {request}: {model[:200]!r} was expected, "
                    f"{came[:200]!r} came")


def answers_alike(stage: str) -> None:
    """With each of these flags, and with that in each request: its path, and a field."""
    for flags, spelled, field in (
            ((), {}, "A: b"), ((), ESCAPED, "Content-Type: a/b"), (LOCKED, {}, "A: b"),
            (LOCKED, ESCAPED, KEY), (("--max-body", "5"), {}, "A: b")):
        told, counted = [], []
        for path in (MODEL, ROUTE):
            with harness.Server(stage, *flags) as server:
                sent = in_parts(spelled.get(path, path), field)
                told.append(tell(server, sent)
                            + tell(server, [[b"".join(parts)] for parts in sent]))
                answer = wire.ask(server, wire.request("GET", "/stats", KEY))
                counted.append(json.loads(answer.body)["requests"])
        where = " ".join((stage, *flags))
        compare(where, sent + [[b"".join(parts)] for parts in sent], *told)
        require(counted[0] == counted[1], f"{where}: /stats counts {counted[1]} requests, and "
                f"{counted[0]} when they are for /echo")


def drains_alike(stage: str) -> None:
    told = []
    for path in (MODEL, ROUTE):
        with harness.Server(stage, "--grace", "20") as server:
            told.append(tell(server, in_parts(path), drains=True))
    compare(f"{stage}, SIGTERM behind the head", in_parts(ROUTE), *told)


def heads(path: str) -> Said:
    return [[head] for head, body in requests(path)
            if body and b"HTTP/1.1" in head and b"close" not in head and b"tea" not in head]


def begin(server: harness.Server, stack: contextlib.ExitStack) -> list[list[socket.socket]]:
    """For each of the two paths: clients that say no more than the head of a request."""
    both = []
    with stopped(server):  # it has the heads when it lets them in
        for path in (MODEL, ROUTE):
            both.append([stack.enter_context(server.connect("http")) for _ in heads(path)])
            for sock, (head,) in zip(both[-1], heads(path)):
                sock.sendall(head)
    return both


def time_out_alike(stage: str, flags: str, both: list[list[socket.socket]]) -> None:
    told = [[[what_came(sock)] for sock in socks] for socks in both]
    compare(f"{stage} {flags}", heads(ROUTE), *told)
