"""Priorities: HTTP before text in one batch."""

import concurrent.futures
import contextlib
import re
import signal
import socket
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, ask_hello, connection, limit_descriptors, noise, receive, require,
    send_until_full, stats, stopped, traced)
from tests.exercises.kept import stays
from tests.lib import wire

STAGE = "03_libevent_raw"
BINARIES = [STAGE]
CROWD, SIZE = 20, 16 * 1024


def batch(server: harness.Server) -> int:
    """20 text clients and then one HTTP client send while the server is stopped. What the loop had
    read of the text when it made the HTTP client's answer."""
    crowd = [server.connect("text") for _ in range(CROWD)]
    for sock in crowd:
        sock.sendall(b"1")
        receive(sock, 1)
    client = connection(server)
    before = stats(client)["bytes_in"]
    data = noise(SIZE)
    with stopped(server):
        for sock in crowd:
            sock.sendall(data)
        client.request("GET", "/stats")
        time.sleep(0.1)
    answer = client.getresponse().read()
    for sock in crowd:
        got = receive(sock, SIZE)
        require(got == data, f"a text client got {len(got)} of {SIZE} bytes")
        sock.close()
    client.close()
    own = 200  # the request itself is shorter
    return max(0, int(answer.split(b'"bytes_in":')[1].split(b",")[0]) - before - own)


def check_first():
    """20 text clients and then one HTTP client send: the HTTP client's answer is made before a byte
    of text is read, with --rearm=swap and with --rearm=eager."""
    for mode in ("swap", "eager"):
        with harness.Server(STAGE, "--rearm", mode) as server:
            read = batch(server)
            require(read == 0, f"--rearm={mode}: {read} bytes of text were read first")


def check_sent():
    """And it has gone out before that, although --rearm=swap waits for EPOLLOUT in between."""
    with traced(STAGE, calls="recvfrom,sendto") as (server, trace):
        batch(server)
        trace.settle()
        calls = trace.calls()
        asked = [at for at, call in enumerate(calls) if "GET /stats" in call.args][-1]
        answered = [at for at, call in enumerate(calls)
                    if call.name == "sendto" and "HTTP/1.1 200" in call.args][-1]
        between = [call for call in calls[asked:answered] if call.name == "recvfrom"]
        require(len(between) == 1, f"{len(between) - 1} text clients were read between the HTTP "
                "client's request and its answer")


def check_written():
    """Text that is owed waits as well: the HTTP client's answer goes out before text clients that
    have begun to read get more."""
    with traced(STAGE, calls="recvfrom,sendto") as (server, trace), contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(server.connect("text")) for _ in range(3)]
        http = stack.enter_context(server.connect("http"))
        ask_hello(http)
        for sock in crowd:
            send_until_full(sock)
        with stopped(server):
            trace.settle()
            start = len(trace.calls())
            for sock in crowd:  # there is room again: all of them are writable
                drain(sock)
            http.sendall(HELLO)
            time.sleep(0.1)
        http.settimeout(5)
        receive(http, 100)
        time.sleep(0.2)
        sent = [call for call in trace.calls()[start:] if call.name == "sendto"]
        first = [at for at, call in enumerate(sent) if "HTTP/1.1 200" in call.args]
        require(first, "the HTTP client got no answer")
        require(first[0] == 0, f"{first[0]} times text was written before the HTTP client's answer")


def drain(sock) -> None:
    """Reads until nothing comes for a moment."""
    sock.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        while sock.recv(1 << 20):
            pass


def check_loops():
    """So it is in each loop: with --threads 2 either reads its HTTP clients before its text
    clients."""
    crowd = 16  # of each port: half of them in either loop, which then is full
    flags = ("--threads", "2", "--max-connections", str(2 * crowd))
    with traced(STAGE, *flags, calls="recvfrom") as (server, trace), \
            contextlib.ExitStack() as stack:
        text, http = [], []
        for _ in range(crowd):
            text.append(stack.enter_context(server.connect("text")))
            http.append(stack.enter_context(server.connect("http")))
        for sock in http:
            ask_hello(sock)
        for sock in text:
            sock.sendall(b"text")
            receive(sock, 4)
        with stopped(server):
            trace.settle()
            start = len(trace.part())
            for sock in text:
                sock.sendall(b"text")
            for sock in http:
                sock.sendall(HELLO)
            time.sleep(0.1)
        for sock in http:
            receive(sock, 100)
        for sock in text:
            receive(sock, 4)
        trace.settle()
        read = re.findall(r'(?m)^(\d+) .*recvfrom(?:\(\d+, | resumed>)"(GET|text)',
                          "\n".join(trace.part()[start:]))
    require(len(read) == 2 * crowd, f"{len(read)} of {2 * crowd} clients were read")
    for thread in {thread for thread, _ in read}:
        order = [what for which, what in read if which == thread]
        early = order.index("text") if "text" in order else len(order)
        late = order[early:].count("GET")
        require(not late, f"one of two loops read text first, and {late} HTTP clients after it")


def check_starves():
    """Text that never pauses keeps out nobody else: a new HTTP client is accepted and read, and who
    is silent for longer than --idle-timeout is closed, before half of what 20 text clients have
    sent is read."""
    size = 8 * SIZE  # goes back as well without that anybody reads it
    with slow_reader("--idle-timeout", "3", crowd=CROWD * ("text",)) as (server, trace, crowd, _), \
            contextlib.ExitStack() as stack:
        with stopped(server):
            for sock in crowd:
                sock.sendall(noise(size))
        with stopped_at_work(server, trace) as start:
            newcomer = stack.enter_context(server.connect("http"))
            newcomer.sendall(HELLO)
            time.sleep(3.1)
        receive(newcomer, 100)
        for sock in crowd:
            receive(sock, size)
        trace.settle()
        calls = trace.calls()[start:]
    read = [at for at, call in enumerate(calls)
            if call.name == "recvfrom" and "GET" not in call.args]
    half = read[len(read) // 2]
    for what, name, said in (("a new HTTP client was read", "recvfrom", "GET /hello"),
                             ("who was silent was closed", "close", "")):
        found = [at for at, call in enumerate(calls) if call.name == name and said in call.args]
        require(found and found[0] < half, f"{what} only after more than half of the text")


def check_signal():
    """SIGTERM goes before either: requests that came together with it are answered knowing of it,
    so the last answer, and no other, says `Connection: close`."""
    with harness.Server(STAGE) as server, server.connect("http") as sock:
        ask_hello(sock)
        with stopped(server):
            sock.sendall(HELLO * 3)
            time.sleep(0.1)
            server.signal(signal.SIGTERM)
        got = receive(sock, 1 << 20)
        answers, close = got.count(b"HTTP/1.1 200"), b"Connection: close"
        require(answers == 3, f"{answers} of 3 answers came")
        require(got.count(close) == 1 and close in got[got.rindex(b"HTTP/1.1 200"):],
                f"{got.count(close)} of 3 answers said so")
        status = server.wait()
        require(status == 0, f"status {status}")


def check_starved():
    """Who has a connection is served, too, where no descriptor is left for who waits: text that
    comes in the same batch as another client is answered, and that one as soon as there is room."""
    with harness.Server(STAGE) as server, contextlib.ExitStack() as stack:
        sock = stack.enter_context(server.connect("text", timeout=5))
        sock.sendall(b"1")
        receive(sock, 1)  # it has a descriptor
        limit_descriptors(server, 3)
        waiting = [stack.enter_context(server.connect("text", timeout=5)) for _ in range(8)]
        for _ in range(3):
            with stopped(server):
                sock.sendall(b"1")
                time.sleep(0.2)  # the pause after a refusal is over: the listener is ready as well
            receive(sock, 1)
        limit_descriptors(server)
        for other in waiting:
            other.sendall(b"1")
            receive(other, 1)


def check_full():
    """Who has a connection is served, too, at the connection limit: of one loop and of two, text
    that comes in the same batch as the clients that fill them is answered."""
    for loops in (1, 2):
        fill_while_text_is_ready(loops)


def fill_while_text_is_ready(loops: int) -> None:
    limit = 4 * loops  # each loop has its share
    flags = ("--threads", str(loops), "--max-connections", str(limit))
    with harness.Server(STAGE, *flags) as server, contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(server.connect("text", timeout=5)) for _ in range(3)]
        for sock in crowd:
            sock.sendall(b"1")
            receive(sock, 1)
        with stopped(server):
            for sock in crowd:
                sock.sendall(b"1")
            for _ in range(limit):  # more than there is room for
                stack.enter_context(server.connect("http"))
            time.sleep(0.1)
        for sock in crowd:
            receive(sock, 1)


@contextlib.contextmanager
def slow_reader(*flags: str, crowd: tuple = ("text",) + 10 * ("http",), port: str = "http"):
    """A server that strace makes read for 10 ms each time; what that says; its clients, and a last
    one of `port`."""
    slow = ("-e", "inject=recvfrom:delay_enter=10000")
    with traced(STAGE, *flags, calls="recvfrom,accept4,close", options=slow) as (server, trace), \
            contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(server.connect(each)) for each in crowd]
        last = stack.enter_context(server.connect(port))
        last.sendall(HELLO)
        receive(last, 1)  # all have been accepted
        trace.settle()
        yield server, trace, crowd, last


@contextlib.contextmanager
def stopped_at_work(server: harness.Server, trace):
    """How many calls it had made. Asleep it would have, when it goes on, a batch of the clock
    alone: a signal ends epoll_wait."""
    time.sleep(0.1)  # it has begun
    with stopped(server):
        trace.settle()
        yield len(trace.calls())


def send_for_two_seconds(server: harness.Server, text, *uploads) -> None:
    """So long HTTP does not pause: 200 reads. And a byte of text waits."""
    data = wire.request("POST", "/echo", "Content-Length: 999999") + noise(20 * SIZE)
    with stopped(server):
        for sock in uploads:
            sock.sendall(data)
        text.sendall(b"1")


def check_ends():
    """Nor does HTTP that never pauses keep out more than text: while one byte of that waits, and
    ten uploads are read, --heartbeat beats, and a drain ends when --grace 0.4 is over, or at a
    second SIGTERM."""
    at_once(ends, ("0.4", "--grace 0.4 was over"), ("30", "the second SIGTERM came"))


def ends(grace: str, when: str) -> None:
    with slow_reader("--grace", grace, "--heartbeat", "0.1") as (server, trace, crowd, _):
        send_for_two_seconds(server, *crowd)
        time.sleep(0.1)  # it has begun
        before = len(trace.calls("recvfrom"))
        server.signal()
        if grace == "30":
            time.sleep(0.4)
            before = len(trace.calls("recvfrom"))
            server.signal()
        server.wait(20)
        trace.settle()
        read = len(trace.calls("recvfrom")) - before
        require(read < 100, f"{when}, and {read} times was read before the end")
        beats = re.findall(rb"heartbeat: .* bytes in (\d+)", server.process.stdout.read() or b"")
        require(any(int(bytes_in) > SIZE for bytes_in in beats),
                f"{len(beats)} beats, and none of them while the uploads were read")


def check_makes_room():
    """And who waits for a place is accepted before half of the uploads is read: of 12 clients one
    of HTTP leaves, or one is silent for longer than --idle-timeout; or there are descriptors
    again. Who leaves is let go in that time also where nobody waits."""
    def leaves(_, last):
        last.close()

    def ends_its_side(_, last):
        last.shutdown(socket.SHUT_WR)

    def is_silent(*_):
        time.sleep(4.1)

    def gets_descriptors(server, _):
        limit_descriptors(server)

    at_once(lets_in, ("http", "--max-connections 12", leaves, "accept4"),
            ("text", "--max-connections 12 --idle-timeout 4", is_silent, "accept4"),
            ("http", "", gets_descriptors, "accept4"),
            ("http", "--max-connections 20", ends_its_side, "close"))


def lets_in(port: str, flags: str, happens, shows: str) -> None:
    with slow_reader(*flags.split(), port=port) as (server, trace, crowd, last):
        if not flags:
            limit_descriptors(server, 3)
        send_for_two_seconds(server, *crowd)
        newcomer = server.connect("http")
        newcomer.sendall(HELLO)
        time.sleep(0.5)  # a pause of accepting begins now, if at all
        with stopped_at_work(server, trace) as before:
            happens(server, last)
        calls, end = [], time.monotonic() + 10
        while shows not in calls and time.monotonic() < end:
            time.sleep(0.01)
            calls = [call.name for call in trace.calls()[before:] if "E" not in call.result]
        require(shows in calls, f"{shows} was not called in 10 s")
        read = calls[:calls.index(shows)].count("recvfrom")
        require(read < 60, f"{read} times was read before {shows} was called")
        receive(newcomer, 100)
        newcomer.close()
        server.signal(signal.SIGKILL)  # it would read what is left


def at_once(conversation, *cases: tuple) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(conversation, *zip(*cases)))


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE, but="test_a_bulk_sender_has_one_turn_at_a_time")  # text before HTTP
