"""Of how many descriptors does stage 3 tell the kernel, and the kernel it, in one call?

All clients but one are silent. strace shows the call that wakes up for the one.
"""

import sys
import tempfile

from tests import harness
from tests.lib import strace, wire

# What is passed: a list, or sets of all numbers up to the highest. Where, among the arguments?
PASSED = {"poll": 1, "ppoll": 1, "select": 0, "pselect6": 0}


def passed_and_returned(backend: str, clients: int) -> str:
    with tempfile.NamedTemporaryFile(prefix="scale-") as log:
        # Arguments as they are: to print a thousand descriptors takes longer than to look at them.
        wrapper = strace.command(log.name, "/^(epoll_p?wait|p?poll|p?select6?)$", "-e", "raw=all")
        with harness.Server("03_libevent_raw", f"--backend={backend}", wrapper=wrapper) as server:
            idle = [server.connect("text") for _ in range(clients)]
            one = wire.connect(server)
            open_now = b'"connections_open":%d,' % (clients + 1)
            while open_now not in one.ask(wire.request("GET", "/stats")).body:
                pass
            one.ask(wire.HELLO)
            woken = [c for c in strace.Log(log.name).calls() if c.result.startswith("0x")][-1]
            for client in (*idle, one):
                client.close()
    at = PASSED.get(woken.name)
    passed = 0 if at is None else int(woken.parts[at], 16)
    return f"{passed:8} {int(woken.result, 16):8}"


if why := harness.why_no_tracing() or harness.why_no_descriptors(1100):
    print(why)
    sys.exit()
harness.raise_descriptor_limit()
print("silent clients       10 passed returned    1,000 passed returned")
for backend in ("epoll", "poll", "select"):
    print(f"{backend:14}", *(passed_and_returned(backend, n) for n in (10, 1000)), flush=True)
