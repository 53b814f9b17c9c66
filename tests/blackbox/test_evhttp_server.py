"""The HTTP service on libevent's evhttp: same routes, same flags but the text ones.

What evhttp does otherwise than the shared parser is not tested here; notes/05_evhttp.md lists it.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import signal
import subprocess
import time

import pytest

from tests import harness
from tests.blackbox.conftest import comes_to_rest, eventually
from tests.lib import strace, wire

NAME = "evhttp_server"


@pytest.fixture
def evhttp(launch):
    """evhttp(*flags) -> a running evhttp_server."""
    return functools.partial(launch, NAME)


def open_connections(server) -> int:
    return wire.stats(server)["connections_open"]


def test_routes(evhttp):
    """Fails where the evhttp engine asks other routes than the stages do."""
    server = evhttp()
    binary = bytes(range(256)) * 40
    typed = wire.ask(server, wire.request("POST", "/echo", "Content-Type: a/b", body=binary))
    assert (typed.status, typed.body, typed.headers["content-type"]) == (200, binary, "a/b")
    upper = wire.ask(server, wire.request("POST", "/upper", body=binary))
    assert upper.body == bytes(b - 32 if 97 <= b <= 122 else b for b in binary)
    assert upper.headers["content-type"] == "application/octet-stream"
    assert wire.ask(server, wire.request("GET", "/upper?text=abc%20d+e")).body == b"ABC D E"
    assert wire.ask(server, wire.request("GET", "/upper")).status == 400
    assert wire.ask(server, wire.request("GET", "/none")).status == 404
    assert NAME.encode() in wire.ask(server, wire.request("GET", "/")).body
    refused = wire.ask(server, wire.request("PATCH", "/upper"))
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, POST")
    nothing = wire.ask(server, wire.request("OPTIONS", "*"))
    assert nothing.status == 204 and not {"content-length", "content-type"} & set(nothing.headers)


@pytest.mark.parametrize("path", ["/", "/hello", "/stats", "/upper?text=ab"])
def test_head_and_connect_tell_the_length(evhttp, path):
    """Fails where evhttp is left to it: it tells no length to HEAD, and none of CONNECT's body."""
    server = evhttp()
    with wire.connect(server) as client:
        client.send(wire.request("HEAD", path) + wire.request("GET", "/hello"))
        assert int(client.read_response(head=True).headers["content-length"]) > 0
        assert client.read_response().body == b"hello, world\n"
    connect = wire.ask(server, b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (connect.status, connect.body) == (405, b"405 Method Not Allowed\r\n")


def test_pipelined_and_split(evhttp):
    """Fails where an answer is lost between two engines' buffers."""
    requests = [wire.request("POST", "/upper", body=b"abc%d" % i) for i in range(50)]
    data = b"".join(requests)
    for pieces in ([data], [data[i:i + 7] for i in range(0, len(data), 7)]):
        with wire.connect(evhttp()) as client:
            client.send_pieces(pieces)
            for i in range(50):
                assert client.read_response().body == b"ABC%d" % i


def test_auth(evhttp):
    """Fails where a route other than /hello is served without the credentials."""
    server = evhttp("--auth", "lab:secret")
    right = "Authorization: Basic " + base64.b64encode(b"lab:secret").decode()
    wrong = "Authorization: Basic " + base64.b64encode(b"lab:secreT").decode()
    assert wire.ask(server, wire.request("GET", "/hello")).status == 200
    assert wire.ask(server, wire.request("GET", "/", right)).status == 200
    for fields in ((), (wrong,)):
        refused = wire.ask(server, wire.request("GET", "/", *fields))
        assert refused.status == 401 and refused.headers["www-authenticate"].startswith("Basic ")


def test_limits(evhttp):
    """Fails where a limit was not handed to evhttp, or is off by one."""
    server = evhttp("--max-body", "1000")
    assert wire.ask(server, wire.request("POST", "/echo", body=b"x" * 1000)).status == 200
    assert wire.ask(server, wire.request("POST", "/echo", body=b"x" * 1001)).status == 413
    filler = wire.chunked(b"x" * 600, b"x" * 600)
    chunked = wire.request("POST", "/echo", "Transfer-Encoding: chunked") + filler
    assert wire.ask(server, chunked).status == 413
    assert wire.ask(server, wire.request("GET", "/hello", "A: " + "x" * 15000)).status == 200
    assert wire.ask(server, wire.request("GET", "/hello", "A: " + "x" * 30000)).status == 431


def test_idle_connections_are_closed(evhttp):
    """Fails without a clock of our own: evhttp has none unless it is asked, and waits for ever."""
    with wire.connect(evhttp("--idle-timeout", "0.5")) as client:
        client.send(wire.request("GET", "/hello"))
        client.read_response()
        client.expect_eof()


def test_what_came_while_it_stood_still_is_answered(evhttp):
    """Fails where the clock is asked before the socket: the time-out passes while the process is
    stopped, and so does what came meanwhile."""
    server = evhttp("--idle-timeout", "1")
    with wire.connect(server) as client, wire.connect(server) as silent:
        assert wire.stats(server)["connections_open"] == 3
        server.signal(signal.SIGSTOP)
        client.send(wire.request("GET", "/hello"))
        time.sleep(1.2)
        server.signal(signal.SIGCONT)
        assert client.read_response().status == 200
        silent.expect_eof()


@pytest.mark.parametrize("storm", ["silent", "request", "half", "reset", "refused"])
def test_open_count_returns(evhttp, storm):
    """Fails where the table of connections keeps one that evhttp has closed, whatever closed it."""
    server = evhttp()
    for _ in range(30):
        client = wire.connect(server)
        if storm == "request":
            client.send(wire.request("GET", "/hello"))
            client.read_response()
        elif storm == "half":
            client.send(b"POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
        elif storm == "reset":
            wire.reset_when_closed(client.sock)
            client.send(wire.request("GET", "/")[:9])
        elif storm == "refused":
            client.send(b"nonsense\r\n\r\n")
            client.read_to_eof()
        client.close()
    eventually(lambda: open_connections(server) == 1, what="only the one that asks")


def test_max_connections(evhttp):
    """Fails where one client more than allowed is accepted, or waits for ever when others leave."""
    server = evhttp("--max-connections", "2")
    server.signal(signal.SIGSTOP)  # it finds all of them waiting
    clients = [wire.connect(server) for _ in range(3)]
    for client in clients:
        client.send(wire.request("GET", "/hello"))
    server.signal(signal.SIGCONT)
    for client in clients[:2]:
        client.read_response()
    clients[2].expect_silence(0.3)
    clients[0].close()
    assert clients[2].read_response().status == 200
    for client in clients[1:]:
        client.close()


def test_drain(evhttp):
    """Fails where SIGTERM cuts a request that is under way, keeps idle clients, or hangs; or where
    the server spins until its last client has gone, or does not notice that."""
    server = evhttp("--grace", "60")
    with wire.connect(server) as idle, wire.connect(server) as busy, wire.connect(server) as late:
        idle.send(wire.request("GET", "/hello"))
        idle.read_response()
        busy.send(wire.request("POST", "/upper", "Content-Length: 6") + b"abc")
        time.sleep(0.2)
        server.signal(signal.SIGSTOP)
        late.send(wire.request("GET", "/hello") * 2)
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGCONT)
        first, second = late.read_response(), late.read_response()
        assert "connection" not in first.headers and second.closes
        late.expect_eof()
        idle.expect_eof()
        comes_to_rest(server)
        busy.send(b"def")
        answer = busy.read_response()
        assert answer.body == b"ABCDEF" and answer.closes
    gone = time.monotonic()
    assert server.wait() == 0
    assert time.monotonic() - gone < 30, "that was the end of --grace"


def test_who_waits_in_the_accept_queue_is_answered(evhttp):
    """Fails where the queue is dropped; and crashed where one call of event_base_loop accepted,
    answered and freed a client that the server had not entered in its books yet."""
    server = evhttp("--max-connections", "1")
    holder = wire.connect(server)
    holder.send(wire.request("GET", "/hello"))
    assert holder.read_response().status == 200
    waiting = [wire.connect(server) for _ in range(40)]
    for client in waiting:
        client.send(wire.request("GET", "/hello") * 2)
    server.signal()
    for client in waiting:
        first, second = wire.responses(client.read_to_eof())
        assert "connection" not in first.headers and second.closes
        client.close()
    holder.close()
    assert server.wait() == 0


@pytest.mark.usefixtures("without_sanitizers", "tracing")
def test_who_comes_while_the_accept_queue_is_emptied(evhttp, tmp_path):
    """Fails where the server's books wait until the queue is empty: who was accepted in one round
    is answered and freed in the next. strace holds up each look into the queue, so that there is a
    next one."""
    log = tmp_path / "poll"
    server = evhttp(wrapper=strace.command(
        log, "?poll,?ppoll", "-f", "-e", "inject=?poll,?ppoll:delay_enter=300ms"))
    with contextlib.ExitStack() as stack:
        clients = []
        server.signal()
        for _ in range(40):
            clients.append(stack.enter_context(wire.connect(server)))
            clients[-1].send(wire.request("GET", "/hello", "Connection: close"))
            time.sleep(0.05)
        for client in clients:
            answer = client.read_response()
            assert answer.body == b"hello, world\n" and answer.closes
            client.expect_eof()
    assert server.wait() == 0
    assert len(log.read_text(encoding="ascii").splitlines()) > 5


def test_grace_ends_a_drain(evhttp):
    """Fails where a client that never completes its request keeps the server from ending."""
    server = evhttp("--grace", "0.3")
    with wire.connect(server) as client:
        client.send(b"GET /hello HT")
        time.sleep(0.2)
        server.signal()
        assert server.wait() == 0


@pytest.mark.threads
def test_threads(evhttp):
    """Fails where a request is counted twice (by on_output, too, if it is owed only after the
    answer was handed over), or (ThreadSanitizer) where two loops share what is not theirs; a drain
    ends all of them."""
    server = evhttp("--threads", "4")
    for _ in range(40):
        assert wire.ask(server, wire.request("GET", "/hello")).status == 200
    stats = wire.stats(server)
    assert (stats["requests"], stats["connections_accepted"]) == (40, 41)
    assert server.stop() == 0


def test_taken_port(evhttp):
    """Fails where SO_REUSEPORT hides a second instance."""
    port = str(evhttp().http_port)
    second = subprocess.run([harness.binary(NAME), "--http-port", port], capture_output=True,
                            text=True, timeout=10, check=False)
    assert second.returncode == 1 and second.stderr.count("\n") == 1 and port in second.stderr


def test_no_text_flags():
    """Fails where a flag is accepted that has no effect."""
    for flag in ("--text-port", "--text-mode"):
        run = subprocess.run([harness.binary(NAME), flag, "0"], capture_output=True, text=True,
                             timeout=10, check=False)
        assert run.returncode == 2 and run.stderr.count("\n") == 1 and flag in run.stderr


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "OPTIONS", "PATCH", "POST", "BREW"])
def test_each_method_is_known(evhttp, method):
    """Fails where evhttp's name of a method is taken for another one's, or for none; and where one
    that it does not know is let through: then the connection stays open."""
    refused = wire.ask(evhttp(), wire.request(method, "/hello"))
    assert (refused.status, refused.headers.get("allow"), refused.closes) == (
        (501, None, True) if method == "BREW" else (405, "GET, HEAD", False))
