"""The clients of a soak, good and bad. Each is a coroutine that plays one connection.

A healthy one checks every byte of every answer. The others check what they can: whatever a server
says to a bad client has to start as an answer does.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import socket
import time

from tests.lib import wire

IDLE_TIMEOUT = 5.0  # of the server; slow clients are slower than this
PATIENCE = 30.0  # of a healthy client: a lost answer never comes, a loaded machine is only late


class Figures:
    """What happened, for the table."""

    def __init__(self):
        self.played = collections.Counter()  # connections, by kind of client
        self.answers = 0
        self.text_bytes = 0
        self.took = []  # seconds per small request of a healthy client


class Peer:
    """One connection, without the buffering and the politeness of asyncio's streams."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.got = bytearray()

    @classmethod
    async def connect(cls, server, port: str) -> Peer:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            address = (server.host, server.ports[port])
            await asyncio.get_running_loop().sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def more(self, most: int = 1 << 16) -> bool:
        """Reads once. False at EOF."""
        part = await asyncio.get_running_loop().sock_recv(self.sock, most)
        self.got += part
        return bool(part)

    async def need(self) -> None:
        if not await self.more():
            raise wire.Unexpected(f"lost answer: closed after {bytes(self.got[:80])!r}")

    async def answer(self, head_only: bool = False) -> wire.Response:
        while (answer := wire.response_in(self.got, head_only)) is None:
            await self.need()
        del self.got[:len(answer.raw)]
        return answer


@contextlib.asynccontextmanager
async def meanwhile(work):
    """`work` runs as a task of its own; it has ended, one way or the other, before the socket can
    be closed and its number given to another client."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# ---- healthy ------------------------------------------------------------------------------------

async def healthy_http(peer: Peer, rng: random.Random, figures: Figures) -> None:
    """Some batches of requests, pipelined or one at a time; every answer to the byte."""
    for _ in range(rng.randint(1, 10)):
        batch = [a_request(rng) for _ in range(rng.choice([1, 1, 1, 8]))]
        start = time.perf_counter()
        async with meanwhile(peer.send(b"".join(request for request, _, _ in batch))) as sending:
            for request, head_only, expected in batch:
                answer = await peer.answer(head_only)
                said = answer.version, answer.status, answer.body
                if said != ("HTTP/1.1", 200, expected):
                    raise wire.Unexpected(f"wrong answer to {request[:60]!r}: {answer.raw[:100]!r}")
                figures.answers += 1
            await sending
        if len(batch) == 1 and len(batch[0][0]) < 500:
            figures.took.append(time.perf_counter() - start)
    if peer.got:
        raise wire.Unexpected(f"bytes behind the last answer: {bytes(peer.got[:60])!r}")


def a_request(rng: random.Random) -> tuple[bytes, bool, bytes]:
    """A request, whether it is a HEAD, and the body of its answer."""
    kind = rng.randrange(5)
    if kind < 2:
        method = (b"GET", b"HEAD")[kind]
        return method + b" /hello HTTP/1.1\r\nHost: lab\r\n\r\n", kind == 1, (
            b"" if kind else b"hello, world\n")
    body = rng.randbytes(rng.choice([0, 10, 1000, 20000, 200000]))
    route, expected = rng.choice([(b"/echo", body), (b"/upper", body.upper())])
    head = b"POST " + route + b" HTTP/1.1\r\nHost: lab\r\n"
    if kind == 2:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body, False, expected
    chunks = []
    while body:
        size = rng.randint(1, 30000)
        chunks.append(body[:size])
        body = body[size:]
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    return head + wire.chunked(*chunks), False, expected


async def healthy_text(peer: Peer, rng: random.Random, figures: Figures) -> None:
    """A stream in random cuts, then FIN: all of it comes back, then FIN."""
    data = rng.randbytes(rng.choice([1, 1000, 300000]))

    async def send() -> None:
        at = 0
        while at < len(data):
            size = rng.randint(1, 60000)
            await peer.send(data[at:at + size])
            at += size
        peer.sock.shutdown(socket.SHUT_WR)

    async with meanwhile(send()) as sending:
        while await peer.more():
            pass
        await sending
    if peer.got != data.upper():
        raise wire.Unexpected(f"text: sent {len(data)} bytes, got {len(peer.got)}, not the same")
    figures.text_bytes += len(data)


# ---- slow ---------------------------------------------------------------------------------------

async def slow_sender(peer: Peer, rng: random.Random, _: Figures) -> None:
    """A head that never ends, a byte at a time: 408 and closed."""
    async with meanwhile(dribble(peer, b"GET / HTTP/1.1\r\nX: " + b"x" * 10000, rng)):
        await peer_ends(peer, (b"HTTP/1.1 408 ",))


async def dribble(peer: Peer, data: bytes, rng: random.Random) -> None:
    for at in range(len(data)):
        await peer.send(data[at:at + 1])
        await asyncio.sleep(rng.uniform(0.02, 0.3))


async def slow_reader(peer: Peer, rng: random.Random, _: Figures) -> None:
    """Many large answers, read by the kilobyte: cut off, but what came was right."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    body = rng.randbytes(100000)
    head = b"POST /echo HTTP/1.1\r\nHost: lab\r\nContent-Length: 100000\r\n\r\n"
    async with meanwhile(peer.send((head + body) * 50)):
        with contextlib.suppress(ConnectionError):
            while await peer.more(1024):
                await asyncio.sleep(0.05)
    start = peer.got.find(b"\r\n\r\n") + 4
    if start > 3 and peer.got[start:start + 100000] != body[:len(peer.got) - start]:
        raise wire.Unexpected("a slow reader got wrong bytes")


async def never_reads(peer: Peer, rng: random.Random, _: Figures) -> None:
    """Pipelines requests for ever, reads nothing; in the end the server hangs up."""
    request = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n" * rng.choice([10, 1000])
    with contextlib.suppress(ConnectionError):
        while True:
            await peer.send(request)
            await asyncio.sleep(0.001)  # a send that needs no wait does not let others run


# ---- resetting ----------------------------------------------------------------------------------

async def resetting(peer: Peer, rng: random.Random, _: Figures) -> None:
    """Something, cut anywhere, perhaps a look at the answer, then RST."""
    data = b"".join(a_request(rng)[0] for _ in range(rng.randint(0, 5)))
    wire.reset_when_closed(peer.sock)
    async with meanwhile(peer.send(data[:rng.randint(0, len(data))])):
        await asyncio.sleep(rng.choice([0, 0, 0.001, 0.05]))
        if rng.random() < 0.3:
            async with meanwhile(peer.more()):
                await asyncio.sleep(0.05)


# ---- hostile ------------------------------------------------------------------------------------

ATTACKS = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/0.9\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000,
    b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"e" * 100000,
    b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n" + b"z" * 3000000,
    b"BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n" * 300,
    b"\0" * 1000,
)


async def hostile(peer: Peer, rng: random.Random, _: Figures) -> None:
    """Malformed or far too large, or valid but damaged; then FIN or urgent data or nothing."""
    data = bytearray(rng.choice([*ATTACKS, rng.randbytes(3000), a_request(rng)[0]]))
    for _ in range(rng.choice([0, 0, 3])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    try:
        await peer.send(bytes(data))
        if rng.random() < 0.2:
            peer.sock.send(b"!", socket.MSG_OOB)
        if rng.random() < 0.8:
            peer.sock.shutdown(socket.SHUT_WR)
    except OSError:
        return  # it has hung up, as it may
    await peer_ends(peer, (b"HTTP/1.1 ",))


async def peer_ends(peer: Peer, starts: tuple[bytes, ...]) -> None:
    """Reads until the server ends it; if it said something, that is how it starts."""
    with contextlib.suppress(ConnectionError):
        while await peer.more():
            pass
    if peer.got and not bytes(peer.got).startswith(starts):
        raise wire.Unexpected(f"not an answer: {bytes(peer.got[:80])!r}")


# name, port, how many at a time, coroutine. Bad clients may be cut off at the end of a phase.
HEALTHY = (("healthy", "http", 8, healthy_http), ("healthy", "text", 4, healthy_text))
BAD = (
    ("slow", "http", 20, slow_sender),
    ("slow", "http", 5, slow_reader),
    ("slow", "http", 5, never_reads),
    ("slow", "text", 5, never_reads),
    ("reset", "http", 6, resetting),
    ("reset", "text", 2, resetting),
    ("hostile", "http", 6, hostile),
)
