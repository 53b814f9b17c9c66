"""Ten thousand clients on one server at once: what an idle connection costs, and what a healthy
client notices.

    -m tests.soak.c10k [N]

For each stage, and for nginx if it is installed: N connections from several loopback addresses, one
request on each, then all of them idle, then one more request on each, because a connection that
was dropped in silence looks idle too. Memory is what the server's resident memory grew by, per
connection; the kernel's socket buffers are not in it. All the while a client in a process of its
own asks over one connection, and its slowest answers are shown. Exit status 0 when all were served.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import sys
import time

from tests import harness
from tests.bench import targets
from tests.lib import wire

IP_BIND_ADDRESS_NO_PORT = 24
PER_ADDRESS = 2000  # clients per source address: far fewer than it has ports
SPARE = 200  # descriptors of either process that are not connections


def ask(client: wire.Client) -> None:
    """One request, and its whole answer."""
    answer = client.ask(wire.HELLO)
    if (answer.status, answer.body) != (200, b"hello, world\n"):
        raise wire.Unexpected(repr(answer.raw))


def connect(port: int, index: int) -> wire.Client:
    """Client number `index`, from 127.0.1.1, 127.0.1.2 and so on.

    It closes by a reset, and its port is chosen when it connects: tens of thousands of clients in
    TIME_WAIT would leave few ports, and the kernel searches long for one of those.
    """
    sock = socket.socket()
    sock.settimeout(30)
    wire.reset_when_closed(sock)
    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind((f"127.0.1.{index // PER_ADDRESS + 1}", 0))
    sock.connect(("127.0.0.1", port))
    return wire.Client(sock)


def healthy_client(port: int, pipe) -> None:
    """Asks until told to stop; sends back how long each answer took, or what went wrong."""
    took = []
    try:
        with connect(port, 0) as client:
            while not pipe.poll():
                start = time.perf_counter()
                ask(client)
                took.append(time.perf_counter() - start)
                time.sleep(0.001)
        pipe.send(sorted(took))
    except (OSError, wire.Unexpected) as error:
        pipe.send(error)


def measure(server, count: int) -> str:
    """One row of the table. Raises wire.Unexpected or OSError when a client was not served."""
    with connect(server.http_port, 0) as first:
        ask(first)
    before = harness.resident_of(server.pid)
    ours, theirs = multiprocessing.Pipe()
    healthy = multiprocessing.Process(target=healthy_client, args=(server.http_port, theirs))
    healthy.start()
    try:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(server.http_port, index))
                       for index in range(count)]
            for client in clients:
                ask(client)
            memory = (harness.resident_of(server.pid) - before) / count
            for client in clients:
                ask(client)
            ours.send("stop")
            took = ours.recv() if ours.poll(60) else wire.Unexpected("the healthy client hangs")
    finally:
        healthy.kill()
        healthy.join()
    if isinstance(took, Exception):
        raise took
    percent = [took[min(len(took) - 1, len(took) * p // 1000)] * 1000 for p in (500, 990, 1000)]
    return (f"{server.name:20} {count:8} {memory:12.0f}"
            f" {len(took):9} {percent[0]:8.2f} {percent[1]:8.2f} {percent[2]:8.2f}")


def raise_descriptor_limit(count: int) -> None:
    if why := harness.why_no_descriptors(count + SPARE):
        sys.exit(f"{count} clients: {why}")
    harness.raise_descriptor_limit()


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    raise_descriptor_limit(count)
    print(f"{'':20} {'clients':>8} {'bytes each':>12} {'answers':>9}"
          f" {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}   of one healthy client", flush=True)
    servers = [lambda stage=stage: harness.Server(stage, "--max-connections", count + SPARE,
                                                  "--idle-timeout", 600)
               for stage in harness.STAGES]
    if targets.which("nginx"):
        # It closes idle connections when fewer than a sixteenth of its descriptors are left.
        servers.append(lambda: targets.Peer("nginx", files=2 * count))
    failed = 0
    for start in servers:
        with start() as server:
            try:
                print(measure(server, count), flush=True)
            except (OSError, wire.Unexpected) as error:
                print(f"{server.name:20} a client was not served: {error}", flush=True)
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
