"""Conversations with a server, as text files: what clients send, and what they must get.

A file is read from top to bottom, one step a line:

    title: Two requests on one connection        what `make diff` shows next to the name
    flags: --idle-timeout 0.5                    flags for the server (optional)
    files: 12                                    its limit of open descriptors (optional)
    counts: epoll_ctl 2 sendto 1                 system calls per request (optional; for the lab)
    recorded: * 10000 for * 50000                fewer bytes in a recording (optional)
    let HELLO = "GET /hello HTTP/1.1\\r\\n"        a name for bytes; they may go on in the
                "Host: lab\\r\\n\\r\\n"              next line, indented
    * the first request                          a caption for the steps that follow (optional)
    c1 connects to http                          or to text; clients are called c1, c2 ...
    c1 sends HELLO "more" "x" * 1000             bytes are names and strings, one after the other
    c1 sends "abc" byte by byte                  each byte in a packet of its own
    c1 receives "HTTP/1.1 200 OK\\r\\nDate: <date>\\r\\n..."
                                                 exactly these bytes; <date> is any date
    c1 receives nothing for 0.2 s
    c1 half-closes                               says that it will send no more
    c1 is closed                                 the server ends the connection, and not by a reset
    c1 closes        c1 resets                   the client goes, politely or not
    c1 is accepted                               it is out of the accept queue: the server has it
    server holds 2 clients                       it has so many sockets more than at the beginning
    server gets SIGTERM                          or SIGINT, SIGHUP, SIGSTOP, SIGCONT
    server sleeps                                it waits for news, and does not spin
    server exits with 0
    pause 0.2 s

A client reads only where a step says so; until then bytes wait in the kernel. Each step begins when
the server has dealt with the one before and sleeps. A line that starts with # is a comment.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import pathlib
import re
import resource
import select
import shlex
import signal
import socket
import struct
import termios
import threading
import time

from tests import harness
from tests.lib import wire

FOLDER = pathlib.Path(__file__).resolve().parent / "conversations"
PATIENCE = 8.0  # an answer that takes longer is taken for none; bounds the run, judges no speed
BULK = 4 << 20  # bytes that may take PATIENCE once more
DERAILED = 0.4  # for what is waited for behind a wrong answer
STUCK = 0.3  # what is in flight for so long waits for a window: longer than an ACK is put off
QUIET = 0.15  # a wrong answer is over when nothing more has come for so long
TCP_CLOSE = 7  # linux/tcp_states.h
ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\", '"': '"'}
DATE = re.compile(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n")
DATE_MARK = b"Date: <date>\r\n"
DATE_EXTRA = len("Sat, 21 Nov 2026 12:00:00 GMT") - len("<date>")


STOP = threading.Event()  # set: whoever plays stops at once


class Stopped(Exception):
    """STOP was set."""


class WrongStep(Exception):
    """A step that cannot be understood; the text starts with file:line."""


@dataclasses.dataclass(frozen=True)
class Step:
    line: int
    text: str  # as written, long strings cut
    caption: str
    verb: str
    client: str = ""
    data: bytes = b""
    value: str = ""

    @property
    def weight(self) -> float:
        """How much more patience it needs than one that moves a few bytes."""
        return 1 + len(self.data) / BULK


@dataclasses.dataclass
class Conversation:
    path: pathlib.Path
    title: str = ""
    flags: list[str] = dataclasses.field(default_factory=list)
    files: int = 0
    counts: dict[str, float] = dataclasses.field(default_factory=dict)
    recorded: tuple[str, str] | None = None  # what stands in the file, and what instead of it
    steps: list[Step] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def ports(self) -> set[str]:
        return {step.value for step in self.steps if step.verb == "connects"}


# ---- reading a file ------------------------------------------------------------------------------

TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([A-Z][A-Z0-9_]*))(?:\s*\*\s*(\d+))?')
NUMBER = r"(\d+(?:\.\d+)?) s"
STEPS = (  # pattern, verb; the groups are client and value
    (r"(c\d) connects to (text|http)", "connects"),
    (r"(c\d) receives nothing for " + NUMBER, "silence"),
    (r"(c\d) half-closes()", "half-closes"),
    (r"(c\d) is closed()", "end"),
    (r"(c\d) is accepted()", "accepted"),
    (r"()server holds (\d+) clients?", "holds"),
    (r"(c\d) closes()", "closes"),
    (r"(c\d) resets()", "resets"),
    (r"()server gets (SIGTERM|SIGINT|SIGHUP|SIGSTOP|SIGCONT)", "signal"),
    (r"()server sleeps()", "sleeps"),
    (r"()server exits with (\d+)", "exit"),
    (r"()pause " + NUMBER, "pause"),
)


def unescape(text: str) -> bytes:
    out = bytearray()
    at = 0
    while at < len(text):
        char = text[at]
        if char != "\\":
            out += char.encode()
            at += 1
        elif hexa := re.match(r"x([0-9a-fA-F]{2})", text[at + 1:]):
            out.append(int(hexa[1], 16))
            at += 4
        elif text[at + 1] in ESCAPES:
            out += ESCAPES[text[at + 1]].encode()
            at += 2
        else:
            raise ValueError(f"\\{text[at + 1]} is no escape (\\r \\n \\t \\0 \\\\ \\\" \\xHH are)")
    return bytes(out)


def parse_bytes(text: str, names: dict[str, bytes]) -> tuple[bytes, str]:
    """The bytes that `text` starts with, and what stands behind them."""
    data, found = b"", False
    while match := TOKEN.match(text):
        quoted, name, times = match.groups()
        if name is not None and name not in names:
            raise ValueError(f"{name} is not defined (let {name} = ...)")
        data += (unescape(quoted) if name is None else names[name]) * int(times or 1)
        text, found = text[match.end():], True
    if not found:
        raise ValueError(f"bytes in double quotes expected, not {text.strip()[:30]!r}")
    return data, text.strip()


def shorten(text: str, width: int = 64) -> str:
    return text if len(text) <= width else text[:width - 1] + "…"


class Reader:
    """Turns the lines of a file into a Conversation."""

    def __init__(self, path: pathlib.Path):
        self.conversation = Conversation(path)
        self.names: dict[str, bytes] = {}
        self.caption = ""
        self.clients: set[str] = set()

    def read(self, text: str) -> Conversation:
        for number, line in self.logical_lines(text):
            try:
                self.take(number, line)
            except ValueError as why:
                raise WrongStep(f"{self.conversation.path}:{number}: {why}") from None
        if not self.conversation.steps:
            raise WrongStep(f"{self.conversation.path}:1: no step in this file")
        return self.conversation

    @staticmethod
    def logical_lines(text: str):
        """Lines with their continuations (indented) joined, comments and empty lines left out."""
        joined: list[tuple[int, str]] = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            if line[0].isspace() and joined:
                joined[-1] = (joined[-1][0], f"{joined[-1][1]} {line.strip()}")
            else:
                joined.append((number, line.strip()))
        return joined

    def take(self, number: int, line: str) -> None:
        conversation = self.conversation
        if line.startswith("title:"):
            conversation.title = line[6:].strip()
        elif line.startswith("flags:"):
            conversation.flags = shlex.split(line[6:])
        elif match := re.fullmatch(r"files:\s*(\d+)", line):
            conversation.files = int(match[1])
        elif match := re.fullmatch(r"counts:((?:\s+\w+ [\d.]+)+)", line):
            words = match[1].split()
            conversation.counts = dict(zip(words[::2], map(float, words[1::2])))
        elif match := re.fullmatch(r"recorded: (\* \d+) for (\* \d+)", line):
            conversation.recorded = match[2], match[1]
        elif line.startswith("*"):
            self.caption = line[1:].strip()
        elif match := re.match(r"let ([A-Z][A-Z0-9_]*) =", line):
            self.names[match[1]], rest = parse_bytes(line[match.end():], self.names)
            self.nothing_behind(rest)
        else:
            conversation.steps.append(self.step(number, line))

    def step(self, number: int, line: str) -> Step:
        def make(verb: str, client: str, data: bytes = b"", value: str = "") -> Step:
            self.check_client(client, verb)
            return Step(number, shorten(line), self.caption, verb, client, data, value)

        for pattern, verb in STEPS:
            if match := re.fullmatch(pattern, line):
                return make(verb, match[1], value=match[2])
        if match := re.match(r"(c\d) (sends|receives)\b", line):
            data, rest = parse_bytes(line[match.end():], self.names)
            if match[2] == "sends" and rest == "byte by byte":
                return make("sends", match[1], data, "byte by byte")
            self.nothing_behind(rest)
            return make(match[2], match[1], data)
        raise ValueError(f"no such step: {shorten(line)!r} (all steps are in "
                         f"{pathlib.Path(__file__).name})")

    def check_client(self, client: str, verb: str) -> None:
        if verb == "connects":
            if client in self.clients:
                raise ValueError(f"{client} is connected already")
            self.clients.add(client)
        elif client and client not in self.clients:
            raise ValueError(f"{client} is not connected")

    @staticmethod
    def nothing_behind(rest: str) -> None:
        if rest:
            raise ValueError(f"cannot understand {shorten(rest, 30)!r}")


def load(path: pathlib.Path) -> Conversation:
    return Reader(path).read(path.read_text(encoding="utf-8"))


def load_all(folder: pathlib.Path = FOLDER) -> list[Conversation]:
    return [load(path) for path in sorted(folder.glob("*.conv"))]


def find(name: str, folder: pathlib.Path = FOLDER) -> Conversation:
    known = {path.stem: path for path in sorted(folder.glob("*.conv"))}
    if name not in known:
        raise WrongStep(f"no conversation {name!r}; there are: {' '.join(known)}")
    return load(known[name])


# ---- playing it ----------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Observation:
    """What one step saw: equal bytes mean the same behaviour."""
    step: Step
    expected: bytes
    got: bytes
    seconds: float = dataclasses.field(default=0.0, compare=False)  # until the last byte came

    @property
    def same(self) -> bool:
        return self.expected == self.got

    @property
    def at(self) -> int:
        """The first differing byte."""
        pairs = zip(self.expected, self.got)
        return next((i for i, (a, b) in enumerate(pairs) if a != b),
                    min(len(self.expected), len(self.got)))


class Client:
    def __init__(self, sock: socket.socket):
        self.socket = sock
        self.socket.setblocking(False)
        self.unsent = memoryview(b"")  # to cut the front off megabytes copies none of them
        self.unread = b""
        self.shut = False  # half-close as soon as all is sent
        self.derailed = False  # has got a wrong answer
        self.heard = 0.0  # when something came last
        self.ended = ""  # "end" or "reset", once the server has ended it

    def push(self) -> bool:
        """Sends what the kernel takes. True: something moved."""
        moved = False
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent[:1 << 16]):]
                moved = True
            if self.shut:
                self.shut = False
                self.socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self.unsent, self.shut = memoryview(b""), False  # the reading side says what happened
        return moved

    def pull(self) -> bool:
        """Reads what has come. True: something did."""
        try:
            piece = self.socket.recv(1 << 18)
        except BlockingIOError:
            return False
        except OSError as why:
            self.ended = "reset" if why.errno == errno.ECONNRESET else str(why)
            piece = b""
        if not piece:
            self.ended = self.ended or "end"
        self.unread += piece
        self.heard = time.monotonic()
        return True

    def in_flight(self) -> int:
        """Bytes that are on their way: the server's kernel has not got them yet."""
        if self.socket.fileno() < 0:
            return 0
        state = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if state == TCP_CLOSE:  # after a reset what was on its way counts for ever
            return 0
        count = fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        return struct.unpack("i", count)[0]

    def accepted(self) -> bool:
        """A process has the other end. While that waits in the accept queue, it has no inode."""
        if self.socket.fileno() < 0:
            return False
        pair = (self.socket.getpeername()[1], self.socket.getsockname()[1])
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with contextlib.suppress(FileNotFoundError), open(table, encoding="ascii") as lines:
                for fields in map(str.split, list(lines)[1:]):
                    if tuple(int(end.rpartition(":")[2], 16) for end in fields[1:3]) == pair:
                        return fields[9] != "0"
        return False

    def close(self, reset: bool = False) -> None:
        if self.socket.fileno() >= 0:
            if reset:
                wire.reset_when_closed(self.socket)
            self.socket.close()


def sleeps(pid: int) -> bool:
    """The process waits for something to happen (or is stopped, or gone): all its threads do."""
    try:
        return all(harness.stat_of(f"{pid}/task/{thread}")[0] in "STZX"
                   for thread in os.listdir(f"/proc/{pid}/task"))
    except (FileNotFoundError, ProcessLookupError):
        return True


class Player:
    """Plays a conversation against a running server. It ends early if after_step says True."""

    def __init__(self, server: harness.Server, conversation: Conversation, asleep=None,
                 after_step=lambda step: None, patience: float = PATIENCE):
        self.server = server
        self.conversation = conversation
        self.patience = patience
        self.asleep = asleep or (lambda: sleeps(server.pid))
        self.after_step = after_step
        self.clients: dict[str, Client] = {}
        self.observations: list[Observation] = []
        self.exited = False
        self.step = conversation.steps[0]
        self.calm = True  # the last step ended with a server that sleeps
        self.sockets = 0  # those it has without a client
        self.sockets = self.held()

    def play(self) -> list[Observation]:
        try:
            for step in self.conversation.steps:
                self.step = step
                if not self.do(step):
                    break
                self.settle()
                if self.after_step(step):
                    break
            self.nothing_left()
        finally:
            for client in self.clients.values():
                client.close()
        return self.observations

    def do(self, step: Step) -> bool:
        """False: without a server there is no sense in going on."""
        verb = step.verb
        client = self.clients.get(step.client)
        if verb == "connects":
            try:
                self.clients[step.client] = Client(self.server.connect(step.value, PATIENCE))
            except OSError as why:
                self.observations.append(Observation(step, b"connected", str(why).encode()))
                return False
        elif verb == "sends":
            pieces = [bytes([b]) for b in step.data] if step.value else [step.data]
            for piece in pieces:
                client.unsent = memoryview(bytes(client.unsent) + piece)
                self.settle()
        elif verb == "half-closes":
            client.shut = True
        elif verb in ("closes", "resets"):
            client.close(reset=verb == "resets")
        elif verb == "signal":
            self.server.signal(getattr(signal, step.value))
        elif verb == "pause":
            self.pump(float(step.value))
        else:
            self.observe(step, client)
        return True

    def observe(self, step: Step, client: Client | None) -> None:
        began = time.monotonic()
        if step.verb == "receives":
            seen = (step.data, self.receive(client, step.data))
        elif step.verb == "silence":
            deadline = time.monotonic() + float(step.value)
            self.read_until(client, lambda: client.unread or time.monotonic() > deadline)
            seen = (b"", self.take(client) + client.ended.encode())
        elif step.verb == "end":
            self.read_until(client, lambda: client.ended)
            seen = (b"end", self.take(client) + (client.ended or "still open").encode())
        elif step.verb == "accepted":
            seen = (b"accepted", b"accepted" if self.becomes(client.accepted) else b"waiting")
        elif step.verb == "holds":
            self.becomes(lambda: self.held() == int(step.value))
            seen = (step.value.encode(), str(self.held()).encode())
        elif step.verb == "sleeps":
            seen = (b"asleep", b"busy" if self.spins() else b"asleep")
        else:
            seen = (step.value.encode(), self.exit_status().encode())
            self.exited = True
        seconds = max(0.0, client.heard - began) if client else 0.0
        self.observations.append(Observation(step, *seen, seconds))
        if client and not self.observations[-1].same:
            client.derailed = True

    def receive(self, client: Client, expected: bytes) -> bytes:
        dates = expected.count(DATE_MARK)
        size = len(expected) + DATE_EXTRA * dates

        def wrong() -> bool:
            if not dates:  # of megabytes each piece is a look at all of them: one is enough
                return not expected.startswith(client.unread[:size])
            text = DATE.sub(DATE_MARK, client.unread[:size])
            text = re.sub(rb"Date: [^\r\n]*\r?\Z", b"Date: ", text)
            return not expected.startswith(text)

        self.read_until(client, lambda: len(client.unread) >= size or wrong())
        if len(client.unread) < size or wrong():
            return self.take_all(client)
        return self.take(client, size)

    def take_all(self, client: Client) -> bytes:
        """A wrong answer: whatever comes until it is quiet belongs to it, so that the next step
        starts afresh."""
        last, size = time.monotonic(), -1

        def quiet() -> bool:
            nonlocal last, size
            if size != len(client.unread):
                last, size = time.monotonic(), len(client.unread)
            return time.monotonic() - last > QUIET

        self.read_until(client, quiet)
        return self.take(client)

    @staticmethod
    def take(client: Client, size: int | None = None) -> bytes:
        size = len(client.unread) if size is None else size
        piece, client.unread = client.unread[:size], client.unread[size:]
        return DATE.sub(DATE_MARK, piece)

    def held(self) -> int:
        """Clients, by the number of its sockets."""
        with contextlib.suppress(FileNotFoundError):
            return self.server.sockets() - self.sockets
        return 0  # it is gone

    def becomes(self, condition) -> bool:
        """Is it so, now or soon?"""
        deadline = time.monotonic() + self.patience
        while not condition() and time.monotonic() < deadline:
            self.pump(0.01)
        return condition()

    def exit_status(self) -> str:
        self.becomes(lambda: self.server.process.poll() is not None)
        status = self.server.process.poll()
        return "still running" if status is None else str(status)

    def spins(self) -> bool:
        """At most looks it runs, or would if the machine had time: who waits is found asleep."""
        looks = 20
        busy = 0
        for _ in range(looks):
            self.pump(0.01)
            busy += not self.asleep()
        return busy > looks / 2

    def read_until(self, client: Client, done) -> None:
        deadline = time.monotonic() + (DERAILED if client.derailed else
                                       self.patience * self.step.weight)
        while not done() and not client.ended and time.monotonic() < deadline:
            self.push_all()
            if not client.pull():
                select.select([client.socket], [], [], 0.005)

    def push_all(self) -> bool:
        if STOP.is_set():
            raise Stopped
        return any([c.push() for c in self.clients.values() if c.socket.fileno() >= 0])

    def pump(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.push_all()
            time.sleep(min(left, 0.005))

    def settle(self) -> None:
        """Until the server has dealt with all it was sent and sleeps. What cannot be sent, because
        the server does not read at the moment, waits: two looks that find no change are enough.
        So does what the kernel took and finds no window for."""
        since = time.monotonic()
        deadline = since + self.patience * self.step.weight
        calm, in_flight = 0, 0
        while calm < 3 and (now := time.monotonic()) < deadline:
            moved = self.push_all()
            busy = moved or not self.asleep()
            if in_flight != (in_flight := sum(c.in_flight() for c in self.clients.values())):
                since = now
            stuck = any(c.unsent for c in self.clients.values()) or now - since > STUCK
            if not stuck:
                busy = busy or in_flight > 0
            calm = 0 if busy else calm + 1
            time.sleep(0.02 if stuck else 0.0005)
        self.calm = calm >= 3

    def nothing_left(self) -> None:
        """What came and was not asked for is a difference too, and so is a server that died."""
        last = self.conversation.steps[-1]
        for name, client in self.clients.items():
            while client.socket.fileno() >= 0 and not client.ended and client.pull():
                pass
            if client.unread:
                step = dataclasses.replace(last, text=f"{name} is left with", client=name)
                self.observations.append(Observation(step, b"", self.take(client)))
        if not self.exited and self.server.process.poll() is not None:
            self.died(f"exit status {self.server.process.returncode}")

    def died(self, how: str) -> None:
        step = dataclasses.replace(self.conversation.steps[-1], text="server ends", client="")
        seen = f"{how}; stderr: {self.server.stderr()[-2000:]}".encode()
        self.observations.append(Observation(step, b"", seen))


def limit_files(count: int):
    """For the server's process: no more descriptors than that."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count)) if count else None


def play(conversation: Conversation, target: str, ports=("text", "http"),
         patience: float = PATIENCE) -> list[Observation]:
    """Starts that server, plays, and ends it: it has to exit with 0."""
    with harness.Server(target, *conversation.flags, ports=ports,
                        preexec=limit_files(conversation.files)) as server:
        player = Player(server, conversation, patience=patience)
        player.play()
        if not player.exited and (status := server.stop()) != 0 and not any(
                o.step.text == "server ends" for o in player.observations):
            player.died(f"exit status {status}")
        return player.observations


# ---- showing a difference ------------------------------------------------------------------------

def printable(data: bytes) -> str:
    """As it would be written in a .conv file."""
    text = data.decode("utf-8", errors="backslashreplace")
    named = {"\r": "\\r", "\n": "\\n", "\t": "\\t", "\0": "\\0", '"': '\\"'}
    return "".join(named.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in text)


def context(data: bytes, at: int, before: int = 16, after: int = 24) -> str:
    """The bytes around an offset, with a mark in front of it."""
    start = max(0, at - before)
    left = ("…" if start else "") + printable(data[start:at])
    if at >= len(data):
        return f'"{left}" and no more'
    return f'"{left}»{printable(data[at:at + after])}{"…" if at + after < len(data) else ""}"'


def difference(seen: Observation, conversation: Conversation) -> list[str]:
    """First differing byte, with context on both sides."""
    path = conversation.path
    if path.is_relative_to(harness.ROOT):
        path = path.relative_to(harness.ROOT)
    return [f"{path}:{seen.step.line}: {shorten(seen.step.text, 48)}: byte {seen.at} differs",
            f"  expected {context(seen.expected, seen.at)}",
            f"  got      {context(seen.got, seen.at)}"]
