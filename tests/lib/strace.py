"""strace: how a server is started under it, and what it has said."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import time

CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\w+)(?: (E[A-Z]+))?")
# arm64 has no epoll_wait: glibc's is this there. Callers ask for both, "?epoll_wait,epoll_pwait".
PWAIT = re.compile(r"epoll_pwait\((.*), NULL, 8\)")
EVENT = re.compile(r"\{events=([A-Z|]+), data=(?:\{u32=\d+, u64=)?(\w+)\}")  # strace 6.1, or 6.13
THREAD = re.compile(r"(?:(\d+) +)?(.*)")
RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
UNFINISHED = " <unfinished ...>"
EPOLL_WAITS = re.compile(rb"epoll_\w*wait")


class NotUnderstood(Exception):
    """What strace says cannot be read: better no answer than a wrong one."""


def command(log, calls: str = "", *options: str) -> tuple[str, ...]:
    """To be put in front of a command line. With -D the server stays our child: its process id and
    its end are not strace's."""
    return "strace", "-D", *options, "-o", str(log), *(("-e", f"trace={calls}") if calls else ())


def environment() -> dict[str, str]:
    """For a server under strace: LeakSanitizer is a tracer as well, and there can be one only."""
    return {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


@dataclasses.dataclass(frozen=True)
class Call:
    name: str
    args: str
    result: str  # a number, or the name of an error

    @property
    def parts(self) -> list[str]:
        return self.args.split(", ")

    @property
    def events(self) -> list[tuple[str, int]]:
        """Bits and data of each struct epoll_event."""
        found = [(bits, int(data, 0)) for bits, data in EVENT.findall(self.args)]
        if not found or len(found) != self.args.count("{events="):
            raise NotUnderstood(f"strace says {self.args}, in which events are looked for")
        return found


def parse(line: str) -> Call:
    match = CALL.match(PWAIT.sub(r"epoll_wait(\1)", line))
    if not match:
        raise NotUnderstood(f"strace says {line}")
    return Call(match[1], match[2], match[4] or match[3])


def whole(lines: list[str]) -> list[str]:
    """Without the threads' numbers; a call that another thread interrupted is put together."""
    found, begun = [], {}
    for line in lines:
        thread, text = THREAD.match(line).groups()
        if text.endswith(UNFINISHED):
            begun[thread] = text.removesuffix(UNFINISHED)
        elif resumed := RESUMED.match(text):
            found.append(begun.pop(thread, "") + resumed[1])
        else:
            found.append(text)
    return found


def totals(table: str) -> dict[str, int]:
    """How often each call was made, by the table of `strace -c`."""
    rows = (line.split() for line in table.splitlines())
    return {row[-1].replace("_pwait", "_wait"): int(row[3]) for row in rows
            if len(row) >= 5 and re.fullmatch(r"[\d.]+", row[0]) and row[-1] != "total"}


class Log:
    """strace's output while it grows."""

    def __init__(self, path, waits: re.Pattern = EPOLL_WAITS):
        self.path = pathlib.Path(path)
        self.waits = waits  # the calls in which the server may rest
        self.cut = 0  # bytes up to where it was seen at rest

    def part(self, start: int = 0, end: int | None = None) -> list[str]:
        return self.path.read_bytes()[start:end].decode("utf-8", errors="replace").splitlines()

    def calls(self, *names: str) -> list[Call]:
        """Those calls, or all, that have returned."""
        found = [parse(line) for line in whole(self.part()) if CALL.match(line)]
        return [call for call in found if not names or call.name in names]

    def resting(self) -> bool:
        """The last line is a wait that has not returned, or the end. Remembers where it begins:
        what comes after this look belongs to the next step."""
        text = self.path.read_bytes()
        start = text.rfind(b"\n") + 1
        last = text[start:]
        rests = self.waits.match(last) is not None or text.endswith(b"+++\n")
        if rests:
            self.cut = start
        return rests

    def settle(self, patience: float = 10.0) -> None:
        """Until strace has written what has happened. A server that spins never has done so."""
        deadline, size = time.monotonic() + patience, -1
        while size != (size := self.path.stat().st_size):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server makes system calls without end, {patience:.0f} s "
                                   "after the last request")
            time.sleep(0.2)
