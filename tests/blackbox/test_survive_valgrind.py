"""One conversation of each kind under valgrind's memcheck: what sanitizers do not see, as reads of
memory that was never written, and what libevent does on our behalf."""

from __future__ import annotations

import shutil
import signal

import pytest

from tests.blackbox import load
from tests.lib import wire

MEMCHECK = ("valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=all",
            "--errors-for-leak-kinds=definite,indirect,possible", "--track-fds=no")


pytestmark = pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")


@pytest.mark.timeout(180)
def test_memcheck(plain):
    """Fails on a use of uninitialised or freed memory, and on a block nobody frees at the end."""
    server = plain(wrapper=MEMCHECK, start_timeout=60)
    chunked = wire.request("POST", "/echo", "Transfer-Encoding: chunked") + \
        wire.chunked(b"ab", b"c")
    big = wire.request("POST", "/upper", body=b"v" * 300_000)
    for data in (load.HELLO * 50, chunked, big, b"nonsense\r\n\r\n", load.HELLO[:9], b"",
                 wire.request("GET", "/stats"), wire.request("GET", "/")):
        wire.exchange(server, data)
        assert wire.exchange(server, data, "text") == data.upper()
    for port in ("text", "http"):
        sock = server.connect(port)
        sock.sendall(big)
        load.reset(sock)
    with wire.connect(server) as client:
        client.send(load.HELLO)
        assert client.read_response().status == 200
        server.signal(signal.SIGTERM)
        assert server.wait(60) == 0, server.stderr()


@pytest.mark.timeout(180)
def test_memcheck_of_a_drain_that_is_cut_short(plain):
    """Fails on a server that frees its clients before what still has events of theirs: the second
    SIGTERM leaves two that have begun, and one that lingers."""
    server = plain("--grace", "60", wrapper=MEMCHECK, start_timeout=60)
    refused = wire.request("POST", "/echo", "Content-Length: 99999999")
    with wire.connect(server) as refused_client, wire.connect(server) as one, \
            wire.connect(server) as two:
        for client in (one, two):
            client.ask(load.HELLO)
            client.send(load.HELLO[:-2])
        refused_client.ask(refused)
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGINT)  # another one, so that both are pending
        assert server.wait(60) == 0, server.stderr()
