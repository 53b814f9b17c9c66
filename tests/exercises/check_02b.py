"""EPOLLONESHOT in the reactor."""

import contextlib
import signal
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, ONE_IN_EACH_LOOP, TWO_PLACES, Unmet, ask_hello, closed_by_sigterm, closed_by_the_clock,
    four_clients, interests, lets_go, lets_go_of_who_leaves, lets_in_the_starved, noise,
    passes_two_places, require, reset, serves_a_crowd, stopped, stream_of_answers, through,
    to_the_end, traced, watched_by_valgrind)
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
    """A request that comes byte by byte is answered, and who leaves in the middle of one is let go
    at once, whatever --rearm says: who reads on must ask again."""
    for mode in MODES:
        with harness.Server(STAGE, "--rearm", mode) as server, server.connect("http") as sock:
            sock.settimeout(4)
            for _ in range(2):
                for byte in HELLO:
                    sock.sendall(bytes([byte]))
                    time.sleep(0.002)
                stream_of_answers(sock, 1)
            try:
                lets_go_of_who_leaves(server)
            except Unmet as error:
                raise Unmet(f"--rearm={mode}, {error}") from None


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
    """The listeners ask again, too: ten clients one after the other, on either port; and 150 at
    once; and who waited for a free descriptor."""
    with harness.Server(STAGE) as server:
        for _ in range(10):
            with server.connect("text") as sock:
                through(sock, b"12", patience=4)
            with server.connect("http") as sock:
                sock.settimeout(4)
                ask_hello(sock)
    serves_a_crowd(STAGE)
    lets_in_the_starved(STAGE)


def check_full():
    """A loop that is full leaves its listeners, and comes back: 12 clients pass through 2 places,
    whatever --rearm says."""
    for mode in MODES:
        with harness.Server(STAGE, *TWO_PLACES, "--rearm", mode) as server:
            passes_two_places(server)


def check_cost():
    """With --rearm=mod a request still costs two epoll_ctl: the swap asks again by itself, and
    listeners are asked for again only when they have been reported."""
    with traced(STAGE, calls="epoll_ctl,accept4") as (server, trace):
        with server.connect("http") as sock:
            ask_hello(sock, 100)
        trace.settle()
        found = interests(trace, "MOD")
        require(any("EPOLLONESHOT" in events for events in found), "no EPOLLONESHOT")
        require(len(found) <= 210, f"100 requests, {len(found)} EPOLL_CTL_MOD")
        made = len(trace.calls("epoll_ctl"))
        require(made <= 220, f"100 requests, {made} epoll_ctl")


def check_refused():
    """Who cannot be hung on the tree is closed at once, and the next one is served: the kernel
    refuses the first client (ENOSPC: max_user_watches)."""
    with traced(STAGE, calls="epoll_ctl,accept4") as (server, trace):
        with server.connect("http") as sock:
            ask_hello(sock)
        trace.settle()
        clients = {call.result for call in trace.calls("accept4")}
        added = [number for number, call in enumerate(trace.calls("epoll_ctl"), 1)
                 if call.parts[1] == "EPOLL_CTL_ADD" and call.parts[2] in clients]
        require(added, "no EPOLL_CTL_ADD for a client")
    refuse = ("-e", f"inject=epoll_ctl:error=ENOSPC:when={added[0]}")
    with traced(STAGE, calls="epoll_ctl", options=refuse) as (server, _):
        with server.connect("http") as sock, contextlib.suppress(ConnectionError):
            to_the_end(sock, "ENOSPC for a client")
        with server.connect("http", timeout=5) as sock:
            ask_hello(sock)


def check_second_signal():
    """The signalfd asks again, and so does what wakes the other loops: a second SIGTERM ends a
    drain that waits for a slow client in each of four loops."""
    flags = (*ONE_IN_EACH_LOOP, "--grace", "30")
    with harness.Server(STAGE, *flags) as server, four_clients(server) as clients:
        for client in clients:
            client.send(HELLO[:-2])
        time.sleep(0.3)
        server.signal(signal.SIGTERM)
        time.sleep(0.5)
        require(server.process.poll() is None, "the first SIGTERM did not wait for the client")
        server.signal(signal.SIGTERM)
        server.wait(5)


def check_drain():
    """Who is reported together with SIGTERM is served on: half requests, of which the rest comes
    later, and clients that connect just then; whatever --rearm says."""
    for mode in MODES:
        with harness.Server(STAGE, "--rearm", mode) as server, contextlib.ExitStack() as stack:
            def connect():
                return stack.enter_context(server.connect("http", timeout=4))
            early = [connect() for _ in range(20)]
            for sock in early:
                ask_hello(sock)
            with stopped(server):
                for sock in early[:10]:
                    sock.sendall(HELLO[:-2])
                server.signal(signal.SIGTERM)
                late = [connect() for _ in range(10)]
                for sock in early[10:] + late:
                    sock.sendall(HELLO[:-2])
            time.sleep(0.1)
            for sock in early + late:
                sock.sendall(HELLO[-2:])
            for number, sock in enumerate(early + late, 1):
                try:
                    stream_of_answers(sock, 1)
                except Unmet as error:
                    raise Unmet(f"--rearm={mode}, client {number} of 30: {error}") from None
                sock.close()
            status = server.wait(5)
            require(status == 0, f"status {status}")


def check_closed():
    """Who was closed in a batch is not looked at after it, whoever ended the connection, whatever
    --rearm says: its memory is free. valgrind looks."""
    for mode in MODES:
        with watched_by_valgrind(STAGE, "--rearm", mode, "--idle-timeout", "0.5") as server:
            sockets = server.sockets()
            for number in range(6):
                with server.connect("http" if number % 2 else "text") as sock:
                    sock.sendall(HELLO)
                    sock.recv(1000)
                    if number > 3:
                        reset(sock)
            with server.connect("http") as silent:
                to_the_end(silent, "--idle-timeout 0.5")
            closed_by_the_clock(server)
            lets_go(server, sockets, patience=20)
            closed_by_sigterm(server)


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
