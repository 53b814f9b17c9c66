"""Which calls does a message cost, by a loop for all clients and by a thread for each?

strace counts those of calls.cc, while four clients take turns.
"""

import collections
import os
import sys
import tempfile

from tests import harness
from tests.lib import strace

MESSAGES = 1000
CALLS = ("epoll_wait", "recvfrom", "sendto")


def row(how: str) -> str:
    with tempfile.NamedTemporaryFile(prefix="calls-") as log:
        traced = strace.command(log.name, ",".join(CALLS), "-f")
        with harness.Server(harness.binary("kernel/calls"), how, ports=("text",),
                            wrapper=traced) as server:
            clients = [server.connect("text") for _ in range(4)]
            for i in range(MESSAGES):
                clients[i % 4].sendall(b"hello")
                clients[i % 4].recv(100)
            threads = len(os.listdir(f"/proc/{server.pid}/task"))
            for client in clients:
                client.close()
            server.wait()
        made = collections.Counter(call.name for call in strace.Log(log.name).calls())
    counts = [f"{made[call] / MESSAGES:12.1f}" for call in CALLS]
    return f"{how:9}{threads:9}" + "".join(counts)


if why := harness.why_no_tracing():
    print(why)
    sys.exit()
print("           threads" + "".join(f"{call:>12}" for call in CALLS))
for way in ("loop", "threads"):
    print(row(way), flush=True)
