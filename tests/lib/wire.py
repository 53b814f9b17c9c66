"""The wire: raw bytes out, answers in, framed by Content-Length.

    with wire.connect(server) as client:
        client.send(wire.HELLO)
        assert client.read_response().status == 200

What is not exactly HTTP, and an end that comes too early, is an Unexpected. LOG keeps what a test
sent and got; conftest.py shows it when the test fails.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import random
import re
import select
import socket
import struct
import threading
import time

HELLO = b"GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n"
STATUS_LINE = re.compile(r"(HTTP/1\.[01]) (\d{3}) ([A-Z][A-Za-z -]+)")
SHOWN = 300  # bytes of one entry in LOG
LOG: collections.deque[str] = collections.deque(maxlen=40)  # the end is what a failure is about


class Unexpected(AssertionError):
    """What the server said, or did not. Raised, not asserted: PYTHONOPTIMIZE leaves it in."""


def note(direction: str, data: bytes) -> None:
    more = f" ... {len(data)} bytes" if len(data) > SHOWN else ""
    LOG.append(f"{direction} {data[:SHOWN]!r}{more}")


@dataclasses.dataclass
class Response:
    """One answer. Field names are in lower case; `raw` is all of it, as it came."""

    version: str
    status: int
    reason: str
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "") == "close"


def parse_head(head: bytes) -> Response:
    """`head` with its empty line."""
    status_line, *fields = head[:-4].decode("latin-1").split("\r\n")
    match = STATUS_LINE.fullmatch(status_line)
    if not match:
        raise Unexpected(f"status line {status_line!r}")
    headers: dict[str, str] = {}
    for line in fields:
        name, colon, value = line.partition(": ")
        if not (colon and name) or name.lower() in headers:
            raise Unexpected(f"field line {line!r} in {head!r}")
        headers[name.lower()] = value
    return Response(match[1], int(match[2]), match[3], headers, b"", head)


def response_in(data: bytes | bytearray, head: bool = False, at: int = 0) -> Response | None:
    """The answer that begins there; None while it is not complete. `head`: to a HEAD request, so no
    body follows."""
    end = data.find(b"\r\n\r\n", at) + 4
    if end < 4:
        return None
    answer = parse_head(bytes(data[at:end]))
    if not head and answer.status >= 200 and answer.status != 204:
        size = answer.headers.get("content-length", "")
        if not size.isdecimal():
            raise Unexpected(f"no length in {answer.raw!r}")
        if len(data) < end + int(size):
            return None
        answer.raw = bytes(memoryview(data)[at:end + int(size)])
        answer.body = answer.raw[end - at:]
    return answer


def responses(data: bytes, heads: tuple[int, ...] = ()) -> list[Response]:
    """What came back, cut into answers. `heads`: the indices of the answers to HEAD."""
    out, at = [], 0
    while at < len(data):
        answer = response_in(data, len(out) in heads, at)
        if answer is None:
            raise Unexpected(f"cut short: {data!r}")
        out.append(answer)
        at += len(answer.raw)
    return out


class Client:
    """One connection."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.rest = bytearray()  # came, but was not asked for yet

    def send(self, data: bytes) -> None:
        note("sent", data)
        self.sock.sendall(data)

    def send_pieces(self, pieces, pause: float = 0.0) -> None:
        """Each piece as a segment of its own (TCP_NODELAY), `pause` seconds apart. A peer that has
        closed already ends it: what it said is still to be read."""
        pieces = list(pieces)
        note(f"sent in {len(pieces)} pieces", b"".join(pieces))
        for piece in pieces:
            try:
                self.sock.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                return
            if pause:
                time.sleep(pause)

    def shutdown(self) -> None:
        """FIN: nothing more will be sent."""
        LOG.append("sent FIN")
        self.sock.shutdown(socket.SHUT_WR)

    def _more(self) -> bool:
        data = self.sock.recv(65536)
        note("got", data)
        self.rest += data
        return bool(data)

    def _need(self, what: str) -> None:
        if not self._more():
            raise Unexpected(f"closed after {bytes(self.rest[:SHOWN])!r}, {what} was still to come")

    def _take(self, count: int) -> bytes:
        taken = bytes(self.rest[:count])
        del self.rest[:count]
        return taken

    def read_until(self, end: bytes) -> bytes:
        looked = 0  # a large answer may come in many small pieces
        while (at := self.rest.find(end, max(0, looked - len(end)))) < 0:
            looked = len(self.rest)
            self._need(repr(end))
        return self._take(at + len(end))

    def read_exactly(self, count: int) -> bytes:
        while len(self.rest) < count:
            self._need(f"the rest of {count} bytes")
        return self._take(count)

    def read_response(self, head: bool = False) -> Response:
        """The next answer; `head`: to a HEAD request."""
        while (answer := response_in(self.rest, head)) is None:
            self._need("the rest of an answer")
        del self.rest[:len(answer.raw)]
        return answer

    def ask(self, data: bytes, head: bool = False) -> Response:
        self.send(data)
        return self.read_response(head)

    def read_to_eof(self) -> bytes:
        """All that still comes. A reset is an error here."""
        while self._more():
            pass
        return self._take(len(self.rest))

    def expect_eof(self) -> None:
        if left := self.read_to_eof():
            raise Unexpected(f"expected the end, got {left!r}")

    def expect_silence(self, seconds: float) -> None:
        """Neither bytes nor FIN come for so long."""
        timeout = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(65536)
            raise Unexpected(f"expected silence, got {data!r}")
        except TimeoutError:
            pass
        finally:
            self.sock.settimeout(timeout)

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def connect(server, port: str = "http", timeout: float = 20.0) -> Client:
    return Client(server.connect(port, timeout=timeout))


def request(method: str, target: str, *fields: str, body: bytes = b"", version: str = "1.1",
            host: str | None = "lab") -> bytes:
    """The bytes of a request. A body gets its Content-Length."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *fields, "", ""]).encode("latin-1") + body


def chunked(*chunks: bytes, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """A chunked body."""
    sized = [b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks]
    return b"".join(sized) + b"0\r\n" + trailer + b"\r\n"


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[i:i + 1] for i in range(len(data))]


def random_split(data: bytes, rng: random.Random, cuts: int = 4) -> list[bytes]:
    places = sorted(rng.randrange(len(data) + 1) for _ in range(cuts))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)]) if a < b]


def exchange(server, data: bytes, port: str = "http", pieces=None) -> bytes:
    """Sends `data` (cut into `pieces`, if given), then FIN; all that comes back."""
    with connect(server, port) as client:
        client.send_pieces(pieces or [data])
        client.shutdown()
        return client.read_to_eof()


def ask(server, data: bytes, head: bool = False) -> Response:
    """One request on a connection of its own."""
    with connect(server) as client:
        return client.ask(data, head)


def stats(server) -> dict:
    """What GET /stats says; the connection that asks counts, too."""
    return json.loads(ask(server, request("GET", "/stats")).body)


def read_late(server, data: bytes, port: str = "http") -> bytes:
    """Sends `data` without reading until the server takes no more of it, reads only then; all that
    comes back. Its small receive buffer makes the server's kernel refuse early."""
    with connect(server, port) as client:
        LOG.append(f"sending {len(data)} bytes, reading late")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
        client.sock.setblocking(False)
        rest, got, reading = memoryview(data), bytearray(), False
        while True:
            readable, writable, _ = select.select(
                [client.sock] if reading else [], [client.sock] if rest else [], [],
                20 if reading else 0.3)
            if reading and not readable and not writable:
                raise Unexpected(f"stuck after {len(got)} bytes")
            reading = reading or not writable
            if writable:
                rest = rest[client.sock.send(rest[:65536]):]
                reading = reading or not rest
                if not rest:
                    client.shutdown()
            if readable:
                piece = client.sock.recv(1 << 18)
                got += piece
                if not piece:
                    return bytes(got)


def stream(sock: socket.socket, data: bytes, most: int = 0, seed: int = 1, wait: float = 0.0
           ) -> bytes:
    """Sends `data` (in pieces of 1 to `most` bytes, if given), then FIN; reads at the same time,
    but for the first `wait` seconds, to the end."""
    def send() -> None:
        view, at, rng = memoryview(data), 0, random.Random(seed)
        try:
            while at < len(view):
                size = rng.randint(1, most) if most else len(view)
                sock.sendall(view[at:at + size])
                at += size
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # what is missing shows in what came back

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    time.sleep(wait)
    got = bytearray()
    try:
        while piece := sock.recv(1 << 20):
            got += piece
    except TimeoutError:
        raise Unexpected(f"{len(got)} of {len(data)} bytes came back, then nothing more") from None
    sender.join()
    return bytes(got)


def reset_when_closed(sock: socket.socket) -> None:
    """RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def strip_date(data: bytes) -> bytes:
    """Without the Date fields' values."""
    return re.sub(rb"\r\nDate: [^\r]*\r\n", b"\r\nDate: -\r\n", data)
