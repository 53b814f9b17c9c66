"""The rules of HTTP/1.1: raw bytes in; the status, and whether the connection is kept.

Each case is sent whole, byte by byte and in a random split, always with another request behind
it: that one is answered exactly where the connection is kept. So a server fails a case when it
takes what it must refuse, when it finds another end of the message than we do, when it answers
behind `Connection: close`, and when its answer depends on where the bytes were cut.
"""

from __future__ import annotations

import random
import time

import pytest

from tests.lib import wire
from tests.lib.wire import request

PROBE = request("GET", "/hello?probe")
KEPT, CLOSED, KEEP_ALIVE = "kept", "closed", "kept and said so"
MAX_BODY = 1 << 20


def get(*fields: bytes, line: bytes = b"GET /hello HTTP/1.1",
        host: bytes = b"Host: a\r\n") -> bytes:
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def host(value: bytes) -> bytes:
    return get(host=b"Host:" + value + b"\r\n")


def post(*fields: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return get(*fields, line=b"POST /echo HTTP/" + version) + body


def chunks(raw: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=raw)


def fields_of(size: int) -> bytes:
    """A request whose field lines take exactly `size` bytes."""
    filled = [b"A%02d: " % i + b"v" * 1000 for i in range(size // 1007 - 1)]
    left = size - len(b"Host: a\r\n") - sum(len(line) + 2 for line in filled)
    return get(*filled, b"Z: " + b"v" * (left - 5))


LINE = b"GET /hello HTTP/1.1\r\nHost: a\r\n"
CASES = {
    # Host
    "host": (host(b" example.org:8001"), 200, KEPT),
    "host-missing": (get(host=b""), 400, CLOSED),
    "host-repeated": (get(b"Host: a"), 400, CLOSED),
    "authorization-repeated": (get(b"Authorization: Basic eA==", b"Authorization: a"), 400, CLOSED),
    "host-empty": (host(b""), 200, KEPT),
    "host-ipv6": (host(b" [::1]:80"), 200, KEPT),
    "host-space": (host(b" a b"), 400, CLOSED),
    "host-path": (host(b" a/b"), 400, CLOSED),
    "host-user": (host(b" u@a"), 400, CLOSED),
    "host-port": (host(b" a:x"), 400, CLOSED),
    "host-bracket": (host(b" [::1"), 400, CLOSED),
    "host-missing-1.0": (get(line=b"GET /hello HTTP/1.0", host=b""), 200, CLOSED),
    "absolute-form": (get(line=b"GET http://b:1/hello?x HTTP/1.1"), 200, KEPT),
    "absolute-form-no-host": (get(line=b"GET http://b/hello HTTP/1.1", host=b""), 400, CLOSED),
    # Versions
    "1.0": (get(line=b"GET /hello HTTP/1.0"), 200, CLOSED),
    "1.0-keep-alive": (get(b"Connection: Keep-Alive", line=b"GET /hello HTTP/1.0"), 200,
                       KEEP_ALIVE),
    "1.2": (get(line=b"GET /hello HTTP/1.2"), 200, KEPT),
    "1.9": (get(line=b"GET /hello HTTP/1.9"), 200, KEPT),
    "1.10": (get(line=b"GET /hello HTTP/1.10"), 400, CLOSED),
    "2.0": (get(line=b"GET /hello HTTP/2.0"), 505, CLOSED),
    "0.9": (get(line=b"GET /hello HTTP/0.9"), 400, CLOSED),
    "no-version": (get(line=b"GET /hello"), 400, CLOSED),
    "version-case": (get(line=b"GET /hello http/1.1"), 400, CLOSED),
    "version-cut": (get(line=b"GET /hello HTTP/1"), 400, CLOSED),
    "two-spaces": (get(line=b"GET  /hello HTTP/1.1"), 400, CLOSED),
    "tab-for-space": (get(line=b"GET\t/hello HTTP/1.1"), 400, CLOSED),
    "space-at-end": (get(line=b"GET /hello HTTP/1.1 "), 400, CLOSED),
    "escaped-path": (get(line=b"GET /%68ell%6F HTTP/1.1"), 200, KEPT),
    "escaped-slash": (get(line=b"GET /%2Fhello HTTP/1.1"), 404, KEPT),
    "bad-escape": (get(line=b"GET /%zz HTTP/1.1"), 400, CLOSED),
    "cut-escape": (get(line=b"GET /hello%6 HTTP/1.1"), 400, CLOSED),
    "fragment": (get(line=b"GET /hello#x HTTP/1.1"), 400, CLOSED),
    "space-in-target": (get(line=b"GET /hel lo HTTP/1.1"), 400, CLOSED),
    "tls-hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, CLOSED),
    # Methods
    "put": (get(line=b"PUT /hello HTTP/1.1"), 405, KEPT),
    "patch-with-body": (get(b"Content-Length: 5", line=b"PATCH /hello HTTP/1.1") + b"GET /", 405,
                        KEPT),
    "unknown-method": (get(line=b"BREW /hello HTTP/1.1"), 501, KEPT),
    "unknown-method-with-body": (get(b"Content-Length: 5", line=b"BREW / HTTP/1.1") + b"GET /",
                                 501, KEPT),
    "method-case": (get(line=b"get /hello HTTP/1.1"), 501, KEPT),
    "method-not-a-token": (get(line=b"G(T /hello HTTP/1.1"), 400, CLOSED),
    "no-method": (get(line=b" /hello HTTP/1.1"), 400, CLOSED),
    "options": (get(line=b"OPTIONS * HTTP/1.1"), 204, KEPT),
    "connect": (get(line=b"CONNECT a:80 HTTP/1.1"), 405, KEPT),
    "404-with-body": (post(b"Content-Length: 5", body=b"GET /").replace(b"/echo", b"/none"), 404,
                      KEPT),
    # Transfer-Encoding
    "te": (chunks(wire.chunked(b"abc", b"d" * 20)), 200, KEPT),
    "te-case": (post(b"Transfer-Encoding: ChunKed", body=b"0\r\n\r\n"), 200, KEPT),
    "te-unknown": (post(b"Transfer-Encoding: gzip, chunked"), 501, CLOSED),
    "te-unknown-in-lines": (post(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"), 501,
                            CLOSED),
    "te-gzip": (post(b"Transfer-Encoding: gzip"), 400, CLOSED),
    "te-identity": (post(b"Transfer-Encoding: identity"), 400, CLOSED),
    "te-not-last": (post(b"Transfer-Encoding: chunked, gzip"), 400, CLOSED),
    "te-twice-in-a-line": (post(b"Transfer-Encoding: chunked, chunked"), 400, CLOSED),
    "te-twice": (post(*[b"Transfer-Encoding: chunked"] * 2), 400, CLOSED),
    "te-empty": (post(b"Transfer-Encoding:"), 400, CLOSED),
    "te-parameter": (post(b"Transfer-Encoding: chunked;q=1"), 400, CLOSED),
    "te-prefix": (post(b"Transfer-Encoding: xchunked"), 400, CLOSED),
    "te-and-length": (post(b"Transfer-Encoding: chunked", b"Content-Length: 5"), 400, CLOSED),
    "length-and-te": (post(b"Content-Length: 5", b"Transfer-Encoding: chunked"), 400, CLOSED),
    "te-1.0": (post(b"Transfer-Encoding: chunked", version=b"1.0"), 400, CLOSED),
    "te-on-get": (get(b"Transfer-Encoding: chunked") + b"1\r\nG\r\n0\r\n\r\n", 200, KEPT),
    # Content-Length
    "length": (post(b"Content-Length: 5", body=b"GET /"), 200, KEPT),
    "length-zeros": (post(b"Content-Length: 0005", body=b"GET /"), 200, KEPT),
    "length-on-get": (get(b"Content-Length: 5") + b"GET /", 200, KEPT),
    "length-none": (post(), 200, KEPT),
    "length-sign": (post(b"Content-Length: +5", body=b"abcde"), 400, CLOSED),
    "length-minus": (post(b"Content-Length: -5"), 400, CLOSED),
    "length-hex": (post(b"Content-Length: 0x5"), 400, CLOSED),
    "length-empty": (post(b"Content-Length:"), 400, CLOSED),
    "length-list": (post(b"Content-Length: 5, 5", body=b"abcde"), 400, CLOSED),
    "length-twice": (post(*[b"Content-Length: 5"] * 2, body=b"abcde"), 400, CLOSED),
    "length-space": (post(b"Content-Length: 1 5"), 400, CLOSED),
    "length-overflow": (post(b"Content-Length: 18446744073709551617"), 400, CLOSED),
    # Line ends and field lines
    "empty-line-first": (b"\r\n" + get(), 200, KEPT),
    "two-empty-lines-first": (b"\r\n\r\n" + get(), 400, CLOSED),
    "lf-request-line": (b"GET /hello HTTP/1.1\nHost: a\r\n\r\n", 400, CLOSED),
    "lf-field": (LINE + b"X: y\nZ: a\r\n\r\n", 400, CLOSED),
    "lf-end": (LINE + b"\n", 400, CLOSED),
    "cr-in-value": (LINE + b"X: a\rb\r\n\r\n", 400, CLOSED),
    "cr-cr-lf": (LINE + b"X: a\r\r\n\r\n", 400, CLOSED),
    "nul-in-value": (get(b"X: a\0b"), 400, CLOSED),
    "control-in-value": (get(b"X: a\x01b"), 400, CLOSED),
    "delete-in-value": (get(b"X: a\x7fb"), 400, CLOSED),
    "latin-1-in-value": (get(b"X: a\xe9b"), 200, KEPT),
    "tabs-around-value": (get(b"X:\t a\tb \t"), 200, KEPT),
    "space-before-colon": (get(b"X : y"), 400, CLOSED),
    "length-space-before-colon": (post(b"Content-Length : 5", body=b"abcde"), 400, CLOSED),
    "obs-fold": (get(b"X: a\r\n b"), 400, CLOSED),
    "fold-first": (b"GET /hello HTTP/1.1\r\n Host: a\r\n\r\n", 400, CLOSED),
    "no-colon": (get(b"X"), 400, CLOSED),
    "no-name": (get(b": x"), 400, CLOSED),
    "name-not-a-token": (get(b"X(: y"), 400, CLOSED),
    "empty-value": (get(b"X:"), 200, KEPT),
    # Chunks
    "chunk-extension": (chunks(b'3;a=b;c="d"\r\nabc\r\n0;x\r\n\r\n'), 200, KEPT),
    "chunk-zeros": (chunks(b"0003\r\nabc\r\n000\r\n\r\n"), 200, KEPT),
    "chunk-upper-hex": (chunks(b"A\r\n0123456789\r\n0\r\n\r\n"), 200, KEPT),
    "chunk-trailer": (chunks(b"1\r\na\r\n0\r\nX: y\r\nZ: a\r\n\r\n"), 200, KEPT),
    "chunk-sign": (chunks(b"+3\r\nabc\r\n0\r\n\r\n"), 400, CLOSED),
    "chunk-prefix": (chunks(b"0x3\r\nabc\r\n0\r\n\r\n"), 400, CLOSED),
    "chunk-empty-size": (chunks(b"\r\nabc\r\n0\r\n\r\n"), 400, CLOSED),
    "chunk-not-hex": (chunks(b"g\r\nabc\r\n0\r\n\r\n"), 400, CLOSED),
    "chunk-space-first": (chunks(b" 3\r\nabc\r\n0\r\n\r\n"), 400, CLOSED),
    "chunk-lf": (chunks(b"3\nabc\r\n0\r\n\r\n"), 400, CLOSED),
    "chunk-data-lf": (chunks(b"3\r\nabc\n0\r\n\r\n"), 400, CLOSED),
    "chunk-too-much-data": (chunks(b"3\r\nabcd\r\n0\r\n\r\n"), 400, CLOSED),
    "chunk-extension-control": (chunks(b"3;a\x01\r\nabc\r\n0\r\n\r\n"), 400, CLOSED),
    "chunk-extension-open-quote": (chunks(b'3;a="b\r\nabc\r\n0\r\n\r\n'), 400, CLOSED),
    "chunk-overflow": (chunks(b"1" + b"0" * 16 + b"3\r\nabc\r\n0\r\n\r\n"), 413, CLOSED),
    "trailer-space": (chunks(b"0\r\nX : y\r\n\r\n"), 400, CLOSED),
    "trailer-no-colon": (chunks(b"0\r\nX\r\n\r\n"), 400, CLOSED),
    "trailer-lf": (chunks(b"0\r\nX: y\n\r\n"), 400, CLOSED),
    "trailer-limit": (chunks(b"0\r\nX: " + b"y" * 16384 + b"\r\n\r\n"), 431, CLOSED),
    "extension-line-limit": (chunks(b"1;" + b"e" * 4096 + b"\r\na\r\n0\r\n\r\n"), 400, CLOSED),
    "extension-body-limit": (chunks((b"1;" + b"e" * 4000 + b"\r\na\r\n") * 17 + b"0\r\n\r\n"), 400,
                             CLOSED),
    # Limits
    "target-at-limit": (get(line=b"GET /hello?" + b"q" * 7993 + b" HTTP/1.1"), 200, KEPT),
    "target-over-limit": (get(line=b"GET /hello?" + b"q" * 7994 + b" HTTP/1.1"), 414, CLOSED),
    "fields-at-limit": (fields_of(16384), 200, KEPT),
    "fields-over-limit": (fields_of(16385), 431, CLOSED),
    "body-at-limit": (post(b"Content-Length: %d" % MAX_BODY, body=b"b" * MAX_BODY), 200, KEPT),
    "body-over-limit": (post(b"Content-Length: %d" % (MAX_BODY + 1)), 413, CLOSED),
    "chunk-over-limit": (chunks(b"%x\r\n" % (MAX_BODY + 1)), 413, CLOSED),
    "chunks-over-limit": (chunks(b"%x\r\n%s\r\n1\r\n" % (MAX_BODY, b"b" * MAX_BODY)), 413, CLOSED),
    # Expect, Connection
    "expect-other": (get(b"Expect: magic"), 417, KEPT),
    "expect-other-with-body": (post(b"Expect: magic", b"Content-Length: 5", body=b"GET /"), 417,
                               KEPT),
    "expect-nothing-to-send": (get(b"Expect: 100-continue"), 200, KEPT),
    "expect-body-is-here": (post(b"Expect: 100-Continue", b"Content-Length: 5", body=b"GET /"),
                            200, KEPT),
    "close": (get(b"Connection: close"), 200, CLOSED),
    "close-in-a-list": (get(b"Connection: foo, CLOSE"), 200, CLOSED),
    "keep-alive": (get(b"Connection: keep-alive"), 200, KEPT),
    "keep-alive-and-close": (get(b"Connection: keep-alive, close"), 200, CLOSED),
    "close-with-body": (post(b"Connection: close", b"Content-Length: 3", body=b"abc"), 200, CLOSED),
    "close-on-404": (get(b"Connection: close", line=b"GET /none HTTP/1.1"), 404, CLOSED),
}
EDGE = 300  # of a long case only so many bytes at each end are sent one by one


def pieces_of(data: bytes, how: str) -> list[bytes]:
    if how == "whole":
        return [data]
    if how == "random split":
        return wire.random_split(data, random.Random(data))
    if len(data) <= 2 * EDGE:
        return wire.byte_by_byte(data)
    return [*wire.byte_by_byte(data[:EDGE]), data[EDGE:-EDGE], *wire.byte_by_byte(data[-EDGE:])]


@pytest.mark.parametrize("case", CASES)
def test_rule(server, case):
    """See the top of this file: status, Connection field and the end of the message."""
    data, status, after = CASES[case]
    for how in ("whole", "byte by byte", "random split"):
        wire.LOG.append(f"-- {how}")
        with wire.connect(server) as client:
            client.send_pieces(pieces_of(data + PROBE, how))
            answer = client.read_response()
            while answer.status == 100:  # whether it is said depends on what had come by then
                answer = client.read_response()
            assert answer.status == status
            said = {KEPT: None, CLOSED: "close", KEEP_ALIVE: "keep-alive"}[after]
            assert answer.headers.get("connection") == said
            if after != CLOSED:
                assert client.read_response().body == b"hello, world\n"
                client.shutdown()
            client.expect_eof()  # of a closed one: without our FIN


def test_the_body_is_what_was_framed(server):
    """Fails where a chunk's line ends up in the body, or the body in the next request."""
    body = bytes(range(256)) * 9
    framed = [
        post(b"Content-Length: %d" % len(body), body=body),
        chunks(wire.chunked(body[:1], body[1:700], body[700:], extension=b';e="\\";"')),
        chunks(wire.chunked(*wire.byte_by_byte(body), trailer=b"T: r\r\n")),
    ]
    for pieces in ([b"".join(framed)], wire.random_split(b"".join(framed), random.Random(3), 60)):
        got = wire.responses(wire.exchange(server, b"", pieces=pieces))
        assert [answer.body for answer in got] == [body] * 3


def test_pipelined_answers_come_in_order(server):
    """Fails on a server that answers out of order, or stops after a batch it could not finish."""
    sent = [request("POST", "/echo", body=b"%d" % i * (i % 50 + 1)) for i in range(400)]
    got = wire.responses(wire.exchange(server, b"".join(sent)))
    assert [answer.body for answer in got] == [b"%d" % i * (i % 50 + 1) for i in range(400)]


@pytest.mark.threads
def test_large_answers_read_late(server):
    """Fails on a server that drops what a partial send left over."""
    body = random.Random(1).randbytes(1_000_000)
    got = wire.responses(wire.read_late(server, request("POST", "/echo", body=body) * 16 + PROBE))
    assert [answer.body == body for answer in got] == [True] * 16 + [False]
    assert got[-1].body == b"hello, world\n"


def test_small_answers_read_late(server):
    """Fails on a server that forgets pipelined requests which it read but could not answer yet."""
    got = wire.read_late(server, PROBE * 50_000)
    assert got.count(b"\r\n\r\nhello, world\n") == 50_000


def test_nothing_is_answered_behind_close(server):
    """Fails on a server that goes on with the requests it has already buffered."""
    last = request("GET", "/hello", "Connection: close")
    got = wire.responses(wire.exchange(server, PROBE * 2 + last + PROBE * 50))
    assert [answer.closes for answer in got] == [False, False, True]


@pytest.mark.parametrize("refused, status", [
    (get(line=b"GET /hello HTTP/2.0"), 505),
    (get(host=b""), 400),
    (post(b"Content-Length: 9999999999"), 413),
    (get(line=b"GET /" + b"a" * 9000 + b" HTTP/1.1"), 414),
    (get(b"X: " + b"a" * 20000), 431),
    (post(b"Transfer-Encoding: gzip, chunked"), 501),
], ids=["505", "400", "413", "414", "431", "501"])
def test_a_refusal_survives_what_is_still_sent(server, refused, status):
    """Fails on a server that closes with unread input: the reset that follows takes the status
    away from a client which is still sending."""
    with wire.connect(server) as client:
        client.send(refused)
        for _ in range(8):
            client.send(b"x" * 65536)  # a reset would be an error here
            time.sleep(0.005)
        answer = client.read_response()
        assert answer.status == status and answer.closes
        client.expect_eof()


def test_body_over_the_limit_is_refused_before_it_comes(start):
    """Fails on a server that reads a body it will not take; exactly the limit is taken."""
    server = start("--max-body", "10")
    for data, status in ((post(b"Content-Length: 11"), 413), (chunks(b"b\r\n"), 413),
                         (chunks(b"6\r\nabcdef\r\n5\r\n"), 413),
                         (post(b"Content-Length: 10", body=b"0123456789"), 200),
                         (chunks(b"6\r\nabcdef\r\n4\r\nabcd\r\n0\r\n\r\n"), 200)):
        with wire.connect(server) as client:
            client.send(data)
            assert client.read_response().status == status


def test_continue(server):
    """Fails where 100 is not said to a client that waits for it, or is said twice."""
    with wire.connect(server) as client:
        for _ in range(2):
            client.send(post(b"Expect: 100-continue", b"Content-Length: 4"))
            assert client.read_response().status == 100
            client.send(b"ab")
            client.expect_silence(0.1)
            client.send(b"cd")
            answer = client.read_response()
            assert (answer.status, answer.body) == (200, b"abcd")


def test_no_continue_for_what_is_not_wanted(start):
    """Fails where a client is told to send a body that is refused anyway, or gets the refusal only
    behind the body that it keeps back."""
    server = start("--auth", "a:b")
    expect = (b"Expect: 100-continue", b"Content-Length: 4")
    wanted = post(b"Authorization: Basic YTpi", *expect)
    for data, status in ((post(*expect), 401), (wanted.replace(b"/echo", b"/none"), 404),
                         (wanted.replace(b"POST", b"BREW"), 501),
                         (wanted.replace(b"/echo", b"/hello"), 405),
                         (wanted.replace(b"-continue", b"-continue, x"), 417),
                         (wanted.replace(b"100-continue", b"magic"), 417)):
        with wire.connect(server) as client:
            client.send(data)
            assert client.read_response().status == status
            client.send(b"abcd" + PROBE)  # it sends the body all the same
            assert client.read_response().status == 200


def test_no_continue_in_1_0(server):
    """Fails where an HTTP/1.0 client gets an answer it cannot understand."""
    with wire.connect(server) as client:
        client.send(post(b"Expect: 100-continue", b"Content-Length: 4", version=b"1.0"))
        client.expect_silence(0.1)
        client.send(b"abcd")
        assert client.read_response().status == 200


@pytest.mark.parametrize("cut", [
    get()[:-1], get()[:-2], get()[:9], b"G", post(b"Content-Length: 5", body=b"abcd"),
    chunks(b"3\r\nabc\r\n"), chunks(b"3\r\nabc\r\n0\r\n"), chunks(b"3\r\nab"), b"\r\n",
], ids=["last-lf", "last-line", "line", "one-byte", "body", "no-last-chunk", "no-trailer-end",
        "chunk", "empty-line"])
def test_fin_in_the_middle_of_a_message(server, cut):
    """Fails on a server that answers half a request with a 2xx, or drops the complete ones that
    stand before it."""
    assert wire.exchange(server, cut) == b""
    got = wire.responses(wire.exchange(server, PROBE * 3 + cut))
    assert [answer.status for answer in got] == [200] * 3
