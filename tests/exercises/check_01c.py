"""EPOLLEXCLUSIVE listeners in stage 1."""

import time

from tests import harness
from tests.exercises.clients import HELLO, ask_hello, require, stream_of_answers, traced

STAGE = "01_plain_epoll"
BINARIES = [STAGE]
THREADS, CLIENTS = 6, 40


def check_flag():
    """Each loop's listeners hang on its tree with EPOLLEXCLUSIVE; the clients do not."""
    with traced(STAGE, "--threads", "2", calls="epoll_ctl,accept4,listen") as (server, trace):
        with server.connect("http") as sock:
            ask_hello(sock)
        trace.settle()
        added = [call for call in trace.calls("epoll_ctl") if "EPOLL_CTL_ADD" in call.parts]
        exclusive = [call for call in added if "EPOLLEXCLUSIVE" in call.args]
        require(len(exclusive) == 4,
                f"{len(exclusive)} of {len(added)} additions to a tree say EPOLLEXCLUSIVE: two "
                f"loops with two listeners each make 4")
        failed = [call for call in trace.calls("epoll_ctl") if call.result.startswith("E")]
        require(not failed, f"the kernel refused: {failed[:1]}")


def check_herd():
    """With six loops, a new client wakes about one of them, not all six."""
    flags = ("--threads", str(THREADS))
    with traced(STAGE, *flags, calls="accept4") as (server, trace):
        for _ in range(CLIENTS):
            server.connect("text").close()
            time.sleep(0.02)
        trace.settle()
        calls = trace.calls("accept4")
    accepted = sum(call.result != "EAGAIN" for call in calls)
    in_vain = len(calls) - accepted
    require(accepted == CLIENTS, f"{accepted} of {CLIENTS} clients were accepted")
    require(in_vain <= 2 * CLIENTS,
            f"{CLIENTS} clients, and accept4 said EAGAIN {in_vain} times: up to {THREADS} loops "
            f"wake for each client; one would do")


def check_full():
    """A loop that is full still leaves its listener and comes back: 12 clients pass through
    2 places."""
    with harness.Server(STAGE, "--threads", "2", "--max-connections", "2") as server:
        socks = [server.connect("http") for _ in range(12)]
        for sock in socks:
            sock.sendall(HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        for sock in socks:
            stream_of_answers(sock, 1)
            sock.close()
