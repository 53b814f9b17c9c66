"""Of how many descriptors does stage 3 tell the kernel, and the kernel it, in one call?

All clients but one are silent. strace shows the call that wakes up for the one.
"""

import re
import sys
import tempfile

from tests import lab

# What is passed: a list, or sets of all numbers up to the highest. Where, among the arguments?
PASSED = {"poll": 1, "ppoll": 1, "select": 0, "pselect6": 0}
CALL = re.compile(r"(\w+)\((.*)\) += (0x[1-9a-f]\w*)$", re.M)


def get(sock, path: str) -> str:
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
    return sock.recv(65536).decode()


def passed_and_returned(backend: str, clients: int) -> str:
    with tempfile.NamedTemporaryFile("r", prefix="scale-") as log:
        # Arguments as they are: to print a thousand descriptors takes longer than to look at them.
        strace = ("strace", "-D", "-o", log.name, "-e", "trace=/^(epoll_p?wait|p?poll|p?select6?)$",
                  "-e", "raw=all")
        with lab.Server("03_libevent_raw", f"--backend={backend}", wrapper=strace) as server:
            idle = [server.connect("text") for _ in range(clients)]
            one = server.connect("http")
            while f'"connections_open":{clients + 1}' not in get(one, "/stats"):
                pass
            get(one, "/hello")
            name, arguments, returned = CALL.findall(log.read())[-1]
            for sock in (*idle, one):
                sock.close()
    at = PASSED.get(name)
    passed = 0 if at is None else int(arguments.split(", ")[at], 16)
    return f"{passed:8} {int(returned, 16):8}"


if why := lab.why_no_tracing() or lab.why_no_descriptors(1100):
    print(why)
    sys.exit()
lab.raise_descriptor_limit()
print("silent clients       10 passed returned    1,000 passed returned")
for backend in ("epoll", "poll", "select"):
    print(f"{backend:14}", *(passed_and_returned(backend, n) for n in (10, 1000)), flush=True)
