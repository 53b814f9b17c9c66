"""One timer for all connections in stage 3."""

import concurrent.futures
import contextlib
import json
import signal
import socket
import time

from tests import harness
from tests.exercises.clients import (
    ONE_IN_EACH_LOOP, CannotLook, Unmet, ask_hello, closes_a_silent_client, connection,
    four_clients, lets_go, lets_in_the_starved, receive, require, stats, stopped,
    to_the_end)
from tests.exercises.kept import stays
from tests.lib import wire

STAGE, MODEL = "03_libevent_raw", "01_plain_epoll"
BINARIES = [STAGE, MODEL]
HALF_A_BODY = wire.request("POST", "/echo", "Content-Length: 200000") + bytes(60_000)
STATS = wire.request("GET", "/stats")
CROWD = 1500  # twice that many descriptors are open in this process and the server


def bytes_per_client(stage: str) -> float:
    """Resident memory that an idle connection costs."""
    if why := harness.why_no_descriptors(CROWD + 100):
        raise CannotLook(why)
    with harness.Server(stage) as server:
        with server.connect("http") as sock:
            ask_hello(sock)
        before = server.resident()
        harness.raise_descriptor_limit()
        socks = [server.connect("http") for _ in range(CROWD)]
        for sock in socks:
            ask_hello(sock)
        grown = server.resident() - before
        for sock in socks:
            sock.close()
        return grown / CROWD


def check_starved():
    """Who waits because no descriptor is left is let in when there are some again, though nobody
    has left meanwhile."""
    lets_in_the_starved(STAGE)


def check_memory():
    """An idle connection costs at most 230 bytes more than in stage 1: one struct event, not
    two."""
    more = bytes_per_client(STAGE) - bytes_per_client(MODEL)
    require(more <= 230, f"it costs {more:.0f} bytes more")


def check_late_reader():
    """Who reads late what it is owed has all its time from then on: with --idle-timeout 3 it is
    closed three seconds after that, although the loop has slept meanwhile."""
    with harness.Server(STAGE, "--idle-timeout", "3") as server, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        sock.settimeout(5)
        sock.connect((server.host, server.text_port))
        sent = send_until_owed(server, sock)
        time.sleep(1.2)
        got = len(receive(sock, sent))
        require(got == sent, f"closed after {got} bytes")
        began = time.monotonic()
        require(sock.recv(1) == b"", "the server said something")
        passed = time.monotonic() - began
        require(passed > 2.4, f"closed {passed:.2f} s after it had read")


def send_until_owed(server: harness.Server, sock: socket.socket) -> int:
    """How much it was, when the server has read all of it and could not send all of it back: no
    more than it sends at once. /stats tells, which counts its own bytes, too."""
    sent = asked = answered = 0
    with server.connect("http") as other:
        while True:
            sock.sendall(bytes(8192))
            sent += 8192
            owes = 0  # so many looks in a row: by then it would have gone, were there to be room
            while owes < 20:
                require(asked < 1 << 20, f"closed after {sent} bytes")
                other.sendall(STATS)
                asked += len(STATS)
                answer = other.recv(1000)
                seen = json.loads(answer.partition(b"\r\n\r\n")[2])
                if seen["bytes_out"] - answered >= sent:
                    break
                owes = owes + 1 if seen["bytes_in"] - asked == sent else 0
                answered += len(answer)
                time.sleep(0.02 if owes > 3 else 0)  # an acknowledgement may take 200 ms
            else:
                return sent
            answered += len(answer)


def check_silent():
    """--idle-timeout 0.5 still closes a silent connection after about half a second; so does each
    of four loops."""
    closes_a_silent_client(STAGE)
    with harness.Server(STAGE, *ONE_IN_EACH_LOOP, "--idle-timeout", "0.5") as server, \
            four_clients(server) as clients:
        for client in clients:
            lets_go_of(client.sock)


def lets_go_of(sock) -> None:
    sock.settimeout(4)
    try:
        require(sock.recv(1) == b"", "the server said something")
    except TimeoutError:
        raise Unmet("one of four loops closes no silent client") from None


def check_text():
    """Text that moves starts the clock anew: with --idle-timeout 1 who sends a byte every 0.4 s is
    served for longer than that, and closed when it is silent."""
    with harness.Server(STAGE, "--idle-timeout", "1") as server, \
            server.connect("text", timeout=5) as sock:
        for number in range(4):
            sock.sendall(b"1")
            require(receive(sock, 1) == b"1", f"it was closed after {number} bytes")
            time.sleep(0.4)
        require(sock.recv(1) == b"", "the server said something")


def check_heart():
    """--heartbeat beats as before: 0.4 makes about five lines in two seconds."""
    with harness.Server(STAGE, "--heartbeat", "0.4") as server, server.connect("http") as sock:
        ask_hello(sock)
        server.process.stdout.read()
        began = time.monotonic()
        time.sleep(2)
        lines = (server.process.stdout.read() or b"").count(b"heartbeat: ")
        took = time.monotonic() - began
        require(3 <= lines <= took / 0.4 + 1, f"{lines} lines in {took:.1f} seconds")


def check_order():
    """Each has its own deadline: of two clients the one that asked again is closed later; a
    beginning of a request gets 408."""
    with harness.Server(STAGE, "--idle-timeout", "1") as server:
        busy, silent = server.connect("http"), server.connect("http")
        time.sleep(0.6)
        ask_hello(busy)
        busy.sendall(b"GET /hel")
        silent.settimeout(5)
        require(silent.recv(1) == b"", "the server said something")
        busy.setblocking(False)
        try:
            early = busy.recv(1)
            raise Unmet(f"the busy client was closed too early ({early!r})")
        except BlockingIOError:
            pass
        busy.settimeout(5)
        gets_408(busy)
        busy.close()
        silent.close()


def check_newcomer():
    """A client's clock starts when it comes, however long the loop had slept: with --idle-timeout 1
    who comes after 1.3 s is not closed at once."""
    with harness.Server(STAGE, "--idle-timeout", "1") as server:
        time.sleep(1.3)
        with server.connect("http") as sock:
            sock.settimeout(0.6)
            try:
                sock.recv(1)
                raise Unmet("it was closed at once")
            except TimeoutError:
                ask_hello(sock)


def check_last_look():
    """Whose time is over while bytes of it wait is looked at once more, and that has an end: with
    half a body it gets 408, also beside one that has more time."""
    with harness.Server(STAGE, "--idle-timeout", "2.5") as server, \
            concurrent.futures.ThreadPoolExecutor(1) as pool, \
            server.connect("http", timeout=5) as late, server.connect("http") as other:
        alone = pool.submit(last_look_alone)
        ask_hello(other)
        ask_hello(late)
        time.sleep(2)
        began = time.monotonic()
        ask_hello(other)
        with stopped(server):
            late.sendall(HALF_A_BODY)
            time.sleep(0.7)
        gets_408(late)
        took = time.monotonic() - began
        require(took < 2.3, f"with --idle-timeout 2.5 a last look ended {took:.2f} s after another "
                            "client had asked: it waited for that one's time")
        alone.result()


def last_look_alone() -> None:
    with harness.Server(STAGE, "--idle-timeout", "0.5") as server, \
            server.connect("http", timeout=5) as sock:
        ask_hello(sock)
        with stopped(server):
            sock.sendall(HALF_A_BODY)
            time.sleep(0.7)
        gets_408(sock)


def gets_408(sock: socket.socket, when: str = "") -> None:
    try:
        answer = sock.recv(1000)
    except TimeoutError:
        raise Unmet(f"408 was expected{when}, nothing came in 5 s") from None
    require(b" 408 " in answer, f"408 was expected{when}, {answer[:40]!r} came")


def check_linger():
    """After a refusal it lingers for about a second, then closes, also beside one that is idle for
    longer; and one that is idle for less does not wait for it."""
    with harness.Server(STAGE) as alone, harness.Server(STAGE) as beside, \
            beside.connect("http") as idle, contextlib.ExitStack() as stack:
        ask_hello(idle)
        refused = [(server, server.sockets(), stack.enter_context(server.connect("http")))
                   for server in (alone, beside)]
        for _, _, sock in refused:
            is_refused(sock)
        time.sleep(0.3)
        for _, _, sock in refused:
            sock.sendall(b"still here")  # is discarded: no reset
        time.sleep(0.2)
        for server, before, _ in refused:
            require(server.sockets() > before, "closed at once")
        for (server, before, _), where in zip(refused, ("alone", "beside one that is idle")):
            try:
                lets_go(server, before, patience=2.5)
            except Unmet:
                raise Unmet(f"{where}, it lingers for more than three seconds") from None
    short_beside_who_lingers()


def is_refused(sock: socket.socket) -> None:
    sock.sendall(b"NOT HTTP\r\n\r\n")
    to_the_end(sock, "what is no request")


def short_beside_who_lingers() -> None:
    """Three times, if need be: a machine may stand still for some."""
    took = []
    while len(took) < 3 and min(took, default=9) > 0.9:
        with harness.Server(STAGE, "--idle-timeout", "0.3") as server, \
                server.connect("http") as refused:
            began = time.monotonic()
            is_refused(refused)
            time.sleep(0.1)  # or it goes when the timer strikes for what the other one's was
            with server.connect("http") as silent:
                to_the_end(silent, "--idle-timeout 0.3")
                took.append(time.monotonic() - began)
    require(min(took) < 0.9,
            f"--idle-timeout 0.3, beside one that lingers: closed after {min(took):.2f} s")


def check_grace():
    """--grace 1 ends the server after a second, with a client that has not finished its request;
    with --grace 20 that one's --idle-timeout of a second ends it, drain or not."""
    with harness.Server(STAGE, "--grace", "20", "--idle-timeout", "1") as patient, \
            patient.connect("http", timeout=5) as late:
        ask_hello(late)
        time.sleep(0.5)  # the timer will strike in vain, and is to be set again in the drain
        begins_and_is_told_to_end(patient, late)
        with harness.Server(STAGE, "--grace", "1") as server, server.connect("http") as sock:
            begins_and_is_told_to_end(server, sock)
            server.wait(4)
        gets_408(late, " in the drain")


def begins_and_is_told_to_end(server: harness.Server, sock: socket.socket) -> None:
    ask_hello(sock)
    sock.sendall(b"GET /hel")
    time.sleep(0.1)
    server.signal(signal.SIGTERM)


def check_rest():
    """A loop with clients and without events sleeps: at most two wake-ups in two seconds."""
    with harness.Server(STAGE) as server, server.connect("http") as sock:
        ask_hello(sock)
        client = connection(server)
        before = stats(client)["loop_wakeups"]
        time.sleep(2)
        woken = stats(client)["loop_wakeups"] - before
        client.close()
        require(woken <= 2 + 2, f"{woken} wake-ups, of which two are for GET /stats")


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
