"""Priorities: HTTP before text in one batch."""

import pathlib
import signal
import time

import lab
from clients import connection, noise, receive, stats

STAGE = "03_libevent_raw"
BINARIES = [STAGE]
CROWD, SIZE = 20, 16 * 1024
MODES = ("swap", "eager")


def stopped(server: lab.Server) -> bool:
    return pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def bytes_before_the_answer(mode: str) -> int:
    """What the loop had read from text clients when it answered an HTTP client that came last.

    The server is stopped while all of them send, so it finds them ready in one batch."""
    with lab.Server(STAGE, "--rearm", mode) as server:
        crowd = [server.connect("text") for _ in range(CROWD)]
        for sock in crowd:
            sock.sendall(b"1")
            receive(sock, 1)
        client = connection(server)
        before = stats(client)["bytes_in"]
        server.signal(signal.SIGSTOP)
        while not stopped(server):
            time.sleep(0.01)
        data = noise(SIZE)
        for sock in crowd:
            sock.sendall(data)
        client.request("GET", "/stats")
        time.sleep(0.1)
        server.signal(signal.SIGCONT)
        answer = client.getresponse().read()
        for sock in crowd:
            got = receive(sock, SIZE)
            assert got == data, f"a text client got {len(got)} of {SIZE} bytes"
            sock.close()
        client.close()
        own = 200  # the request itself is shorter
        return max(0, int(answer.split(b'"bytes_in":')[1].split(b",")[0]) - before - own)


def check_swap():
    """20 text clients and then one HTTP client send: the HTTP client is answered before a byte of
    text is read."""
    read = bytes_before_the_answer("swap")
    assert read == 0, f"{read} bytes of text were read first"


def check_eager():
    """The same with --rearm=eager."""
    read = bytes_before_the_answer("eager")
    assert read == 0, f"{read} bytes of text were read first"


def check_drain():
    """SIGTERM still drains: what has come is answered, and the server ends with status 0."""
    with lab.Server(STAGE) as server, server.connect("text") as sock:
        sock.sendall(b"1")
        receive(sock, 1)
        sock.sendall(b"2")
        status = server.stop()
        assert receive(sock, 1) == b"2" and status == 0, f"status {status}"
