"""The system-call view: what a server asks of the kernel at each step of a conversation.

strace says it; here every descriptor gets the name of its role (c1, http-listener, epoll ...), and
what differs from run to run (addresses, ports, process ids, time-outs, dates) is left out, so that
two runs give the same text. Calls on other descriptors (the time-zone file, say), memory and
set-up before the first client are not shown. A line of strace's that is not understood is an error.
"""

from __future__ import annotations

import codecs
import collections
import dataclasses
import re
import tempfile

from tests import harness
from tests.compare import conversation as conv
from tests.lib import strace
from tests.lib.words import Said, joined, say

TRACED = "%network,%desc,exit_group"
BULK = 256 * 1024  # the kernel cuts a step that moves more bytes differently each time
LONGEST_CYCLE = 8
PAYLOAD = re.compile(r'"((?:[^"\\]|\\.)*)"')
PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
READS = {"recvfrom", "read", "readv", "recvmsg"}
ACCEPTS = ("accept", "accept4")
WRITES = {"sendto", "write", "writev", "sendmsg"}


@dataclasses.dataclass(frozen=True)
class Call:
    name: str
    text: str  # normalised, without what was sent or received
    gloss: Said
    size: str = ""  # bytes moved
    payload: str = ""  # how those begin

    @property
    def line(self) -> str:
        shown = f" {self.payload}" if self.payload else ""
        return f"{self.text}{' = ' if self.size else ''}{self.size}{shown}"

    @property
    def key(self) -> str:
        """What makes two calls of a cycle the same."""
        return f"{self.text} {self.size}"


@dataclasses.dataclass
class StepCalls:
    step: conv.Step
    calls: list[Call]
    rests: str = ""  # in this call, when all is done

    @property
    def bulk(self) -> bool:
        return sum(int(call.size or 0) for call in self.calls) > BULK

    def lines(self) -> list[tuple[str, Said]]:
        """Text and gloss of each line of the timeline."""
        if not self.bulk:
            return list(fold(without_chance(self.calls, self.step.verb)))
        kinds = [(call.text, uncounted(call.gloss)) for call in self.calls]
        often = sorted(kind for kind, count in collections.Counter(kinds).items() if count > 2)
        return [(say("{text}, many times", text=text), gloss) for text, gloss in often]


def uncounted(gloss: Said) -> Said:
    return Said(re.sub(r"\d+ bytes?", "bytes", gloss), re.sub(r"\d+ 字节", "数据", gloss.zh))


@dataclasses.dataclass
class Trace:
    steps: list[StepCalls]
    seen: list[conv.Observation]

    @property
    def requests(self) -> int:
        """Answers of the HTTP port, and lines or pieces sent to the text port."""
        text = {s.step.client for s in self.steps if s.step.value == "text"}
        sends = sum(1 for s in self.steps if s.step.verb == "sends" and s.step.client in text)
        answers = sum(len(re.findall(rb"HTTP/1.1 (?!100)\d", o.got)) for o in self.seen)
        return sends + answers

    @property
    def countable(self) -> bool:
        return self.requests > 0 and not any(s.bulk for s in self.steps)

    def by_kind(self) -> dict[str, float]:
        """Calls per request: those of the steps in which a client sends."""
        names = [c.name for s in self.steps if s.step.verb == "sends" for c in s.calls]
        return {name: count / self.requests for name, count in collections.Counter(names).items()}


def fold(calls: list[Call]):
    """Lines; a group of calls that repeats at least three times in a row is shown once. How often a
    timer strikes in vain depends on the clock: such a group is shown once and not counted."""
    calls = [call for i, call in enumerate(calls)
             if not (timed(call) and i > 0 and calls[i - 1].text == call.text)]
    at = 0
    while at < len(calls):
        length, times = cycle(calls, at)
        group = calls[at:at + length]
        for call in group:
            yield call.line, call.gloss
        if times > 1:
            how_often = (say("and again") if any(map(timed, group))
                         else say("{times} times in all", times=times))
            what = "… the line above, {how_often}" if length == 1 else (
                "… the {count} lines above, {how_often}")
            yield say(what, count=length, how_often=how_often), Said("", "")
        at += length * times


CLIENT = re.compile(r"\bc\d")


def without_chance(calls: list[Call], verb: str) -> list[Call]:
    """Without what a timer set off and no client has noticed: it could as well have happened one
    step earlier or later. Where the step is to wait and see, it stays."""
    if verb in ("pause", "silence"):
        return calls
    kept: list[Call] = []
    group: list[Call] = []  # since the timer struck

    def flush() -> None:
        if any(CLIENT.search(call.text) for call in group):
            kept.extend(group)
        group.clear()

    for call in calls:
        if timed(call):
            flush()
            group.append(call)
        elif group and ("wait" not in call.name or waits_for_listener(call)):
            group.append(call)
        else:
            flush()
            kept.append(call)
    flush()
    return kept


def waits_for_listener(call: Call) -> bool:
    return "listener" in call.text and not CLIENT.search(call.text)


def timed(call: Call) -> bool:
    return call.text.endswith("(timeout) = time-out")


def cycle(calls: list[Call], at: int) -> tuple[int, int]:
    """Length and number of the groups that repeat from here on."""
    keys = [call.key for call in calls[at:]]
    for length in range(1, min(LONGEST_CYCLE, len(keys)) + 1):
        times = 1
        while keys[times * length:(times + 1) * length] == keys[:length]:
            times += 1
        if times >= (2 if any(map(timed, calls[at:at + length])) else 3):
            return length, times
    return 1, 1


# ---- from strace's lines to calls ----------------------------------------------------------------

class Names:
    """Which descriptor is what. Learns from the set-up, and from accept4 and close."""

    def __init__(self, ports: dict[str, int], clients: list[str]):
        self.ports = {str(port): f"{name}-listener" for name, port in ports.items()}
        self.clients = list(clients)
        self.roles: dict[str, str] = {}
        self.by_data: dict[int, str] = {}  # the descriptor behind what epoll_wait gives back

    def learn(self, said: strace.Call) -> None:
        name, args, first, result = said.name, said.args, said.parts[0], said.result
        if name.startswith("epoll_create"):
            self.roles[result] = "epoll"
        elif name.startswith("signalfd"):
            self.roles[result] = "signals"
        elif name.startswith("timerfd_create"):
            self.roles[result] = "timer"
        elif name.startswith("eventfd"):
            self.roles[result] = "wake-up"
        elif name.startswith("pipe") and (ends := re.match(r"\[(\d+), (\d+)\]", args)):
            self.roles.update({ends[1]: "signal-pipe", ends[2]: "signal-pipe"})
        elif (name in ("getsockname", "bind") and (port := PORT.search(args))
              and port[1] in self.ports):
            self.roles[first] = self.ports[port[1]]
        elif "F_DUPFD" in args and first in self.roles:
            self.roles[result] = self.roles[first]
        elif name in ACCEPTS and result.isdigit():
            self.roles[result] = self.clients.pop(0) if self.clients else "c?"
        elif name == "epoll_ctl" and "EPOLL_CTL_DEL" not in args:
            (_, data), = said.events
            self.by_data[data] = said.parts[2]

    def role(self, fd: str) -> str:
        return self.roles.get(fd, "")

    def behind(self, data: int) -> str:
        return self.role(self.by_data.get(data, "")) or "?"


def parse(line: str, names: Names) -> Call | None:
    """One line of strace; None for what is not shown."""
    if line.startswith("--- SIG"):
        return Call("signal", f"{line.split()[1]} arrives",
                    say("the kernel interrupts what it does"))
    if line.startswith("exit_group("):
        return Call("exit_group", f"exit_group({line[11:].split(')')[0]})", say("the process ends"))
    if line.startswith("+++ "):
        return None
    said = strace.parse(line)
    if said.name in (*ACCEPTS, "epoll_ctl"):
        names.learn(said)
    call = make_call(said, names)
    if said.name == "close":
        names.roles.pop(said.args, None)
    return call


def make_call(said: strace.Call, names: Names) -> Call | None:
    name, args, parts, result = said.name, said.args, said.parts, said.result
    role = names.role(parts[0])
    if not role:
        return None
    error = result if result.startswith("E") else ""
    if name.startswith("epoll_") and "wait" in name:
        return waited(said, names)
    if name == "epoll_ctl":
        return controlled(said, error, names)
    if name in READS | WRITES:
        return moved(name, role, args, result)
    if name in ACCEPTS:
        who = error or names.role(result)
        return Call(name, f"{name}({role}) = {who}", accept_gloss(who))
    if name == "ioctl" and (count := re.search(r"FIONREAD, \[(\d+)\]", args)):
        return Call(name, f"ioctl({role}, FIONREAD)",
                    say("asks how many bytes wait on {who}", who=role), count[1])
    option = f", {parts[1]}" if name in ("shutdown", "fcntl", "ioctl") and len(parts) > 1 else ""
    text = f"{name}({role}{option})" + (f" = {error}" if error else "")
    return Call(name, text, other_gloss(name, role))


def waited(said: strace.Call, names: Names) -> Call:
    limit = {"-1": "forever", "0": "0"}.get(said.parts[-1], "timeout")
    if said.result == "0":
        seen, gloss = "time-out", say("sleeps until a timer is due")
        if limit == "0":
            gloss = say("looks whether anything is ready: no")
    elif said.result == "EINTR":
        seen, gloss = said.result, say("is woken by a signal")
    else:
        events = [(names.behind(data), bits) for bits, data in said.events]
        seen = ", ".join(f"{who} {bits}" for who, bits in events)
        gloss = say("wakes up: {events}", events=joined([ready(who, bits) for who, bits in events]))
    return Call(said.name, f"{said.name}({limit}) = {seen}", gloss)


def ready(who: str, bits: str) -> Said:
    if "EPOLLERR" in bits:
        return say("{who} has an error", who=who)
    if "EPOLLIN" in bits:
        return say("{who} has a client waiting" if who.endswith("listener") else
                   "{who} is readable", who=who)
    return say("{who} is writable" if "EPOLLOUT" in bits else "{who} was hung up", who=who)


def controlled(said: strace.Call, error: str, names: Names) -> Call:
    operation, who = said.parts[1].removeprefix("EPOLL_CTL_"), names.role(said.parts[2]) or "?"
    bits = said.events[0][0] if operation != "DEL" else ""
    wish = {"EPOLLIN": say("readable"), "EPOLLOUT": say("writable"),
            "EPOLLIN|EPOLLOUT": say("readable or writable")}.get(bits, bits)
    gloss = say({"ADD": "hangs {who} on the tree, to be told when it is {wish}",
                 "MOD": "from now on: tell when {who} is {wish}",
                 "DEL": "takes {who} off the tree"}[operation], who=who, wish=wish)
    inner = ", ".join(part for part in (operation, who, bits) if part)
    return Call("epoll_ctl", f"epoll_ctl({inner})" + (f" = {error}" if error else ""), gloss)


def moved(name: str, role: str, args: str, result: str) -> Call:
    reads = name in READS
    if result.startswith("E"):
        why = {"EAGAIN": "nothing there" if reads else "the kernel's buffer is full",
               "ECONNRESET": "the client has reset the connection"}.get(result, "an error")
        tries = "tries to read from {who}: {why}" if reads else "tries to write to {who}: {why}"
        return Call(name, f"{name}({role}) = {result}", say(tries, who=role, why=say(why)))
    if not CLIENT.match(role):  # signals, pipes: the bytes say nothing to a reader
        moves = "reads what {who} holds" if reads else "writes into {who}, to wake the loop"
        return Call(name, f"{name}({role})", say(moves, who=role))
    if reads and result == "0":
        return Call(name, f"{name}({role})", say("{who} has ended its side", who=role), "0")
    gloss = say("reads {count} from {who}" if reads else "sends {count} to {who}",
                count=plural(result), who=role)
    return Call(name, f"{name}({role})", gloss, result, beginning(args))


def beginning(args: str) -> str:
    """The first line of what was moved, cut short: the second one has the date in it."""
    payload = PAYLOAD.search(args)
    if not payload:
        return ""
    data = codecs.escape_decode(payload[1].encode())[0]
    text = data.split(b"\r\n")[0].decode("utf-8", errors="backslashreplace")
    shown = conv.printable(text[:20].encode())
    return f'"{shown}{"…" if len(text) > 20 or text.encode() != data else ""}"'


def plural(count: str) -> Said:
    return say("1 byte") if count == "1" else say("{count} bytes", count=count)


def accept_gloss(who: str) -> Said:
    return say({"EAGAIN": "nobody else is waiting",
                "EMFILE": "no descriptor is left for the next client"}.get(
                    who, "takes the next client: {who}"), who=who)


def other_gloss(name: str, role: str) -> Said:
    gloss = {"close": "closes {who}", "shutdown": "tells {who} that nothing more will come",
             "setsockopt": "sets an option of {who}", "fcntl": "sets a flag of {who}",
             "getsockname": "asks for the address of {who}"}.get(name)
    return say(gloss, who=role) if gloss else Said("", "")


# ---- running it ----------------------------------------------------------------------------------

def trace(conversation: conv.Conversation, target: str, ports=("text", "http"),
          waits: re.Pattern = strace.EPOLL_WAITS, patience: float = conv.PATIENCE) -> Trace:
    """Plays the conversation against that server under strace."""
    with tempfile.NamedTemporaryFile(prefix="strace-") as file:
        log = strace.Log(file.name, waits)
        cuts: list[int] = []

        def after_step(_: conv.Step) -> None:
            if not player.calm:
                log.resting()
            cuts.append(log.cut)

        with harness.Server(target, *conversation.flags, ports=ports,
                            wrapper=strace.command(file.name, TRACED, "-s", "64"),
                            env=strace.environment(),
                            preexec=conv.limit_files(conversation.files)) as server:
            player = conv.Player(server, conversation, patience=patience,
                                 asleep=lambda: conv.sleeps(server.pid) and log.resting(),
                                 after_step=after_step)
            player.settle()
            if not log.resting():
                raise strace.NotUnderstood("strace does not say that the server waits for clients")
            start = log.cut
            player.play()
        return build(log, start, cuts, server.ports, conversation, player.observations)


def build(log: strace.Log, start: int, cuts: list[int], ports, conversation: conv.Conversation,
          seen: list[conv.Observation]) -> Trace:
    clients = [s.client for s in conversation.steps if s.verb == "connects"]
    names = Names(ports, clients)
    for line in log.part(0, start):
        if strace.CALL.match(line):
            names.learn(said := strace.parse(line))
            if said.name == "close":
                names.roles.pop(said.args, None)
    if unseen := set(names.ports.values()) - set(names.roles.values()):
        missing = " and ".join(unseen)
        raise strace.NotUnderstood(f"strace does not say which descriptor is {missing}")
    steps = []
    for step, end in zip(conversation.steps, cuts):
        calls = [parse(line, names) for line in log.part(start, end)]
        steps.append(StepCalls(step, [call for call in calls if call], resting_in(log, end, names)))
        start = end
    return Trace(steps, seen)


def resting_in(log: strace.Log, at: int, names: Names) -> str:
    """The call whose line begins there: it has not returned yet."""
    text = "".join(log.part(at, at + 40)[:1])
    match = re.match(r"(\w+)\((\d+)", text)
    return f"{match[1]}({names.role(match[2])})" if match else ""
