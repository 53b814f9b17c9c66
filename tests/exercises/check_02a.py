"""The reactor's timer by a timerfd."""

import contextlib
import signal
import time

from tests import harness
from tests.exercises.clients import (
    ask_hello, closes_a_silent_client, lets_go, require, stopped, to_the_end, traced)
from tests.exercises.kept import stays

STAGE = "02_epoll_reactor"
BINARIES = [STAGE]
CALLS = "?epoll_wait,epoll_pwait,timerfd_create,timerfd_settime"


def time_outs(trace) -> list[int]:
    return [int(call.parts[-1]) for call in trace.calls("epoll_wait")]


def check_waits():
    """epoll_wait always sleeps for ever (-1): a timerfd says when it is time."""
    with traced(STAGE, "--idle-timeout", "30", calls=CALLS) as (server, trace):
        with server.connect("http") as sock:
            ask_hello(sock, 3)
        trace.settle()
        finite = [timeout for timeout in time_outs(trace) if timeout != -1]
        require(not finite, f"epoll_wait had a time-out: {finite[:5]} ms")
        require(trace.calls("timerfd_create"), "no timerfd_create")


def check_silent():
    """--idle-timeout 0.5 closes a silent connection after about half a second."""
    closes_a_silent_client(STAGE)


def check_activity():
    """A clock that starts anew is noticed: a client that asks every 0.3 s is kept for 1.5 s, and
    then closed, too; a beginning of a request gets 408."""
    with harness.Server(STAGE, "--idle-timeout", "1") as server, server.connect("http") as sock:
        for _ in range(5):
            ask_hello(sock)
            time.sleep(0.3)
        sock.settimeout(6)
        sock.sendall(b"GET /hel")
        answer = sock.recv(1000)
        require(b" 408 " in answer, f"408 was expected, {answer[:40]!r} came")


def check_earlier():
    """A nearer deadline than the one that is set is kept, too: with an idle time of a minute, who
    was refused is hung up on after a second, and --grace 1 ends the server."""
    with harness.Server(STAGE, "--grace", "1", "--threads", "2") as server:
        before = server.sockets()
        with server.connect("http") as sock:
            ask_hello(sock)
            time.sleep(0.1)
            sock.sendall(b"NOT HTTP\r\n\r\n")
            lets_go(server, before)
        with server.connect("http") as sock:
            ask_hello(sock)
            sock.sendall(b"GET /hel")
            time.sleep(0.1)
            server.signal(signal.SIGTERM)
            server.wait(4)


def check_loops():
    """Each loop has a timer of its own: with four loops 40 silent clients, one after the other, are
    all closed."""
    flags = ("--threads", "4", "--idle-timeout", "0.5")
    for _ in range(3):  # which loop gets whom is chance
        with harness.Server(STAGE, *flags) as server, contextlib.ExitStack() as stack:
            socks = []
            for _ in range(40):
                socks.append(stack.enter_context(server.connect("text")))
                time.sleep(0.01)
            for sock in socks:
                to_the_end(sock, " ".join(flags))


def check_late():
    """A deadline that is over when it is set is kept, too: 300 clients come in one batch, which
    takes longer than their --idle-timeout of a millisecond."""
    flags = ("--idle-timeout", "0.001")
    with harness.Server(STAGE, *flags) as server, contextlib.ExitStack() as stack:
        with stopped(server):
            socks = [stack.enter_context(server.connect("text")) for _ in range(300)]
        for sock in socks:
            to_the_end(sock, " ".join(flags))


def check_heartbeat():
    """What else comes by the clock still comes: --heartbeat 0.3 prints three lines within two
    seconds, and nobody is connected."""
    with harness.Server(STAGE, "--heartbeat", "0.3") as server:
        time.sleep(2)
        lines = (server.process.stdout.read() or b"").count(b"heartbeat: ")
        require(lines >= 3, f"--heartbeat 0.3 printed {lines} lines in two seconds")


def check_descriptors():
    """One timerfd serves all: 30 clients come and go, and no descriptor stays."""
    with harness.Server(STAGE, "--idle-timeout", "30") as server:
        with server.connect("http") as sock:
            ask_hello(sock)
            before = server.descriptors()
        for _ in range(30):
            with server.connect("http") as sock:
                ask_hello(sock)
        with server.connect("http") as sock:
            ask_hello(sock)
            left = server.descriptors() - before
        require(left < 10, f"{left} descriptors more than before")


def check_cost():
    """200 requests cost less than 50 timerfd_settime: a deadline that moves back costs nothing."""
    with traced(STAGE, "--idle-timeout", "30", calls=CALLS) as (server, trace):
        with server.connect("http") as sock:
            ask_hello(sock, 200)
        trace.settle()
        set_ = len(trace.calls("timerfd_settime"))
        require(set_ > 0, "no timerfd_settime at all: there is no timerfd yet")
        require(set_ < 50, f"200 requests, {set_} times timerfd_settime")


def check_once():
    """A deadline wakes the loop once or twice, and it sleeps until then: three silent clients, of
    which each is closed after 0.7 s, cost at most 24 wake-ups."""
    with traced(STAGE, "--idle-timeout", "0.7", calls=CALLS) as (server, trace):
        for _ in range(3):
            with server.connect("http") as sock:
                sock.settimeout(5)
                require(sock.recv(1) == b"", "the server said something")
        woken = len(time_outs(trace))
        require(trace.calls("timerfd_create"), "no timerfd_create")
        require(woken <= 24, f"{woken} wake-ups for three time-outs")


def check_quiet():
    """When the last client is gone the loop sleeps: at most one wake-up in two seconds."""
    with traced(STAGE, "--idle-timeout", "0.3", calls=CALLS) as (server, trace):
        with server.connect("http") as sock:
            sock.settimeout(5)
            require(sock.recv(1) == b"", "the server said something")
        time.sleep(0.5)
        before = len(time_outs(trace))
        time.sleep(2)
        woken = len(time_outs(trace)) - before
        require(trace.calls("timerfd_create"), "no timerfd_create")
        require(woken <= 1, f"{woken} wake-ups in two seconds without a client")


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
