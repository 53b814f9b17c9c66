"""The reactor's timer by a timerfd."""

import contextlib
import re
import signal
import time

from tests import harness
from tests.exercises.clients import (
    ONE_IN_EACH_LOOP, ask_hello, closes_a_silent_client, lets_go, lets_in_the_starved, require,
    stopped, to_the_end, traced)
from tests.exercises.kept import stays

STAGE = "02_epoll_reactor"
BINARIES = [STAGE]
CALLS = "?epoll_wait,epoll_pwait,?epoll_pwait2,timerfd_create,timerfd_settime"
MODES = ("mod", "eager", "del-add")


def time_outs(trace) -> list[str]:
    """Of each wait: "-1" is for ever, and so is epoll_pwait2's "NULL"."""
    return [re.search(r"(-?\d+|NULL|{[^{}]*})(?:, NULL, 8)?$", call.args)[1]
            for call in trace.calls() if call.name.startswith("epoll_")]


def conversation(server: harness.Server) -> None:
    with server.connect("http") as sock:
        ask_hello(sock, 3)


def crowd_of_the_late(server: harness.Server) -> None:
    """Who comes in a batch that takes longer than --idle-timeout."""
    with contextlib.ExitStack() as stack:
        with stopped(server):
            socks = [stack.enter_context(server.connect("text")) for _ in range(300)]
        for sock in socks:
            to_the_end(sock, "--idle-timeout 0.001")


def slow_drain(server: harness.Server) -> None:
    """A drain that a client delays until the grace is over."""
    with server.connect("http") as sock:
        ask_hello(sock)
        sock.sendall(b"GET /hel")
        time.sleep(0.3)
        server.signal(signal.SIGTERM)
        server.wait(4)


def check_waits():
    """epoll_wait always sleeps for ever (-1): a timerfd says when it is time, also of a deadline
    that is over already, of the heart's next beat, and of a drain's end; with each --rearm."""
    for flags, happens in (("--idle-timeout 30", conversation),
                           ("--idle-timeout 0.001 --rearm eager", crowd_of_the_late),
                           ("--threads 2 --heartbeat 0.1 --grace 0.3 --rearm del-add", slow_drain)):
        with traced(STAGE, *flags.split(), calls=CALLS) as (server, trace):
            happens(server)
            trace.settle()
            finite = [timeout for timeout in time_outs(trace) if timeout not in ("-1", "NULL")]
            require(not finite, f"epoll_wait had a time-out: {', '.join(finite[:5])}")
            made = trace.calls("timerfd_create")
            require(made, "no timerfd_create")
            loops = 2 if "--threads 2" in flags else 1
            require(len(made) <= loops, f"{flags}: {len(made)} timers, and one for each loop is "
                    "to do")
            require("CLOCK_MONOTONIC" in made[0].args, f"timerfd_create({made[0].args}): deadlines "
                    "are times of another clock")


def check_silent():
    """--idle-timeout 0.5 closes a silent connection after about half a second, with each
    --rearm."""
    for mode in MODES:
        closes_a_silent_client(STAGE, "--rearm", mode)


def check_activity():
    """A clock that starts anew is noticed: a client that asks every 0.3 s is kept for 2 s, and
    then closed, too; a beginning of a request gets 408. In the same time one that asks every
    0.03 s, and one that asks every 0.15 s, cost less than one timerfd_settime for four requests."""
    with traced(STAGE, "--idle-timeout", "30", calls=CALLS) as (patient, of_seldom), \
            traced(STAGE, "--idle-timeout", "1", calls=CALLS) as (strict, of_often), \
            harness.Server(STAGE, "--idle-timeout", "1") as server, \
            patient.connect("http") as seldom, strict.connect("http") as often, \
            server.connect("http") as sock:
        before = {}
        for trace, client in ((of_often, often), (of_seldom, seldom)):
            ask_hello(client)
            trace.settle()
            before[trace] = len(trace.calls("timerfd_settime"))
        due = time.monotonic()
        for number in range(60):
            if time.monotonic() >= due:
                ask_hello(sock)
                due = time.monotonic() + 0.3
            ask_hello(often)
            if number % 5 == 0:
                ask_hello(seldom)
            time.sleep(0.03)
        sock.settimeout(6)
        sock.sendall(b"GET /hel")
        answer = sock.recv(1000)
        require(b" 408 " in answer, f"408 was expected, {answer[:40]!r} came")
        for trace, asked, every in ((of_often, 60, "0.03"), (of_seldom, 12, "0.15")):
            trace.settle()
            times = len(trace.calls("timerfd_settime")) - before[trace]
            require(4 * times < asked, f"{asked} requests, one every {every} s, {times} times "
                    "timerfd_settime")


def check_earlier():
    """A nearer deadline than the one that is set is kept, too: with an idle time of a minute, who
    was refused is hung up on after a second, and --grace 1 ends the server."""
    with harness.Server(STAGE, "--grace", "1", "--threads", "2") as server:
        with server.connect("http") as sock:
            ask_hello(sock)
            before = server.sockets() - 1
            time.sleep(0.1)
            sock.sendall(b"NOT HTTP\r\n\r\n")
            lets_go(server, before)
        slow_drain(server)


def check_loops():
    """Each loop has a timer of its own: a silent client in each of four loops is closed; so are
    those that come to them next."""
    flags = ("--idle-timeout", "0.4")
    with harness.Server(STAGE, *ONE_IN_EACH_LOOP, *flags) as server:
        for _ in range(2):
            with contextlib.ExitStack() as stack:
                socks = []
                for _ in range(4):
                    socks.append(stack.enter_context(server.connect("text")))
                    time.sleep(0.05)
                for sock in socks:
                    to_the_end(sock, " ".join(flags))


def check_late():
    """A deadline that is over when it is set is kept, too: 300 clients come in one batch, which
    takes longer than their --idle-timeout of a millisecond."""
    with harness.Server(STAGE, "--idle-timeout", "0.001") as server:
        for _ in range(10):  # each is late by luck
            crowd_of_the_late(server)


def check_starved():
    """Who waits because no descriptor is left is let in when there are some again, though nobody
    has left meanwhile."""
    lets_in_the_starved(STAGE)


def check_far():
    """A far deadline is no near one: with --idle-timeout of a month, or of what overflows 32 bits
    of milliseconds, the loop sleeps."""
    with contextlib.ExitStack() as stack:
        looked_at = []
        for timeout in ("2592000", "4294967.4"):
            server, trace = stack.enter_context(
                traced(STAGE, "--idle-timeout", timeout, calls=CALLS))
            ask_hello(stack.enter_context(server.connect("http")))
            looked_at.append((timeout, trace))
        time.sleep(0.2)
        before = [len(time_outs(trace)) for _, trace in looked_at]
        time.sleep(0.6)
        for (timeout, trace), earlier in zip(looked_at, before):
            woken = len(time_outs(trace)) - earlier
            require(trace.calls("timerfd_create"), "no timerfd_create")
            require(woken <= 1, f"--idle-timeout {timeout}: {woken} wake-ups in 0.6 s of silence")


def check_heartbeat():
    """What else comes by the clock still comes, and neither too early nor at the price of a
    spinning loop: --heartbeat 0.05 prints three lines within a second, one or two wake-ups each."""
    with harness.Server(STAGE, "--heartbeat", "0.05") as server:
        time.sleep(1)
        beats = re.findall(rb"heartbeat: .* wake-ups (\d+)", server.process.stdout.read() or b"")
        require(len(beats) >= 3, f"--heartbeat 0.05 printed {len(beats)} lines in a second")
        woken = int(beats[-1])
        require(woken <= 2 * len(beats) + 6, f"{woken} wake-ups for {len(beats)} beats")


def check_descriptors():
    """One timerfd serves all: 30 clients cost 30 descriptors; they come and go, and none stays."""
    with harness.Server(STAGE, "--idle-timeout", "30") as server:
        with server.connect("http") as sock:
            ask_hello(sock)
            before = server.descriptors()
            with contextlib.ExitStack() as stack:
                for _ in range(30):
                    ask_hello(stack.enter_context(server.connect("http")))
                more = server.descriptors() - before
            require(more < 40, f"30 clients more, and {more} descriptors more")
        for _ in range(30):
            with server.connect("http") as sock:
                ask_hello(sock)
        with server.connect("http") as sock:
            ask_hello(sock)
            left = server.descriptors() - before
        require(left < 10, f"{left} descriptors more than before")


def costs_little(server: harness.Server, trace, how: str, before: int = 0) -> int:
    """200 requests; how often the timer has been set until now."""
    with server.connect("http") as sock:
        ask_hello(sock, 200)
    trace.settle()
    set_ = len(trace.calls("timerfd_settime"))
    require(set_ > 0, "no timerfd_settime at all: there is no timerfd yet")
    require(set_ - before < 50, f"200 requests {how}, {set_ - before} times timerfd_settime")
    return set_


def check_cost():
    """200 requests cost less than 50 timerfd_settime: a deadline that moves back costs nothing, nor
    does one that stays, of an idle client, of one that was refused, or of the next heartbeat."""
    with traced(STAGE, "--heartbeat", "0.5", calls=CALLS) as (heart, beats), \
            traced(STAGE, "--idle-timeout", "30", calls=CALLS) as (server, trace):
        with server.connect("http"):  # the first one: what is set is its deadline
            before = costs_little(server, trace, "beside an idle client")
        before = costs_little(server, trace, "of one client", before)
        with server.connect("http") as refused:
            refused.sendall(b"NOT HTTP\r\n\r\n")
            costs_little(server, trace, "beside one that was refused", before)
        costs_little(heart, beats, "with --heartbeat 0.5")


def check_once():
    """A deadline wakes the loop once or twice, and it sleeps until then: a client that says
    something after 1.5 s, and is closed after 2 s of silence, costs at most 14 wake-ups."""
    with traced(STAGE, "--idle-timeout", "2", calls=CALLS) as (server, trace):
        with server.connect("http") as sock:
            time.sleep(1.5)
            ask_hello(sock)
            sock.settimeout(6)
            require(sock.recv(1) == b"", "the server said something")
        woken = len(time_outs(trace))
        require(trace.calls("timerfd_create"), "no timerfd_create")
        require(woken <= 14, f"{woken} wake-ups for one time-out")


def check_quiet():
    """When the last client is gone, be it by itself, the loop sleeps: at most one wake-up in two
    seconds. Who comes then is closed in time as well."""
    with traced(STAGE, "--idle-timeout", "0.3", calls=CALLS) as (server, trace):
        with server.connect("http") as sock:
            to_the_end(sock, "--idle-timeout 0.3")
        with server.connect("http") as sock:
            ask_hello(sock)
        time.sleep(0.5)
        before = len(time_outs(trace))
        time.sleep(2)
        woken = len(time_outs(trace)) - before
        require(trace.calls("timerfd_create"), "no timerfd_create")
        require(woken <= 1, f"{woken} wake-ups in two seconds without a client")
        with server.connect("http") as sock:
            to_the_end(sock, "--idle-timeout 0.3, after two seconds without a client")


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
