"""Real clients: curl, Python's http.client, nc. They disagree with a server that is only right
about the requests its author thought of."""

from __future__ import annotations

import http.client
import os
import re
import subprocess

import pytest


def run(*command, stdin: bytes = b"") -> subprocess.CompletedProcess:
    return subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=False)


def curl(server, path: str, *flags: str, stdin: bytes = b"") -> tuple[bytes, str]:
    """Its output, and what it says (-v) about the conversation."""
    result = run("curl", "-sv", "--max-time", "20", *flags,
                 f"http://127.0.0.1:{server.http_port}{path}", stdin=stdin)
    said = result.stderr.decode(errors="replace")
    assert result.returncode == 0, said
    return result.stdout, said


def test_curl_reuses_the_connection(server):
    """Fails on a server whose framing, or whose Connection field, makes curl connect again."""
    out, said = curl(server, "/hello", f"http://127.0.0.1:{server.http_port}/upper?text=ab")
    assert out == b"ABhello, world\n"
    assert re.search(r"Re-using existing (http: )?connection", said)  # curl 7.88 or 8.14
    assert said.count("Connected to") == 1


def test_curl_http_1_0(server):
    """Fails where a 1.0 client is left waiting for a close, or gets chunks."""
    out, said = curl(server, "/hello", "--http1.0")
    assert out == b"hello, world\n"
    assert "Connection: close" in said


def test_curl_chunked_upload(server):
    """Fails where a body of unknown length is not decoded (-T - sends chunks, and Expect)."""
    data = os.urandom(300_000)
    out, said = curl(server, "/echo", "-T", "-", "-X", "POST", stdin=data)
    assert "Transfer-Encoding: chunked" in said
    assert out == data


def test_curl_expect_with_a_megabyte(server):
    """Fails where 100 does not come: curl then waits a second, and says so."""
    data = os.urandom(1 << 20)
    out, said = curl(server, "/echo", "-H", "Expect: 100-continue", "--data-binary", "@-",
                     "--expect100-timeout", "15", stdin=data)
    assert "HTTP/1.1 100 Continue" in said
    assert out == data


def test_curl_refused_upload(server):
    """Fails where curl sees a reset in place of the 413."""
    out, said = curl(server, "/echo", "-H", "Expect:",
                     "--data-binary", "@-", stdin=b"x" * 3_000_000)
    assert "HTTP/1.1 413 Content Too Large" in said and out == b"413 Content Too Large\r\n"


def test_curl_credentials(start):
    """Fails where Basic authentication, as curl writes it, does not open the door."""
    server = start("--auth", "ada:pass word")
    out, said = curl(server, "/upper?text=a", "-u", "ada:pass word")
    assert out == b"A", said
    _, said = curl(server, "/upper?text=a", "-u", "ada:wrong")
    assert "401 Unauthorized" in said


def test_curl_head(server):
    """Fails where curl -I waits for a body, or gets one."""
    out, said = curl(server, "/hello", "-I")
    assert b"Content-Length: 13" in out and out.endswith(b"\r\n\r\n")
    assert "Excess found" not in said


def test_http_client(server):
    """Fails where the library sees a second connection, a wrong length or a wrong body."""
    client = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=20)
    client.connect()
    port = client.sock.getsockname()[1]
    for method, path, body, expected in (
            ("GET", "/hello", None, b"hello, world\n"), ("HEAD", "/hello", None, b""),
            ("POST", "/echo", b"\0\xff" * 50_000, b"\0\xff" * 50_000),
            ("POST", "/upper", iter([b"chunk ", b"by", b" chunk"]), b"CHUNK BY CHUNK"),
            ("DELETE", "/hello", None, b"405 Method Not Allowed\r\n"),
            ("GET", "/hello", None, b"hello, world\n")):
        client.request(method, path, body)
        with client.getresponse() as answer:
            assert answer.read() == expected, (method, path)
            assert client.sock is not None, "closed after " + path
        assert client.sock.getsockname()[1] == port
    client.close()


@pytest.mark.parametrize("text", ["Hello, 世界 123", "", "x" * 200_000], ids=["utf-8", "no", "long"])
def test_nc(server, text):
    """Fails where FIN after the text loses the answer, or the server does not close."""
    result = run("nc", "-N", "127.0.0.1", str(server.text_port), stdin=text.encode())
    assert (result.returncode, result.stdout.decode()) == (0, text.upper())
