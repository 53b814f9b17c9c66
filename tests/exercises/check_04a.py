"""A rate limit by libevent's token buckets."""

import threading
import time

from tests import harness
from tests.exercises.clients import Unmet, ask_hello, noise, require, through

STAGE = "04_bufferevent_http"
BINARIES = [STAGE]
RATE = 256 * 1024
SIZE = 3 * RATE


def seconds_for(server: harness.Server, clients: int = 1) -> float:
    """How long `clients` at once take to get SIZE bytes through the text port."""
    problems: list[str] = []

    def one():
        try:
            with server.connect("text") as sock:
                through(sock, noise(SIZE), patience=30)
        except (Unmet, OSError) as error:
            problems.append(str(error))

    threads = [threading.Thread(target=one) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    require(not problems, " ".join(problems))
    return time.monotonic() - began


def check_limit():
    """--rate 262144: 768 KiB take between 1.5 and 10 seconds, and come back exactly."""
    with harness.Server(STAGE, "--rate", str(RATE)) as server:
        took = seconds_for(server)
        require(1.5 < took < 10, f"{took:.2f} s")


def check_each():
    """The limit is each client's own: four at once take no longer than one."""
    with harness.Server(STAGE, "--rate", str(RATE)) as server:
        took = seconds_for(server, 4)
        require(1.5 < took < 8, f"{took:.2f} s for four; sharing one bucket takes over 11 s")


def check_neighbour():
    """A client that is being held back delays nobody else."""
    with harness.Server(STAGE, "--rate", str(RATE)) as server:
        bulk = threading.Thread(target=seconds_for, args=(server,))
        bulk.start()
        time.sleep(0.3)
        began = time.monotonic()
        with server.connect("http") as sock:
            ask_hello(sock)
        took = time.monotonic() - began
        bulk.join()
        require(took < 0.8, f"a small request took {took:.2f} s")


def check_unlimited():
    """Without --rate there is no limit."""
    with harness.Server(STAGE) as server:
        seconds_for(server)  # the first one warms up
        took = seconds_for(server)
        require(took < 1.5, f"{took:.2f} s")
    with harness.Server(STAGE, "--rate", "1000000"):
        pass  # and the flag is known


def check_bad_value():
    """--rate 0 and --rate fast are refused like every wrong value: one line that names the flag,
    status 2."""
    for value in ("0", "fast"):
        try:
            with harness.Server(STAGE, "--rate", value):
                raise Unmet(f"--rate {value} was taken")
        except harness.StartError as error:
            require("--rate: bad value" in str(error), str(error))
