"""Two recordings made by hand, small enough to know each row of: a line of text, stages 1 and 2.

Stage 2 asks for EPOLLOUT before it answers; that is the difference between them.
"""

from __future__ import annotations

from tests import harness
from tests.lib import cpp

CLIENT = [
    {"who": "c1", "name": "c1-connect", "caption": "", "text": "c1 connects to text", "sends": "",
     "gets": ""},
    {"who": "c1", "name": "c1-send-1", "caption": "a line", "text": 'c1 sends "hello\\n"',
     "sends": "hello\\n", "gets": ""},
    {"who": "c1", "name": "c1-receive-1", "caption": "", "text": 'c1 receives "HELLO\\n"',
     "sends": "", "gets": "HELLO\\n"},
    {"who": "c1", "name": "c1-close", "caption": "", "text": "c1 closes", "sends": "", "gets": ""},
]


class Tape:
    """Writes one recording. State is kept, and a step holds what changed of it."""

    def __init__(self, server: str, stage: str, title: str):
        self.stage = stage
        self.functions: list[dict] = []
        self.steps: list[dict] = []
        self.seen: dict = {}
        self.whole = {"format": 1, "server": server, "title": title, "stage": stage, "broken": "",
                      "conversation": "line", "one_run": False, "client": CLIENT}

    def function(self, name: str) -> int:
        names = [each["name"] for each in self.functions]
        if name not in names:
            file = f"{self.stage}/server.cc"
            found = next(each for each in cpp.declarations(
                (harness.ROOT / file).read_text(encoding="utf-8"))
                if each.name == name and each.has_body)
            self.functions.append({"name": name, "file": file, "line": found.first,
                                   "end": found.last})
            names.append(name)
        return names.index(name)

    def step(self, client: int, kind: str, stack: str, name: str = "", call: tuple = (),
             **state) -> None:
        numbers = [self.function(each) for each in stack.split()]
        entry = {"client": client, "kind": kind, "name": name, "stack": numbers, "fn": numbers[-1],
                 "line": self.functions[numbers[-1]]["line"] + 1,
                 "state": {key: value for key, value in state.items()
                           if self.seen.get(key) != value}}
        if call:
            entry["call"] = dict(zip(("name", "args", "result", "gloss"), call))
        self.seen |= state
        self.steps.append(entry)

    def recording(self) -> dict:
        return {**self.whole, "functions": self.functions, "steps": self.steps}


def leaf(who: str, *events: str, callback: str = "") -> dict:
    return {"who": who, "fd": 5, "events": list(events), "callback": callback}


def connection(owed: int, state: str = "reading") -> dict:
    return {"who": "c1", "state": state, "owed": owed, "list": "idle", "ends": "60 s"}


def begin(tape: Tape) -> None:
    """Until c1 hangs on the tree."""
    listener = leaf("text-listener", "EPOLLIN")
    tape.step(0, "client", "run", "c1-connect", tree=[listener], ready=[], conns=[], sockets=[],
              derived=["ready"])
    tape.step(0, "call", "run", "", ("epoll_wait", "forever", "text-listener EPOLLIN",
                                     "wakes up: text-listener has a client waiting"),
              ready=[{"who": "text-listener", "events": ["EPOLLIN"]}])
    tape.step(0, "enter", "run on_acceptable", "", ready=[])
    tape.step(0, "call", "run on_acceptable", "c1-accept",
              ("accept4", "text-listener", "c1", "takes the next client: c1"),
              sockets=[{"who": "c1", "in": 0, "out": 0}], conns=[connection(0)])
    tape.step(0, "call", "run on_acceptable watch", "",
              ("epoll_ctl", "ADD, c1, EPOLLIN", "",
               "hangs c1 on the tree, to be told when it is readable"),
              tree=[listener, leaf("c1", "EPOLLIN")])


def read(tape: Tape) -> None:
    tape.step(1, "client", "run", "c1-send-1", sockets=[{"who": "c1", "in": 6, "out": 0}])
    tape.step(1, "call", "run", "", ("epoll_wait", "timeout", "c1 EPOLLIN",
                                     "wakes up: c1 is readable"),
              ready=[{"who": "c1", "events": ["EPOLLIN"]}])
    tape.step(1, "enter", "run on_readable", "", ready=[])
    tape.step(1, "call", "run on_readable", "c1-first-in",
              ("recvfrom", "c1", "6", "reads 6 bytes from c1"),
              sockets=[{"who": "c1", "in": 0, "out": 0}], conns=[connection(6)])


def interest(tape: Tape, bit: str, wish: str) -> None:
    tape.step(1, "call", "run on_readable watch", "",
              ("epoll_ctl", f"MOD, c1, {bit}", "", f"from now on: tell when c1 is {wish}"),
              tree=[leaf("text-listener", "EPOLLIN"), leaf("c1", bit)])


def write(tape: Tape) -> None:
    tape.step(1, "call", "run on_writable", "c1-first-out",
              ("sendto", "c1", "6", "sends 6 bytes to c1"),
              sockets=[{"who": "c1", "in": 0, "out": 6}], conns=[connection(0)])


def end(tape: Tape) -> None:
    tape.step(2, "client", "run", "c1-receive-1", sockets=[{"who": "c1", "in": 0, "out": 0}])
    tape.step(3, "client", "run", "c1-close")
    tape.step(3, "call", "run", "", ("epoll_wait", "timeout", "c1 EPOLLIN",
                                     "wakes up: c1 is readable"))
    tape.step(3, "call", "run on_readable", "c1-end", ("recvfrom", "c1", "0",
                                                       "c1 has ended its side"))
    tape.step(3, "call", "run", "", ("close", "c1", "", "closes c1"), sockets=[], conns=[],
              tree=[leaf("text-listener", "EPOLLIN")])


def recordings() -> list[dict]:
    plain = Tape("01", "01_plain_epoll", "01_plain_epoll")
    for part in (begin, read, write, end):
        part(plain)
    swapped = Tape("02", "02_epoll_reactor", "02_epoll_reactor")
    begin(swapped)
    read(swapped)
    interest(swapped, "EPOLLOUT", "writable")
    swapped.step(1, "call", "run", "", ("epoll_wait", "timeout", "c1 EPOLLOUT",
                                        "wakes up: c1 is writable"))
    write(swapped)
    interest(swapped, "EPOLLIN", "readable")
    end(swapped)
    return [plain.recording(), swapped.recording()]
