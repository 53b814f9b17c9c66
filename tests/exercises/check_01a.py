"""POST /reverse, in the part that all stages share."""

import contextlib
import http.client
import re
import socket
import time

from tests import harness
from tests.exercises import alike
from tests.exercises.clients import Unmet, ask, connection, four_loops, lets_go, require
from tests.exercises.kept import OF_HTTP, stays
from tests.lib import wire

BINARIES = harness.STAGES
TSAN = harness.STAGES[:1]
ALL_BYTES = bytes(range(256))


def on_every_stage(conversation, *flags):
    for stage in harness.STAGES:
        with harness.Server(stage, *flags) as server:
            client = connection(server)
            try:
                conversation(client)
            except Unmet as error:
                raise Unmet(f"{stage}: {error}") from None
            finally:
                client.close()


def reversed_of(client: http.client.HTTPConnection, body, expected: bytes, **kwargs) -> None:
    answer, got = ask(client, "POST", "/reverse", body, **kwargs)
    require(answer.status == 200, f"POST /reverse: {answer.status}, expected 200")
    require(got == expected, f"{expected[:40]!r} was expected, {got[:40]!r} came")


def check_word():
    """POST /reverse answers with the body from its last byte to its first, at every stage."""
    on_every_stage(lambda client: reversed_of(client, b"stressed", b"desserts"))


def check_type():
    """It keeps the request's Content-Type, and says application/octet-stream where there was
    none."""
    def conversation(client):
        for given in ({"Content_Type": "text/x-poem"}, {}):
            answer, _ = ask(client, "POST", "/reverse", b"ab", **given)
            wanted = given.get("Content_Type", "application/octet-stream")
            got = answer.headers.get("Content-Type")
            require(answer.status == 200 and got == wanted, f"{wanted} was expected, {got} came")
    on_every_stage(conversation)


def check_sizes():
    """All byte values, an empty body, chunks and 700,000 bytes, one after the other."""
    def conversation(client):
        large = ALL_BYTES * 2734 + b"end"
        reversed_of(client, ALL_BYTES, ALL_BYTES[::-1])
        reversed_of(client, large, large[::-1])
        reversed_of(client, b"", b"")
        reversed_of(client, iter([b"abc", b"d", b"ef"]), b"fedcba")
    on_every_stage(conversation)


def check_any_size():
    """Each size up to 40 bytes, and those around 4, 12, 16 and 64 KiB."""
    around = [kib * 1024 + more for kib in (4, 12, 16, 64) for more in (-1, 0, 1)]
    data = ALL_BYTES * 257

    def conversation(client):
        for size in (*range(41), *around):
            reversed_of(client, data[:size], data[:size][::-1])
    on_every_stage(conversation)


def requests_to(name: str) -> list[bytes]:
    """All kinds of them, for a route of that name."""
    path, post, body = f"/{name}", "Content-Length: 6", b"abcdef"
    fields = (("Connection: close",), ("Content-Type:",), ('content-type: a/b; c="d"',),
              ("Content-Type: a/b", "Content-Type: c/d"), ("Content-Type: " + "a" * 300,),
              ("Content-Encoding: gzip",), ("Expect: tea",), ("Content-Length: 7",))
    chunked = wire.request("POST", path, "Transfer-Encoding: chunked")
    return [
        *(wire.request(method, path) for method in ("GET", "HEAD", "PUT", "OPTIONS", "DELETE")),
        *(wire.request("POST", other, body=body) for other in (
            path, path + "?a=b", path + "?", f"/%{ord(name[0]):x}{name[1:]}", path + "/",
            path + "s", path[:-1], path.title(), "/" + path, path + "%20", path + "%")),
        *(wire.request("POST", path, post, *more) + body for more in fields),
        *(wire.request("POST", path, *more, body=body, version="1.0")
          for more in ((), ("Connection: keep-alive",))),
        # Of this text a byte is not a character.
        wire.request("POST", path, "Content-Type: text/plain; charset=utf-8", body="ÄÖ".encode()),
        wire.request("POST", path, "Content-Length: 2000000"),
        chunked + wire.chunked(b"abc", b"d" * 70_000, b"ef", extension=b";a", trailer=b"C: d\r\n"),
        chunked + b"x\r\n"]


def answer_to(server: harness.Server, request: bytes) -> tuple[bytes, bytes]:
    """Its head without the date, and its body."""
    with wire.connect(server) as client:
        answer = client.ask(request, head=request.startswith(b"HEAD"))
    head = answer.raw.removesuffix(answer.body)
    return re.sub(rb"Date: [^\r]*\r\n", b"", head), answer.body


def check_like_echo():
    """But for the bytes' order it is like /echo: with other methods, versions, fields and queries,
    in what is refused, and when, and what /stats counts, with --auth, --max-body and in a drain,
    too; and a path that is only similar is not it."""
    for stage in harness.STAGES:
        with harness.Server(stage) as server:
            def counted() -> int:
                return wire.stats(server)["requests"]

            for model, request in zip(requests_to("echo"), requests_to("reverse")):
                before = counted()
                head, body = answer_to(server, model)
                wanted = head + (body[::-1] if b" 200 " in head[:20] else body)
                between = counted()
                got = b"".join(answer_to(server, request))
                require(got == wanted, f"{stage}, {request[:60]!r}: {wanted[:200]!r} was expected, "
                        f"{got[:200]!r} came")
                # Less the question itself.
                more, expected = counted() - between - 1, between - before - 1
                require(more == expected, f"{stage}, {request[:60]!r}: /stats counts {more} "
                        f"requests, expected {expected}")
        alike.answers_alike(stage)
        alike.drains_alike(stage)


def check_clock():
    """Its answer starts the client's clock anew: who asks again and again is kept for longer than
    --idle-timeout. Who sends a head and no more is told, until then, what /echo tells it."""
    with contextlib.ExitStack() as stack:
        servers = [(stage, stack.enter_context(harness.Server(stage, "--idle-timeout", "2")))
                   for stage in harness.STAGES]
        silent = [(stage, alike.begin(server, stack)) for stage, server in servers]
        clients = [(stage, stack.enter_context(wire.connect(server))) for stage, server in servers]
        for _ in range(4):
            time.sleep(0.6)
            for stage, client in clients:
                try:
                    client.ask(wire.request("POST", "/reverse", body=b"ab"))
                except (OSError, wire.Unexpected):
                    raise Unmet(f"{stage}: closed, with --idle-timeout 2, though it was asked "
                                "every 0.6 s") from None
        for stage, both in silent:
            alike.time_out_alike(stage, "--idle-timeout 2", both)


def check_pipeline():
    """Requests in one packet, of this route and of others, are answered in their order."""
    bodies = (b"abc", b"", b"de", b"f" * 20_000 + b"g")
    routes = (("/reverse", lambda body: body[::-1]), ("/upper", bytes.upper),
              ("/echo", lambda body: body), ("/reverse", lambda body: body[::-1]))
    for stage in harness.STAGES:
        with harness.Server(stage) as server, wire.connect(server) as client:
            client.send(b"".join(wire.request("POST", path, "Content-Type: a/b", body=body)
                                 for body in bodies for path, _ in routes))
            for body in bodies:
                for path, expected in routes:
                    got = client.read_response().body
                    require(got == expected(body), f"{stage}, {path}: {expected(body)[:40]!r} was "
                            f"expected, {got[:40]!r} came")


def check_method():
    """GET /reverse is refused with 405 and `Allow: POST`."""
    def conversation(client):
        answer, _ = ask(client, "GET", "/reverse")
        require(answer.status == 405, f"GET /reverse: {answer.status}, expected 405")
        require(answer.headers.get("Allow") == "POST", f"Allow: {answer.headers.get('Allow')}")
    on_every_stage(conversation)


def check_escaped():
    """/%72everse names the same route, as /%68ello is /hello."""
    def conversation(client):
        answer, body = ask(client, "POST", "/%72everse", b"abc")
        require(body == b"cba", f"POST /%72everse: {answer.status} and {body[:40]!r}")
    on_every_stage(conversation)


def late_readers(server: harness.Server) -> None:
    """They read when all have sent."""
    bodies = [ALL_BYTES[number:] * 11800 for number in range(3)]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(wire.connect(server)) for _ in bodies]
        for client, body in zip(clients, bodies):
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            client.send(wire.request("POST", "/reverse", body=body))
            client.sock.recv(1, socket.MSG_PEEK)  # it has an answer, and is owed most of it
        for number, (client, body) in enumerate(zip(clients, bodies), 1):
            require(client.read_response().body == body[::-1], f"of three clients that have 3 MB "
                    f"to read at the same time, number {number} got another body than its own")


def check_room():
    """A body may be as large as --max-body says: with 4000000, one of 3,000,000 bytes comes
    back; and those of three clients who read when all have sent, to each its own."""
    def conversation(client):
        body = ALL_BYTES * 11718 + b"end"
        try:
            reversed_of(client, body, body[::-1])
        except (OSError, http.client.HTTPException):
            raise Unmet("a body of 3,000,000 bytes ended the connection") from None
    flags = ("--max-body", "4000000")
    on_every_stage(conversation, *flags)
    for stage in harness.STAGES:
        with harness.Server(stage, *flags) as server:
            try:
                late_readers(server)
            except Unmet as error:
                raise Unmet(f"{stage}: {error}") from None


def check_auth():
    """With --auth it wants credentials like every route but /hello."""
    def conversation(client):
        answer, _ = ask(client, "POST", "/reverse", b"ab")
        require(answer.status == 401,
                f"with --auth and no credentials: {answer.status}, expected 401")
        reversed_of(client, b"ab", b"ba", Authorization="Basic YTpi")
    on_every_stage(conversation, "--auth", "a:b")


def check_expect():
    """A client that asks before it sends the body (`Expect: 100-continue`) is told to send it."""
    head = wire.request("POST", "/reverse", "Content-Length: 3", "Expect: 100-continue")
    for stage in harness.STAGES:
        with harness.Server(stage) as server, server.connect("http") as sock:
            sock.sendall(head)
            got = sock.recv(1000)
            require(b" 100 " in got[:20], f"{stage}: 100 was expected, {got[:40]!r} came")
            sock.sendall(b"abc")
            body = wire.Client(sock).read_response().body
            require(body == b"cba", f"{stage}: {b'cba'!r} was expected, {body[:40]!r} came")


def asks_on(server: harness.Server, bodies: list[bytes], stack: contextlib.ExitStack) -> None:
    """One client, again and again."""
    client = connection(server)
    stack.callback(client.close)
    for body in bodies:
        reversed_of(client, body, body[::-1])


def stay(server: harness.Server, bodies: list[bytes], stack: contextlib.ExitStack) -> None:
    """Each has its answer, and is silent: as many are connected as there were answers."""
    for body in bodies:
        asks_on(server, [body], stack)


def leave(server: harness.Server, bodies: list[bytes], _) -> None:
    """They are owed most of the answer."""
    before = server.sockets()
    for body in bodies:
        with server.connect("http") as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
            sock.sendall(wire.request("POST", "/reverse", body=body))
            sock.recv(1)
            wire.reset_when_closed(sock)
    lets_go(server, before)


def check_memory():
    """An answer leaves nothing behind, whether its client asks on, stays or leaves before it is
    complete: 60 of 700,000 bytes cost less than 8 MiB."""
    bodies = [bytes([number]) * (700_000 - number) + b"end" for number in range(60)]  # none twice
    for stage in harness.STAGES:
        with harness.Server(stage) as server:
            for clients, whom in ((asks_on, "one client"), (stay, "clients that are still there"),
                                  (leave, "clients that left before the end")):
                with contextlib.ExitStack() as stack:
                    clients(server, bodies[:2], stack)
                    before = server.resident()
                    clients(server, bodies, stack)
                    grown = (server.resident() - before) >> 10
                require(grown < 8 * 1024, f"{stage}: 60 answers of 700,000 bytes to {whom} have "
                        f"left {grown} KiB")


def check_threads():
    """With four loops that reverse at the same time no memory is shared: ThreadSanitizer looks."""
    body = ALL_BYTES * 400
    with four_loops(harness.STAGES[0]) as clients:
        for client in clients:
            client.send(wire.request("POST", "/reverse", body=body))
        for client in clients:
            got = client.read_response().body
            require(got == body[::-1], "an answer was not its own request's body, reversed")


def check_the_rest():
    """What was true of the other routes stays true (black-box tests)."""
    stays(harness.STAGES[1], OF_HTTP)
