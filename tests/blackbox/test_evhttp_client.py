"""evhttp_client: curl's flags and exit codes, compared with curl itself.

Every run of it under ASan also shows that it freed all it had, on that path.
"""

from __future__ import annotations

import contextlib
import http.server
import re
import socket
import subprocess
import threading
import time

import pytest

from tests import harness
from tests.lib import wire

SERVERS = (*harness.STAGES, "evhttp_server")


def run(*flags, stdin: bytes = b"", program=None) -> subprocess.CompletedProcess:
    command = [program or harness.binary("evhttp_client"), *map(str, flags)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=False)
    assert done.returncode != 99 and b"Sanitizer" not in done.stderr, done.stderr.decode()
    return done


def curl(*flags, **kwargs) -> subprocess.CompletedProcess:
    return run("-sS", *flags, program="curl", **kwargs)


@pytest.fixture
def target(launch, request):
    server = launch(request.param, "--auth", "lab:secret")
    return f"http://localhost:{server.http_port}"


@pytest.mark.parametrize("target", SERVERS, indirect=True)
def test_against_every_server(target):
    """Fails where the client does not authenticate, or takes a refusal for success."""
    done = run("-u", "lab:secret", "-d", "hello", target + "/upper")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"HELLO", b"")
    refused = run("-f", "-d", "hello", target + "/upper")
    assert (refused.returncode, refused.stdout) == (22, b"")
    assert b"401" in refused.stderr and refused.stderr.count(b"\n") == 1
    unfailing = run("-i", "-d", "hello", target + "/upper")
    assert unfailing.returncode == 0 and unfailing.stdout.startswith(
        b"HTTP/1.1 401 Unauthorized\r\n")
    assert unfailing.stdout.endswith(b"\r\n\r\n401 Unauthorized\r\n")
    in_url = target.replace("//", "//lab:se%63ret@") + "/upper?text=a"
    assert run(in_url).stdout == b"A"


def test_against_python():
    """Fails where the client understands our own servers only: HTTP/1.0, a body up to the end."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body[::-1])

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        big = b"0123456789" * 100_000
        done = run("-d", "-", f"http://127.0.0.1:{server.server_port}/", stdin=big)
        server.shutdown()
    assert (done.returncode, done.stdout) == (0, big[::-1])


class Asked(bytes):
    """A request, and when it had come."""

    at = 0.0


@contextlib.contextmanager
def scripted(*answers):
    """A server that reads one request per answer, says it and closes. None: says nothing and waits;
    a number: OK, so many seconds later; "reset": resets. What it was sent stands in `requests`."""
    requests: list[Asked] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    over = threading.Event()

    def serve():
        for answer in answers:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(20)
                requests.append(Asked(read_request(client)))
                requests[-1].at = time.monotonic()
                if isinstance(answer, float):
                    time.sleep(answer)
                    client.sendall(OK)
                elif answer is None:
                    over.wait(20)
                elif answer == "reset":
                    wire.reset_when_closed(client)
                else:
                    client.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        thread.join()
        listener.close()


def read_request(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    length = re.search(rb"(?i)content-length: (\d+)", data)
    end = data.index(b"\r\n\r\n") + 4 + int(length[1] if length else 0)
    while len(data) < end:
        data += client.recv(65536)
    return data


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("answer, status", [
    (b"", 52), (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 18), (b"nonsense\r\n\r\n", 8),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 18),
    (b"HTTP/1.1 200 OK\r\n\r\nto the end", 0), (b"HTTP/1.1 204 No Content\r\n\r\n", 0),
], ids=["empty", "cut", "nonsense", "cut-chunks", "to-the-end", "204"])
def test_answers(answer, status):
    """Fails where a failure is taken for another one or for success, or something is not freed."""
    with scripted(answer) as (url, _):
        done = run(url)
    assert done.returncode == status
    assert done.stderr.count(b"\n") == (1 if status else 0)


def test_reset():
    """Fails where a reset ends in a crash. evhttp does not tell it from an empty reply (curl:
    56)."""
    with scripted("reset") as (url, _):
        assert run(url).returncode in (52, 56)


def test_time_out():
    """Fails where -m is not kept, in whichever step."""
    with scripted(None) as (url, _):
        assert run("-m", "0.3", url).returncode == 28


@pytest.mark.parametrize("limit, status", [("0.5", 28), ("10", 0)])
def test_the_time_out_is_in_seconds(limit, status):
    """Fails where -m strikes early, or means another unit: the answer takes a second."""
    begin = time.monotonic()
    with scripted(1.0) as (url, _):
        assert run("-m", limit, url).returncode == status
    assert status == 0 or time.monotonic() - begin >= float(limit)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.mark.parametrize("flags, status", [
    ((f"http://127.0.0.1:{closed_port()}/",), 7), ((f"http://localhost:{closed_port()}/",), 7),
    ((f"http://[::1]:{closed_port()}/",), 7), (("http://" + "a" * 64 + ".example/",), 6),
    (("ftp://a/",), 1), (("http:///a",), 3), (("--nonsense", "http://a/"), 2), ((), 2),
    (("-X", "BREW", "http://a/"), 2), (("-m", "soon", "http://a/"), 2),
    (("-H", "x", "http://a/"), 2),
    (("-H", "a: b\r\nc: d", "http://a/"), 2), (("-d", "@/nonexistent", "http://a/"), 26),
])
def test_exit_status(flags, status):
    """Fails where a mistake is not told in one line, or in the wrong number."""
    done = run(*flags)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (status, b"", 1)


@pytest.mark.usefixtures("ipv6")
def test_an_address_in_brackets():
    """Fails where its last digit is lost: then ::1 is ::, which leads to the same listener."""
    with scripted(OK) as (url, _):
        done = run(url.replace("127.0.0.1", "[::ffff:127.0.0.1]"))
        assert (done.returncode, done.stdout) == (0, b"ok")


def head(request: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """Request line, fields by name in lower case, body."""
    lines, body = request.split(b"\r\n\r\n", 1)
    first, *fields = lines.split(b"\r\n")
    found = {name.lower(): value for name, value in (f.split(b": ", 1) for f in fields)}
    assert len(found) == len(fields), "a field stands twice"
    return first, found, body


@pytest.mark.parametrize("flags", [
    (), ("-u", "lab:secret"), ("-d", "a=b"), ("-d", "a", "-d", "b"), ("-X", "PUT", "-d", "x"),
    ("-X", "DELETE"), ("-H", "X-A: 1", "-H", "Accept: text/html"), ("-H", "Accept:"),
    ("-H", "Content-Type: text/plain", "-d", "x"), ("-d", "@FILE"), ("-d", ""),
], ids=" ".join)
def test_the_same_request_as_curl(flags, tmp_path):
    """Fails where a flag means something else than it means to curl. Two fields differ on purpose:
    who asks, and that evhttp_client asks once."""
    file = tmp_path / "file"
    file.write_bytes(b"two\nlines\r\n")
    flags = [f"@{file}" if flag == "@FILE" else flag for flag in flags]
    with scripted(OK, OK) as (url, requests):
        assert curl(*flags, url + "/a/b?c=%20d#e").stdout == b"ok"
        assert run(*flags, url + "/a/b?c=%20d#e").stdout == b"ok"
    (first, theirs, body), (our_first, ours, our_body) = map(head, requests)
    assert ours.pop(b"user-agent").startswith(b"evhttp_client/") and theirs.pop(b"user-agent")
    assert ours.pop(b"connection") == b"close"
    assert (our_first, ours, our_body) == (first, theirs, body)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE",
                                    "CONNECT", "PATCH"])
def test_each_method_goes_out(method):
    """Fails where one is taken for another, or is not known: evhttp numbers them."""
    with scripted(OK) as (url, requests):
        run("-X", method, url)
    assert requests[0].startswith(method.encode() + b" ")


@pytest.mark.parametrize("answers, retries, status, asked", [
    ((BUSY, OK), 1, 0, 2), ((BUSY,), 0, 22, 1),
    ((b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", OK), 1, 22, 1),
], ids=["503", "no-retry", "404"])
def test_retry(answers, retries, status, asked):
    """Fails where it gives up too early, or asks again what will not change."""
    with scripted(*answers) as (url, requests):
        assert run("-f", "--retry", retries, url).returncode == status
    assert len(requests) == asked


@pytest.mark.parametrize("status, again", [
    (408, True), (429, True), (500, True), (501, False), (502, True), (504, True), (505, False),
])
def test_retry_of_each_status(status, again):
    """Fails where a status that may pass is final, or one that will not is asked for again."""
    with scripted(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status, OK) as (url, requests):
        assert run("-f", "--retry", 1, url).returncode == (0 if again else 22)
    assert len(requests) == 1 + again


def test_the_pauses_between_retries():
    """Fails where it asks again at once, or where the pause does not double: 1 s, then 2."""
    with scripted(BUSY, BUSY, OK) as (url, requests):
        assert run("-f", "--retry", 2, url).returncode == 0
    first, second, third = (request.at for request in requests)
    assert second - first >= 1 and third - second >= 2
    assert third - second >= 1.5 * (second - first)


def test_a_time_out_is_tried_again():
    """Fails where --retry is for what a server says alone: curl's is for a time-out, too."""
    with scripted(1.0, OK) as (url, requests):
        assert run("-m", "0.5", "--retry", 1, url).returncode == 0
    assert len(requests) == 2


@pytest.mark.parametrize("status, exit_", [(399, 0), (400, 22)])
def test_what_fails(status, exit_):
    """Fails where -f takes another status than curl for the first that is an error."""
    answer = b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % status
    with scripted(answer, answer) as (url, _):
        assert curl("-f", url).returncode == run("-f", url).returncode == exit_


@pytest.mark.parametrize("flags, user", [
    (("-u", "a:b"), ""), ((), "c:d@"), (("-u", "a:b"), "c:d@"), (("-u", "a:b", "-u", "e:f"), ""),
    (("-u", "a:b", "-H", "Authorization: own"), ""), (("-H", "Authorization: own"), "c:d@"),
    (("-u", "a:b", "-H", "Authorization:"), ""),
], ids=["u", "url", "u-and-url", "two", "u-and-H", "url-and-H", "H-leaves-out"])
def test_which_credentials_win(flags, user):
    """Fails where others are sent than curl sends, of two that are given."""
    with scripted(OK, OK) as (url, requests):
        place = url.replace("//", "//" + user)
        assert curl(*flags, place).stdout == run(*flags, place).stdout == b"ok"
    theirs, ours = (head(request)[1].get(b"authorization") for request in requests)
    assert ours == theirs


def test_the_longest_time_out():
    """Fails where a million seconds are too long, or a second more is not."""
    with scripted(OK) as (url, _):
        assert run("-m", "1000000", url).returncode == 0
    assert run("-m", "1000001", "http://a/").returncode == 2


def test_help_names_each_exit_status():
    """Fails where a program may end with a number that nobody can look up."""
    source = (harness.ROOT / "04_bufferevent_http/command.h").read_text(encoding="utf-8")
    codes = set(re.findall(r"^  k\w+ = (\d+),$", source, re.M))
    shown = run("--help").stdout.decode().partition("exit status: ")[2]
    named = set(re.findall(r"(?<!\d)(\d+)(?=,| [a-z-])", shown.replace("400 or above", "")))
    assert len(codes) > 10 and codes == named


@pytest.mark.parametrize("flags, status", [
    (("-m",), 2), (("-m", "-1", "http://a/"), 2), (("-m", "10000000", "http://a/"), 2),
    (("-m", "1x", "http://a/"), 2), (("-H", ": a", "http://a/"), 2),
    (("http://a/", "http://b/"), 2), (("http://a:b:c/",), 3),
    (("-H", "Transfer-Encoding : chunked", "http://a/"), 2),
    (("-H", "\tTransfer-Encoding: chunked", "http://a/"), 2),
], ids=["no-value", "negative", "huge", "tail", "no-name", "two-urls", "url", "blank", "folded"])
def test_exit_status_of_near_misses(flags, status):
    """Fails where what is nearly right is taken for right."""
    done = run(*flags)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (status, b"", 1)


@pytest.mark.parametrize("flags, named", [
    (("http://a/", "--nonsense"), "'--nonsense'"), (("http://a/", "-Zi"), "'-Zi'"),
    (("-i", "-", "--user=a", "--fail=b"), "'--fail=b'"), (("http://a/", "-i", "-m"), "-m:"),
], ids=["long", "short", "behind-a-dash", "no-value"])
def test_a_wrong_flag_behind_the_url(flags, named):
    """Fails where the URL is called the wrong flag, because it stands where that was looked for."""
    assert named in run(*flags).stderr.decode()


def test_help_and_version():
    """Fails where they go to stderr, or want a URL."""
    flags = {b"--request", b"--data", b"--max-time", b"--retry", b"--rpc-upper", b"--version"}
    shown = run("--help")
    assert shown.returncode == 0 and shown.stderr == b"" and all(f in shown.stdout for f in flags)
    assert re.fullmatch(rb"evhttp_client \d+(\.\d+)+\n", run("--version").stdout)


def test_a_url_without_a_scheme_and_with_a_user():
    """Fails where http:// is not understood, or -u gives way to what the URL says; and where a bad
    escape in it becomes another user."""
    with scripted(OK, OK) as (url, requests):
        place = url.removeprefix("http://")
        assert run(place).stdout == b"ok"
        assert run("-u", "a:b", "c:d@" + place).stdout == b"ok"
        assert run("c%zz:d@" + place).returncode == 3
    assert b"Authorization" not in requests[0] and b"Basic YTpi\r\n" in requests[1]


def test_data_from_stdin_without_its_line_ends():
    """Fails where -d @- means a file of that name, or where curl would have sent other bytes."""
    with scripted(OK, OK) as (url, requests):
        assert curl("-d", "@-", url, stdin=b"a\r\nb\n").stdout == b"ok"
        assert run("-d", "@-", url, stdin=b"a\r\nb\0c\n").stdout == b"ok"  # curl 7 stops at NUL
    assert [head(request)[2] for request in requests] == [b"ab", b"abc"]


@pytest.mark.parametrize("flags, answers, status, printed", [
    (("-f",), [b"404 X\r\n"], 22, b""), (("-f", "--retry", 1), [b"404 X\r\n"], 22, b""),
    (("--retry", 1), [b"503 X\r\n", b"200 OK\r\n"], 0, b"no"), ((), [b"404 X\r\n"], 0, b"no"),
], ids=["fail", "fail-for-good", "retry", "no-flag"])
def test_bodies_in_chunks_that_are_not_wanted(flags, answers, status, printed):
    """Fails where a body is printed piece by piece before it is known whether it is wanted."""
    chunks = b"Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"
    with scripted(*[b"HTTP/1.1 " + answer + chunks for answer in answers]) as (url, _):
        done = run(*flags, url)
    assert (done.returncode, done.stdout) == (status, printed)


@pytest.mark.parametrize("flags", [
    (), ("-H", "Expect: 100-continue"), ("-H", "Expect:")], ids=" ".join)
def test_an_interim_answer_before_the_answer(flags):
    """Fails where 100 or 103 is taken for the answer, whether it was asked for or not."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    with scripted(early + OK) as (url, _):
        assert run(*flags, url).stdout == b"ok"


@pytest.mark.parametrize("line, good", [
    (b"HTTP/1.1 200\r\n", True), (b"HTTP/1.1 200 \r\n", True), (b"HTTP/1.0 200 OK\r\n", True),
    (b"HTTP/1.1 2000 OK\r\n", False), (b"HTTP/1.1 099 OK\r\n", False),
    (b"HTTP/1.1 20x OK\r\n", False), (b"HTTP/1.x 200 OK\r\n", False), (b"HTTP/1.1 20\r\n", False),
    (b"HTTP/1.11200 OK\r\n", False),
])
def test_status_lines(line, good):
    """Fails where a line that is none is read as one, or a missing reason is an error."""
    with scripted(line + b"Content-Length: 2\r\n\r\nok") as (url, _):
        done = run(url)
    assert (done.returncode, done.stdout) == ((0, b"ok") if good else (8, b""))
