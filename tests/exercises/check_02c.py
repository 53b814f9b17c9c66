"""How many epoll_ctl? The reactor counts."""

from tests import harness
from tests.exercises.clients import (
    HELLO, ask_hello, connection, require, stats, stream_of_answers, traced)

STAGE = "02_epoll_reactor"
BINARIES = [STAGE]


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


def check_strace():
    """The sum over three loops is what strace counts."""
    with traced(STAGE, "--threads", "3", calls="epoll_ctl") as (server, trace):
        for _ in range(6):
            with server.connect("http") as sock:
                sock.sendall(HELLO * 2)
                stream_of_answers(sock, 2)
        trace.settle()
        client = connection(server)
        seen = stats(client).get("epoll_ctl")
        client.close()
        trace.settle()
        counted = len(trace.calls("epoll_ctl"))
    # After the number was formatted: the swap for its own answer, the swap back, the last DEL.
    require(seen is not None, "no member epoll_ctl in /stats")
    require(0 <= counted - seen <= 4, f"/stats says {seen}, strace {counted}")
