"""Servers that are stuck, for notes/stuck.md to find out why.

    stuck.py nobody [--text-port 7000]    brings that server there; Ctrl-C ends it

Its process id stands in build/stuck.pid. It says `listening` when its clients have done their part.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import functools
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable

from tests import harness
from tests.compare import conversation as conv
from tests.compare import show

PID_FILE = harness.ROOT / "build" / "stuck.pid"


# ---- clients: what they return stays open --------------------------------------------------------

def silent_and_hello(connect) -> list[socket.socket]:
    clients = [connect(), connect()]
    clients[1].sendall(b"hello\n")
    return clients


def more_than_it_has_room_for(connect) -> list[socket.socket]:
    return [connect() for _ in range(12)]


def more_than_one_read(connect) -> list[socket.socket]:
    client = connect()
    client.sendall(b"s" * 40_000)
    while fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)) != bytes(4):
        time.sleep(0.01)  # not there yet
    return [client]


def sends_and_does_not_read(connect) -> list[socket.socket]:
    client = connect()
    client.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        client.sendall(bytes(64 << 20))
    return [client]


def ten_that_come_and_go(connect) -> list[socket.socket]:
    for _ in range(10):
        with connect() as client:
            client.sendall(b"hello\n")
            client.recv(100)
    return []


@dataclasses.dataclass(frozen=True)
class Stuck:
    program: str
    clients: Callable
    files: int = 0  # its limit of descriptors
    at_once: bool = False  # it looks when its clients have done their part, not before


STUCK = {
    "nobody": Stuck("steps/1_one_client", silent_and_hello),
    "spins": Stuck("steps/8_the_end", more_than_it_has_room_for, files=12),
    "starves": Stuck("stuck/starves", more_than_one_read, at_once=True),
    "unread": Stuck("steps/6_fresh_clock", sends_and_does_not_read),
    "leaks": Stuck("stuck/leaks", ten_that_come_and_go),
}


# ---- the server ----------------------------------------------------------------------------------

def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make stuck", usage="make stuck X=NAME")
    parser.add_argument("name", choices=STUCK)
    parser.add_argument("--text-port", default="7000")
    options = parser.parse_args(arguments)
    stuck = STUCK[options.name]
    command = [harness.binary(stuck.program), "--text-port", options.text_port,
               "--idle-timeout", "3600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8",
                          preexec_fn=conv.limit_files(stuck.files)) as server:
        try:
            listening = server.stdout.readline()
            if not (match := harness.LISTENING.match(listening)):
                return 1  # it has said why
            connect = functools.partial(socket.create_connection, ("127.0.0.1", match["port"]))
            if stuck.at_once:
                server.send_signal(signal.SIGSTOP)
            clients = stuck.clients(connect)
            if stuck.at_once:
                server.send_signal(signal.SIGCONT)
                select.select(clients, [], [])  # it has answered
            PID_FILE.write_text(f"{server.pid}\n", encoding="ascii")
            print(f"{listening}process {server.pid}; Ctrl-C ends it", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
            del clients
        finally:
            server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(show.guarded(main, sys.argv[1:]))
