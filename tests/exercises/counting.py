"""What GET /count?n=N must do, whoever serves it: exercises 04b and 04c."""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
import select
import signal
import socket
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, CannotLook, Unmet, ask, ask_hello, connection, four_clients, lets_go, receive, require,
    reset, send_until_full, stats, stopped, to_the_end)
from tests.lib import wire


def get(n: int, version: bytes = b"1.1") -> bytes:
    return b"GET /count?n=%d HTTP/%s\r\nHost: a\r\n\r\n" % (n, version)


LONG, OLD_LONG = get(10_000_000), get(10_000_000, b"1.0")
# By the version, what stands behind the last number.
BEHIND = {b"1.1": b"\r\n0\r\n\r\n", b"1.0": b""}
# Short ones, each ending in another way: so much of a connection's time is spent behind them.
BEFORE = {"n=5": get(5), "n=0": get(0), "HEAD": get(5).replace(b"GET", b"HEAD")}


def closing(request: bytes) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def body_of(n: int) -> bytes:
    return "".join(f"{i}\n" for i in range(1, n + 1)).encode()


def dechunked(data: bytes) -> tuple[bytes, bytes]:
    """A body that came in chunks, and what came behind it."""
    parts, at = [], 0
    while True:
        begin = data.index(b"\r\n", at) + 2
        size = int(data[at:begin - 2], 16)
        at = begin + size + 2
        if size == 0:
            return b"".join(parts), data[at:]
        parts.append(data[begin:begin + size])


def count(client, n: int) -> None:
    answer, got = ask(client, "GET", f"/count?n={n}")
    require(answer.status == 200, f"GET /count?n={n}: {answer.status}, expected 200")
    coding = answer.headers.get("Transfer-Encoding", "none")
    require(coding == "chunked", f"Transfer-Encoding: {coding}")
    require("Content-Length" not in answer.headers, "chunked, and a Content-Length all the same")
    require(got == body_of(n), f"n={n}: {len(got)} bytes, expected {len(body_of(n))}")


def small(server: harness.Server) -> None:
    client = connection(server)
    for n in (5, 1, 8192):  # the last one: pieces of 1,024 or 4,096 lines leave no rest
        count(client, n)
        answer, got = ask(client, "POST", "/echo", b"body")
        require(answer.status == 200 and got == b"body",
                f"behind n={n}, POST /echo: {answer.status} and {got[:40]!r}")
    client.close()


def large(server: harness.Server) -> None:
    client = connection(server)
    before = stats(client)["requests"]
    count(client, 300_000)
    answer, body = ask(client, "GET", "/hello")
    require(answer.status == 200 and body == b"hello, world\n", "the next request went wrong")
    counted = stats(client)["requests"] - before
    require(counted == 3, f"3 requests, and /stats counts {counted}")
    client.close()


def none(server: harness.Server) -> None:
    client = connection(server)
    count(client, 0)
    count(client, 2)
    client.close()


def any_number(server: harness.Server) -> None:
    """More than 32 bits hold (of 4294967297 they hold the last one, which is 1), or 63; and the
    last one, of which one more is 0."""
    for n in (5_000_000_000, (1 << 32) + 1, (1 << 63) + 1, (1 << 64) - 1):
        with server.connect("http") as sock:
            sock.sendall(get(n))
            sock.settimeout(5)
            got = receive(sock, 2000)
            require(b" 200 " in got[:20] and b"\n100\n" in got, f"n={n}: {got[:40]!r} came")


def refused(server: harness.Server) -> None:
    for query in ("", "?n=", "?n=x", "?n=-1", "?n=5x", "?xn=5", f"?n={1 << 64}",
                  f"?n={(1 << 64) + 5}"):
        status_of(server, "GET", "/count" + query, 400)
    status_of(server, "HEAD", "/count?n=x", 400)
    for other in ("/counter?n=5", "/count/?n=5"):
        status_of(server, "GET", other, 404)


def status_of(server: harness.Server, method: str, target: str, expected: int) -> None:
    client = connection(server)
    client.request(method, target)
    status = client.getresponse().status  # the body might be without end
    require(status == expected, f"{method} {target}: {status}, expected {expected}")
    client.close()


def head_only(server: harness.Server) -> None:
    """HEAD: what GET would say, without the body; and the connection goes on."""
    with server.connect("http") as sock:
        sock.settimeout(5)
        sock.sendall(LONG.replace(b"GET", b"HEAD") + HELLO)
        got = b""
        while b"hello, world\n" not in got:
            try:
                piece = sock.recv(1000)
            except TimeoutError:
                piece = b""
            got += piece
            require(piece, f"HEAD /count, then GET /hello: {got[-60:]!r} came, then nothing more")
            require(len(got) < 2000, f"HEAD /count has a body: {got[-60:]!r}")
        head, _, rest = got.partition(b"\r\n\r\n")
        require(b" 200 " in head[:20], f"HEAD /count: {head[:40]!r} came")
        require(b"\r\ncontent-length: 0" not in head.lower(), "HEAD /count: Content-Length: 0")
        require(rest.startswith(b"HTTP/1.1 200"), f"HEAD /count has a body: {rest[:40]!r}")
    with server.connect("http") as sock:
        sock.sendall(closing(LONG.replace(b"GET", b"HEAD")))
        got = to_the_end(sock, "HEAD /count with Connection: close")
        require(got.endswith(b"\r\n\r\n"), f"HEAD /count has a body: {got[-40:]!r}")


def bounded(server: harness.Server) -> None:
    """A client that asks for 80 MB and does not read, of either version, next to one that wants
    little; and one that reads, but sends without end."""
    with server.connect("http") as warm:
        ask_hello(warm)
    for request in (LONG, OLD_LONG):
        unread(server, request)
    both_ways(server)


def unread(server: harness.Server, request: bytes) -> None:
    before = server.resident()
    with server.connect("http") as sock:
        sock.sendall(request)
        first = sock.recv(100)
        require(b" 200 " in first, f"{first[:40]!r} came")
        sent = send_until_full(sock) >> 20  # and sends, which nobody reads meanwhile
        require(sent < 32, f"a client that does not read has sent {sent} MiB behind its request")
        with server.connect("http") as other:
            other.settimeout(5)
            ask_hello(other)
        grown = (server.resident() - before) >> 10
        require(grown < 1024, f"the server has grown by {grown} KiB for a client that stalls")
        got = 0
        while got < 10 << 20:  # it goes on when the client does
            piece = sock.recv(1 << 20)
            require(piece, f"closed after {got} bytes")
            got += len(piece)


def both_ways(server: harness.Server) -> None:
    before = server.resident()
    with server.connect("http") as sock:
        sock.sendall(LONG)
        sock.settimeout(5)
        got, sent, more = 0, 0, HELLO * 1000
        while got < 40 << 20:
            piece = sock.recv(1 << 16)
            require(piece, f"closed after {got} bytes")
            got += len(piece)
            if select.select([], [sock], [], 0)[1]:
                sent += sock.send(more[sent % len(HELLO):])
        with server.connect("http") as other:
            other.settimeout(5)
            ask_hello(other)
        grown = (server.resident() - before) >> 10
        require(grown < 1024, f"the server has grown by {grown} KiB for a client that sends {sent} "
                "bytes while it reads")


def together(server: harness.Server) -> None:
    """Three clients of one loop, each with a number of its own, from the same moment on."""
    numbers = (60_000, 7, 50_000)
    with contextlib.ExitStack() as stack:
        clients = [wire.Client(stack.enter_context(server.connect("http"))) for _ in numbers]
        with stopped(server):
            for client, n in zip(clients, numbers):
                client.send(get(n))
        for client, n in zip(clients, numbers):
            answer = client.read_until(b"\r\n0\r\n\r\n")
            body, _ = dechunked(answer.partition(b"\r\n\r\n")[2])
            require(body == body_of(n), f"three clients at once: n={n} got {len(body)} bytes")


def in_four_loops(server: harness.Server) -> None:
    """A client in each of four loops: they count at the same time."""
    n = 300_000
    with four_clients(server) as clients:
        for client in clients:
            client.send(get(n))
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            read = [pool.submit(client.read_until, b"\r\n0\r\n\r\n") for client in clients]
            for answer in read:
                try:
                    body, _ = dechunked(answer.result().partition(b"\r\n\r\n")[2])
                except (wire.Unexpected, OSError, ValueError):
                    raise Unmet(f"four loops at once: n={n} did not come to its end") from None
                require(body == body_of(n), f"four loops at once: n={n} got {len(body)} bytes")


def patient(server: harness.Server) -> None:
    """With --idle-timeout 1 who reads all the time is served for longer than that; who reads
    nothing is let go. Meanwhile others see what the clock does behind a short answer."""
    before = server.sockets()
    with concurrent.futures.ThreadPoolExecutor(3) as pool, server.connect("http") as new, \
            server.connect("http") as old:
        for found in (pool.submit(reads_for_long, new, LONG),
                      pool.submit(reads_for_long, old, OLD_LONG), pool.submit(clocked, server)):
            found.result()
        lets_go(server, before)


def reads_for_long(sock: socket.socket, request: bytes) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    sock.sendall(request)
    got, end = 0, time.monotonic() + 2.5
    while time.monotonic() < end:
        piece = sock.recv(1 << 16)
        require(piece, f"--idle-timeout, and closed after {got} bytes, though the client read "
                "all the time")
        got += len(piece)
        time.sleep(0.01)


class Late(Exception):
    """It is not the server that was late, but who asks."""


# What stands behind an answer when the client stops sending, and what it gets then.
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
STALLED = {
    "silence": (b"", b""),
    "part of a request": (b"GET /hello HT", b"HTTP/1.1 408 "),
    "part of a body": (POST + b"\r\nabc", b"HTTP/1.1 408 "),
    "a body asked for": (POST + b"Expect: 100-continue\r\n\r\n",
                         b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 "),
}


def ask_first(sock: socket.socket, name: str) -> float:
    """Reads the answer to its end; the time before that, when the clock had not started."""
    began, got = time.monotonic(), b""
    sock.sendall(BEFORE[name])
    while not got.endswith(b"\r\n\r\n" if name == "HEAD" else b"0\r\n\r\n"):
        piece = sock.recv(1000)
        require(piece, f"closed after {len(got)} bytes")
        got += piece
    return began


def in_time(began: float) -> None:
    if time.monotonic() - began > 0.9:
        raise Late


def stalls(server: harness.Server, name: str, what: str) -> None:
    data, expected = STALLED[what]
    with server.connect("http") as sock:
        began = ask_first(sock, name)
        sock.sendall(data)
        in_time(began)
        got = to_the_end(sock, f"--idle-timeout 1, {what} behind {name}")
    require(got.startswith(expected) and bool(got) == bool(expected),
            f"--idle-timeout 1, {what} behind {name}: {got[:60]!r} came")


def trickles(server: harness.Server, name: str) -> None:
    with server.connect("http") as sock:
        began = ask_first(sock, name)
        sock.sendall(b"GET /hello HTTP/1.1\r\nX: ")
        in_time(began)
        sock.settimeout(0.1)
        got = b""
        while not got:
            require(time.monotonic() - began < 6, "--idle-timeout 1, and who sends a request "
                    f"byte by byte behind {name} is not let go in 6 s")
            with contextlib.suppress(TimeoutError):
                sock.sendall(b"y")
                got = sock.recv(1000) or b"FIN"
    require(got.startswith(b"HTTP/1.1 408 "),
            f"--idle-timeout 1, a request byte by byte behind {name}: {got[:60]!r} came")


def asks_again(server: harness.Server, name: str) -> None:
    with server.connect("http") as sock:
        for _ in range(5):
            try:
                began = ask_first(sock, name)
            except (Unmet, OSError) as error:
                raise Unmet(f"--idle-timeout 1, {name} every 0.4 s: {error}") from None
            time.sleep(0.4)
            in_time(began)


def until_in_time(conversation, *what) -> None:
    for _ in range(20):
        with contextlib.suppress(Late):
            return conversation(*what)
    raise CannotLook("this machine is too busy")


def clocked(server: harness.Server) -> None:
    """Behind an answer --idle-timeout is what it always was: it starts with the answer, parts of
    a request do not restart it, and these get 408."""
    looks = [(stalls, server, name, what) for name in BEFORE for what in STALLED]
    looks += [(one, server, name) for one in (trickles, asks_again) for name in BEFORE]
    with concurrent.futures.ThreadPoolExecutor(len(looks)) as pool:
        for found in [pool.submit(until_in_time, *one) for one in looks]:
            found.result()


def left_alone(server: harness.Server) -> None:
    """Clients that leave in the middle, half of them by a reset, harm nobody and leave nothing."""
    def come_and_go(times: int) -> None:
        for number in range(times):
            sock = server.connect("http")
            sock.sendall(OLD_LONG if number % 4 < 2 else LONG)
            sock.recv(1000)
            reset(sock) if number % 2 else sock.close()
        lets_go(server, sockets)

    sockets = server.sockets()
    come_and_go(10)
    before = server.resident()
    come_and_go(60)
    grown = (server.resident() - before) >> 10
    require(grown < 2 * 1024, f"60 clients left in the middle, and {grown} KiB were kept")
    with server.connect("http") as other:
        ask_hello(other)


def completed(server: harness.Server) -> None:
    """A server that is told to stop says all that it has begun to say, and waits for nobody who has
    had his answer."""
    client = connection(server)
    count(client, 5)
    with server.connect("http") as new, server.connect("http") as old:
        stopped_in_the_middle(server, {new: b"1.1", old: b"1.0"})
    to_the_end(client.sock, "SIGTERM, and who was idle behind n=5")
    client.close()
    status = server.wait(5)
    require(status == 0, f"status {status}")


def completed_in_four_loops(server: harness.Server) -> None:
    with four_clients(server) as clients:
        stopped_in_the_middle(server, {client.sock: version for client, version
                                       in zip(clients, 2 * tuple(BEHIND))})


def stopped_in_the_middle(server: harness.Server, socks: dict[socket.socket, bytes]) -> None:
    got = {}
    for sock, version in socks.items():
        sock.sendall(get(1_000_000, version))
        got[sock] = sock.recv(1000)
    server.signal(signal.SIGTERM)
    time.sleep(0.2)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        rest = {sock: pool.submit(to_the_end, sock, "n=1000000 and SIGTERM") for sock in socks}
    for sock, version in socks.items():
        got[sock] += rest[sock].result()
        require(got[sock].endswith(b"\n1000000\n" + BEHIND[version]),
                f"SIGTERM, and n=1000000 ended after {len(got[sock])} bytes with "
                f"{got[sock][-20:]!r}")


def drained(server: harness.Server) -> None:
    """In a drain, too, what stands behind the request in the same packet is answered."""
    with server.connect("http") as sock:
        count = get(30_000)
        sock.sendall(count[:-2])
        time.sleep(0.2)
        server.signal(signal.SIGTERM)
        time.sleep(0.2)
        sock.sendall(count[-2:] + HELLO)
        got = to_the_end(sock, "SIGTERM, then n=30000 and GET /hello")
    require(got.count(b"HTTP/1.1 200") == 2, "not two answers")
    status = server.wait(5)
    require(status == 0, f"status {status}")


def half_closed(server: harness.Server) -> None:
    """A client that has said all, and says so by a FIN, still reads."""
    for version, behind in BEHIND.items():
        with server.connect("http") as sock:
            sock.sendall(get(1_000_000, version))
            sock.shutdown(socket.SHUT_WR)
            got = to_the_end(sock, "n=1000000 and FIN")
        require(got.endswith(b"\n1000000\n" + behind),
                f"FIN behind the request, and n=1000000 ended after {len(got)} bytes with "
                f"{got[-20:]!r}")


def old(server: harness.Server) -> None:
    """HTTP/1.0 has no chunks: the end of the connection ends the body."""
    before = wire.stats(server)["requests"]
    for n, more in ((3, b""), (20_000, b"Connection: keep-alive\r\n")):
        with server.connect("http") as sock:
            sock.sendall(f"GET /count?n={n} HTTP/1.0\r\n".encode() + more + b"\r\n")
            got = to_the_end(sock, f"HTTP/1.0 {more.decode().strip()}")
        head, _, body = got.partition(b"\r\n\r\n")
        require(b" 200 " in head[:20] and body == body_of(n), f"{got[:300]!r} came")
        require(b"chunked" not in head.lower(), "chunks for an HTTP/1.0 client")
        require(b"content-length" not in head.lower(), "a Content-Length, and lines behind it")
    counted = wire.stats(server)["requests"] - before - 1
    require(counted == 2, f"2 requests by HTTP/1.0, and /stats counts {counted}")
    n = 100_000  # goes out slowly: the next request is there before the end
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.connect((server.host, server.http_port))
        for request in (f"GET /count?n={n} HTTP/1.0\r\n\r\n".encode(), HELLO):
            sock.sendall(request)
            time.sleep(0.1)
        try:
            got = to_the_end(sock, f"HTTP/1.0, n={n} and a further request")
        except ConnectionError:
            raise Unmet(f"HTTP/1.0, n={n} and a further request: a reset in place of the end"
                        ) from None
        body = got.partition(b"\r\n\r\n")[2]
        require(body == body_of(n), f"HTTP/1.0, n={n} and a further request: {len(body)} bytes")


def in_order(server: harness.Server) -> None:
    """The next request waits behind it, and the last answer is complete."""
    end = closing(HELLO)
    with server.connect("http") as sock:
        sock.sendall(get(9000) + end)
        got = to_the_end(sock, "GET /count?n=9000 and GET /hello in one packet")
        first = got.find(b"0\r\n\r\n")
        require(b"\n9000\n" in got[:first] and b"hello, world" in got[first:],
                f"GET /count?n=9000 and GET /hello in one packet: {got[-60:]!r} came")
        require(got.count(b"HTTP/1.1 200") == 2, "not two answers")
    with server.connect("http") as sock:
        several = (9000, 0, 20_000, 3)
        sock.sendall(b"".join(get(n) for n in several) + end)
        got = to_the_end(sock, "four GET /count in one packet")
        for n in several:
            require(b"HTTP/1.1 200" in got[:15], f"before n={n}, of {several} in one packet, "
                    f"{got[:15]!r} came")
            _, _, got = got.partition(b"\r\n\r\n")
            body, got = dechunked(got)
            require(body == body_of(n), f"n={n}, of {several} in one packet: {len(body)} bytes")
        require(b"hello, world" in got, f"behind them {got[-60:]!r} came")
    with server.connect("http") as sock:
        sock.sendall(end.replace(b"/hello", b"/count?n=0"))
        got = to_the_end(sock, "n=0 with Connection: close")
        require(got.endswith(b"\r\n\r\n0\r\n\r\n"), f"n=0 ended with {got[-20:]!r}")
    with server.connect("http") as sock:
        sock.sendall(end.replace(b"/hello", b"/count?n=300000"))
        got = to_the_end(sock, "n=300000 with Connection: close")
        require(got.endswith(b"300000\n\r\n0\r\n\r\n"),
                f"with Connection: close, n=300000 ended after {len(got)} bytes")
    before = wire.stats(server)["requests"]
    for bad in (b"NOT HTTP\r\n\r\n", HELLO.replace(b"\r\n\r\n", b"\r\nHost: b\r\n\r\n")):
        for when in ("in the same packet", "later"):
            told = f"{bad!r}, {when} behind n=9000"
            with server.connect("http") as sock:
                sock.settimeout(5)
                sock.sendall(get(9000) + (bad if when == "in the same packet" else b""))
                client = wire.Client(sock)
                try:
                    client.read_until(b"\n9000\n\r\n0\r\n\r\n")
                except (wire.Unexpected, TimeoutError):
                    raise Unmet(f"{told}: the numbers did not come") from None
                if when == "later":
                    sock.sendall(bad)
                got = bytes(client.rest) + to_the_end(sock, told)
            statuses = " ".join(re.findall(r"HTTP/1\.. (\d+)", got.decode("latin-1")))
            require(statuses == "400", f"{told}: {statuses or 'nothing'} came, expected 400")
    counted = wire.stats(server)["requests"] - before - 1
    require(counted == 8, f"8 requests, of which 4 are refused, and /stats counts {counted}")


def guarded(server: harness.Server) -> None:
    """With --auth it is a route like the others."""
    client = connection(server)
    wrong = {"Authorization": "Basic YTpj"}
    for method, credentials in (("GET", {}), ("HEAD", {}), ("GET", wrong)):
        answer, _ = ask(client, method, "/count?n=3", **credentials)
        require(answer.status == 401, f"with --auth and {'wrong' if credentials else 'no'} "
                f"credentials: {method} gets {answer.status}, expected 401")
    answer, body = ask(client, "GET", "/count?n=3", Authorization="Basic YTpi")
    require(answer.status == 200 and body == b"1\n2\n3\n", f"with credentials: {answer.status}")
    client.close()
