"""GET /count streamed by evhttp."""

import time

from tests import harness
from tests.exercises import counting
from tests.exercises.clients import (
    ONE_IN_EACH_LOOP, ask, connection, lets_go, require, reset, stats, watched_by_valgrind)
from tests.exercises.kept import OF_EVHTTP, stays

BINARIES = ["evhttp_server"]


def with_evhttp(conversation, *flags):
    with harness.Server("evhttp_server", *flags, ports=("http",)) as server:
        conversation(server)


def check_small():
    """GET /count?n=5 answers 1 to 5, a line each, with Transfer-Encoding: chunked."""
    with_evhttp(counting.small)
    with_evhttp(counting.small, "--no-guard")


def check_large():
    """n=300000 is exact, and the connection serves the next request."""
    with_evhttp(counting.large)


def check_none():
    """n=0 is an empty body: the last chunk alone."""
    with_evhttp(counting.none)


def check_refused():
    """No n, or one that is no number of 64 bits, gets 400."""
    with_evhttp(counting.refused)


def check_refused_leaves():
    """What is refused leaves nothing behind, either: libevent counts its bytes (--count-memory)."""
    def conversation(server):
        def refuse(times):
            for _ in range(times):
                client = connection(server)
                ask(client, "GET", "/count?n=x")
                client.close()
            lets_go(server, sockets)
            client = connection(server)
            held = stats(client)["libevent_bytes"]
            client.close()
            return held
        sockets = server.sockets()
        before = refuse(50)
        grown = (refuse(1000) - before) >> 10
        require(grown < 16, f"1000 requests were refused, and libevent holds {grown} KiB more")
    with_evhttp(conversation, "--count-memory")


def check_any():
    """n is any number: 5,000,000,000 begins like all others."""
    with_evhttp(counting.any_number)


def check_head():
    """HEAD gets the head alone, and the connection serves the next request."""
    with_evhttp(counting.head_only)


def check_order():
    """What comes behind it waits for its last chunk, be it a request or none; with
    Connection: close, closing does."""
    with_evhttp(counting.in_order)


def check_bounded():
    """80 MB cost less than 1 MiB of memory and delay nobody where the client, by HTTP/1.1 or 1.0,
    does not read, and where it sends all the time. When it reads, the server goes on."""
    with_evhttp(counting.bounded)


def check_together():
    """Three clients at the same time get each its own numbers; so do four, one in each of four
    loops."""
    with_evhttp(counting.together)
    with_evhttp(counting.in_four_loops, *ONE_IN_EACH_LOOP)


def check_patient():
    """An answer may take longer than --idle-timeout, as long as its client reads; one that does not
    read is let go. Behind the answer the time is what it was, and ends with 408 or silently."""
    with_evhttp(counting.patient, "--idle-timeout", "1")


def check_leaving():
    """60 clients that leave in the middle harm nobody, and neither sockets nor memory stay."""
    with_evhttp(counting.left_alone)


def check_leaks():
    """What belongs to an answer is freed once, when it ends, its client leaves, or a second SIGTERM
    ends the server: valgrind looks."""
    with watched_by_valgrind("evhttp_server", ports=("http",)) as server:
        sockets = server.sockets()
        client = connection(server)
        for n in (5, 0, 20_000):
            counting.count(client, n)
        client.close()
        counting.old(server)
        for request in 2 * (counting.LONG, counting.OLD_LONG):
            with server.connect("http") as sock:
                sock.sendall(request)
                sock.recv(1000)
        for n in (3, 20_000, 10_000_000):
            sock = server.connect("http")
            sock.sendall(counting.get(n))
            reset(sock)
        lets_go(server, sockets, patience=20)
        with server.connect("http") as sock:
            sock.sendall(counting.LONG)
            sock.recv(1000)
            server.signal()
            time.sleep(0.5)
            server.signal()  # does not wait for the answer's end
            server.wait(30)


def check_old():
    """An HTTP/1.0 client gets no chunks: the body ends with the connection, even where it asked to
    keep that."""
    with_evhttp(counting.old)


def check_drained():
    """In a drain, too, the request behind it in the same packet is answered."""
    with_evhttp(counting.drained)


def check_half_closed():
    """A client that ends its side behind the request gets all of n=1000000."""
    with_evhttp(counting.half_closed)


def check_completed():
    """With SIGTERM in the middle, n=1000000 is exact all the same; then the server ends. It waits
    for nobody who has had his answer."""
    with_evhttp(counting.completed, "--grace", "30")
    with_evhttp(counting.completed_in_four_loops, "--grace", "30", *ONE_IN_EACH_LOOP)


def check_auth():
    """With --auth it wants credentials like every route but /hello."""
    with_evhttp(counting.guarded, "--auth", "a:b")


def check_the_rest():
    """What was true of evhttp_server stays true (black-box tests)."""
    stays(harness.STAGES[3], OF_EVHTTP)
