"""Edge-triggered clients in stage 1."""

from tests import harness
from tests.exercises.clients import (
    HELLO, interests, noise, require, stream_of_answers, through, traced)

STAGE = "01_plain_epoll"
BINARIES = [STAGE]


def check_edge():
    """Every client hangs on the tree with EPOLLET."""
    with traced(STAGE, calls="epoll_ctl,accept4") as (server, trace):
        for port in ("text", "http"):
            with server.connect(port) as sock:
                sock.sendall(HELLO)
                sock.recv(1000)
        trace.settle()
        found = interests(trace)
        require(len(found) == 2, f"{len(found)} of 2 clients were added to the tree")
        require(all("EPOLLET" in events for events in found), f"interests: {', '.join(found)}")


def check_burst():
    """4 MiB in one burst come back exactly, though one event stands for many reads."""
    with harness.Server(STAGE) as server, server.connect("text") as sock:
        through(sock, noise(4 << 20))


def check_slow_reader():
    """A client that reads late gets everything: writing stopped at EAGAIN and went on."""
    with harness.Server(STAGE) as server, server.connect("text") as sock:
        through(sock, noise(16 << 20), wait=0.7)


def check_pipeline():
    """5,000 requests in one write get 5,000 answers."""
    with harness.Server(STAGE) as server, server.connect("http") as sock:
        sock.sendall(HELLO * 5000)
        stream_of_answers(sock, 5000)


def check_pieces():
    """A request that comes byte by byte is answered, and so is the next one."""
    with harness.Server(STAGE) as server, server.connect("http") as sock:
        for _ in range(2):
            for byte in HELLO:
                sock.sendall(bytes([byte]))
            stream_of_answers(sock, 1)


def check_crowd():
    """200 clients that connect at once are all accepted and answered."""
    with harness.Server(STAGE) as server:
        socks = [server.connect("http") for _ in range(200)]
        for sock in socks:
            sock.sendall(HELLO)
        for sock in socks:
            stream_of_answers(sock, 1)
            sock.close()
