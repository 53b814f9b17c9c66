#!/usr/bin/python3
"""A stage behind a proxy that breaks it in one way: for the tests of what compares and soaks.

    FLAW=byte REAL_STAGE=build/01_plain_epoll proxy.py FLAGS...

byte: the text port answers x instead of X. extra: a space after every piece of its answers. reset:
a client of it is reset where its connection should end. Of either port, now and then: lost: what
the server said is not passed on. flipped: one bit of that is changed. descriptor: a connection is
not closed. memory: something is kept for each connection.
"""

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading

FLAW = os.environ["FLAW"]
EVERY = 50  # connections or pieces, to the next fault
count = 0
kept = []


def fault_is_due(flaw: str) -> bool:
    global count
    count += FLAW == flaw
    return FLAW == flaw and count % EVERY == 0


def spoil(data: bytes, port: str) -> bytes:
    if FLAW == "byte" and port == "text":
        return data.replace(b"X", b"x")
    if FLAW == "extra" and port == "text":
        return data + b" "
    if fault_is_due("lost"):
        return b""
    if fault_is_due("flipped"):
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
        if not sink.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER):  # else its close resets
            sink.shutdown(how)


def play(client: socket.socket, inner: socket.socket, port: str) -> None:
    if FLAW == "reset" and port == "text":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if FLAW == "memory":
        kept.append(os.urandom(200_000))
    if fault_is_due("descriptor"):
        kept.append(os.dup(client.fileno()))
    with client, inner:
        to_server = threading.Thread(target=pump, args=(client, inner, bytes))
        to_server.start()
        pump(inner, client, lambda data: spoil(data, port))
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RD)
        to_server.join()


def accept(listener: socket.socket, address: tuple[str, int], port: str) -> None:
    while True:
        client, _ = listener.accept()
        inner = socket.create_connection(address)
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=play, args=(client, inner, port), daemon=True).start()


def main() -> None:
    stage = subprocess.Popen([os.environ["REAL_STAGE"], *sys.argv[1:]], stdout=subprocess.PIPE,
                             text=True)
    signal.signal(signal.SIGTERM, lambda *_: stage.terminate())
    for _ in ("text", "http"):
        inner, port = re.search(r":(\d+) \((\w+)\)", stage.stdout.readline()).groups()
        listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        threading.Thread(target=accept, args=(listener, ("127.0.0.1", int(inner)), port),
                         daemon=True).start()
        print(f"listening on 127.0.0.1:{listener.getsockname()[1]} ({port})", flush=True)
    os._exit(stage.wait())  # without waiting for threads


if __name__ == "__main__":
    main()
