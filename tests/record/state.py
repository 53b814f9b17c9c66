"""How things are in a server that stands still: its objects, libevent's, and the kernel's."""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import struct
import termios

from tests.compare import calls, conversation as conv
from tests.record.marks import Event, Frame, Mark, Memory, Program, handler_in, inner

EPOLL_BITS = (("IN", 1), ("PRI", 2), ("OUT", 4), ("RDHUP", 0x2000), ("ONESHOT", 1 << 30),
              ("ET", 1 << 31))
EV_BITS = (("EV_TIMEOUT", 1), ("EV_READ", 2), ("EV_WRITE", 4), ("EV_SIGNAL", 8),
           ("EV_PERSIST", 16), ("EV_ET", 32))
EVLIST_TIMEOUT, EVLIST_ACTIVE = 0x01, 0x08 | 0x20
SIGNALS = {2: "SIGINT", 15: "SIGTERM"}
LISTS = {"serving_": "idle", "last_look_": "last look", "lingering_": "linger", "closed_": "closed"}
TIMEOUTS = {"idle_": "idle", "last_look_": "last look", "linger_": "linger"}
MOST_CLIENTS = 100
MICROSECONDS = 0xfffff  # of a timeval of libevent's: the bits above say which queue it stands in


def seconds(nanoseconds: int) -> str:
    return f"{max(0, nanoseconds) / 1e9:.4g} s"


class Observer:
    """Reads the state that belongs to a mark."""

    def __init__(self, pid: int, program: Program, names: calls.Names):
        self.pid = pid
        self.program = program
        self.names = names
        self.memory = Memory(pid)
        self.known: list[tuple[int, dict]] = []  # connections, at the mark before
        self.roles: dict[int, str] = {}
        self.readable = program.loop is not None and "Loop.deadlines" in program.offsets
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
        self.start = int(maps.split("-")[0], 16)  # of the program, which lies lowest

    def role(self, fd: int) -> str:
        """That of a descriptor that is closed, too: a duplicate may keep it on the tree."""
        role = self.names.role(str(fd)) or self.roles.get(fd, "?")
        self.roles[fd] = role
        return role

    def look(self, mark: Mark, clients: dict[str, conv.Client]) -> dict:
        connections = self.known = [(address, c) for address, c in self.connections(mark)
                                    if c["who"] != "?"]  # else nobody's yet
        who = {f"{address:x}": c["who"] for address, c in connections}
        state = {"tree": self.tree(mark), "conns": [c for _, c in connections],
                 "sockets": [self.socket(self.role(fd), *sizes, clients)
                             for fd, sizes in mark.sockets.items()]}
        if mark.events:
            state["events"] = sorted((self.event(e, who) for e in mark.events),
                                     key=lambda e: (e["who"], e["what"]))
        if mark.buffered:
            state["bufs"] = [{"who": self.role(b.fd), "input": b.input, "output": b.output}
                             for b in mark.buffered if b.fd >= 0]
        for key in {"conns", "sockets", "bufs"} & set(state):
            state[key].sort(key=lambda entry: entry["who"])
        return state

    @staticmethod
    def socket(who: str, into: int, out: int, clients: dict[str, conv.Client]) -> dict:
        """What waits for the server, what its kernel still has to bring away, and what has come to
        the client's and was not read."""
        unread = 0
        if who in clients:
            with contextlib.suppress(OSError, ValueError):  # it has closed
                count = fcntl.ioctl(clients[who].socket.fileno(), termios.FIONREAD, b"\0\0\0\0")
                unread = struct.unpack("i", count)[0]
        return {"who": who, "in": into, "out": out, "unread": unread}

    # ---- the kernel's list of interests ----------------------------------------------------------

    def tree(self, mark: Mark) -> list[dict]:
        fd = next((fd for fd, role in self.names.roles.items() if role == "epoll"), "")
        try:
            text = pathlib.Path(f"/proc/{self.pid}/fdinfo/{fd}").read_text(encoding="ascii")
        except OSError:  # it is closed already
            return []
        rows = [line.split() for line in text.splitlines() if line.startswith("tfd:")]
        return [self.watched(int(row[1]), int(row[3], 16), int(row[5], 16), mark)
                for row in sorted(rows, key=lambda row: int(row[1]))]

    def watched(self, fd: int, bits: int, data: int, mark: Mark) -> dict:
        return {"who": self.role(fd), "fd": fd, "events": [n for n, b in EPOLL_BITS if bits & b],
                "callback": self.callback(fd, data, mark)}

    def callback(self, fd: int, data: int, mark: Mark) -> str:
        """Stage 2 keeps it with what epoll hands back, libevent with its event, stage 1 nowhere."""
        if "Channel.handler" in self.program.offsets:
            return self.handler(data + self.program.offsets["Channel.handler"][0])
        names = {self.event_callback(e, mark) for e in mark.events
                 if e.fd == fd and not e.events & 8}
        return ", ".join(sorted(names)) or self.callback_to_be(fd, mark)

    def callback_to_be(self, fd: int, mark: Mark) -> str:
        """libevent lists an event once it hangs on the tree, not while it hangs it there."""
        for one in mark.buffered:
            if one.fd == fd:
                return self.behind("bufferevent", one.callback)
        place = self.program.offsets.get("Connection.ev.ev_evcallback.evcb_cb_union")
        for address, entry in self.known:
            if place and entry["who"] == self.role(fd):
                return self.function(f"+{self.memory.number(address + place[0], 8) - self.start:x}")
        return ""

    def handler(self, address: int) -> str:
        """Of a std::function: what it captured (a function, perhaps), or the lambda in it."""
        captured = self.memory.numbers(address, "QQQQ")
        for pointer in captured[:2]:
            if function := self.program.function_at(pointer - self.start):
                return function.name
        return self.lambda_behind(captured[3])

    def lambda_behind(self, invoker: int) -> str:
        """The function that calls it is libstdc++'s, and stands in the lambda's name."""
        function = self.program.invokers.get(invoker - self.start)
        return handler_in(function, self.program) if function else ""

    # ---- libevent --------------------------------------------------------------------------------

    def event(self, event: Event, who: dict[str, str]) -> dict:
        what = [name for name, bit in EV_BITS if event.events & bit]
        if event.flags & EVLIST_TIMEOUT and "EV_TIMEOUT" not in what:
            what.insert(0, "EV_TIMEOUT")
        name = who.get(event.argument, "timer") if event.fd < 0 else self.role(event.fd)
        if event.events & 8:
            name = SIGNALS.get(event.fd, "signal")
        return {"who": name, "what": "|".join(what),
                "status": "active" if event.flags & EVLIST_ACTIVE else "pending"}

    def event_callback(self, event: Event, mark: Mark) -> str:
        for kind, known in (("bufferevent", mark.buffered), ("evconnlistener", mark.listeners)):
            for one in known:
                if one.address == event.argument:
                    return self.behind(kind, one.callback)
        return self.function(event.callback) or "libevent"

    def behind(self, kind: str, callback: str) -> str:
        """libevent's own function comes first, and calls ours, or evhttp's."""
        return f"{kind}: {self.function(callback) or 'evhttp'}"

    def function(self, address: str) -> str:
        found = self.program.function_at(int(address, 16)) if address.startswith("+") else None
        return inner(found.name) if found else ""

    # ---- the server's connections ----------------------------------------------------------------

    def connections(self, mark: Mark) -> list[tuple[int, dict]]:
        """Address and what is known of each."""
        frame = mark.frame("run")
        if not self.readable:
            return self.guessed(mark)
        try:
            return self.read_connections(frame, mark)
        except OSError:  # somebody's own is made otherwise
            self.readable = False
            return self.guessed(mark)

    def read_connections(self, frame: Frame | None, mark: Mark) -> list[tuple[int, dict]]:
        if frame is None or frame.line >= frame.function.end:  # before the loop, or behind it
            return []
        if mark.freeing:
            return [(address, c) for address, c in self.known
                    if c["list"] != "closed" or c["who"] in self.names.roles.values()]
        loop = frame.address + self.program.loop
        if "Loop.deadlines.open_" in self.program.offsets:
            return [(address, self.by_event(address, loop, closed, mark))
                    for name, closed in (("open_", False), ("closed_", True))
                    for address in self.members(loop, f"Loop.deadlines.{name}", 0)]
        inside = (self.program.offsets["Loop.deadlines.serving_.members"][0] -
                  self.program.offsets["Loop.deadlines.serving_"][0])
        return [(address, self.by_list(address, loop, name, mark)) for name in LISTS
                for address in self.members(loop, f"Loop.deadlines.{name}", inside)]

    def members(self, loop: int, name: str, inside: int):
        """Of a std::list: each node has two pointers in front of what it holds."""
        head = loop + self.program.offsets[name][0] + inside
        node, _, count = self.memory.numbers(head, "QQQ")
        if count > MOST_CLIENTS:
            raise OSError(f"{name} is no list")
        for _ in range(count):
            yield node + 16
            node = self.memory.number(node, 8)

    def member(self, address: int, name: str, default: int = 0) -> int:
        if name not in self.program.offsets:
            return default
        offset, size = self.program.offsets[name]
        return self.memory.number(address + offset, size)

    def by_list(self, address: int, loop: int, name: str, mark: Mark) -> dict:
        at = loop + self.program.offsets[f"Loop.deadlines.{name}"][0]
        ends = (self.member(address, "Connection.place.clock_started") +
                self.memory.number(at, 8) * 1000 - mark.clock)
        return self.connection(address, LISTS[name], ends, mark)

    def by_event(self, address: int, loop: int, closed: bool, mark: Mark) -> dict:
        timeout = self.member(address, "Connection.place.timeout")
        name = next((text for member, text in TIMEOUTS.items()
                     if loop + self.program.offsets[f"Loop.deadlines.{member}"][0] == timeout), "")
        at = address + self.program.offsets["Connection.place.timer.ev_timeout"][0]
        whole, rest = self.memory.numbers(at, "qq")
        ends = whole * 10**9 + (rest & MICROSECONDS) * 1000 - mark.clock
        return self.connection(address, "closed" if closed else name, ends, mark)

    def connection(self, address: int, name: str, ends: int, mark: Mark) -> dict:
        fd, owed = self.member(address, "Connection.fd", -1), 0
        if "Connection.bev" in self.program.offsets:
            fd, owed = self.behind_bufferevent(address, mark)
        if "Connection.out.begin_" in self.program.offsets:
            owed = (self.member(address, "Connection.out.end_") -
                    self.member(address, "Connection.out.begin_"))
        state = {"closed": "closed", "linger": "lingering"}.get(
            name, "writing" if owed else "reading")
        return {"who": self.owner(address, fd), "state": state, "owed": owed, "list": name,
                "ends": "" if name == "closed" else seconds(ends)}

    def owner(self, address: int, fd: int) -> str:
        """A connection may have given its descriptor away."""
        before = next((c["who"] for known, c in self.known if known == address), "?")
        return self.role(fd) if str(fd) in self.names.roles else before

    def behind_bufferevent(self, address: int, mark: Mark) -> tuple[int, int]:
        """Descriptor, and bytes that are owed: as the server knows, or as libevent does."""
        bufferevent = f"{self.member(address, 'Connection.bev'):x}"
        found = next((b for b in mark.buffered if b.address == bufferevent), None)
        if found is None:
            return self.member(address, "Connection.socket", -1), 0
        counts = self.program.offsets.get("Connection.owed", (0, 0))[1] == 8
        return found.fd, self.member(address, "Connection.owed") if counts else found.output

    def guessed(self, mark: Mark) -> list[tuple[int, dict]]:
        """Of a server whose objects are not known: what the tree says."""
        tree = {entry["who"]: entry["events"] for entry in self.tree(mark)}
        return [(fd, {"who": self.role(fd), "owed": None, "list": "", "ends": "",
                      "state": "writing" if "OUT" in tree.get(self.role(fd), []) else "reading"})
                for fd in mark.sockets]

    def derived(self) -> list[str]:
        return ["ready"] if self.readable else ["conns", "ready"]
