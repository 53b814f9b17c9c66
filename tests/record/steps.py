"""From marks to the steps of a recording, each with what has changed, and a name where something
happens for the first time:

    c1-connect, c1-send-1, c1-receive-1, c1-half-close, c1-end, c1-close, c1-reset, c1-silence-1,
    pause-1, sigterm              a client has begun its step; the server has not run yet
    c1-accepted                   accept4 has returned it
    c1-first-in, c1-first-out     epoll_wait says that it is readable, writable
    c1-first-read, c1-first-send  bytes have moved
    c1-asks-in, c1-asks-out, c1-asks-in-again     of what of it the server wants to be told
    c1-unwatched                  it has been taken off
    c1-partial-send               the kernel took a part; c1-send-refused: nothing
    c1-eof                        a read of nothing: it has ended its side; c1-read-refused: EAGAIN
    c1-shutdown, c1-closed        the server ends its side, or lets it go
    c1-bytes-vanish               fewer bytes are owed, and nothing was sent
    time-out                      epoll_wait returns because of the clock
    stops                         the server hears of the signal
    exits
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import re

from tests.compare import calls, conversation as conv
from tests.lib import strace
from tests.record.marks import Function, Mark

BULK = 64 * 1024  # bytes of one client step: the kernel cuts them differently each time
SHOWN = 120  # characters of what a client sends or gets
HOW_MANY = re.compile(r"(\d+)$|iov_len=(\d+)\}\], \d+$")


def load(path: pathlib.Path) -> conv.Conversation:
    """As it is recorded: with fewer bytes where it says so."""
    read = conv.load(path)
    if not read.recorded:
        return read
    return conv.Reader(path).read(path.read_text(encoding="utf-8").replace(*read.recorded))


def find(name: str) -> conv.Conversation:
    return load(conv.find(name).path)


def client_entry(step: conv.Step, name: str) -> dict:
    data = conv.shorten(conv.printable(step.data[:4 * SHOWN]), SHOWN)
    return {"who": step.client, "text": step.text, "caption": step.caption, "name": name,
            "sends": data if step.verb == "sends" else "",
            "gets": data if step.verb == "receives" else ""}


VERBS = {"connects": "connect", "half-closes": "half-close", "closes": "close", "resets": "reset",
         "sends": "send", "receives": "receive", "silence": "silence", "end": "end"}


def client_names(conversation: conv.Conversation) -> list[str]:
    """One for each step; what happens again and again is counted."""
    counted, found = collections.Counter(), []
    for step in conversation.steps:
        what = VERBS.get(step.verb, step.verb)
        name = step.value.lower() if step.verb == "signal" else f"{step.client}-{what}".strip("-")
        counted[name] += 1
        often = step.verb in ("sends", "receives", "silence", "pause")
        found.append(f"{name}-{counted[name]}" if often or counted[name] > 1 else name)
    return found


class Recording:
    """The steps so far."""

    def __init__(self, conversation: conv.Conversation):
        names = client_names(conversation)
        self.clients = [client_entry(s, n) for s, n in zip(conversation.steps, names)]
        self.functions: list[dict] = []
        self.steps: list[dict] = []
        self.indices: dict[Function, int] = {}
        self.client = -1  # the last step that has begun
        self.used: set[str] = set()
        self.known: dict[str, list] = {}  # state as it was shown last, by key
        self.owed: dict[str, int] = {}
        self.sent: collections.Counter[str] = collections.Counter()
        self.moved: collections.Counter[int] = collections.Counter()  # bytes, by client step

    @property
    def bulk(self) -> bool:
        return any(count > BULK for count in self.moved.values())

    def index_of(self, function: Function) -> int:
        if function not in self.indices:
            self.indices[function] = len(self.functions)
            self.functions.append(dataclasses.asdict(function))
        return self.indices[function]

    def add(self, kind: str, mark: Mark, state: dict, call: dict | None = None,
            name: str = "") -> None:
        stack = [self.index_of(frame.function) for frame in reversed(mark.frames)]
        line = mark.frames[0].line if mark.frames else 0
        if kind == "enter":
            line = mark.frames[0].function.line
        step = {"client": self.client, "kind": kind, "fn": stack[-1] if stack else -1,
                "line": line, "stack": stack, "state": self.changed(state),
                "name": self.unique(self.vanished(state) or name)}
        if call:
            step["call"] = call
        self.steps.append(step)

    def unique(self, name: str) -> str:
        if name.endswith("-asks-in") and name.replace("-in", "-out") in self.used:
            name += "-again"
        if name in self.used:
            return ""
        self.used.add(name)
        return name

    def changed(self, state: dict) -> dict:
        found = {key: value for key, value in state.items() if self.known.get(key) != value}
        self.known.update(found)
        return found

    def vanished(self, state: dict) -> str:
        """Who is owed less by more than what was sent."""
        name = ""
        for entry in state["conns"]:
            who, owed = entry["who"], entry["owed"] or 0
            before = self.owed.get(who, 0)
            if owed < before:
                if before - owed > self.sent[who] and entry["state"] != "closed":
                    name = f"{who}-bytes-vanish"
                self.sent[who] = 0
            self.owed[who] = owed
        return name

    # ---- calls -----------------------------------------------------------------------------------

    def count(self, said: strace.Call, who: str) -> None:
        """What has been moved."""
        if said.result.isdigit() and said.name in calls.READS | calls.WRITES:
            self.moved[self.client] += int(said.result)
            if said.name in calls.WRITES:
                self.sent[who] += int(said.result)


def call_entry(call: calls.Call) -> dict:
    """The parts of what `make trace` shows."""
    match = re.fullmatch(r"(\w+)\((.*?)\)(?: = (.*))?", call.text)
    if not match:  # a signal
        return {"name": call.name, "args": call.text, "result": "", "gloss": call.gloss}
    entry = {"name": call.name, "args": match[2], "gloss": call.gloss,
             "result": call.size or match[3] or "0"}
    return entry | ({"data": call.payload} if call.payload else {})


def name_of(said: strace.Call, call: calls.Call, who: str) -> str:
    """Of what a call does, if it is worth one; the first one with it keeps it."""
    if call.name.startswith("epoll_") and "wait" in call.name:
        return name_of_wait(call)
    if call.name in calls.ACCEPTS:
        return f"{call.text.rpartition(' = ')[2]}-accepted" if said.result.isdigit() else ""
    if not re.match(r"c\d", who):
        return ""
    if call.name == "epoll_ctl":
        return f"{who}-{name_of_control(said)}"
    if call.name in calls.READS:
        return f"{who}-{name_of_read(said.result)}"
    if call.name in calls.WRITES:
        return f"{who}-{name_of_write(said)}"
    return {"shutdown": f"{who}-shutdown", "close": f"{who}-closed"}.get(call.name, "")


def name_of_wait(call: calls.Call) -> str:
    if call.text.endswith("time-out"):
        return "time-out"
    for who, bits in re.findall(r"(c\d) (\S+?)(?:,|$)", call.text):
        return f"{who}-first-{'out' if 'EPOLLOUT' in bits else 'in'}"
    return ""


def name_of_control(said: strace.Call) -> str:
    if "EPOLLOUT" in said.args:
        return "asks-out"
    return "asks-in" if "EPOLLIN" in said.args else "unwatched"


def name_of_read(result: str) -> str:
    if result == "0":
        return "eof"
    return "first-read" if result.isdigit() else "read-refused"


def name_of_write(said: strace.Call) -> str:
    if not said.result.isdigit():
        return "send-refused"
    asked = HOW_MANY.search(said.args)
    wanted = int(asked[1] or asked[2]) if asked else 0
    return "partial-send" if int(said.result) < wanted else "first-send"
