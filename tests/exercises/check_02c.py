"""How many epoll_ctl? The reactor counts."""

import contextlib
import os
import time

from tests import harness
from tests.exercises.clients import (
    CannotLook, HELLO, ask_hello, connection, four_loops, receive, require, stats, stopped,
    stream_of_answers, traced)
from tests.exercises.kept import stays
from tests.lib import strace, wire

STAGE = "02_epoll_reactor"
BINARIES = TSAN = [STAGE]


def per_hundred(*flags: str) -> int:
    """What `epoll_ctl` grows by between two GET /stats with 100 requests between them."""
    with harness.Server(STAGE, *flags) as server, server.connect("http") as sock:
        client = connection(server)
        ask_hello(sock)
        before = stats(client)
        require("epoll_ctl" in before, f"no member epoll_ctl in /stats: {', '.join(before)}")
        ask_hello(sock, 100)
        after = stats(client)
        client.close()
        return after["epoll_ctl"] - before["epoll_ctl"]


def expect(flags: tuple[str, ...], least: int, most: int) -> None:
    got = per_hundred(*flags)
    require(least <= got <= most, f"{' '.join(flags)}: 100 requests, {got} epoll_ctl counted")


def check_mod():
    """--rearm=mod: 100 requests cost 200 calls (and GET /stats its own)."""
    expect(("--rearm", "mod"), 198, 206)


def check_del_add():
    """--rearm=del-add: 400, because a swap is two calls."""
    expect(("--rearm", "del-add"), 396, 412)


def check_eager():
    """--rearm=eager: none."""
    expect(("--rearm", "eager"), 0, 4)


def says_what_strace_says(server: harness.Server, trace: strace.Log) -> None:
    trace.settle()
    client = connection(server)
    seen = stats(client).get("epoll_ctl")
    client.close()
    trace.settle()
    counted = len(trace.calls("epoll_ctl"))
    require(seen is not None, "no member epoll_ctl in /stats")
    # After the number was formatted: the swap for its own answer, the swap back, the last DEL.
    require(0 <= counted - seen <= 3, f"/stats says {seen}, strace {counted}")


def check_strace():
    """The sum over three loops is what strace counts, for both ports, the listeners and all."""
    with traced(STAGE, "--threads", "3", calls="epoll_ctl") as (server, trace):
        for _ in range(12):
            with server.connect("http") as sock, server.connect("text") as other:
                sock.sendall(HELLO * 2)
                stream_of_answers(sock, 2)
                other.sendall(b"1")
                other.recv(1)
        says_what_strace_says(server, trace)


def check_failed():
    """A call that fails was made, too: the kernel refuses one, and it is counted."""
    refuse = ("-e", "inject=epoll_ctl:error=ENOSPC:when=4")  # three are the loop's own
    with traced(STAGE, calls="epoll_ctl", options=refuse) as (server, trace):
        for _ in range(4):
            with server.connect("text") as sock, contextlib.suppress(ConnectionError):
                sock.sendall(b"1")
                sock.recv(1)
        says_what_strace_says(server, trace)


def check_threads():
    """Four loops count at the same time and share no memory: ThreadSanitizer looks."""
    with four_loops(STAGE) as clients:
        for _ in range(10):
            for client in clients:
                client.send(HELLO)
            for client in clients:
                client.read_response()
        seen = clients[0].ask(wire.request("GET", "/stats")).body
        require(b'"epoll_ctl":' in seen, "no member epoll_ctl in /stats")


def check_lost():
    """Four loops that count at the same time lose nothing: each of 50,000 bytes for the text port
    costs four calls of --rearm=del-add."""
    if len(os.sched_getaffinity(0)) < 2:
        raise CannotLook("one processor runs one loop at a time")
    crowd, rounds = 1000, 50
    flags = ("--rearm", "del-add", "--threads", "4", "--max-connections", str(crowd + 4))
    if why := harness.why_no_descriptors(crowd + 100):
        raise CannotLook(why)
    harness.raise_descriptor_limit()
    with harness.Server(STAGE, *flags) as server, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(server.connect("text")) for _ in range(crowd)]
        client = connection(server)
        for number in range(rounds + 1):
            with stopped(server):  # then all loops have much to do, and nobody disturbs them
                for sock in socks:
                    sock.sendall(b"1")
            time.sleep(0.05)
            for sock in socks:
                receive(sock, 1)
            if number == 0:  # all have been accepted, and who is full has left its listeners
                before = stats(client).get("epoll_ctl", 0)
        counted = stats(client).get("epoll_ctl", 0) - before
        client.close()
        made = 4 * crowd * rounds
        require(made <= counted <= made + 8, f"{made} calls were made, and {counted} are counted")


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
