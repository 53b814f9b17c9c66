"""The text port: bytes in, the same bytes in upper case out."""

from __future__ import annotations

import random
import socket

import pytest

from tests.blackbox.conftest import comes_to_rest
from tests.lib import wire

EVERY_BYTE = bytes(range(256)) * 3


def upper(data: bytes) -> bytes:
    return data.upper()  # of bytes: ASCII only


@pytest.mark.parametrize("text", [
    "Hello, 世界 123".encode(), b"a", b"\n", b"\0", EVERY_BYTE, b"z" * 33, "äöü ß €".encode(),
], ids=["utf-8", "a", "newline", "nul", "every-byte", "over-a-vector", "accents"])
def test_upper_case(server, text):
    """Fails where a byte other than a-z is touched, or one of a-z is not."""
    assert wire.exchange(server, text, "text") == upper(text)


def test_answers_as_it_comes(server):
    """Fails on a server that waits for a line end or for FIN before it answers."""
    with wire.connect(server, "text") as client:
        for piece in (b"ab", b"C", b"d\ne", b"\xc3", b"\xa4"):
            client.send(piece)
            assert client.read_exactly(len(piece)) == upper(piece)
        client.shutdown()
        client.expect_eof()


def test_echo_mode(start):
    """Fails where --text-mode=echo still changes a byte."""
    assert wire.exchange(start("--text-mode", "echo"), EVERY_BYTE, "text") == EVERY_BYTE


def test_fin_without_a_byte(server):
    """Fails on a server that never closes, or that says something unasked."""
    assert wire.exchange(server, b"", "text", [b""]) == b""


@pytest.mark.threads
def test_a_megabyte_in_random_pieces(server):
    """Fails where a cut between two reads loses or doubles a byte."""
    rng = random.Random(7)
    data = rng.randbytes(1 << 20)
    with wire.connect(server, "text") as client:
        got = b""
        pieces = wire.random_split(data, rng, cuts=300)
        for piece in pieces:
            client.sock.sendall(piece)
            got += client.read_exactly(len(piece))
        client.shutdown()
        client.expect_eof()
    assert got == upper(data)


@pytest.mark.threads
def test_many_clients_at_once(server):
    """Fails where one client's bytes reach another, or a client waits for the others."""
    clients = [wire.connect(server, "text") for _ in range(50)]
    for number, client in enumerate(clients):
        client.sock.sendall(b"client %d" % number)
    for number, client in reversed(list(enumerate(clients))):
        expected = b"CLIENT %d" % number
        assert client.read_exactly(len(expected)) == expected
        client.shutdown()
        client.expect_eof()
        client.close()


@pytest.mark.threads
def test_who_reads_late_gets_everything(server):
    """Fails on a server that loses what a partial send left over, or what is owed when FIN
    comes."""
    data = random.Random(8).randbytes(24 << 20)
    assert wire.read_late(server, data, "text") == upper(data)


def test_who_has_said_all_gets_what_is_owed(server):
    """Fails where a connection that is over is closed while the kernel has not taken the last bytes
    for it. Their windows are small, so that some bytes are owed when the last word is read; for
    which sizes, depends on the kernel."""
    data = random.Random(9).randbytes(100_000)
    clients = {size: socket.socket() for size in range(40_000, 100_000, 12_000)}
    for size, sock in clients.items():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        sock.settimeout(20)
        sock.connect((server.host, server.ports["text"]))
        sock.sendall(data[:size])
        sock.shutdown(socket.SHUT_WR)
    comes_to_rest(server)
    for size, sock in clients.items():
        assert wire.Client(sock).read_to_eof() == upper(data[:size])
        sock.close()
