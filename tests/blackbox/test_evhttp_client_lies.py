"""A server that lies: what evhttp_client makes of answers that are cut, ambiguous or early.

Each case is compared with curl, the body and the exit status, where curl is right; `ours` says what
is right where it is not, or where its versions differ.
"""

from __future__ import annotations

import resource
import socket
import subprocess
import threading
import time

import pytest

from tests import harness
from tests.blackbox.test_evhttp_client import curl, run, scripted

HEAD = b"HTTP/1.1 200 OK\r\n"
OK = HEAD + b"Content-Length: 2\r\n\r\nok"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

ANSWERS = {
    # What frames the body (RFC 9112, section 6.3)
    "to the end": HEAD + b"\r\nto the end",
    "to the end, keep-alive": HEAD + b"Connection: Keep-Alive\r\n\r\nto the end",
    "to the end, a list": HEAD + b"Connection: x, close\r\n\r\nto the end",
    "to the end, 1.0": b"HTTP/1.0 200 OK\r\nConnection: upgrade\r\n\r\nto the end",
    "a length": OK,
    "the same length twice": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "a chunk extension": CHUNKED + b"2;a=b\r\nok\r\n0\r\n\r\n",
    "a trailer": CHUNKED + b"2\r\nok\r\n0\r\nA: b\r\n\r\n",
    "chunks cut": CHUNKED + b"5\r\nhello\r\n",
    "a length cut": HEAD + b"Content-Length: 10\r\n\r\nabc",
    "no body": b"HTTP/1.1 204 No Content\r\n\r\n",
    "lines that end with LF": b"HTTP/1.1 200\nContent-Length: 2\nA: b\r\n\r\nok to the end",
    # Interim answers (RFC 9110, section 15.2)
    "102": b"HTTP/1.1 102 Processing\r\n\r\n" + OK,
    "103, and its fields": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
    "100 and 200 together": b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" + OK,
    "three of them": b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + b"HTTP/1.1 103 Hints\r\n\r\n" + OK,
    # No answer
    "nothing": b"",
}
# Here curl's word is not the measure: its versions differ, or it is more lenient than it should be.
OURS = {
    "two lengths": (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nok", 8, b""),
    "a length that is none": (HEAD + b"Content-Length: +2\r\n\r\nok", 8, b""),
    "status 2xx": (b"HTTP/1.1 2xx OK\r\nContent-Length: 2\r\n\r\nok", 8, b""),
    "status -200": (b"HTTP/1.1 -200 OK\r\nContent-Length: 2\r\n\r\nok", 8, b""),
    "nonsense": (b"nonsense\r\n\r\n", 8, b""),
    "a status line cut": (b"HTTP/1.1\r\n\r\n", 8, b""),
    "another version": (b"HTTP/3.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 8, b""),
    "version 1.x": (b"HTTP/1.x 200 OK\r\nContent-Length: 2\r\n\r\nok", 8, b""),
    "a malformed chunk": (CHUNKED + b"2\r\nok\r\nx\r\n", 56, b"ok"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_says_what_curl_says(name):
    """Fails where evhttp is left alone with the answer: it takes 102 for the end, reads no body
    where Connection says something, and ends at a chunk extension."""
    answer = ANSWERS[name]
    with scripted(answer, answer, answer, answer) as (url, _):
        ours, curls = run("-m", "10", url), curl("-m", "10", url)
        assert (ours.returncode, ours.stdout) == (curls.returncode, curls.stdout)
        if curls.returncode == 0:
            with_head = run("-m", "10", "-i", url).stdout
            assert with_head.endswith(curls.stdout) and with_head.startswith(b"HTTP/1.")


@pytest.mark.parametrize("name", OURS)
def test_is_not_fooled(name):
    """Fails where an answer that cannot be understood ends with 0, or with a part of a body."""
    answer, status, body = OURS[name]
    with scripted(answer) as (url, _):
        done = run("-m", "10", url)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (status, body, 1)


@pytest.mark.parametrize("kib, good", [(299, True), (301, False)])
def test_the_longest_head(kib, good):
    """Fails where the limit is another one than curl's, 300 KiB."""
    with scripted(HEAD + b"A: " + b"x" * (kib << 10) + b"\r\n" + OK[len(HEAD):]) as (url, _):
        done = run("-m", "20", url)
    assert (done.returncode == 0, done.stdout) == (good, b"ok" if good else b"")


def test_a_head_without_end():
    """Fails where a head has no limit: 16 MiB of it would cost seconds and memory."""
    with scripted(HEAD + b"A: " + b"x" * (1 << 20)) as (url, _):
        assert run("-m", "20", url).returncode == 8


class EarlyServer:
    """Says no before the body has come, then reads nothing more; `end` closes, half-closes, or does
    neither."""

    def __init__(self, end: str):
        self.end = end
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        client, _ = self.listener.accept()
        with client:
            client.recv(1000)
            client.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n"
                           b"Connection: close\r\n\r\nno")
            if self.end == "half-closes":
                client.shutdown(socket.SHUT_WR)
            if self.end != "closes":
                self.over.wait(20)

    def __enter__(self) -> EarlyServer:
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.thread.join()
        self.listener.close()


@pytest.mark.parametrize("end", ["closes", "half-closes", "waits"])
def test_an_early_answer(end):
    """Fails where evhttp does not look at an answer until all of its request is sent: a server that
    has said no does not read the rest."""
    with EarlyServer(end) as server:
        done = run("-m", "15", "-d", "-", server.url, stdin=b"x" * 20_000_000)
        assert (done.returncode, done.stdout) == (0, b"no")


@pytest.mark.parametrize("name", [*harness.STAGES, "evhttp_server"])
def test_a_body_that_is_too_large(launch, name):
    """Fails where the 413 of our own servers is lost, by either side."""
    url = f"http://127.0.0.1:{launch(name).http_port}/echo"
    done = run("-i", "-m", "20", "-d", "-", url, stdin=b"x" * 20_000_000)
    assert done.returncode == 0 and done.stdout.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("flags", [(), ("-m", "5"), ("--rpc-upper", "a")],
                         ids=["plain", "m", "rpc"])
@pytest.mark.parametrize("host", ["255.255.255.255", "[fe80::1]"])
def test_connect_that_fails_at_once(host, flags):
    """Fails where the end of an attempt is waited for in a loop that begins after it: the kernel
    has no route there, and says so inside connect(2)."""
    assert run(*flags, f"http://{host}:9/").returncode == 7


@pytest.mark.parametrize("out", ["full", "closed"])
def test_output_that_cannot_be_written(out):
    """Fails where what could not be written is called success; or where the socket becomes
    stdout."""
    with scripted(OK) as (url, requests), open("/dev/full", "wb") as full:
        command = [str(harness.binary("evhttp_client")), "-m", "10", url]
        if out == "closed":
            command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
    assert done.returncode == 23 and done.stderr.count(b"\n") == 1


@pytest.mark.usefixtures("without_sanitizers")
def test_a_large_body_is_not_kept():
    """Fails where a body is held until it is complete: 200 MiB arrive, and half of that is all the
    address space there is."""
    size, room = 200 << 20, 100 << 20
    with scripted(HEAD + b"Content-Length: %d\r\n\r\n" % size + bytes(size)) as (url, _):
        with subprocess.Popen([str(harness.binary("evhttp_client")), "-m", "60", url],
                              stdout=subprocess.PIPE, preexec_fn=lambda: resource.setrlimit(
                                  resource.RLIMIT_AS, (room, room))) as client:
            got = 0
            while piece := client.stdout.read(1 << 20):
                got += len(piece)
    assert (client.returncode, got) == (0, size)


@pytest.mark.parametrize("flags, status, named", [
    (["-d", "@/", "http://a/"], 26, b"'/'"),
    (["-d", "@/no/such/file", "http://a/"], 26, b"/no/such/file"),
    (["--retry", "2.5", "http://a/"], 2, b"2.5"),
    (["-H", "Transfer-Encoding: chunked", "http://a/"], 2, b"Transfer-Encoding"),
    (["--re", "POST", "http://a/"], 2, b"--request, --retry"),
    (["-X", "a\nb", "http://a/"], 2, rb"a\nb"),
    (["ftp://a/?u=http://b"], 1, b"ftp"),
    (["http://[::1%25lo]/"], 3, b"%25lo"),  # libevent 2.1 knows no zones
    (["http://127.0.0.1:0/"], 7, b"port 0"),
], ids=lambda value: " ".join(value).replace("\n", " ")[:24] if isinstance(value, list) else "")
def test_refused(flags, status, named):
    """Fails where a flag or a file that cannot be used is taken, or ends it without a word."""
    done = run("-m", "5", *flags)
    assert done.returncode == status and named in done.stderr and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("url", ["HTTP://{}/upper?text=a", "{}/upper?text=a&u=http://b",
                                 "http://{}/upper?text=a#://"])
def test_urls(launch, url):
    """Fails where a scheme in capitals is none, or "://" in a query is one."""
    server = launch("01_plain_epoll")
    assert run("-m", "5", url.format(f"127.0.0.1:{server.http_port}")).stdout == b"A"


def test_a_user_without_a_password(launch):
    """Fails where `-u user` sends no colon: it means an empty password."""
    server = launch("01_plain_epoll", "--auth", "lab:")
    url = f"http://127.0.0.1:{server.http_port}/"
    assert run("-f", "-m", "5", "-u", "lab", url).returncode == 0
    assert run("-f", "-m", "5", "-u", "lab:x", url).returncode == 22


@pytest.mark.parametrize("flags", [("-d", "abc"), ()], ids=["body", "none"])
def test_a_server_that_does_not_know_expect(flags):
    """Fails where the body is kept back until a server says 100 that never will."""
    begin = time.monotonic()
    with scripted(OK) as (url, requests):
        done = run("-m", "15", "-H", "Expect: 100-continue", *flags, url)
        assert (done.returncode, done.stdout) == (0, b"ok")
    assert not flags or time.monotonic() - begin >= 1, "it has a second to say it"
    assert requests[0].endswith(b"\r\n\r\n" + b"".join(flag.encode() for flag in flags[1:]))


def test_a_server_that_says_continue_late():
    """Fails where a 100 that comes behind the body is taken for the answer."""
    with scripted(b"HTTP/1.1 100 Continue\r\n\r\n" + OK) as (url, _):
        assert run("-m", "15", "-H", "Expect: 100-continue", "-d", "abc", url).stdout == b"ok"


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nContent-Le", OK[:-1]], ids=["head", "body"])
def test_an_answer_in_place_of_continue_takes_its_time(said):
    """Fails where the 100 that did not come is put into the middle of the answer that did."""
    def serve():
        client, _ = listener.accept()
        with client:
            client.recv(65536)
            client.sendall(said)
            time.sleep(1.5)  # longer than the patience for a 100
            client.sendall(OK[len(said):])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        done = run("-m", "15", "-H", "Expect: 100-continue", "-d", "abc", url)
        thread.join()
    assert (done.returncode, done.stdout) == (0, b"ok")
