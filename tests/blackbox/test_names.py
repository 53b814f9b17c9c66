"""Names with several addresses, or none: what evhttp_client and --host make of them; and ports.

In a network namespace, with a name server and an /etc/hosts of the test's own: on this machine
localhost may have one address, and then "the next one" is never tried. The functions before the
tests run in there.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time

import pytest

from tests import harness
from tests.lib import netns

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ZONE = {
    "four-then-four.test": ["127.0.0.2", "127.0.0.1"], "four.test": ["127.0.0.1", "127.0.0.2"],
    "six-then-four.test": ["::1", "127.0.0.1"], "dead.test": ["127.0.0.2", "127.0.0.3", "::1"],
    "silent.test": None,
}


@pytest.fixture(autouse=True)
def namespace():
    if why := netns.why_not():
        pytest.skip(why)


@contextlib.contextmanager
def listening(address: str, port: int):
    """Somebody who says OK there; yields what it was asked."""
    requests: list[bytes] = []
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family) as listener:
        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        requests.append(client.recv(65536))
                        client.sendall(OK)
        thread = threading.Thread(target=serve)
        thread.start()
        yield requests
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def client(*flags: str) -> tuple[int, str, str]:
    done = subprocess.run([harness.binary("evhttp_client"), *flags], capture_output=True, text=True,
                          timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def ask_each() -> dict:
    """Each name, where 127.0.0.1 listens and nobody else; and again where ::1 does."""
    seen = {}
    netns.Names(ZONE)
    for address in ("127.0.0.1", "::1"):
        with listening(address, 8080):
            for name in ("four-then-four.test", "four.test", "six-then-four.test", "dead.test",
                         "localhost"):
                seen[f"{name} {address}"] = client("-m", "20", f"http://{name}:8080/")[:2]
    return seen


def ask_nobody() -> dict:
    """Names that do not exist, or about which nothing is said."""
    names = netns.Names(ZONE)
    unknown, once = client("http://no-such-name.test/"), names.asked["no-such-name.test"]
    again = client("--retry", "1", "http://no-such-name.test/")
    begin = time.monotonic()
    silent = client("-m", "0.5", "http://silent.test/")
    return {"unknown": unknown, "once": once, "again": again,
            "questions": names.asked["no-such-name.test"] - once,
            "silent": silent, "waited": time.monotonic() - begin}


def ask_port_80() -> list:
    with listening("127.0.0.1", 80) as requests:
        done = [client("http://127.0.0.1/a"), client("http://127.0.0.1:80/b")]
    return [done, [request.decode() for request in requests]]


def start(hosts: str, *flags: str) -> tuple[int | None, str, str]:
    """Of a server on the name `twice`: its status if it ended, its host if not, and its stderr."""
    netns.replace("/etc/hosts", hosts)
    try:
        with harness.Server("01_plain_epoll", "--host", "twice", *flags) as server:
            return None, server.host, server.stderr()
    except harness.StartError as error:
        return error.status, "", error.stderr


def listen_by_name() -> dict:
    # An address that has a route and is nobody's: it comes first, and cannot be listened on.
    netns.add_address("2001:db8::1")
    seen = {"nobody's": start("2001:db8::2 twice\n127.0.0.1 twice\n")}
    found = socket.getaddrinfo("twice", 80, type=socket.SOCK_STREAM)
    seen["order"] = [address[0] for *_, address in found]
    with socket.create_server(("::1", 9000), family=socket.AF_INET6):
        seen["taken"] = start("::1 twice\n127.0.0.1 twice\n", "--text-port", "9000")
    return seen


def ports_of(name: str) -> dict[str, int]:
    """Without a flag. Here nobody has them already."""
    ports = ("http",) if name == "evhttp_server" else ("text", "http")
    with harness.Server((str(harness.binary(name)),), ports=ports) as server:
        return server.ports


# ---- the tests -----------------------------------------------------------------------------------

def test_the_next_address_has_its_turn():
    """Fails where the client gives up after the first address of a name, or of one kind; or calls
    it a success that nobody listens at any."""
    seen = netns.call("tests.blackbox.test_names:ask_each")
    good, bad = [0, "ok"], [7, ""]
    assert seen == {
        "four-then-four.test 127.0.0.1": good, "four-then-four.test ::1": bad,
        "four.test 127.0.0.1": good, "four.test ::1": bad,
        "six-then-four.test 127.0.0.1": good, "six-then-four.test ::1": good,
        "dead.test 127.0.0.1": bad, "dead.test ::1": good,
        "localhost 127.0.0.1": good, "localhost ::1": good,
    }


def test_a_name_without_an_address():
    """Fails where an unknown name is another error than curl's 6, or is not tried again with
    --retry; and where -m does not hold while a name server says nothing."""
    seen = netns.call("tests.blackbox.test_names:ask_nobody")
    for done in (seen["unknown"], seen["again"]):
        assert done[0] == 6 and done[2].count("\n") == 1 and "no-such-name.test" in done[2]
    assert seen["questions"] == 2 * seen["once"] > 0
    assert seen["silent"][0] == 28 and seen["waited"] >= 0.5


def test_the_port_of_http():
    """Fails where a URL without a port means another one than 80, or Host names it."""
    done, requests = netns.call("tests.blackbox.test_names:ask_port_80")
    assert done == [[0, "ok", ""]] * 2
    for request, path in zip(requests, "ab", strict=True):
        assert request.startswith(f"GET /{path} ") and "\r\nHost: 127.0.0.1\r\n" in request


def test_host_by_a_name_with_two_addresses():
    """Fails where a server gives up at an address that it cannot have, although the name has
    another; or goes to the other one because somebody listens at the first: nobody looks there."""
    seen = netns.call("tests.blackbox.test_names:listen_by_name")
    assert seen["order"] == ["2001:db8::2", "127.0.0.1"]
    assert seen["nobody's"] == [None, "127.0.0.1", ""]
    status, _, stderr = seen["taken"]
    assert status == 1 and stderr.count("\n") == 1 and "in use" in stderr


def test_the_ports_of_a_stage(engine):
    """Fails where a stage takes another one's ports: 700N for text, 800N for HTTP; evhttp_server is
    the fifth."""
    number = 5 if engine == "evhttp_server" else int(engine[:2])
    expected = {"text": 7000 + number, "http": 8000 + number}
    seen = netns.call("tests.blackbox.test_names:ports_of", engine)
    assert seen == {name: expected[name] for name in seen} and "http" in seen
