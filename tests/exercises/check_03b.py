"""SIGUSR1 makes the server say how it is."""

import contextlib
import re
import signal
import socket
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, PATIENCE, accepts_all, ask_hello, receive, require, stopped, stream_of_answers, traced,
    watched_by_valgrind)
from tests.exercises.kept import stays

STAGE = "03_libevent_raw"
BINARIES = [STAGE]
LINE = re.compile(r"^heartbeat: open (\d+), accepted \d+, requests (\d+),", re.MULTILINE)


class Reports:
    """The (open, requests) of each line that the server has printed since it listens."""

    def __init__(self, server: harness.Server):
        self.server = server
        self.printed = ""
        self.took = []  # until the line came

    def ask(self) -> list[tuple[int, int]]:
        """SIGUSR1; all lines so far, a moment after there is a new one."""
        before = len(LINE.findall(self.printed))
        self.wait_for_the_loop()
        self.server.signal(signal.SIGUSR1)
        began = time.monotonic()
        deadline = began + 5
        while len(LINE.findall(self.printed)) == before:
            require(self.server.process.poll() is None,
                    f"SIGUSR1 ended the server, status {self.server.process.returncode}")
            require(time.monotonic() < deadline, f"no new line on stdout, but {self.printed!r}")
            self.read()
        self.took.append(time.monotonic() - began)
        time.sleep(0.3)  # a second line for the same signal would be wrong
        self.read()
        return [(int(a), int(b)) for a, b in LINE.findall(self.printed)]

    def wait_for_the_loop(self) -> None:
        """Until SIGUSR1 is caught, or blocked to be read: the other loops may serve before the
        first one runs. Where that one catches SIGTERM and not SIGUSR1, it is not going to."""
        looks = 1500  # not seconds: a machine may stand still for some
        while looks > 0 and not takes(self.server):
            looks = min(looks - 1, 100 if catches(signal.SIGTERM, self.server) else looks)
            time.sleep(0.01)

    def read(self) -> None:
        self.printed += (self.server.process.stdout.read() or b"").decode()
        time.sleep(0.02)


def takes(server: harness.Server) -> bool:
    """SIGUSR1 is caught, or blocked to be read. Both are blocked while a thread is being made."""
    blocked = int(status_of(server, "SigBlk"), 16) >> (signal.SIGUSR1 - 1) & 0b101
    return catches(signal.SIGUSR1, server) or blocked == 0b001


def catches(number: int, server: harness.Server) -> bool:
    return bool(int(status_of(server, "SigCgt"), 16) >> (number - 1) & 1)


def open_report(*flags: str, clients: int, requests: int) -> None:
    """`clients` connections, `requests` on each, SIGUSR1: what the line must say."""
    with harness.Server(STAGE, *flags) as server:
        socks = [server.connect("http") for _ in range(clients)]
        for sock in socks:
            sock.sendall(HELLO * requests)
            stream_of_answers(sock, requests)
        got = Reports(server).ask()
        for sock in socks:
            sock.close()
        require(got == [(clients, clients * requests)],
                f"one line with open {clients}, requests {clients * requests} was expected; "
                f"(open, requests) {got} came")
        require(not server.stderr(), f"libevent complains: {server.stderr()!r}")


def check_line():
    """kill -USR1 prints the line of --heartbeat, at once: `heartbeat: open 3, ... requests 6,
    ...`."""
    open_report(clients=3, requests=2)


def check_threads():
    """With --threads 4 it is still one line: only one base of a process can have its signals."""
    open_report("--threads", "4", clients=8, requests=3)


def check_again():
    """It works a second and a third time, each time at once, and the clients notice nothing."""
    with harness.Server(STAGE) as server, server.connect("http") as sock:
        reports = Reports(server)
        for count in (1, 2, 3):
            ask_hello(sock)
            got = reports.ask()
            require(got[-1] == (1, count), f"(open, requests) {got[-1]}, expected (1, {count})")
        took = sorted(reports.took)[1]  # not the worst one: a machine may stand still for some
        require(took < 0.4, f"the line took {took:.2f} s")


def check_ends_nothing():
    """The signal ends nothing: neither from the line `listening on` on, before the first loop runs,
    nor after that one has ended; strace makes both last."""
    slow = "write,epoll_create1,?clone,?clone3"
    hold = ("-e", f"inject={slow}:delay_exit=100000", "-e", "inject=close:delay_exit=30000")
    for threads in ("1", "4"):
        with traced(STAGE, "--threads", threads, calls=f"{slow},close",
                    options=hold) as (server, _):
            goes_on(server, f"--threads {threads}, before the first loop runs")  # once at least
            deadline = time.monotonic() + PATIENCE
            while not takes(server) and time.monotonic() < deadline:
                goes_on(server, f"--threads {threads}, before the first loop runs")
            Reports(server).ask()
            server.signal(signal.SIGTERM)
            deadline = time.monotonic() + PATIENCE
            while server.process.poll() is None and time.monotonic() < deadline:
                if not takes(server):
                    goes_on(server, f"--threads {threads}, after the first loop")
            status = server.wait(1)
            require(status == 0, f"status {status}")


def goes_on(server: harness.Server, when: str) -> None:
    """Whether the signal prints a line or not, the server ends by itself, and well, or not yet."""
    server.signal(signal.SIGUSR1)
    time.sleep(0.02)
    status = server.process.poll()
    require(status in (None, 0), f"{when}: SIGUSR1 ended the server, status {status}")


def check_many():
    """Each signal is a line, also where three come while the loop is busy with one batch: strace
    makes that last."""
    hold = ("-e", "inject=recvfrom:delay_enter=150000")
    with traced(STAGE, calls="recvfrom", options=hold) as (server, _), \
            contextlib.ExitStack() as stack:
        reports, before = Reports(server), server.sockets()
        reports.wait_for_the_loop()
        crowd = [stack.enter_context(server.connect("text", timeout=20)) for _ in range(8)]
        accepts_all(server, before, len(crowd))
        with stopped(server):
            for sock in crowd:
                sock.sendall(b"1")
        for _ in range(3):
            time.sleep(0.1)
            server.signal(signal.SIGUSR1)
            deadline = time.monotonic() + PATIENCE
            while int(status_of(server, "ShdPnd"), 16) | int(status_of(server, "SigPnd"), 16):
                require(time.monotonic() < deadline, "SIGUSR1 stays pending")
                time.sleep(0.01)  # a second one would be the same
        for sock in crowd:
            receive(sock, 1)
        deadline = time.monotonic() + 2
        while (lines := len(LINE.findall(reports.printed))) < 3 and time.monotonic() < deadline:
            reports.read()
        require(lines == 3, f"three signals during one batch, and {lines} lines")


def check_handler():
    """The loop prints it, as what it does for any event: in a signal handler, which may interrupt
    malloc, nothing may print or allocate. Nor is it another thread, which knows nothing of the
    loop."""
    calls = "write,rt_sigreturn,?epoll_wait,epoll_pwait"
    with traced(STAGE, calls=calls) as (server, trace):
        Reports(server).ask()
        trace.settle()
        lines = trace.part()
    inside = False
    for line in lines:
        inside = (inside or "--- SIGUSR1" in line) and "rt_sigreturn" not in line
        require(not (inside and "heartbeat" in line), "it is written by the signal handler")
    loops = {line.split()[0] for line in lines if re.match(r"\d+ +epoll_p?wait\(", line)}
    writers = {line.split()[0] for line in lines if "heartbeat" in line and "write(" in line}
    require(writers <= loops, "it is written by a thread that is no loop")


def check_beats():
    """The heart's own lines come as before: with --heartbeat 0.5, six signals put off none."""
    with harness.Server(STAGE, "--heartbeat", "0.5") as server:
        reports = Reports(server)
        for _ in range(6):
            reports.ask()  # takes 0.3 s
        time.sleep(1)
        reports.read()
        lines = len(LINE.findall(reports.printed))
        require(lines >= 9, f"{lines} lines, six of them asked for, in three seconds of half ones")


def check_drain():
    """While the server drains it says so, too, and goes on draining; so it does where the first of
    two loops has drained."""
    with harness.Server(STAGE, "--grace", "20") as server, server.connect("http") as sock:
        reports = Reports(server)
        reports.ask()
        sock.sendall(HELLO[:9])
        time.sleep(0.1)
        server.signal(signal.SIGTERM)
        time.sleep(0.3)
        got = reports.ask()
        require(got[-1] == (1, 0), f"(open, requests) {got[-1]}, expected (1, 0)")
        sock.sendall(HELLO[9:])
        stream_of_answers(sock, 1)
        status = server.wait(5)
        require(status == 0, f"status {status}")
    with harness.Server(STAGE, "--grace", "20", "--threads", "2",
                        "--max-connections", "2") as server:
        socks = sorted([server.connect("http") for _ in range(2)],
                       key=lambda sock: naps_for(server, sock), reverse=True)  # of the first loop
        socks[1].sendall(HELLO[:9])
        socks[0].close()
        time.sleep(0.1)
        server.signal(signal.SIGTERM)
        time.sleep(0.3)
        until_it_lets_go_of(signal.SIGUSR1, server)
        server.signal(signal.SIGUSR1)
        time.sleep(0.1)
        status = server.process.poll()
        require(status is None, f"SIGUSR1 ended the server, status {status}")
        socks[1].sendall(HELLO[9:])
        stream_of_answers(socks[1], 1)
        status = server.wait(5)
        require(status == 0, f"status {status}")
        socks[1].close()


def status_of(server: harness.Server, line: str) -> str:
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        return next(text.split()[1] for text in status if text.startswith(line))


def naps_for(server: harness.Server, sock: socket.socket) -> int:
    """How often the main thread, which runs the first loop, slept for 30 requests of this client:
    hardly ever, if it is another loop's."""
    ask_hello(sock, 1)
    before = int(status_of(server, "voluntary_ctxt_switches"))
    ask_hello(sock, 30)
    return int(status_of(server, "voluntary_ctxt_switches")) - before


def until_it_lets_go_of(number: int, server: harness.Server) -> None:
    """The loop that had a handler for the signal has ended, or two seconds are over."""
    deadline = time.monotonic() + 2
    while catches(number, server) and time.monotonic() < deadline:
        time.sleep(0.02)


def check_stop():
    """SIGTERM still drains after it, with status 0: one loop, and four."""
    for threads in ("1", "4"):
        with harness.Server(STAGE, "--threads", threads) as server:
            Reports(server).ask()
            status = server.stop(5)
            require(status == 0, f"--threads {threads}: status {status}")


def check_freed():
    """What it needs is freed at the end, and nothing freed is looked at: valgrind looks."""
    for threads in ("1", "2"):
        one_each = ("--threads", threads, "--max-connections", threads)
        with watched_by_valgrind(STAGE, *one_each) as server, contextlib.ExitStack() as stack:
            for _ in range(int(threads)):  # valgrind catches each signal: it does not tell who runs
                ask_hello(stack.enter_context(server.connect("http")))
            Reports(server).ask()
            server.signal(signal.SIGTERM)


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
