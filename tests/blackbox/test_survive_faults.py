"""Faults: whatever the clients, the signals and the standard descriptors do, the server goes on."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from tests import harness
from tests.blackbox import load
from tests.blackbox.conftest import comes_to_rest, eventually
from tests.lib import strace, wire

MIB = 1 << 20


def still_serves(server) -> None:
    assert wire.exchange(server, b"alive", "text") == b"ALIVE"
    assert wire.exchange(server, load.HELLO).endswith(b"hello, world\n")


def injected(log) -> int:
    """How many calls strace has made fail."""
    return log.read_text(encoding="ascii", errors="replace").count("(INJECTED)")


@pytest.mark.threads
def test_reset_at_any_moment(server):
    """Fails on a server that exits or asserts on ECONNRESET or EPIPE, that dies of SIGPIPE, or that
    uses a connection after it has closed it: 400 clients reset somewhere in a conversation."""
    rng = random.Random(11)
    talk = {"http": load.HELLO * 20 + wire.request("POST", "/echo", body=b"e" * 200_000),
            "text": b"text" * 50_000}
    for _ in range(400):
        port = rng.choice(["http", "text"])
        sock = server.connect(port)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            sock.send(talk[port][:rng.choice([0, 1, 50, 700, 100_000, 1 << 20])])
            if rng.random() < 0.3:
                sock.recv(rng.choice([1, 10_000]))
            if rng.random() < 0.3:
                sock.shutdown(socket.SHUT_WR)
        load.reset(sock)
    still_serves(server)


def test_reset_in_the_accept_queue(server):
    """Fails on a server that a client ends which is gone already: its first recv says
    ECONNRESET."""
    server.signal(signal.SIGSTOP)
    for _ in range(100):
        sock = server.connect()
        sock.send(load.HELLO)
        load.reset(sock)
    server.signal(signal.SIGCONT)
    still_serves(server)


def test_both_ends_shut_while_output_is_stalled(server):
    """Fails where EPOLLHUP without EPOLLIN spins or crashes: shutdown(SHUT_RDWR) and no close."""
    with server.connect("text") as sock:
        load.stuff(sock, b"h" * MIB, quiet=0.2)
        sock.shutdown(socket.SHUT_RDWR)
        comes_to_rest(server)
        still_serves(server)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE])
def test_signals_that_mean_nothing(start, number):
    """Fails on a server that SIGHUP (its terminal is gone) or SIGPIPE ends. Whoever runs the tests
    by nohup ignores SIGHUP, and what a process ignores its children ignore, too."""
    server = start(wrapper=("env", "--default-signal=HUP,PIPE"))
    for _ in range(3):
        server.signal(number)
    still_serves(server)


def test_stop_and_continue(server):
    """Fails on a server that takes EINTR from its waiting call for an error, or loses bytes."""
    data = random.Random(12).randbytes(8 * MIB)
    with server.connect("text", timeout=30) as sock:
        stopper = threading.Thread(target=lambda: [
            (server.signal(s), time.sleep(0.03)) for s in (signal.SIGSTOP, signal.SIGCONT) * 8])
        stopper.start()
        assert wire.stream(sock, data, 100_000, seed=13) == data.upper()
        stopper.join()
    still_serves(server)


@pytest.mark.parametrize("fault", [
    "recvfrom,readv:error=EINTR:when=2+3", "sendto,writev:error=EINTR:when=2+3",
    "accept4:error=EINTR:when=1+2", "accept4:error=ECONNABORTED:when=1+2",
    "accept4:error=ENFILE:when=1+3", "?epoll_wait,epoll_pwait,epoll_pwait2:error=EINTR:when=5+3",
    "recvfrom,readv:error=EAGAIN:when=2+3", "sendto,writev:error=EAGAIN:when=2+3",
])
def test_calls_that_fail_now_and_then(plain, fault, tmp_path, tracing):
    """Fails where one call's EINTR, EAGAIN, ECONNABORTED or ENFILE is taken for the end of the
    connection or of the server. strace makes the calls fail."""
    calls = fault.split(":")[0]
    log = tmp_path / "calls"
    server = plain(wrapper=strace.command(log, calls, "-f", "-e", f"inject={fault}"))
    data = random.Random(14).randbytes(300_000)
    for _ in range(3):
        with server.connect("text") as sock:
            assert wire.stream(sock, data, 50_000, seed=15) == data.upper()
        answer = wire.exchange(server, load.HELLO + wire.request("POST", "/echo", body=data))
        assert [len(a.body) for a in wire.responses(answer)] == [13, len(data)]
    assert injected(log) > 1


@pytest.mark.parametrize("calls", ["recvfrom,readv", "sendto,writev"])
def test_a_connection_that_has_failed_is_closed(plain, calls, tmp_path, tracing):
    """Fails where an error of one client's socket, here the end of its route, is not its end."""
    log = tmp_path / "calls"
    server = plain(wrapper=strace.command(
        log, calls, "-f", "-e", f"inject={calls}:error=EHOSTUNREACH:when=1"))
    with wire.connect(server) as client, contextlib.suppress(ConnectionResetError):
        client.send(load.HELLO)
        assert client.read_to_eof() == b""
    assert injected(log) > 0
    still_serves(server)


def test_who_leaves_while_a_loop_is_told_to_stop(plain, tmp_path, tracing):
    """Fails where the drain closes a client, and the batch reports it once more: it is closed
    twice, and the loop waits for one who is not there. strace holds a loop in a read until both
    have come. Whose loop that is, chance says: so each of four clients has its turn."""
    def start(number):
        return plain("--threads", "2", "--max-connections", "4", "--grace", "50",
                     wrapper=strace.command(tmp_path / str(number), "recvfrom,readv", "-f", "-e",
                                            "inject=recvfrom,readv:delay_enter=500ms"))

    servers = [start(number) for number in range(4)]
    crowds = [[server.connect() for _ in range(4)] for server in servers]
    time.sleep(0.3)  # all are accepted
    holders = [crowd.pop(number) for number, crowd in enumerate(crowds)]
    for sock in holders:
        sock.sendall(b"G")
    time.sleep(0.15)
    for server in servers:
        server.signal()
    time.sleep(0.15)
    for crowd in crowds:
        for sock in crowd:
            sock.close()
    time.sleep(1)
    for sock in holders:
        sock.close()
    for server in servers:
        assert server.wait(25) == 0


def test_a_408_that_the_kernel_does_not_take_yet(plain, tmp_path, tracing):
    """Fails where only bytes that move start the clock anew of a client whose time was up: its
    last word waits, it is due still, and the loop comes to it again and again."""
    log = tmp_path / "calls"
    server = plain("--idle-timeout", "1", wrapper=strace.command(
        log, "sendto,writev", "-f", "-e", "inject=sendto,writev:error=EAGAIN:when=1"))
    with wire.connect(server) as client:
        client.send(load.HELLO[:9])
        assert client.read_response().status == 408
    assert injected(log) > 0
    still_serves(server)


def test_a_client_that_cannot_be_watched(plain, stage, tmp_path, tracing):
    """Fails where a client whom epoll does not take (ENOSPC: max_user_watches) is kept, and waits
    in vain. A bufferevent does not say that it failed: there the time-out ends it."""
    idle = ("--idle-timeout", "1") if stage.startswith("04") else ()

    def start(*inject: str):
        log = strace.Log(tmp_path / f"calls{len(inject)}")
        return plain("--threads", "1", *idle, wrapper=strace.command(
            log.path, "epoll_ctl", "-f", *inject)), log

    server, log = start()
    with server.connect():
        eventually(lambda: server.sockets() and log.calls("epoll_ctl"), what="it is watched")
        comes_to_rest(server)
        adds = [at for at, call in enumerate(log.calls("epoll_ctl"), 1) if "_ADD" in call.args]
    server, log = start("-e", f"inject=epoll_ctl:error=ENOSPC:when={adds[-1]}")
    with wire.connect(server) as client, contextlib.suppress(ConnectionResetError):
        assert client.read_to_eof() == b""
    assert log.calls("epoll_ctl")[adds[-1] - 1].result == "ENOSPC"
    still_serves(server)


SERVERS = (*harness.STAGES, "evhttp_server")
PAUSE = 0.1  # kStarvedPause: no accepting for so long


@pytest.fixture
def accepts(launch, tmp_path, without_sanitizers, tracing):
    """accepts(name, error) -> a server and a client of it, whose every further accept4 ends with
    that error, and calls(): when each was made, in seconds."""
    def begin(name: str, error: str):
        log = tmp_path / "accept4"
        # After EINVAL libevent tries accept, which every kernel has.
        server = launch(name, wrapper=strace.command(
            log, "accept4,?accept", "-f", "-ttt", "-e", f"inject=accept4:error={error}",
            "-e", f"inject=?accept:error={error.partition(':')[0]}"))
        client = wire.connect(server)
        client.send(load.HELLO)
        assert client.read_response().status == 200
        return server, client, lambda: [float(at) for at in re.findall(
            r"(\d+\.\d+) accept4\(.*\(INJECTED\)", log.read_text())]

    return begin


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("error", ["EPERM:when=2+", "EINVAL:when=2+", "ECONNABORTED:when=2+"])
def test_accept_fails_for_ever(accepts, name, error):
    """Fails where accepting is tried until it succeeds: whoever is connected is never served again.
    And where it is tried without a pause, but for what libevent takes for one client's error; or
    where the pause begins when the server fell asleep."""
    server, client, calls = accepts(name, error)
    time.sleep(2 * PAUSE)
    with client, wire.connect(server):  # the second one waits in the accept queue
        eventually(calls, what="accept4 that fails")
        since, before = time.monotonic(), len(calls())
        while time.monotonic() < since + 5 * PAUSE:
            client.send(load.HELLO)
            assert client.read_response().status == 200
        made, pauses = calls(), (time.monotonic() - since) / PAUSE
        if error.startswith(("EPERM", "EINVAL")):
            assert len(made) > 1
            assert min(b - a for a, b in zip(made, made[1:])) > 0.9 * PAUSE
        elif name[:2] in ("01", "02", "03"):
            assert len(made) - before <= 64 * (pauses + 1)
        # else: libevent comes back to it in every turn of the loop, and the others have theirs


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("error", ["EPERM", "EACCES", "EMFILE", "ENOMEM", "EPROTO", "ENETUNREACH"])
def test_accept_fails_for_a_while(accepts, name, error):
    """Fails where a listener that was put off is not listened to again."""
    server, client, calls = accepts(name, f"{error}:when=2..4")
    with client, wire.connect(server) as late:
        late.send(load.HELLO)
        assert late.read_response().status == 200
        assert len(calls()) == 3


@contextlib.contextmanager
def bare(stage, **streams):
    """A stage whose standard descriptors are what the test wants; its ports come from /proc."""
    command = [harness.binary(stage), "--text-port", "0", "--http-port", "0"]
    server = harness.Server.__new__(harness.Server)
    server.host = "127.0.0.1"
    server.process = subprocess.Popen(command, **streams)
    try:
        eventually(lambda: len(load.listening_ports(server.pid)) == 2, what="listening")
        server.ports = dict(zip(("text", "http"), load.listening_ports(server.pid)))
        yield server
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    finally:
        server.kill()


def test_standard_descriptors_are_a_full_pipe(stage):
    """Fails on a server that blocks because nobody reads what it prints, at start or later."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
        with bare(stage, stdout=writer, stderr=writer) as server:
            still_serves(server)
    finally:
        os.close(reader)
        os.close(writer)


def test_standard_output_is_a_broken_pipe(stage):
    """Fails on a server that SIGPIPE or EPIPE from its own output ends."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with bare(stage, stdout=writer) as server:
            still_serves(server)
    finally:
        os.close(writer)
