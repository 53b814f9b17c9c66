"""Plays a conversation against a server that is recorded, and turns its marks into steps.

The server's clock stands still. It moves where a client waits: for an answer, the end or a pause.
"""

from __future__ import annotations

import contextlib
import pathlib
import select
import socket
import struct
import threading
import traceback

from tests import harness
from tests.compare import calls, conversation as conv
from tests.lib import strace
from tests.record import marks, state, steps

SECOND = 10**9
MOST_STEPS = 20_000
PATIENCE = 20.0  # for what comes at once where the machine has time
SMALL_WINDOW = 4096  # what the kernel of a client takes that does not read


class NotRecorded(Exception):
    """What the server told was not understood; the text says where."""


class Tap(threading.Thread):
    """The other end of the library in the server: hears each mark, and lets it go on."""

    def __init__(self, path: pathlib.Path, program: marks.Program,
                 conversation: conv.Conversation):
        super().__init__(daemon=True)
        self.path = path
        self.program = program
        self.recording = steps.Recording(conversation)
        clients = [s.client for s in conversation.steps if s.verb == "connects"]
        self.names = calls.Names({}, clients)
        self.setup: list[strace.Call] = []
        self.lock = threading.RLock()
        self.heard = threading.Condition(self.lock)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.socket: socket.socket | None = None
        self.observer: state.Observer | None = None
        self.pid = 0
        self.sleeping = self.gone = self.begun = False
        self.clock = self.deadline = 0  # of the server
        self.pending = False  # a client's step that is not in the recording yet
        self.signal = ""
        self.ready: list[dict] = []
        self.clients: dict[str, conv.Client] = {}  # those of whoever plays
        self.failure = ""

    def __enter__(self) -> Tap:
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.hang_up()
        self.listener.close()
        if self.observer:
            self.observer.memory.close()

    # ---- the thread ------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            self.serve()
        except NotRecorded as why:
            self.failure = str(why)
        except Exception:  # whoever plays has to know
            self.failure = traceback.format_exc()
        with self.lock:
            self.gone = True
            self.heard.notify_all()
            if self.socket:
                self.socket.close()

    def serve(self) -> None:
        self.listener.settimeout(PATIENCE)
        self.socket, _ = self.listener.accept()
        self.pid = struct.unpack("3i", self.socket.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        starts = " ".join(f"{start:x}" for start in self.program.starts)
        self.socket.send(f"{starts} ".encode())
        while True:
            select.select([self.socket], [], [])
            with self.lock:
                try:
                    said = self.socket.recv(1 << 20)
                except ConnectionResetError:
                    said = b""
                if not said:
                    return
                if said.startswith(b"W") and not self.begun:
                    self.heard.wait_for(lambda: self.names.ports, PATIENCE)
                mark = marks.Mark.read(said.decode(errors="replace"), self.program)
                self.clock = mark.clock
                self.take(mark)
                self.socket.send(b"A")
                self.heard.notify_all()

    def take(self, mark: marks.Mark) -> None:
        self.sleeping = mark.kind in "WR"
        if mark.kind == "W":
            timeout = int(mark.what)
            self.deadline = mark.clock + timeout * 1_000_000 if timeout >= 0 else 0
            if not self.begun:
                return self.begin(mark)
        if not self.begun:
            if mark.kind == "C" and strace.CALL.match(mark.what):
                self.setup.append(strace.parse(mark.what))
            return None
        if self.pending and mark.kind in "KRC":
            self.pending = False
            self.add("client", mark, name=self.recording.clients[self.recording.client]["name"])
        if mark.kind == "E":
            name = "stops" if mark.frames[0].function.name == "on_signal" else ""
            self.add("enter", mark, name=name)
        elif mark.kind == "W":
            self.ready = []
            self.add("wait", mark, waits(mark.what))
        elif mark.kind == "C":
            self.call(mark)
        elif mark.kind == "G":
            self.add("call", mark, steps.call_entry(
                calls.parse(f"--- {self.signal} {{", self.names)))
        return None

    def begin(self, mark: marks.Mark) -> None:
        """The server waits for its first client: what it has done until then names things."""
        for said in self.setup:
            self.names.learn(said)
            if said.name == "close":
                self.names.roles.pop(said.args, None)
        self.observer = state.Observer(self.pid, self.program, self.names)
        self.add("wait", mark, waits(mark.what))
        self.begun = True

    def call(self, mark: marks.Mark) -> None:
        if mark.what.startswith("exit_group("):
            return self.add("call", mark, steps.call_entry(calls.parse(mark.what, self.names)),
                            name="exits")
        said = strace.parse(mark.what)
        who = self.names.role(said.parts[2 if said.name == "epoll_ctl" else 0])
        call = calls.parse(mark.what, self.names)
        if call is None:
            return None
        if "wait" in said.name:
            events = said.events if said.result not in ("0", "EINTR") else []
            self.ready = [{"who": self.names.behind(data), "events": short(bits)}
                          for bits, data in events]
        else:
            self.ready = [entry for entry in self.ready if entry["who"] != who]
        self.recording.count(said, who)
        return self.add("call", mark, steps.call_entry(call),
                        name=steps.name_of(said, call, who))

    def add(self, kind: str, mark: marks.Mark, call: dict | None = None, name: str = "") -> None:
        seen = self.observer.look(mark, self.clients)
        seen |= {"ready": self.ready, "derived": self.observer.derived()}
        self.recording.add(kind, mark, seen, call, name)
        if len(self.recording.steps) > MOST_STEPS:
            raise NotRecorded(f"more than {MOST_STEPS} steps: does it spin?")

    # ---- for whoever plays -----------------------------------------------------------------------

    def listeners(self, ports: dict[str, int]) -> None:
        """By their ports the listeners are known."""
        with self.lock:
            self.names.ports.update({str(port): f"{name}-listener" for name, port in ports.items()})
            self.heard.notify_all()
            if not self.heard.wait_for(lambda: self.begun or self.gone, PATIENCE):
                raise NotRecorded("it does not wait in the C library's epoll_wait")

    def asleep(self) -> bool:
        with self.lock:
            if self.failure:
                raise NotRecorded(self.failure)
            return self.gone or (self.sleeping and conv.sleeps(self.pid) and not self.unheard())

    def unheard(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])

    def client_step(self, index: int, signal: str) -> None:
        with self.lock:
            self.recording.client = index
            self.pending = True
            self.signal = signal

    def report(self) -> None:
        """Lets the server, which sleeps, say how things are."""
        with self.lock:
            if not self.pending:
                return
            if not self.gone:
                self.socket.send(b"R")
            self.heard.wait_for(lambda: not self.pending or self.gone, PATIENCE)
            if self.pending:  # the server has ended
                self.pending = False
                ended = {"conns": [], "tree": [], "sockets": [], "ready": []}
                name = self.recording.clients[self.recording.client]["name"]
                self.recording.add("client", marks.Mark("R", ""), ended, None, name)

    def advance(self, until: int) -> bool:
        """Moves the server's clock to its next deadline, if that comes by then."""
        with self.lock:
            if self.gone or not self.sleeping:
                return False
            due = 0 < self.deadline <= until
            target = self.deadline if due else max(self.clock, until)
            self.socket.send(f"T{target}".encode())
            self.heard.wait_for(lambda: self.clock == target or self.gone, PATIENCE)
            return due

    def hang_up(self) -> None:
        with self.lock, contextlib.suppress(OSError):
            if self.socket:
                self.socket.shutdown(socket.SHUT_RDWR)


def waits(timeout: str) -> dict:
    limit = {"-1": "forever", "0": "0"}.get(timeout, "timeout")
    return {"name": "epoll_wait", "args": limit, "result": "",
            "gloss": "sleeps until something is ready" + (
                ", or a timer is due" if limit == "timeout" else "")}


def short(bits: str) -> list[str]:
    return [bit.removeprefix("EPOLL") for bit in bits.split("|")]


class Stepper(conv.Player):
    """Plays by the server's clock: what takes time takes none of ours."""

    def __init__(self, server: harness.Server, conversation: conv.Conversation, tap: Tap,
                 patience: float = conv.PATIENCE):
        self.tap = tap
        tap.listeners(server.ports)
        super().__init__(server, conversation, asleep=tap.asleep, patience=patience,
                         after_step=lambda _: tap.report())
        tap.clients = self.clients

    def do(self, step: conv.Step) -> bool:
        index = self.conversation.steps.index(step)
        self.tap.client_step(index, step.value if step.verb == "signal" else "")
        if step.verb != "connects" or not self.conversation.recorded:
            return super().do(step)
        client = socket.socket()  # there are fewer bytes, but as many of them have to wait
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect((self.server.host, self.server.ports[step.value]))
        self.clients[step.client] = conv.Client(client)
        return True

    def nothing_left(self) -> None:
        super().nothing_left()
        self.tap.hang_up()  # that the clients go now is no part of it

    def pump(self, seconds: float) -> None:
        """Lets the server's time pass."""
        until = self.tap.clock + int(seconds * SECOND)
        self.settle()
        while self.tap.advance(until):
            self.settle()
        self.settle()

    def read_until(self, client: conv.Client, done) -> None:
        limit = conv.DERAILED if client.derailed else self.patience
        until = self.tap.clock + int(limit * SECOND)
        while not done() and not client.ended:
            if client.pull():
                continue
            self.settle()
            if not client.pull() and not self.tap.advance(until):
                break

    def observe(self, step: conv.Step, client: conv.Client | None) -> None:
        if step.verb != "silence":
            return super().observe(step, client)
        self.pump(float(step.value))
        while client.pull() and not client.ended:
            continue
        seen = self.take(client) + client.ended.encode()
        self.observations.append(conv.Observation(step, b"", seen))
        client.derailed = client.derailed or bool(seen)
        return None
