"""What the library in a recorded server tells (recorder.cc), and what that means.

A mark is a message of lines. The first one begins with its kind:

    C recvfrom(7, "GET ...", 4096) = 34    a system call has returned, in strace's words
    E                                      a function has been entered
    W 60000                                the server goes to sleep, for so many milliseconds
    K                                      it has woken, and has not looked at anything yet
    G                                      a signal has come
    R                                      nothing: it was asked how things are

The others say how things are: the clock (t), which functions run (b), what the kernel holds for a
client's socket (s), and of libevent its events (e), bufferevents (v) and listeners (l).
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import json
import os
import pathlib
import re
import struct
import subprocess

from tests import harness

LAYOUT = pathlib.Path(__file__).resolve().parent / "layout.py"
NOTHING = json.dumps({"functions": [], "lines": [], "offsets": {}, "loop": None, "invokers": {},
                      "freeing": []})


@dataclasses.dataclass(frozen=True)
class Function:
    name: str
    file: str
    line: int
    end: int


def file_of(function: dict) -> str:
    """As the tree names it; of a program from elsewhere its name alone."""
    file = function["file"]
    return f"mine/{pathlib.Path(file).name}" if pathlib.Path(file).is_absolute() else file


def said_by_gdb(binary: pathlib.Path) -> str:
    """layout.py's answer; none where that is a script, say."""
    said = subprocess.run(["gdb", "-nx", "-batch", "-x", LAYOUT, binary], check=False,
                          capture_output=True, text=True).stdout.splitlines()
    return said[-1] if said and said[-1].startswith("{") else ""


class Program:
    """Where the functions of a binary lie, and its objects."""

    def __init__(self, layout: dict):
        self.starts = [f["start"] for f in layout["functions"]]
        self.stops = [f["stop"] for f in layout["functions"]]
        self.functions = [Function(f["name"], file_of(f), f["line"], f["end"])
                          for f in layout["functions"]]
        self.paths = {file_of(f): f["path"] for f in layout["functions"]}
        self.places = [pc for pc, _ in layout["lines"]]
        self.lines = [line for _, line in layout["lines"]]
        self.offsets: dict[str, tuple[int, int]] = layout["offsets"]
        self.loop: int | None = layout["loop"]
        self.freeing: list[tuple[int, int]] = layout["freeing"]  # lists are not whole in there
        self.invokers = {int(start): self.function_at(inner)
                         for start, inner in layout["invokers"].items()}

    @classmethod
    @functools.cache
    def of(cls, binary: pathlib.Path) -> Program:
        """gdb takes half a second: what it has said of a program of ours is kept beside it."""
        if harness.ROOT / "build" not in binary.parents:
            return cls(json.loads(said_by_gdb(binary) or NOTHING))
        kept = binary.with_name(f"{binary.name}.layout")
        newest = max(binary.stat().st_mtime, LAYOUT.stat().st_mtime)
        if not kept.exists() or kept.stat().st_mtime < newest:
            layout = json.loads(said_by_gdb(binary))
            kept.write_text(json.dumps(layout), encoding="utf-8")
        return cls(json.loads(kept.read_text(encoding="utf-8")))

    def text_of(self, file: str) -> str:
        return pathlib.Path(self.paths[file]).read_text(encoding="utf-8")

    def function_at(self, place: int) -> Function | None:
        at = bisect.bisect(self.starts, place) - 1
        return self.functions[at] if at >= 0 and place < self.stops[at] else None

    def line_at(self, place: int) -> int:
        return self.lines[bisect.bisect(self.places, place) - 1]


@dataclasses.dataclass(frozen=True)
class Frame:
    function: Function
    line: int
    address: int  # the frame's canonical one


@dataclasses.dataclass(frozen=True)
class Event:
    fd: int
    events: int
    flags: int
    callback: str
    argument: str


@dataclasses.dataclass(frozen=True)
class Buffered:
    address: str
    fd: int
    input: int
    output: int
    callback: str


@dataclasses.dataclass(frozen=True)
class Listener:
    address: str
    callback: str


@dataclasses.dataclass
class Mark:
    kind: str
    what: str
    clock: int = 0
    frames: list[Frame] = dataclasses.field(default_factory=list)  # innermost first
    sockets: dict[int, tuple[int, int]] = dataclasses.field(default_factory=dict)
    events: list[Event] = dataclasses.field(default_factory=list)
    buffered: list[Buffered] = dataclasses.field(default_factory=list)
    listeners: list[Listener] = dataclasses.field(default_factory=list)
    freeing: bool = False

    @classmethod
    def read(cls, text: str, program: Program) -> Mark:
        first, *lines = text.split("\n")
        mark = cls(first[0], first[2:])
        for line in lines:
            kind, *fields = line.split()
            if kind == "t":
                mark.clock = int(fields[0])
            elif kind == "b":
                places = [tuple(int(part, 16) for part in field.split(":")) for field in fields]
                mark.frames = list(frames(places, program))
                mark.freeing = any(start <= place < stop for place, _ in places
                                   for start, stop in program.freeing)
            elif kind == "s":
                mark.sockets[int(fields[0])] = int(fields[1]), int(fields[2])
            elif kind == "e":
                mark.events.append(Event(*map(int, fields[:3]), *fields[3:]))
            elif kind == "v":
                mark.buffered.append(Buffered(fields[0], *map(int, fields[1:4]), fields[4]))
            elif kind == "l":
                mark.listeners.append(Listener(*fields))
        return mark

    def frame(self, name: str) -> Frame | None:
        return next((f for f in self.frames if f.function.name == name), None)


def frames(places: list[tuple[int, ...]], program: Program):
    for place, address in places:
        if function := program.function_at(place - 1):  # it is where the call returns to
            yield Frame(function, program.line_at(place - 1), address)


class Memory:
    """Of the server, while it stands still."""

    def __init__(self, pid: int):
        self.file = os.open(f"/proc/{pid}/mem", os.O_RDONLY)

    def close(self) -> None:
        os.close(self.file)

    def numbers(self, address: int, code: str) -> tuple[int, ...]:
        return struct.unpack("=" + code, os.pread(self.file, struct.calcsize("=" + code), address))

    def number(self, address: int, size: int) -> int:
        return self.numbers(address, {1: "B", 2: "h", 4: "i", 8: "q"}[size])[0]


# ---- names for people ----------------------------------------------------------------------------

def handler_in(function: Function, program: Program) -> str:
    """What a lambda of one line calls: `[&loop] { on_signal(loop); }` is on_signal."""
    line = program.text_of(function.file).splitlines()[function.line - 1]
    found = re.search(r"\{ *(?:loop\.deadlines\.)?(\w+)\(", line)
    return found[1] if found else function.name


def inner(name: str) -> str:
    """What a function that libevent can call passes on to: call<on_readable> is on_readable."""
    match = re.fullmatch(r"call<(.+)>", name)
    return match[1] if match else name
