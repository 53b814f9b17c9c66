"""EPOLLONESHOT in the reactor."""

import signal
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, ask_hello, interests, looks_at_nothing_freed, noise, require, stream_of_answers, through,
    traced)
from tests.exercises.kept import stays
from tests.lib import wire

STAGE = "02_epoll_reactor"
BINARIES = [STAGE]
MODES = ("mod", "del-add", "eager")


def check_flag():
    """Whatever hangs on the tree is EPOLLONESHOT: clients, to be read or to be written, listeners
    and the signalfd, whatever --rearm says."""
    for mode in MODES:
        with traced(STAGE, "--rearm", mode, calls="epoll_ctl,accept4") as (server, trace):
            with server.connect("http") as sock:
                ask_hello(sock, 3)
            with server.connect("text") as sock:
                through(sock, noise(1 << 20), wait=0.3)
            trace.settle()
            asked = [call for call in trace.calls("epoll_ctl") if "EPOLL_CTL_DEL" not in call.parts]
            require(len(asked) >= 5, f"--rearm={mode}: {len(asked)} times asked for an event")
            silent = [call.args for call in asked if "EPOLLONESHOT" not in call.events[0][0]]
            require(not silent, f"--rearm={mode}: {len(silent)} of {len(asked)} times without it, "
                    f"as in epoll_ctl({silent[:1]})")


def check_pieces():
    """A request that comes byte by byte is answered, whatever --rearm says: who reads on must
    ask again."""
    for mode in MODES:
        with harness.Server(STAGE, "--rearm", mode) as server, server.connect("http") as sock:
            sock.settimeout(4)
            for _ in range(2):
                for byte in HELLO:
                    sock.sendall(bytes([byte]))
                    time.sleep(0.002)
                stream_of_answers(sock, 1)


def check_bytes():
    """4 MiB come back exactly, also to a client that reads late, whatever --rearm says."""
    for mode in MODES:
        with harness.Server(STAGE, "--rearm", mode) as server, server.connect("text") as sock:
            through(sock, noise(4 << 20), wait=0.3, patience=5)


def check_answer():
    """An answer of 1 MB that the client takes in many pieces comes to its end, whatever --rearm
    says: who writes on must ask again, too."""
    data = noise(1_000_000)
    for mode in MODES:
        with harness.Server(STAGE, "--rearm", mode) as server, server.connect("http") as sock:
            sock.settimeout(4)
            sock.sendall(wire.request("POST", "/echo", "Connection: close", body=data))
            time.sleep(0.3)
            got, size = bytearray(), len(data)
            try:
                while piece := sock.recv(1 << 14):
                    got += piece
            except TimeoutError:
                pass
            _, _, body = got.partition(b"\r\n\r\n")
            require(body == data, f"--rearm={mode}: {len(body)} of {size} bytes came back, then "
                    "nothing more")


def check_listener():
    """The listeners ask again, too: ten clients one after the other, on either port."""
    with harness.Server(STAGE) as server:
        for _ in range(10):
            with server.connect("text") as sock:
                through(sock, b"12", patience=4)
            with server.connect("http") as sock:
                sock.settimeout(4)
                ask_hello(sock)


def check_cost():
    """With --rearm=mod a request still costs two epoll_ctl: the swap asks again by itself."""
    with traced(STAGE, calls="epoll_ctl,accept4") as (server, trace):
        with server.connect("http") as sock:
            ask_hello(sock, 100)
        trace.settle()
        found = interests(trace, "MOD")
        require(any("EPOLLONESHOT" in events for events in found), "no EPOLLONESHOT")
        require(len(found) <= 210, f"100 requests, {len(found)} EPOLL_CTL_MOD")


def check_second_signal():
    """The signalfd asks again: a second SIGTERM ends a drain that waits for a slow client."""
    with harness.Server(STAGE, "--grace", "30") as server, server.connect("http") as sock:
        sock.sendall(b"GET /hel")
        time.sleep(0.3)
        server.signal(signal.SIGTERM)
        time.sleep(0.7)
        require(server.process.poll() is None, "the first SIGTERM did not wait for the client")
        server.signal(signal.SIGTERM)
        server.wait(5)


def check_closed():
    """Who was closed in a batch is not looked at after it: its memory is free. valgrind looks."""
    def conversation(server):
        for number in range(6):
            with server.connect("http" if number % 2 else "text") as sock:
                sock.sendall(HELLO)
                sock.recv(1000)
    looks_at_nothing_freed(STAGE, conversation)


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
