"""EPOLLEXCLUSIVE listeners in stage 1."""

import contextlib
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, TWO_PLACES, Unmet, ask_hello, lets_in_the_starved, passes_two_places, require,
    serves_a_crowd, traced)
from tests.lib import strace
from tests.exercises.kept import stays

STAGE = "01_plain_epoll"
BINARIES = [STAGE]
THREADS, CLIENTS = 6, 40


def listeners_of(trace: strace.Log) -> set[str]:
    """The first loop's, and the others' duplicates of them."""
    found = {call.parts[0] for call in trace.calls("listen")}
    return found | {call.result for call in trace.calls("fcntl") if call.parts[0] in found}


def check_flag():
    """Each loop's listeners hang on its tree with EPOLLEXCLUSIVE; the clients do not."""
    with traced(STAGE, "--threads", "2", calls="epoll_ctl,accept4,listen,fcntl") as (server, trace):
        for port in ("text", "http"):
            with server.connect(port) as sock:
                sock.sendall(HELLO)
                sock.recv(1000)
        trace.settle()
        listeners = listeners_of(trace)
        clients = {call.result for call in trace.calls("accept4")}
        added = [call for call in trace.calls("epoll_ctl") if "EPOLL_CTL_ADD" in call.parts]
        exclusive = [call.parts[2] for call in added if "EPOLLEXCLUSIVE" in call.args]
        found = len(listeners & set(exclusive))
        require(found == 4, f"{found} listeners were added with EPOLLEXCLUSIVE: two loops with two "
                "listeners each make 4")
        require(not clients & set(exclusive) - listeners, "clients have it, too")
        failed = [call for call in trace.calls("epoll_ctl") if call.result.startswith("E")]
        require(not failed, f"the kernel refused: {failed[:1]}")


def check_herd():
    """With six loops, a new client wakes about one of them, not all six, on either port."""
    flags = ("--threads", str(THREADS))
    with traced(STAGE, *flags, calls="accept4") as (server, trace):
        for number in range(CLIENTS):
            server.connect("http" if number % 2 else "text").close()
            time.sleep(0.02)
        trace.settle()
        calls = trace.calls("accept4")
    accepted = sum(call.result != "EAGAIN" for call in calls)
    in_vain = len(calls) - accepted
    require(accepted == CLIENTS, f"{accepted} of {CLIENTS} clients were accepted")
    require(in_vain <= 2 * CLIENTS,
            f"{CLIENTS} clients, and accept4 said EAGAIN {in_vain} times: up to {THREADS} loops "
            f"wake for each client; one would do")


def check_crowd():
    """150 clients of each port that connect at once are all accepted: one event stands for many;
    by one loop, and by six."""
    serves_a_crowd(STAGE)
    serves_a_crowd(STAGE, "--threads", str(THREADS))


def check_starved():
    """Who waits because no descriptor is left is let in when there are some again, though nobody
    has left meanwhile."""
    lets_in_the_starved(STAGE)


def check_full():
    """A loop that is full still leaves its listener and comes back: 12 clients pass through
    2 places."""
    with harness.Server(STAGE, *TWO_PLACES) as server:
        passes_two_places(server)


def check_again():
    """When it comes back its listeners are exclusive as before."""
    with traced(STAGE, *TWO_PLACES, calls="epoll_ctl,listen,fcntl") as (server, trace):
        passes_two_places(server)
        trace.settle()
        listeners = listeners_of(trace)
        added = [call.args for call in trace.calls("epoll_ctl") if call.parts[2] in listeners
                 and call.parts[1] == "EPOLL_CTL_ADD"]
        require(len(added) > 4, "a loop that was full did not leave its listeners")
        silent = [call for call in added if "EPOLLEXCLUSIVE" not in call]
        require(not silent, f"{len(silent)} of {len(added)} times a listener was added without it")


def check_places():
    """Who waits is let in where there is room: six loops with one place each serve six clients at
    once."""
    for _ in range(3):  # by luck, each loop may be given one
        serves_one_in_each_loop()


def serves_one_in_each_loop():
    flags = ("--threads", str(THREADS), "--max-connections", str(THREADS))
    with harness.Server(STAGE, *flags) as server, contextlib.ExitStack() as stack:
        for number in range(1, THREADS + 1):
            sock = stack.enter_context(server.connect("http" if number % 2 else "text", timeout=4))
            sock.sendall(HELLO)
            try:
                require(sock.recv(1000), f"client {number} was closed")
            except TimeoutError:
                raise Unmet(f"client {number} of {THREADS} waits in front of a full loop, and "
                            f"{THREADS + 1 - number} loops are free") from None


def check_rest():
    """While it is full, and clients wait on both ports, it sleeps: one loop, and six."""
    for loops in (1, THREADS):
        flags = ("--threads", str(loops), "--max-connections", str(loops))
        with traced(STAGE, *flags, calls="?epoll_wait,epoll_pwait") as (server, trace):
            with contextlib.ExitStack() as stack:
                for _ in range(loops):
                    ask_hello(stack.enter_context(server.connect("http")))
                with server.connect("http"), server.connect("text"):
                    time.sleep(0.1)
                    before = len(trace.calls("epoll_wait"))
                    time.sleep(0.5)
                    woken = len(trace.calls("epoll_wait")) - before
                    require(woken <= 5, f"{woken} wake-ups in half a second of waiting")


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
