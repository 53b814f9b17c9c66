#!/usr/bin/env python3
"""A stage with a defect, for the tests: passes bytes on to a real stage and spoils the answers.

BROKEN says how: `byte` (the text port answers an x instead of X), `extra` (a space after every
piece of an answer), `reset` (the client is reset where its connection should end).
"""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading

HOW = os.environ.get("BROKEN", "byte")


def pump(source: socket.socket, sink: socket.socket, spoil) -> None:
    """Until `source` ends. An error ends it too: the peer has gone."""
    try:
        while piece := source.recv(65536):
            sink.sendall(spoil(piece))
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client: socket.socket, port: int, spoil) -> None:
    with client, socket.create_connection(("127.0.0.1", port)) as stage:
        upwards = threading.Thread(target=pump, args=(client, stage, lambda piece: piece),
                                   daemon=True)
        upwards.start()
        if HOW == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            while piece := stage.recv(65536):
                client.sendall(piece)
        else:
            pump(stage, client, spoil)
            upwards.join()


def listen(name: str, port: int, spoil) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]} ({name})", flush=True)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, port, spoil), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main() -> None:
    spoil_text = {"byte": lambda piece: piece.replace(b"X", b"x"),
                  "extra": lambda piece: piece + b" "}.get(HOW, lambda piece: piece)
    stage = subprocess.Popen([os.environ["REAL_STAGE"], *sys.argv[1:]], stdout=subprocess.PIPE,
                             text=True)
    signal.signal(signal.SIGTERM, lambda *_: stage.terminate())
    for _ in range(2):
        port, name = re.search(r":(\d+) \((\w+)\)", stage.stdout.readline()).groups()
        listen(name, int(port), spoil_text if name == "text" else lambda piece: piece)
    status = stage.wait()
    sys.stdout.flush()
    os._exit(status)


main()
