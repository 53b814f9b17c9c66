"""Many clients, driven by one selector; and the odd client that a single socket cannot play."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import random
import selectors
import socket
import time
from collections.abc import Callable, Iterable

from tests import harness
from tests.lib import wire
from tests.lib.wire import HELLO

TCP_LISTEN = "0A"
PIDFD_GETFD = 438


@dataclasses.dataclass
class Guest:
    """One client of a crowd: sends `data`, then FIN (if `fin`), reads until EOF or until
    `enough(got)` is true. `most`: bytes per send, at random, to cut what it says anywhere."""

    data: bytes
    port: str = "http"
    fin: bool = True
    most: int = 1 << 20
    enough: Callable[[bytearray], bool] | None = None
    got: bytearray = dataclasses.field(default_factory=bytearray)
    error: OSError | None = None
    done: bool = False
    sent: int = 0
    sock: socket.socket | None = None


class Crowd:
    """Guests, all connected at once.

        crowd = Crowd(server, [Guest(HELLO) for _ in range(500)])
        crowd.run(timeout=60)
    """

    def __init__(self, server, guests: Iterable[Guest], seed: int = 1):
        harness.raise_descriptor_limit()
        self.guests = list(guests)
        self.rng = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        for guest in self.guests:
            guest.sock = socket.socket()
            guest.sock.setblocking(False)
            guest.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            guest.sock.connect_ex((server.host, server.ports[guest.port]))
            interest = selectors.EVENT_READ | selectors.EVENT_WRITE
            self.selector.register(guest.sock, interest, guest)

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_) -> None:
        for guest in self.guests:
            guest.sock.close()
        self.selector.close()

    def until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Lets the guests talk until condition() holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not in {timeout} s; {self.summary()}"
            for key, events in self.selector.select(0.05):
                self._serve(key.data, events)

    def send_all(self, timeout: float = 60.0) -> None:
        self.until(lambda: all(g.done or g.sent == len(g.data) for g in self.guests), timeout,
                   "sending")

    def run(self, timeout: float = 60.0) -> None:
        """Until every guest has what it came for."""
        self.until(lambda: all(g.done for g in self.guests), timeout, "being served")

    def summary(self) -> str:
        served = sum(g.done and not g.error for g in self.guests)
        errors = {repr(g.error) for g in self.guests if g.error}
        return f"{served} of {len(self.guests)} served; errors: {errors or 'none'}"

    def _serve(self, guest: Guest, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._send(guest)
            if events & selectors.EVENT_READ:
                self._receive(guest)
        except BlockingIOError:
            pass
        except OSError as error:
            guest.error = error
            self._leave(guest)

    def _send(self, guest: Guest) -> None:
        if guest.sent < len(guest.data):
            count = self.rng.randint(1, guest.most)
            guest.sent += guest.sock.send(guest.data[guest.sent:guest.sent + count])
        if guest.sent == len(guest.data):
            if guest.fin:
                guest.sock.shutdown(socket.SHUT_WR)
            self.selector.modify(guest.sock, selectors.EVENT_READ, guest)

    def _receive(self, guest: Guest) -> None:
        data = guest.sock.recv(1 << 18)
        guest.got += data
        if not data or (guest.enough and guest.enough(guest.got)):
            self._leave(guest)

    def _leave(self, guest: Guest) -> None:
        guest.done = True
        self.selector.unregister(guest.sock)
        guest.sock.close()


def stuff(sock: socket.socket, data: bytes, most: int = 64 << 20, quiet: float = 0.5) -> int:
    """Sends `data` over and over, reading nothing, until the peer takes no more for `quiet`
    seconds (or `most` bytes are gone). How many bytes went; the last copy may be cut."""
    sock.setblocking(False)
    sent, since = 0, time.monotonic()
    view = memoryview(data)
    while sent < most and time.monotonic() - since < quiet:
        try:
            sent += sock.send(view[sent % len(data):])
            since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    sock.settimeout(20)
    return sent


def reset(sock: socket.socket) -> None:
    """Closes with RST instead of FIN."""
    wire.reset_when_closed(sock)
    sock.close()


def hello_times(server, count: int) -> list[float]:
    """Seconds that each of so many small requests took, sorted."""
    times = []
    with wire.connect(server, timeout=30) as client:
        for _ in range(count):
            begin = time.monotonic()
            client.ask(HELLO)
            times.append(time.monotonic() - begin)
    return sorted(times)


def sockets_of(pid: int) -> dict[int, int]:
    """Inode -> descriptor of each socket that a process has."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            found[int(target[8:-1])] = int(fd)
    return found


def listening_ports(pid: int) -> list[int]:
    """The TCP ports a process listens on, in the order of its descriptors."""
    mine, ports = sockets_of(pid), []
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            fields = line.split()
            if fields[3] == TCP_LISTEN and int(fields[9]) in mine:
                ports.append((mine[int(fields[9])], int(fields[1].split(":")[1], 16)))
    return [port for _, port in sorted(ports)]


def borrow_socket(pid: int, fd: int) -> socket.socket:
    """A duplicate of another process's socket, to ask for its options (Linux 5.6, pidfd_getfd)."""
    pidfd = os.pidfd_open(pid)
    try:
        copy = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, fd, 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        return socket.socket(fileno=copy)
    finally:
        os.close(pidfd)
