"""What GET /count?n=N must do, whoever serves it: exercises 04b and 04c."""

from __future__ import annotations

import time

from tests import harness
from tests.exercises.clients import ask, ask_hello, connection, require


def body_of(n: int) -> bytes:
    return "".join(f"{i}\n" for i in range(1, n + 1)).encode()


def count(client, n: int) -> None:
    answer, got = ask(client, "GET", f"/count?n={n}")
    require(answer.status == 200, f"GET /count?n={n}: {answer.status}, expected 200")
    coding = answer.headers.get("Transfer-Encoding", "none")
    require(coding == "chunked", f"Transfer-Encoding: {coding}")
    require("Content-Length" not in answer.headers, "chunked, and a Content-Length all the same")
    require(got == body_of(n), f"n={n}: {len(got)} bytes, expected {len(body_of(n))}")


def small(server: harness.Server) -> None:
    client = connection(server)
    count(client, 5)
    count(client, 1)
    client.close()


def large(server: harness.Server) -> None:
    client = connection(server)
    count(client, 300_000)
    answer, body = ask(client, "GET", "/hello")
    require(answer.status == 200 and body == b"hello, world\n", "the next request went wrong")
    client.close()


def none(server: harness.Server) -> None:
    client = connection(server)
    count(client, 0)
    count(client, 2)
    client.close()


def refused(server: harness.Server) -> None:
    for query in ("", "?n=", "?n=x", "?n=-1", "?n=5x"):
        client = connection(server)
        answer, _ = ask(client, "GET", "/count" + query)
        require(answer.status == 400, f"GET /count{query}: {answer.status}, expected 400")
        client.close()


def bounded(server: harness.Server) -> None:
    """A client that asks for 80 MB and does not read, next to one that wants little."""
    with server.connect("http") as warm:
        ask_hello(warm)
    before = server.resident()
    with server.connect("http") as sock:
        sock.sendall(b"GET /count?n=10000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        first = sock.recv(100)
        require(b" 200 " in first, f"{first[:40]!r} came")
        time.sleep(1)
        with server.connect("http") as other:
            other.settimeout(5)
            ask_hello(other)
        grown = (server.resident() - before) >> 10
        require(grown < 8 * 1024, f"the server has grown by {grown} KiB for a client that stalls")
        got = 0
        while got < 20 << 20:  # it goes on when the client does
            piece = sock.recv(1 << 20)
            require(piece, f"closed after {got} bytes")
            got += len(piece)
    time.sleep(0.3)
    with server.connect("http") as other:  # a client that leaves in the middle harms nobody
        ask_hello(other)


def old(server: harness.Server) -> None:
    """HTTP/1.0 has no chunks: the end of the connection ends the body."""
    with server.connect("http") as sock:
        sock.sendall(b"GET /count?n=3 HTTP/1.0\r\n\r\n")
        sock.settimeout(5)
        got = b""
        while piece := sock.recv(1000):
            got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    require(b" 200 " in head[:20] and body == b"1\n2\n3\n", f"{got!r} came")
    require(b"chunked" not in head.lower(), "chunks for an HTTP/1.0 client")


def guarded(server: harness.Server) -> None:
    """With --auth it is a route like the others."""
    client = connection(server)
    answer, _ = ask(client, "GET", "/count?n=3")
    require(answer.status == 401, f"with --auth and no credentials: {answer.status}, expected 401")
    answer, body = ask(client, "GET", "/count?n=3", Authorization="Basic YTpi")
    require(answer.status == 200 and body == b"1\n2\n3\n", f"with credentials: {answer.status}")
    client.close()
