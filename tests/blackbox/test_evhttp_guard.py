"""evhttp_server behind its guard: what two parsers could read differently is refused.

The cases are those of the stages (test_http_rules.py); what evhttp does otherwise with what the
guard lets pass stands in EVHTTPS_OWN, and is framed alike.
"""

from __future__ import annotations

import random
import re
import socket
import time

import pytest

from tests.blackbox.conftest import eventually
from tests.blackbox.test_http_rules import CASES, CLOSED, KEPT, PROBE, chunks, get, pieces_of, post
from tests.lib import wire

EVHTTPS_OWN = {
    # evhttp speaks HTTP/1.0 to 1.0, and says what version it was asked in.
    "1.0": None, "host-missing-1.0": None, "1.2": None, "1.9": None,
    # It takes itself for a proxy, and closes without saying so.
    "absolute-form": None,
    # Its own refusals close.
    "unknown-method": (501, CLOSED), "unknown-method-with-body": (501, CLOSED),
    "method-case": (501, CLOSED), "empty-line-first": (400, CLOSED),
    # It knows no chunk extension: that is no size to it.
    "chunk-extension": (413, CLOSED), "extension-body-limit": (413, CLOSED),
    # The guard lets no tab through in front of a value, and no trailer: there it looks no further.
    "tabs-around-value": (400, CLOSED), "chunk-trailer": (431, CLOSED),
    "trailer-space": (431, CLOSED), "trailer-no-colon": (431, CLOSED),
    "trailer-lf": (431, CLOSED),
    # The guard's refusals close, too.
    "expect-other": (417, CLOSED), "expect-other-with-body": (417, CLOSED),
    # It looks for nothing but "close", alone.
    "close-in-a-list": (200, KEPT), "keep-alive-and-close": (200, KEPT),
}


@pytest.fixture(name="guarded")
def start_guarded(launch):
    return launch("evhttp_server")


@pytest.mark.parametrize("case", [case for case in CASES if EVHTTPS_OWN.get(case, True)])
def test_rule(guarded, case):
    """Fails where evhttp sees what the shared parser refuses, or is refused what it accepts."""
    data, status, after = CASES[case]
    status, after = EVHTTPS_OWN.get(case, (status, after))
    for how in ("whole", "byte by byte", "random split"):
        wire.LOG.append(f"-- {how}")
        with wire.connect(guarded) as client:
            client.send_pieces(pieces_of(data + PROBE, how))
            answer = client.read_response()
            while answer.status == 100:
                answer = client.read_response()
            assert answer.status == status
            assert answer.closes == (after == CLOSED)
            if after != CLOSED:
                assert client.read_response().body == b"hello, world\n"
                client.shutdown()
            client.expect_eof()


BARE = {
    "no Host": get(host=b""),
    "two lengths": post(b"Content-Length: 1", b"Content-Length: 2", body=b"a"),
    "a signed length": post(b"Content-Length: +1", body=b"a"),
    "gzip": post(b"Transfer-Encoding: gzip"),
    "a space before the colon": get(b"X : y"),
    "bare LF": b"GET /hello HTTP/1.1\nHost: a\n\n",
    "a tab before a value": get(b"Connection:\tclose"),
    "a prefixed chunk size": chunks(b"0x1\r\na\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("case", BARE)
def test_evhttp_without_its_guard(launch, case):
    """Notices when libevent begins to refuse one of these: then the guard may do less."""
    with wire.connect(launch("evhttp_server", "--no-guard")) as client:
        client.send(BARE[case] + PROBE)
        assert [client.read_response().status for _ in range(2)] == [200, 200]


TRACE = get(b"Content-Length: %d" % len(PROBE), line=b"TRACE /hello HTTP/1.1") + PROBE


def test_a_body_that_evhttp_does_not_read(guarded, launch):
    """Fails where the body of a TRACE is let through: evhttp reads none, and takes it for the next
    request."""
    statuses = {}
    for server in (guarded, launch("evhttp_server", "--no-guard")):
        got = wire.responses(wire.exchange(server, TRACE + PROBE))
        statuses[server] = [answer.status for answer in got]
    assert list(statuses.values()) == [[400], [405, 200, 200]]


def test_the_body_of_a_head(guarded):
    """Fails where that of a HEAD is let through."""
    got = wire.exchange(guarded, TRACE.replace(b"TRACE", b"HEAD") + PROBE)
    assert re.findall(rb"HTTP/1\.1 (\d+)", got) == [b"400"]


@pytest.mark.parametrize("field", [
    b"Connection:\tclose", b"Connection: \t close", b"Transfer-Encoding:\tchunked",
], ids=["tab", "behind a space", "chunked"])
def test_a_tab_in_front_of_a_value(guarded, field):
    """Fails where it is let through: evhttp takes it for a part of the value, so the connection
    stays open, or (libevent 2.1.12 as it was released) chunks are taken for requests."""
    got = wire.responses(wire.exchange(guarded, post(field, body=wire.chunked(b"a")) + PROBE))
    assert [answer.status for answer in got] == [400]


@pytest.mark.parametrize("value", [b"a\tb", b"a:\tb", b""], ids=["in it", "a colon in it", "none"])
def test_a_tab_in_a_value(guarded, value):
    """Fails where any tab is refused, or one is looked for in the next line."""
    assert wire.ask(guarded, get(b"X:" + value)).status == 200


def test_what_a_trailer_says(launch):
    """Fails where a trailer is let through: libevent 2.1.12 as it was released makes fields of the
    head of it, here the password."""
    server = launch("evhttp_server", "--auth", "u:p")
    trailer = b"Authorization: Basic dTpw\r\n"
    assert wire.ask(server, chunks(wire.chunked(b"a", trailer=trailer))).status == 431
    assert wire.ask(server, chunks(wire.chunked(b"a"))).status == 401


@pytest.mark.parametrize("seed", range(6))
def test_what_came_before_is_answered_first(guarded, seed):
    """Fails where a refusal overtakes the answers to good requests, or evhttp sees what stands
    behind them."""
    good = [wire.request("POST", "/echo", body=b"%d" % i * 40) for i in range(20)]
    data = b"".join(good) + get(b"X : y") + PROBE * 5
    pieces = [data] if seed == 0 else wire.random_split(data, random.Random(seed), 40)
    got = wire.responses(wire.exchange(guarded, b"", pieces=pieces))
    assert [answer.body for answer in got[:-1]] == [b"%d" % i * 40 for i in range(20)]
    assert got[-1].status == 400 and got[-1].closes


def test_half_a_request(launch):
    """Fails where the time-out of half a request is not said, or takes longer than a clock."""
    server = launch("evhttp_server", "--idle-timeout", "0.5")
    for part in (PROBE[:-2], post(b"Content-Length: 9", body=b"abc")):
        with wire.connect(server) as client:
            client.send(part)
            assert client.read_response().status == 408
            client.expect_eof()


def test_a_refusal_of_head_has_no_body(guarded):
    """Fails where what follows the refusal's head would be read as the next answer."""
    got = wire.exchange(guarded, get(b"X : y", line=b"HEAD /hello HTTP/1.1"))
    assert got.startswith(b"HTTP/1.1 400 ") and got.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("refused, status", [
    (get(b"X : y"), 400), (get(line=b"BREW / HTTP/1.1"), 501), (chunks(b"1;a\r\n"), 413),
], ids=["the guard's", "evhttp's", "evhttp's, of a body"])
def test_a_refusal_behind_an_answer(guarded, refused, status):
    """Fails where only the first answer of a connection is seen to be a refusal: then a later one
    is not counted, and a client that still sends is reset."""
    before = wire.stats(guarded)["requests"]
    with wire.connect(guarded) as client:
        client.send(PROBE)
        assert client.read_response().status == 200
        client.send(refused)
        assert client.read_response().status == status
        for _ in range(3):
            client.send(b"x")  # a reset would be an error here
            time.sleep(0.02)
        client.expect_eof()
    assert wire.stats(guarded)["requests"] - before == 3


STALLED = 42_000  # such an answer leaves evhttp, but so much stays unsent that nothing may follow


def stalled(server):
    """A client that does not read its first answer: the next one waits in the process."""
    client = wire.Client(socket.socket())
    client.sock.settimeout(20)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before there is a window
    client.sock.connect((server.host, server.http_port))
    client.send(post(b"Content-Length: %d" % STALLED, body=b"x" * STALLED))
    time.sleep(0.1)
    return client


def test_408_that_cannot_go_out(launch):
    """Fails where the 408's time is up, the connection is let go, and its time is up still: no
    progress, and the process aborts."""
    server = launch("evhttp_server", "--idle-timeout", "0.3")
    with stalled(server) as client:
        client.send(PROBE[:9])
        eventually(lambda: wire.stats(server)["connections_open"] == 1, what="it is let go")


@pytest.mark.parametrize("head, statuses", [
    (get(b"Transfer-Encoding: chunked", line=b"BREW / HTTP/1.1"), [200, 501]),
    (post(b"Expect: 100-continue", b"Transfer-Encoding: chunked"), [200, 100, 400]),
], ids=["evhttp's", "behind 100"])
def test_a_refusal_behind_what_waits(guarded, head, statuses):
    """Fails where the guard refuses what evhttp has refused already; or a refusal is not seen to be
    one behind a 100 that waits to be sent, too: then who still sends is reset."""
    with stalled(guarded) as client:
        client.send(head)
        time.sleep(0.1)
        client.send(b"no chunk\r\n")
        time.sleep(0.1)
        got = [client.read_response().status for _ in statuses]
        for _ in range(3):
            client.send(b"x")
            time.sleep(0.02)
        client.expect_eof()
        assert got == statuses


@pytest.mark.parametrize("last", [
    get(b"Connection: close"), get(line=b"GET /hello HTTP/1.0"),
    get(b"Connection: close", line=b"CONNECT a:80 HTTP/1.1"),
    post(b"Content-Length: 1", body=b"a").replace(b"/echo", b"/.rpc.Upper"),
], ids=["close", "1.0", "CONNECT", "400"])
@pytest.mark.parametrize("behind", [get(b"X : y"), PROBE], ids=["bad", "good"])
def test_nothing_is_said_behind_the_last_answer(guarded, last, behind):
    """Fails where a refusal follows `Connection: close`; or evhttp, which forgets it for CONNECT,
    goes on."""
    got = wire.exchange(guarded, last + behind)
    assert got.count(b"HTTP/1.") == 1


def test_both_limits_at_once(guarded):
    """Fails where the longest target and the most field lines are too much together."""
    line = CASES["target-at-limit"][0].partition(b"\r\n")[0]
    padding = 16384 - len(b"Host: a\r\nX: \r\n")
    assert wire.ask(guarded, get(b"X: " + b"y" * padding, line=line)).status == 200


@pytest.mark.parametrize("target, status", [(b"//a/hello", 404), (b"http://a", 200)])
def test_the_path_is_the_stages(guarded, target, status):
    """Fails where evhttp takes a part of the path for a host: who stands before it saw another
    request."""
    assert wire.ask(guarded, get(line=b"GET " + target + b" HTTP/1.1")).status == status


@pytest.mark.parametrize("framed", [
    lambda body: post(b"Content-Length: %d" % len(body), body=body),
    lambda body: chunks(wire.chunked(body)),
], ids=["length", "chunk"])
@pytest.mark.usefixtures("without_sanitizers")
def test_a_large_body_costs_what_its_size_is(launch, framed):
    """Fails where each piece of a body is searched for from the body's beginning (35 times the
    processor time for 4 times the size)."""
    used = []
    for mebibytes in (16, 64):
        server = launch("evhttp_server", "--max-body", str(2**27))
        body = framed(bytes(mebibytes << 20)).replace(b"/echo", b"/none", 1)
        assert wire.ask(server, body).status == 404
        used.append(server.cpu_seconds())
    assert used[1] < 12 * max(used[0], 0.05)
