#!/usr/bin/python3
"""Stage 1 behind a proxy that breaks it in one way, to see whether the soak notices.

    FLAW=answer|byte|descriptor|memory broken_server.py FLAGS...

answer: now and then what the server said is not passed on. byte: now and then one byte of it is
changed. descriptor: now and then a connection is not closed. memory: something is kept for each
connection.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import lab  # noqa: E402

FLAW = os.environ["FLAW"]
EVERY = 50  # connections or pieces, to the next fault
count = 0
kept = []


def fault_is_due() -> bool:
    global count
    count += 1
    return count % EVERY == 0


def spoil(data: bytes) -> bytes:
    if FLAW == "answer" and fault_is_due():
        return b""
    if FLAW == "byte" and fault_is_due():
        return data[:-1] + bytes([data[-1] ^ 1])
    return data


def pump(source: socket.socket, sink: socket.socket, change) -> None:
    """Passes bytes on, and how it ended: FIN as FIN, RST as closed both ways."""
    how = socket.SHUT_RDWR
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(change(data))
        how = socket.SHUT_WR
    with contextlib.suppress(OSError):
        sink.shutdown(how)


def play(client: socket.socket, inner: socket.socket) -> None:
    if FLAW == "memory":
        kept.append(os.urandom(200_000))
    if FLAW == "descriptor" and fault_is_due():
        kept.append(os.dup(client.fileno()))
    with client, inner:
        to_server = threading.Thread(target=pump, args=(client, inner, bytes))
        to_server.start()
        pump(inner, client, spoil)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RD)
        to_server.join()


def accept(listener: socket.socket, server: lab.Server, port: str) -> None:
    while True:
        client, _ = listener.accept()
        inner = server.connect(port, timeout=None)
        threading.Thread(target=play, args=(client, inner), daemon=True).start()


def unblock_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # for sigwait, below
    with lab.Server("01_plain_epoll", *sys.argv[1:], preexec=unblock_sigterm) as server:
        for port in ("text", "http"):
            listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
            threading.Thread(target=accept, args=(listener, server, port), daemon=True).start()
            print(f"listening on 127.0.0.1:{listener.getsockname()[1]} ({port})", flush=True)
        signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    main()
