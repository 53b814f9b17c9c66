"""The parser against h11, Python's strict HTTP/1.1 library, as a second opinion.

Two servers that read one byte stream differently are how requests are smuggled, so two questions
are asked of some thousand messages from a fixed seed: who accepts it, and what do they read in it?
The session runs without a socket (session_cli), with an application that tells what it was asked.
"""

from __future__ import annotations

import dataclasses
import random
import re
import subprocess
from collections.abc import Sequence

import h11
import pytest

from tests import harness
from tests.lib import wire

KNOWN = "GET HEAD POST PUT DELETE OPTIONS TRACE PATCH".split()
REFUSED = "refused"
INCOMPLETE = "incomplete"


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a server read in a message that it accepted."""
    method: str
    target: str
    body: bytes


def read_by_h11(message: bytes) -> Reading | str:
    """The first message as h11 reads it."""
    server = h11.Connection(h11.SERVER)
    request, body = None, b""
    try:
        server.receive_data(message)
        while True:
            event = server.next_event()
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return Reading(request.method.decode(), request.target.decode(), body)
            else:
                return INCOMPLETE
    except h11.RemoteProtocolError:
        return REFUSED


def read_by_us(messages: list[bytes]) -> list[Reading | str]:
    """The first message of each, as our session reads it."""
    conversations = b"".join(b"%d\n%b" % (len(message), message) for message in messages)
    said = subprocess.run([harness.binary("session_cli")], input=conversations, timeout=120,
                          stdout=subprocess.PIPE, check=True).stdout
    readings = []
    while said:
        size, said = said.split(b"\n", 1)
        readings.append(read_answer(said[:int(size)]))
        said = said[int(size):]
    assert len(readings) == len(messages)
    return readings


def read_answer(said: bytes) -> Reading | str:
    said = said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if not said:
        return INCOMPLETE
    head = wire.response_in(said, head=True)
    if (head.version, head.status) != ("HTTP/1.1", 200):
        return REFUSED
    method, target = head.headers["asked"].split()
    answer = wire.response_in(said, method == "HEAD")
    assert answer, said
    rest = said[len(answer.raw):]
    assert not rest or rest.startswith(b"HTTP/1.1 "), said
    return Reading(method, target, answer.body)


# ---- what both have to accept -------------------------------------------------------------------

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
IN_QUERY = "".join(map(chr, range(0x21, 0x7f))).replace("#", "")
IN_PATH = [*IN_QUERY.replace("?", "").replace("%", ""), "%2f", "%C3", "%68"]


def text(rng: random.Random, alphabet: Sequence[str], least: int, most: int) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(least, most)))


def a_target(rng: random.Random, method: str) -> str:
    if method == "OPTIONS" and rng.random() < 0.3:
        return "*"
    path = "/" + text(rng, IN_PATH, 0, 40)
    query = "?" + text(rng, IN_QUERY, 1, 40) if rng.random() < 0.4 else ""
    origins = ["http://h", "https://h:1", "HTTP://[::1]:80"] + 12 * [""]
    return rng.choice(origins) + path + query


def a_body(rng: random.Random) -> tuple[list[str], bytes, bytes]:
    """Its field lines, its bytes, and its bytes on the wire."""
    kind = rng.random()
    if kind < 0.4:
        return [], b"", b""
    body = rng.randbytes(rng.choice([0, 1, 10, 100, 5000]))
    if kind < 0.7:
        return [f"{rng.choice(['Content-Length', 'content-length'])}: {len(body)}"], body, body
    wire, rest = b"", body
    while rest:
        chunk = rest[:rng.randint(1, 2000)]
        extension = rng.choice(["", "", ";a", ';a="b c"', ";a=b;c=d"])
        wire += f"{len(chunk):{rng.choice('xX')}}{extension}\r\n".encode() + chunk + b"\r\n"
        rest = rest[len(chunk):]
    trailer = rng.choice(["", "", "X-Check: 1\r\n", "A:\r\nB: c\r\n"])
    return [f"Transfer-Encoding: {rng.choice(['chunked', 'Chunked'])}"], body, (
        wire + f"0\r\n{trailer}\r\n".encode())


def a_field(rng: random.Random) -> str:
    name = text(rng, TOKEN, 1, 20)
    inner = IN_QUERY + "#" + "\u00e9\u00ff"
    value = rng.choice([" ", "\t"]).join(text(rng, inner, 1, 20) for _ in range(rng.randint(0, 3)))
    blank = rng.choice(["", " ", "\t", "  "])
    return f"X-{name}:{blank}{value}{rng.choice(['', ' '])}"


def well_formed(rng: random.Random) -> tuple[bytes, Reading]:
    method = rng.choice(KNOWN)
    target = a_target(rng, method)
    framing, body, wire = a_body(rng)
    if rng.random() < 0.1 and body:
        framing.append("Expect: 100-continue")
    fields = [rng.choice(["Host: h", "hOST:h:8001", "Host: [::1]", "Host:", "Host: a.b-c_d%41"])]
    fields += framing + [a_field(rng) for _ in range(rng.randint(0, 8))]
    rng.shuffle(fields)
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *fields, "", ""])
    return head.encode("latin-1") + wire, Reading(method, target, body)


def as_told(reading: Reading) -> Reading:
    """Our application is told the path and the query only, and shows no body to HEAD."""
    target = re.sub(r"^https?://[^/?]*", "", reading.target, flags=re.IGNORECASE)
    if not target.startswith("/") and target != "*":
        target = "/" + target
    if target.endswith("?") and target.count("?") == 1:
        target = target[:-1]
    return Reading(reading.method if reading.method in [*KNOWN, "CONNECT"] else "unknown",
                   target, b"" if reading.method == "HEAD" else reading.body)


def test_both_accept_what_is_well_formed():
    """Catches a parser that refuses a legal request, or reads another method, target or body."""
    rng = random.Random(1)
    cases = [well_formed(rng) for _ in range(1500)]
    ours = read_by_us([message for message, _ in cases])
    for (message, meant), reading in zip(cases, ours):
        assert read_by_h11(message) == meant, message
        assert reading == as_told(meant), message


# ---- what both have to refuse -------------------------------------------------------------------

GET = b"GET / HTTP/1.1\r\nHost: h\r\n"
POST = b"POST / HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: h\r\n\r\n",
    "blank in front of the colon": GET + b"X : y\r\n\r\n",
    "blank in front of the name": b"GET / HTTP/1.1\r\n Host: h\r\n\r\n",
    "no colon": GET + b"X\r\n\r\n",
    "no name": GET + b": x\r\n\r\n",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "bare CR in a value": GET + b"X: a\rb\r\n\r\n",
    "vertical tab in a value": GET + b"X: a\vb\r\n\r\n",
    "no version": b"GET /\r\nHost: h\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
    "blank in the target": b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
    "control in the target": b"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
    "UTF-8 in the target": b"GET /\xc3\xbc HTTP/1.1\r\nHost: h\r\n\r\n",
    "method that is no token": b"G(T / HTTP/1.1\r\nHost: h\r\n\r\n",
    "lower-case version": b"GET / http/1.1\r\nHost: h\r\n\r\n",
    "two-digit version": b"GET / HTTP/1.10\r\nHost: h\r\n\r\n",
    "different lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "signed length": POST + b"Content-Length: +1\r\n\r\na",
    "hexadecimal length": POST + b"Content-Length: 0x1\r\n\r\na",
    "length without digits": POST + b"Content-Length: \r\n\r\n",
    "unknown encoding": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "encoding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "signed chunk size": CHUNKED + b"+1\r\na\r\n0\r\n\r\n",
    "prefixed chunk size": CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
    "chunk size without digits": CHUNKED + b";a=b\r\na\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
    "trailer without a name": CHUNKED + b"0\r\n: x\r\n\r\n",
    "field lines without end": GET + b"X: " + b"a" * 20000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_both_refuse_what_is_malformed(name):
    """Catches a parser that is lenient about this one."""
    assert read_by_h11(MALFORMED[name]) == REFUSED
    assert read_by_us([MALFORMED[name]]) == [REFUSED]


# h11 refuses these and we do not, for a reason.
OUR_EXCEPTIONS = {
    # Zeros change nothing, and the length of the line is bounded.
    "more than 20 digits of a chunk size": CHUNKED + b"0" * 21 + b"1\r\na\r\n0\r\n\r\n",
    # RFC 9112, section 2.2: old clients send a CRLF too many after a body.
    "empty line in front": b"\r\n" + GET + b"\r\n",
}
# h11 accepts these and we do not: it is lenient where two servers could disagree.
H11_EXCEPTIONS = {
    "LF ends a line": b"GET / HTTP/1.1\nHost: h\n\n",
    "folded line": GET + b"X: a\r\n b\r\n\r\n",
    "control in a value": GET + b"X: a\x01b\r\n\r\n",
    "DEL in a value": GET + b"X: a\x7fb\r\n\r\n",
    "the same length twice": POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "a list of one length": POST + b"Content-Length: 1, 1\r\n\r\na",
    "length and chunked": CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n0\r\n\r\n",
    "host that is none": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "another major version": b"GET / HTTP/2.0\r\nHost: h\r\n\r\n",
    "escape that is none": b"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
    "fragment": b"GET /#x HTTP/1.1\r\nHost: h\r\n\r\n",
    "target of no form": b"GET hello HTTP/1.1\r\nHost: h\r\n\r\n",
}


@pytest.mark.parametrize("name", [*OUR_EXCEPTIONS, *H11_EXCEPTIONS])
def test_where_the_two_differ_on_purpose(name):
    """Catches a change of mind on either side: the list of exceptions is exact."""
    message = {**OUR_EXCEPTIONS, **H11_EXCEPTIONS}[name]
    assert (read_by_h11(message) == REFUSED) == (name in OUR_EXCEPTIONS)
    assert (read_by_us([message]) == [REFUSED]) == (name in H11_EXCEPTIONS)


# ---- well-formed, then damaged ------------------------------------------------------------------

SPLINTERS = [b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\0", b"\x7f", b"\x80", b",", b";", b"0",
             b"x", b"\r\n\r\n", b"\r\n ", b"Content-Length: 3\r\n",
             b"Transfer-Encoding: chunked\r\n", b"Host: i\r\n", b"GET / HTTP/1.1\r\n"]


def damage(rng: random.Random, message: bytes) -> bytes:
    """One to three bytes lost, changed, doubled or put in, most of them in the head."""
    for _ in range(rng.randint(1, 3)):
        end = message.find(b"\r\n\r\n") + 12 if rng.random() < 0.8 else len(message)
        at = rng.randrange(max(1, min(end, len(message))))
        put = rng.choice([b"", rng.choice(SPLINTERS), rng.randbytes(1), message[at:at + 1] * 2])
        message = message[:at] + put + message[at + rng.randint(0, 1):]
    return message


def is_our_exception(message: bytes) -> bool:
    return message.startswith(b"\r\n") or re.search(rb"[0-9a-fA-F]{21}", message) is not None


def test_what_h11_refuses_is_refused():
    """Catches leniency nobody thought of, and a message that both accept but read differently."""
    rng = random.Random(2)
    messages = [damage(rng, well_formed(rng)[0]) for _ in range(4000)]
    accepted = 0
    for message, ours in zip(messages, read_by_us(messages)):
        if not isinstance(ours, Reading):
            continue
        theirs = read_by_h11(message)
        if is_our_exception(message) and theirs == REFUSED:
            continue
        assert isinstance(theirs, Reading), message
        assert ours == as_told(theirs), message
        accepted += 1
    assert 400 < accepted < 3600  # or the damage is too rough, or too gentle, to tell anything
