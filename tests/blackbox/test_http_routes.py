"""What each route answers: the application, seen from outside."""

from __future__ import annotations

import base64
import email.utils
import json
import time

import pytest

from tests.lib import wire
from tests.lib.wire import request

PLAIN = "text/plain; charset=utf-8"
BINARY = bytes(range(256)) * 40


ROUTES = {
    "hello": (request("GET", "/hello"), 200, PLAIN, b"hello, world\n"),
    "hello-with-query": (request("GET", "/hello?a=b"), 200, PLAIN, b"hello, world\n"),
    "echo": (request("POST", "/echo", body=BINARY), 200, "application/octet-stream", BINARY),
    "echo-typed": (request("POST", "/echo", "Content-Type: text/x-a; b=c", body=b"aB"), 200,
                   "text/x-a; b=c", b"aB"),
    "echo-nothing": (request("POST", "/echo"), 200, "application/octet-stream", b""),
    "echo-chunked": (request("POST", "/echo", "Transfer-Encoding: chunked")
                     + wire.chunked(b"ab", BINARY, b"c"), 200, "application/octet-stream",
                     b"ab" + BINARY + b"c"),
    "upper": (request("POST", "/upper", body=BINARY), 200, "application/octet-stream",
              BINARY.upper()),
    "upper-typed": (request("POST", "/upper", "Content-Type: text/plain", body="é1".encode()), 200,
                    "text/plain", "é1".encode()),
    "upper-query": (request("GET", "/upper?text=abc%20d+e"), 200, PLAIN, b"ABC D E"),
    "upper-empty-text": (request("GET", "/upper?text="), 200, PLAIN, b""),
    "upper-first-text": (request("GET", "/upper?a=z&text=b&text=c"), 200, PLAIN, b"B"),
    "upper-utf-8": (request("GET", "/upper?text=%c3%A9x%2B"), 200, PLAIN, "éX+".encode()),
    "upper-other-name": (request("GET", "/upper?textual=a"), 400, PLAIN, b"400 Bad Request\r\n"),
    "upper-no-text": (request("GET", "/upper"), 400, PLAIN, b"400 Bad Request\r\n"),
    "upper-bad-escape": (request("GET", "/upper?text=a%2"), 400, PLAIN, b"400 Bad Request\r\n"),
    "upper-no-hex": (request("GET", "/upper?text=%zz"), 400, PLAIN, b"400 Bad Request\r\n"),
    "nowhere": (request("GET", "/nowhere"), 404, PLAIN, b"404 Not Found\r\n"),
    "longer-path": (request("GET", "/hello/"), 404, PLAIN, b"404 Not Found\r\n"),
    "unknown-method": (request("BREW", "/hello"), 501, PLAIN, b"501 Not Implemented\r\n"),
}


@pytest.mark.parametrize("route", ROUTES)
def test_route(server, route):
    """Fails where a route answers another status, type or body."""
    data, status, content_type, body = ROUTES[route]
    answer = wire.ask(server, data)
    assert (answer.status, answer.headers["content-type"], answer.body) == (
        status, content_type, body)


ALLOW = {"/": {"GET", "HEAD"}, "/hello": {"GET", "HEAD"}, "/stats": {"GET", "HEAD"},
         "/echo": {"POST"}, "/upper": {"GET", "HEAD", "POST"}}


def test_method_not_allowed(server):
    """Fails where a known path with another method is a 404, or the Allow field lies."""
    for path, allowed in ALLOW.items():
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"):
            answer = wire.ask(server, request(method, path))
            if method in allowed:
                assert answer.status in (200, 400), (method, path)
                continue
            assert answer.status == 405, (method, path)
            assert set(answer.headers["allow"].split(", ")) == allowed, (method, path)


def test_options_for_the_server(server):
    """Fails where OPTIONS * is refused, or a 204 carries a body's length."""
    answer = wire.ask(server, request("OPTIONS", "*"))
    assert answer.status == 204 and "GET" in answer.headers["allow"]
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/hello", "/upper?text=abc", "/stats", "/nowhere"])
def test_head_is_get_without_the_body(server, path):
    """Fails where HEAD sends a body (the next answer would start with it) or another head.

    /stats: its length may change from one answer to the next."""
    with wire.connect(server) as client:
        client.send(request("HEAD", path) + request("GET", path))
        head, get = client.read_response(head=True), client.read_response()
        client.shutdown()
        client.expect_eof()
    assert head.status == get.status and head.body == b""
    for answer in (head, get):
        del answer.headers["date"]
        if path == "/stats":
            del answer.headers["content-length"]
    assert head.headers == get.headers


def test_head_of_post_only(server):
    """Fails where HEAD /echo is answered as if there were a GET."""
    assert wire.ask(server, request("HEAD", "/echo"), head=True).status == 405


def test_date(server):
    """Fails on a missing, malformed or stale Date."""
    answer = wire.ask(server, request("GET", "/hello"))
    sent = email.utils.parsedate_to_datetime(answer.headers["date"])
    assert abs(sent.timestamp() - time.time()) < 30


def test_stats(start_http, engine):
    """Fails where a counter stands still or counts the wrong thing."""
    server, asked = start_http(), request("GET", "/stats")
    text = b"abc" if "text" in server.ports else b""
    with wire.connect(server, "text" if text else "http") as other, wire.connect(server) as client:
        other.send(text)
        assert other.read_exactly(len(text)) == text.upper()
        first, second, third = (client.ask(asked) for _ in range(3))
    assert first.headers["content-type"] == "application/json"
    before, after = json.loads(first.body), json.loads(second.body)
    assert before["stage"] == engine
    assert before["connections_open"] == before["connections_accepted"] == 2
    assert (before["requests"], after["requests"]) == (0, 1)
    assert before["bytes_in"] == len(text + asked)
    assert after["bytes_in"] == len(text + 2 * asked)
    assert before["bytes_out"] == len(text)
    assert after["bytes_out"] == len(text + first.raw)
    assert json.loads(third.body)["bytes_out"] == len(text + first.raw + second.raw)
    assert after["loop_wakeups"] > before["loop_wakeups"]
    assert 0 <= before["uptime_seconds"] < 60


def test_what_has_gone_out_is_counted_as_it_goes(start_http):
    """Fails where a large answer counts when the last of it is sent, and not before: a bufferevent
    without a watermark tells of no write but that one."""
    server = start_http("--max-body", str(16 << 20))
    body = b"b" * (16 << 20)
    with wire.connect(server) as client:
        client.send(request("POST", "/echo", body=body))
        client.read_exactly(4 << 20)
        assert wire.stats(server)["bytes_out"] >= 4 << 20


@pytest.mark.threads
def test_stats_count_all_loops(server):
    """Fails where a loop counts only for itself, or reads another's counters unsafely."""
    clients = [wire.connect(server) for _ in range(16)]
    for client in clients:
        for _ in range(5):
            client.send(request("GET", "/hello") + request("GET", "/stats"))
            client.read_response()
            stats = json.loads(client.read_response().body)
    assert stats["connections_open"] == 16
    assert stats["requests"] >= 16 * 5 * 2 - 16
    for client in clients:
        client.close()


def basic(credentials: str, scheme: str = "Basic") -> str:
    return f"Authorization: {scheme} {base64.b64encode(credentials.encode()).decode()}"


@pytest.mark.parametrize("field, status", [
    (basic("ada:love lace:1"), 200),
    (basic("ada:love lace:1", "bAsIc"), 200),
    (basic("ada:love lace:2"), 401),
    (basic("ada:love lace:"), 401),
    (basic("ada:love lace:11"), 401),
    (basic(""), 401),
    ("Authorization: Basic", 401),
    ("Authorization: Basic =", 401),
    (basic("ada:love lace:1", "Bearer"), 401),
    ("X: y", 401),
], ids=["right", "scheme-case", "wrong", "shorter", "longer", "empty", "bare", "junk", "bearer",
        "none"])
def test_auth(start, field, status):
    """Fails where a wrong password, or a part of the right one, opens a route."""
    server = start("--auth", "ada:love lace:1")
    for method, path in (("GET", "/"), ("GET", "/%73tats"), ("GET", "/nowhere"), ("POST", "/echo")):
        answer = wire.ask(server, request(method, path, field))
        assert answer.status == (404 if (status, path) == (200, "/nowhere") else status), path
        assert answer.headers.get("www-authenticate", "").startswith("Basic ") == (status == 401)
    assert wire.ask(server, request("GET", "/%68ello", field)).status == 200


def test_auth_keeps_the_connection(start):
    """Fails where a 401 leaves the body behind: it would be read as the next request."""
    with wire.connect(start("--auth", "a:b")) as client:
        client.send(request("POST", "/echo", body=b"GET /x HTTP/1.1\r\n\r\n")
                    + request("GET", "/hello"))
        assert client.read_response().status == 401
        assert client.read_response().status == 200
