"""Differences that are expected: evhttp is another HTTP server, and says so in its own words.

evhttp_differences.txt lists them, each with its reason (which several may share):

    keepalive 2 got "HTTP/1.1 200 OK\\r\\nContent-Ty"
        why it is so

The number counts the answers that the conversation waits for; the bytes are what came from the
first differing byte on, or `no more`. Header fields are compared in alphabetical order, because
their order means nothing and evhttp has one of its own. An unlisted difference is an error, and so
is a listed one that is not there any more.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

from tests.compare import conversation as conv

FILE = pathlib.Path(__file__).resolve().parent / "evhttp_differences.txt"
LENGTH = 24
ENTRY = re.compile(r"(\w+) (\d+) got (.+)")


HEAD = re.compile(rb"(HTTP/1\.[01] [^\r\n]*\r\n)((?:[^\r\n]+\r\n)+)(?=\r\n)")


def sort_fields(data: bytes) -> bytes:
    return HEAD.sub(lambda m: m[1] + b"".join(sorted(m[2].splitlines(keepends=True))), data)


def canonical(seen: conv.Observation) -> conv.Observation:
    return dataclasses.replace(seen, expected=sort_fields(seen.expected),
                               got=sort_fields(seen.got))


@dataclasses.dataclass
class Entry:
    line: int
    reason: str = ""


def observed(name: str, seen: list[conv.Observation]) -> list[str]:
    """How the differences of a conversation would be listed."""
    entries = []
    for ordinal, observation in enumerate(seen, 1):
        if not observation.same:
            rest = observation.got[observation.at:]
            text = f'"{conv.printable(rest)[:LENGTH]}"' if rest else "no more"
            entries.append(f"{name} {ordinal} got {text}")
    return entries


def read(path: pathlib.Path = FILE) -> dict[str, Entry]:
    listed: dict[str, Entry] = {}
    waiting: list[Entry] = []  # for their reason, which they share
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            for entry in waiting:
                entry.reason = f"{entry.reason} {line.strip()}".strip()
        elif ENTRY.fullmatch(line):
            if waiting and waiting[-1].reason:
                waiting = []
            waiting.append(listed.setdefault(line, Entry(number)))
        else:
            raise conv.WrongStep(f"{path}:{number}: not an entry (conversation number got ...)")
    for text, entry in listed.items():
        if not entry.reason:
            raise conv.WrongStep(f"{path}:{entry.line}: {text}: no reason is given")
    return listed


def unlisted(name: str, seen: list[conv.Observation], path: pathlib.Path = FILE) -> list[str]:
    listed = read(path)
    return [text for text in observed(name, seen) if text not in listed]


def check(played: dict[str, list[conv.Observation]], path: pathlib.Path = FILE) -> list[str]:
    """Complaints: what is not listed, and what is listed and was not seen."""
    new = [f"not in {path.name}: {text}" for name, seen in played.items()
           for text in unlisted(name, seen, path)]
    now = {text for name, seen in played.items() for text in observed(name, seen)}
    vanished = [f"{path.name}:{entry.line}: not seen any more: {text}"
                for text, entry in read(path).items()
                if text not in now and text.split()[0] in played]
    return new + vanished
