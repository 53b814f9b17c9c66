"""Priorities: HTTP before text in one batch."""

import signal
import time

from tests import harness
from tests.exercises.clients import (
    HELLO, ask_hello, connection, noise, receive, require, stats, stopped, traced)

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
