"""A rate limit by libevent's token buckets."""

import concurrent.futures
import functools
import socket
import threading
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, ONE_IN_EACH_LOOP, Unmet, ask, ask_hello, connection, looks_at_nothing_freed, noise,
    receive, require, send_until_full, stats, stream_of_answers, through, to_the_end)
from tests.exercises.kept import stays
from tests.lib import wire

PORTS = ("text", "http")
STAGE = "04_bufferevent_http"
OTHERS = {"01_plain_epoll": PORTS, "02_epoll_reactor": PORTS, "03_libevent_raw": PORTS,
          "evhttp_server": ("http",)}
BINARIES = [STAGE, *OTHERS]
RATE = 256 * 1024
SIZE = 2 * RATE
FAST, MUCH = (50_000_000, 100_000_000), 4 / 5  # of a second's bytes
# In 32 bits milliseconds times bytes wrap around: the time that a share is worth gets short, or 0.
# A bucket may get a second's bytes in so many shares; around these rates that begins.
SHARES = (1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100)
FASTER = (*(int(share * 2**32 / 1000 * near) for share in SHARES for near in (0.9997, 1.0003)),
          600_000_000, 1_000_000_000)


def seconds_for(server: harness.Server, *ports: str, size: int = SIZE) -> list[float]:
    """How long clients of these ports, at once, take each to get so many bytes through."""
    problems: list[str] = []
    took: list[float] = []
    data = noise(size)

    def one(port: str) -> None:
        try:
            if port == "text":
                with server.connect("text") as sock:
                    through(sock, data, patience=30)
            else:
                client = connection(server)
                answer, got = ask(client, "POST", "/echo", data)
                client.close()
                require(answer.status == 200 and got == data, f"POST /echo: {answer.status}")
            took.append(time.monotonic() - began)
        except (Unmet, wire.Unexpected, OSError) as error:
            problems.append(f"{port} port: {error}")

    threads = [threading.Thread(target=one, args=(port,)) for port in ports]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    require(not problems, " ".join(problems))
    return took


def check_limit():
    """--rate 262144: 512 KiB take between 1.2 and 8 seconds on either port, and come back
    exactly; with --rate 50000000 and 100000000, four fifths of a second's bytes take at least half
    a second."""
    with harness.Server(STAGE, "--rate", str(RATE)) as server, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.map(functools.partial(seconds_for, server), PORTS)
        for rate in FAST:
            with harness.Server(STAGE, "--rate", str(rate)) as fast:
                much = int(rate * MUCH)
                [took] = seconds_for(fast, "text", size=much)
                require(0.5 < took < 8, f"{took:.2f} s for {much} bytes with --rate {rate}")
        for port, [took] in zip(PORTS, slow):
            require(1.2 < took < 8, f"{took:.2f} s on the {port} port")


def check_each():
    """The limit is each client's own: four at once take no longer than one, and no less; so they do
    in four loops."""
    def seconds(flags) -> list[float]:
        with harness.Server(STAGE, "--rate", str(RATE), *flags) as server:
            return seconds_for(server, *PORTS, *PORTS)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for took in pool.map(seconds, ((), ONE_IN_EACH_LOOP)):
            require(max(took) < 6,
                    f"{max(took):.2f} s for four; sharing one bucket takes over 7 s")
            require(min(took) > 1.2, f"one of four clients took {min(took):.2f} s")


def check_even():
    """The bytes of a second are read throughout the second, not all at its beginning: 192 KiB
    take at least half a second, from the first moment on, and after a rest."""
    data = noise(192 * 1024)
    with harness.Server(STAGE, "--rate", str(RATE)) as server, server.connect("text") as sock:
        for rest in (0, 1.2):
            time.sleep(rest)
            began = time.monotonic()
            sender = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
            sender.start()
            got = receive(sock, len(data))
            took = time.monotonic() - began
            require(got == data, f"{len(got)} of {len(data)} bytes came back")
            require(took > 0.5, f"three quarters of a second's bytes came back within {took:.2f} s")


def check_slow():
    """Slow is slow, and neither more nor much less than it says: with --rate 1, 4 bytes take more
    than 1.8 seconds, 24 with --rate 8 more than 1.5, 55 with --rate 11 more than 3.4, 57 with
    --rate 19 between 2.2 and 4.6, 116 with --rate 29 between 3.2 and 5.2, and 398 with --rate 199
    between 1.5 and 3.4."""
    def seconds(rate: int, size: int) -> float:
        with harness.Server(STAGE, "--rate", str(rate)) as server:
            with server.connect("text") as sock:
                began = time.monotonic()
                through(sock, noise(size))
                return time.monotonic() - began

    def look(rate: int, size: int, least: float, most: float) -> None:
        took = seconds(rate, size)
        if took > most:
            took = seconds(rate, size)  # a machine may stand still for some
        require(least < took < most, f"{took:.2f} s for {size} bytes with --rate {rate}")

    forever = 3600.0
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(look, (1, 8, 11, 19, 29, 199), (4, 24, 55, 57, 116, 398),
                      (1.8, 1.5, 3.4, 2.2, 3.2, 1.5), (forever, forever, forever, 4.6, 5.2, 3.4)))


def check_answers():
    """Answers are not held back: with --rate 2000, 40 short requests get 40 pages at once."""
    with harness.Server(STAGE, "--rate", "2000") as server, server.connect("http") as sock:
        page, began = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", time.monotonic()
        sock.settimeout(8)
        sock.sendall(page * 40 + HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        got = 0
        while piece := sock.recv(1 << 16):
            got += len(piece)
            took = time.monotonic() - began
            require(took < 8, f"{len(page) * 40} bytes of requests, and only {got} of the answers "
                    f"have come after {took:.1f} s")
        require(got > 40 * 1000, f"{got} bytes of answers came")


def check_neighbour():
    """A client that is being held back delays nobody else."""
    with harness.Server(STAGE, "--rate", str(RATE)) as server, server.connect("text") as bulk:
        bulk.setblocking(False)
        bulk.send(noise(SIZE))  # or as much of it as the kernel takes
        time.sleep(0.3)
        began = time.monotonic()
        with server.connect("http") as sock:
            ask_hello(sock)
        took = time.monotonic() - began
        require(took < 0.8, f"a small request took {took:.2f} s")


def check_memory():
    """Who leaves takes its share along: 100 clients have come and gone, and libevent holds what it
    held."""
    with harness.Server(STAGE, "--rate", str(RATE), "--count-memory") as server:
        client = connection(server)

        def come_and_go(count: int) -> int:
            for _ in range(count):
                with server.connect("http") as sock:
                    sock.sendall(HELLO)
                    stream_of_answers(sock, 1)
            time.sleep(0.1)
            return stats(client)["libevent_bytes"]

        before = come_and_go(20)
        grown = come_and_go(100) - before
        client.close()
        require(grown < 100 * 16, f"100 clients have left {grown} bytes behind")


def check_freed():
    """What the limit needs is there as long as its clients are, and nothing freed is looked at:
    valgrind looks."""
    def conversation(server):
        for port in PORTS:
            with server.connect(port) as sock:
                sock.sendall(HELLO * 20)
                receive(sock, 200)
                time.sleep(0.5)
        with server.connect("text") as sock:
            sock.sendall(noise(3000))  # and leaves before all of it is read
            receive(sock, 10)

    looks_at_nothing_freed(STAGE, conversation, "--rate", "2000")


def check_drain():
    """A server that is told to stop still reads what its clients had sent, at that rate: of one
    that it has, and of one that waited for a place, 30,000 bytes at 20,000 per second come back,
    then FIN."""
    data = noise(30_000)

    def read(sock: socket.socket, got: bytes, began: float) -> None:
        got += to_the_end(sock, "SIGTERM, and a text client held back")
        took = time.monotonic() - began
        require(got == data, f"SIGTERM, and {len(got)} of {len(data)} bytes came back")
        require(took > 0.7, f"SIGTERM, and 1.5 seconds' bytes came back within {took:.2f} s")

    with harness.Server(STAGE, "--rate", "20000", "--max-connections", "1") as server, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        with server.connect("text") as first, server.connect("text") as second:
            began = time.monotonic()
            first.sendall(data)
            got = receive(first, 1)
            second.sendall(data)
            server.signal()
            now = time.monotonic()
            list(pool.map(read, (first, second), (got, b""), (began, now)))
        status = server.wait(5)
        require(status == 0, f"status {status}")


def check_unread():
    """What is not read yet waits in the kernel, not in the server: a client at 1,024 bytes per
    second is soon told to wait."""
    with harness.Server(STAGE, "--rate", "1024") as server, server.connect("text") as sock:
        sent = send_until_full(sock, 32 << 20) >> 20
        require(sent < 16, f"{sent} MiB were taken of a client at 1024 bytes per second")


def check_unlimited():
    """Without --rate there is no limit, with --rate 1000000000 none to be seen, and neither the
    other stages nor evhttp_server know the flag."""
    with harness.Server(STAGE) as server:
        seconds_for(server, "text")  # the first one warms up
        [took] = seconds_for(server, "text")
        require(took < 1, f"{took:.2f} s")
    for rate in FASTER:
        with harness.Server(STAGE, "--rate", str(rate)) as server:
            try:
                [took] = seconds_for(server, "text")
            except Unmet as error:
                status = server.stop()
                require(status == 0, f"with --rate {rate} the server ends, status {status}")
                raise Unmet(f"with --rate {rate}: {error}") from None
            require(took < 1.5, f"{took:.2f} s for {SIZE} bytes with --rate {rate}")
    for other, ports in OTHERS.items():
        refused(other, "1000000", "unknown flag", ports)


def check_bad_value():
    """--rate 0, 10x, -1 and fast are refused like every wrong value: one line that names the flag,
    status 2."""
    for value in ("0", "fast", "10x", "-1"):
        refused(STAGE, value, "--rate: bad value")


def refused(stage: str, value: str, why: str, ports=PORTS) -> None:
    try:
        with harness.Server(stage, "--rate", value, ports=ports):
            raise Unmet(f"{stage} --rate {value} was taken")
    except harness.StartError as error:
        require(why in error.stderr and error.status == 2, str(error))


def check_the_rest():
    """What was true stays true: drains, limits, time-outs, four loops (black-box tests)."""
    stays(STAGE)
