"""Finds functions and types in C++ sources by name: just enough parsing for this tree.

Comments, literals and preprocessor lines are blanked first; then matching braces is all it takes.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import textwrap

OPAQUE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'|^[ \t]*#(?:\\\n|[^\n])*", re.S | re.M)
TEMPLATE = re.compile(r"template\s*<[^>]*>")
LABEL = re.compile(r"\s*(?:public|private|protected):")
TYPE = re.compile(r"\b(?:struct|class|union|enum(?:\s+class)?)\s+(?:alignas\(\)\s*)?(\w+)")
FUNCTION = re.compile(r"(~?\w+(?:::~?\w+)*)\s*\(\)")
CLOSING = {"{": "}", "(": ")"}


@dataclasses.dataclass(frozen=True)
class Definition:
    """A function or type with a body; lines count from 1 and take in the comment above it."""

    name: str  # with what it is in: Reactor::dispatch
    first: int
    last: int
    text: str
    is_type: bool


class NotFound(Exception):
    """No definition of that name, or several."""


def blanked(source: str) -> str:
    return OPAQUE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), source)


class _Scanner:
    def __init__(self, source: str):
        self.source = source
        self.code = blanked(source)
        self.found: list[Definition] = []
        self.scan(0, len(self.code), "")

    def closing(self, at: int) -> int:
        """Where the bracket that opens at `at` is closed."""
        opening, depth = self.code[at], 0
        for i in range(at, len(self.code)):
            depth += {opening: 1, CLOSING[opening]: -1}.get(self.code[i], 0)
            if depth == 0:
                return i
        raise NotFound(f"a {opening} is never closed")

    def scan(self, at: int, end: int, scope: str) -> None:
        begin, header = at, ""  # of the declaration that is being read; its (...) become ()
        while at < end:
            char = self.code[at]
            if char == "(":
                header += "()"
                at = self.closing(at)
            elif char == "{" and not self.initialises(header):
                close = self.closing(at)
                self.define(begin, at, close, header, scope)
                at, begin, header = close, close + 1, ""
            elif char == "{":
                at = self.closing(at)
            elif char == ";":
                begin, header = at + 1, ""
            else:
                header += char
            at += 1

    @staticmethod
    def initialises(header: str) -> bool:
        """A brace that is a value: `name{...}` or `name = {...}`, not the start of a body."""
        return header[-1:].isidentifier() or header[-1:] == ">" or re.search(
            r"(?<!operator)(?<!operator=)=", header) is not None

    def define(self, begin: int, opened: int, close: int, header: str, scope: str) -> None:
        while label := LABEL.match(self.code, begin, opened):
            begin = label.end()
        header = TEMPLATE.sub("", LABEL.sub("", header))
        if re.match(r"\s*(?:inline\s+)?(?:namespace\b|extern\b)", header):
            return self.scan(opened + 1, close, scope)
        found = TYPE.search(header)
        name = found or FUNCTION.search(header)
        if name is None:
            return None
        self.add(begin, close, scope + name[1], found is not None)
        if found:
            self.scan(opened + 1, close, f"{scope}{name[1]}::")
        return None

    def add(self, begin: int, close: int, name: str, is_type: bool) -> None:
        lines = self.source.splitlines()
        start = begin + len(self.code[begin:]) - len(self.code[begin:].lstrip())
        first = self.source.count("\n", 0, start)
        last = self.source.count("\n", 0, close)
        while first > 0 and lines[first - 1].lstrip().startswith("//"):
            first -= 1
        text = textwrap.dedent("\n".join(lines[first:last + 1]))
        self.found.append(Definition(name, first + 1, last + 1, text, is_type))


def definitions(path: pathlib.Path) -> list[Definition]:
    return _definitions(path.read_text(encoding="utf-8"))


@functools.cache  # a note quotes many functions of the same file
def _definitions(source: str) -> list[Definition]:
    return _Scanner(source).found


def find(path: pathlib.Path, name: str) -> Definition:
    """`name` may leave out what it is in; `name#2` is the second of several."""
    plain, _, number = name.partition("#")
    same = [d for d in definitions(path) if d.name == plain or d.name.endswith("::" + plain)]
    if not same:
        raise NotFound(f"{path.name} defines no {plain}")
    if number:
        if int(number) > len(same):
            raise NotFound(f"{path.name} defines {plain} {len(same)} times, there is no #{number}")
        return same[int(number) - 1]
    exact = [d for d in same if d.name == plain]
    best = exact if len(exact) == 1 else same
    if len(best) > 1:
        raise NotFound(f"{path.name} defines {plain} {len(best)} times: say {plain}#1 or so")
    return best[0]
