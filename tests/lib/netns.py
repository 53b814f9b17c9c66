"""A network of a test's own: nobody listens there but those the test starts, ::1 exists, and names
mean what the test says, whatever this machine has in /etc/hosts.

    seen = netns.call("tests.blackbox.test_names:dead_address_first", "argument")

runs that function inside a namespace, as its root, and returns its result, through JSON. In there:

    names = netns.Names({"two.test": ["::1", "127.0.0.1"], "silent.test": None})
    names.asked["two.test"]  # how often the server at 127.0.0.1:53 was asked for it
"""

from __future__ import annotations

import collections
import fcntl
import functools
import importlib
import ipaddress
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from tests import harness
from tests.lab import sandbox

A, AAAA = 1, 28  # types of records (RFC 1035, 3596)
NO_SUCH_NAME = 3


def enter() -> list[str]:
    """What runs a command in a new namespace; /etc is changed there by mounts that nobody else
    sees."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *user, "--net", "--mount", "--kill-child"]


@functools.cache
def why_not() -> str:
    """Empty where a namespace may be made, and ::1 exists in it; else one line that says why."""
    try:
        made = subprocess.run(
            [*enter(), sys.executable, "-m", "tests.lib.netns"], cwd=harness.ROOT,
            capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as why:
        return f"no network namespace may be made here: {why}"
    if made.returncode == 0:
        return ""
    said = made.stderr.strip().splitlines() or [f"status {made.returncode}"]
    return f"no network namespace may be made here: {said[-1]}"


def call(function: str, *arguments):
    """What that function returns, called in a namespace of its own."""
    done = subprocess.run(
        [*enter(), sys.executable, "-m", "tests.lib.netns", function, json.dumps(arguments)],
        cwd=harness.ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{function} failed in its namespace:\n{done.stderr}")
    return json.loads(done.stdout)


def replace(path: str, text: str) -> None:
    """That file has another text from now on, in this namespace."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        subprocess.run(["umount", path], capture_output=True, check=False)  # what was put there
        subprocess.run(["mount", "--bind", file.name, path], check=True)


def add_address(address: str) -> None:
    """An IPv6 address of this machine's; those that share its first 64 bits have a route then."""
    SIOCSIFADDR = 0x8916  # with a struct in6_ifreq (linux/ipv6.h)
    packed = ipaddress.IPv6Address(address).packed
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sIi", packed, 64, socket.if_nametoindex("lo"))
        fcntl.ioctl(sock, SIOCSIFADDR, request)


class Names:
    """A name server. `zone`: name -> its addresses, in the order in which they are told; None: it
    says nothing to that question. A name that is not there is said not to exist."""

    def __init__(self, zone: dict[str, list[str] | None]):
        self.zone = zone
        self.asked: collections.Counter[str] = collections.Counter()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        replace("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            question, who = self.sock.recvfrom(512)
            if answer := self._answer(question):
                self.sock.sendto(answer, who)

    def _answer(self, question: bytes) -> bytes | None:
        end = question.index(0, 12) + 1  # of the name: a length before each label, 0 at last
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]])
            at += 1 + question[at]
        name = b".".join(labels).decode("ascii").lower()
        (kind,) = struct.unpack_from("!H", question, end)
        self.asked[name] += 1
        addresses = self.zone.get(name, [])
        if addresses is None:
            return None
        found = [packed for packed in map(lambda a: ipaddress.ip_address(a).packed, addresses)
                 if len(packed) == (4 if kind == A else 16) and kind in (A, AAAA)]
        code = 0 if name in self.zone else NO_SUCH_NAME
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0)
        records = [struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(a)) + a for a in found]
        return head + question[12:end + 4] + b"".join(records)


def main() -> None:
    sandbox.loopback_up()
    replace("/etc/hosts", "::1 localhost\n127.0.0.1 localhost\n")
    if len(sys.argv) == 1:  # can all of this be done? (why_not)
        return socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    module, function = sys.argv[1].split(":")
    result = getattr(importlib.import_module(module), function)(*json.loads(sys.argv[2]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
