"""How many epoll_ctl? The reactor counts."""

import contextlib
import json
import os
import re
import signal
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, ONE_IN_EACH_LOOP, PATIENCE, CannotLook, ask_hello, connection, four_clients, four_loops,
    receive, require, stats, stopped, stream_of_answers, traced, watched_by_valgrind)
from tests.exercises.kept import stays
from tests.lib import strace, wire

STAGE = "02_epoll_reactor"
BINARIES = harness.STAGES
TSAN = [STAGE]
STATS = wire.request("GET", "/stats")


def counted_for(client: wire.Client) -> int:
    """What GET /stats says to a client that is connected already."""
    found = json.loads(client.ask(STATS).body)
    require("epoll_ctl" in found, f"no member epoll_ctl in /stats: {', '.join(found)}")
    return found["epoll_ctl"]


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


def check_others():
    """The other stages answer GET /stats as before, with the member as 0 or without it."""
    for stage in harness.STAGES:
        if stage == STAGE:
            continue
        with harness.Server(stage) as server, wire.connect(server) as client:
            client.ask(HELLO)
            found = json.loads(client.ask(STATS).body).get("epoll_ctl", 0)
            require(found == 0, f"{stage}: {found} epoll_ctl counted")


def check_now():
    """It is counted when it is made: what 20 clients of the text port cost, which the loop finds
    together with GET /stats and before it, is told in the answer to that; and so is what another
    loop has done for one client before it serves the next."""
    with harness.Server(STAGE) as server, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(server.connect("text")) for _ in range(20)]
        client = stack.enter_context(wire.connect(server))
        before = counted_for(client)
        for sock in socks:  # all have been accepted; and who asks is not in the kernel's list now
            sock.sendall(b"1")
            receive(sock, 1)
        with stopped(server):
            for sock in socks:
                sock.sendall(b"1")
            client.send(STATS)
        grown = json.loads(client.read_response().body)["epoll_ctl"] - before
        require(grown >= 62, f"62 calls were made, and {grown} are counted")
    asks_beside_a_busy_loop()


def asks_beside_a_busy_loop() -> None:
    """Two loops with two clients each. Both of a loop are ready, and strace holds that loop between
    them: in what each thread reads for the fourth time."""
    hold = ("-e", "inject=recvfrom:delay_enter=2000000:when=4")
    flags = ("--threads", "2", "--max-connections", "4")
    with (traced(STAGE, *flags, calls="epoll_ctl,recvfrom", options=hold) as (server, trace),
          four_clients(server) as clients):
        for number, client in enumerate(clients):
            client.ask(wire.request("GET", f"/hello?{number}"))
        trace.settle()
        read = re.findall(r'(?m)^(\d+) .*"GET /hello\?(\d)', "\n".join(trace.part()))
        require(len(read) == 4, f"of 4 requests, strace saw {len(read)} read")
        beside = [clients[int(number)] for thread, number in read if thread == read[0][0]]
        asked = next(clients[int(number)] for thread, number in read if thread != read[0][0])
        with stopped(server):
            for client in beside:
                client.send(HELLO)
        trace.settle()
        made = len(trace.calls("epoll_ctl"))
        counted = counted_for(asked)
        server.kill()  # it would be held until its end
        require(counted >= made, f"{made} calls were made, and {counted} are counted, while "
                "another loop is between two clients")


def says_what_strace_says(server: harness.Server, trace: strace.Log, swap: int = 1) -> None:
    """A swap is so many calls."""
    trace.settle()
    client = connection(server)
    seen = stats(client).get("epoll_ctl")
    client.close()
    trace.settle()
    counted = len(trace.calls("epoll_ctl"))
    require(seen is not None, "no member epoll_ctl in /stats")
    # After the number was formatted: the swap for its own answer, the swap back, the last DEL.
    require(0 <= counted - seen <= 2 * swap + 1, f"/stats says {seen}, strace {counted}")


def check_strace():
    """The sum over three loops is what strace counts, for both ports, the listeners and all,
    whatever --rearm says."""
    for mode, swap in (("mod", 1), ("del-add", 2), ("eager", 0)):
        flags = ("--threads", "3", "--rearm", mode)
        with traced(STAGE, *flags, calls="epoll_ctl") as (server, trace):
            for _ in range(12):
                with server.connect("http") as sock, server.connect("text") as other:
                    sock.sendall(HELLO * 2)
                    stream_of_answers(sock, 2)
                    other.sendall(b"1")
                    other.recv(1)
            says_what_strace_says(server, trace, swap)


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


def check_asleep():
    """What a loop has done before it sleeps is in the number, whichever loop is asked."""
    with harness.Server(STAGE, *ONE_IN_EACH_LOOP) as server, four_clients(server) as clients:
        for asked in clients:
            expected = counted_for(asked)
            for client in clients:
                client.ask(HELLO)
            expected += 2 * len(clients)
            deadline = time.monotonic() + 3
            while (counted := counted_for(asked)) < (expected := expected + 2):
                require(time.monotonic() < deadline,
                        f"{expected} calls were made, and {counted} are counted")


def asks_the_last_loop(server: harness.Server, trace: strace.Log | None = None) -> None:
    """The number, after at least two of four loops have ended in a drain."""
    def seen_by_strace() -> int:
        if not trace:
            return 0
        trace.settle()
        return len(trace.calls("epoll_ctl"))
    with four_clients(server) as clients:
        for client in clients:
            for _ in range(10):
                client.ask(HELLO)
        last = clients[-1]
        before = counted_for(last)
        threads = f"/proc/{server.pid}/task"
        left = len(os.listdir(threads)) - 2  # of three that end, one may be the main thread
        last.send(STATS[:-2])
        time.sleep(0.2)
        server.signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while len(os.listdir(threads)) > left:
            require(time.monotonic() < deadline, "the loops whose clients are idle do not end")
            time.sleep(0.01)
        made = seen_by_strace()
        last.send(STATS[-2:])
        after = json.loads(last.read_response().body)["epoll_ctl"]
        require(after >= before, f"{before} calls were counted before SIGTERM, and {after} after "
                "three of four loops have ended")
        require(after >= made, f"{made} calls were made before the last loop was asked, and "
                f"{after} are counted: not the last ones of a loop that has ended")
        most = seen_by_strace()
        require(after <= most or not trace, f"{most} calls were made, and {after} are counted")


def check_drain():
    """A loop that has ended in a drain is still counted, to its last call, while the last one
    drains: strace counts, too."""
    with traced(STAGE, *ONE_IN_EACH_LOOP, calls="epoll_ctl") as (server, trace):
        asks_the_last_loop(server, trace)


def check_freed():
    """And nobody looks at the memory that it had: valgrind looks."""
    with watched_by_valgrind(STAGE, *ONE_IN_EACH_LOOP) as server:
        asks_the_last_loop(server)


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
