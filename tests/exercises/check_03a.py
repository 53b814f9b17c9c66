"""Priorities: HTTP before text in one batch."""

import signal
import time

from tests import harness
from tests.exercises.clients import HELLO, ask_hello, connection, noise, receive, require, stats

STAGE = "03_libevent_raw"
BINARIES = [STAGE]
CROWD, SIZE = 20, 16 * 1024


def stop_the_world(server: harness.Server) -> None:
    """What is sent from now on is found by the server in one batch, after SIGCONT."""
    server.signal(signal.SIGSTOP)
    while harness.stat_of(server.pid)[0] != "T":
        time.sleep(0.01)


def bytes_before_the_answer(mode: str) -> int:
    """What the loop had read from text clients when it answered an HTTP client that came last."""
    with harness.Server(STAGE, "--rearm", mode) as server:
        crowd = [server.connect("text") for _ in range(CROWD)]
        for sock in crowd:
            sock.sendall(b"1")
            receive(sock, 1)
        client = connection(server)
        before = stats(client)["bytes_in"]
        stop_the_world(server)
        data = noise(SIZE)
        for sock in crowd:
            sock.sendall(data)
        client.request("GET", "/stats")
        time.sleep(0.1)
        server.signal(signal.SIGCONT)
        answer = client.getresponse().read()
        for sock in crowd:
            got = receive(sock, SIZE)
            require(got == data, f"a text client got {len(got)} of {SIZE} bytes")
            sock.close()
        client.close()
        own = 200  # the request itself is shorter
        return max(0, int(answer.split(b'"bytes_in":')[1].split(b",")[0]) - before - own)


def check_swap():
    """20 text clients and then one HTTP client send: the HTTP client is answered before a byte of
    text is read."""
    read = bytes_before_the_answer("swap")
    require(read == 0, f"{read} bytes of text were read first")


def check_eager():
    """The same with --rearm=eager."""
    read = bytes_before_the_answer("eager")
    require(read == 0, f"{read} bytes of text were read first")


def check_signal():
    """SIGTERM goes before either: requests that came together with it are answered knowing of it,
    so the last answer, and no other, says `Connection: close`."""
    with harness.Server(STAGE) as server, server.connect("http") as sock:
        ask_hello(sock)
        stop_the_world(server)
        sock.sendall(HELLO * 3)
        time.sleep(0.1)
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGCONT)
        got = receive(sock, 1 << 20)
        answers, close = got.count(b"HTTP/1.1 200"), b"Connection: close"
        require(answers == 3, f"{answers} of 3 answers came")
        require(got.count(close) == 1 and close in got[got.rindex(b"HTTP/1.1 200"):],
                f"{got.count(close)} of 3 answers said so")
        status = server.wait()
        require(status == 0, f"status {status}")
