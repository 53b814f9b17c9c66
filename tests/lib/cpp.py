"""Finds what C++ sources declare and define: just enough parsing for this tree.

Comments, literals and preprocessor lines are blanked first; then matching braces is all it takes.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import textwrap

OPAQUE = (r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
          r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'")
DIRECTIVE = r"|^[ \t]*#(?:\\\n|[^\n])*"
TEMPLATE = re.compile(r"template\s*<[^>]*>")
LABEL = re.compile(r"\s*(?:public|private|protected):")
TYPE = re.compile(r"\b(?:struct|class|union|enum(?:\s+class)?)\s+(?:alignas\(\)\s*)?(\w+)")
FUNCTION = re.compile(r"((?:~?\w+::)*(?:operator[^\w\s(]+|~?\w+))\s*\(\)")
VALUE = re.compile(r"(?<!operator)(?<!operator=)=")
LAST_WORD = re.compile(r"(\w+)\W*$")
CLOSING = {"{": "}", "(": ")"}


@dataclasses.dataclass(frozen=True)
class Declaration:
    """Lines count from 1."""

    name: str  # with what it is in: Reactor::dispatch
    kind: str  # function, type; without a body: prototype, other
    first: int  # of the comment above it
    begin: int  # of itself
    last: int
    text: str  # with that comment

    @property
    def has_body(self) -> bool:
        return self.kind in ("function", "type")

    @property
    def code(self) -> str:
        return self.text.split("\n", self.begin - self.first)[-1]


class NotFound(Exception):
    """No definition of that name, or several."""


def blanked(source: str, directives: bool = True) -> str:
    """With blanks for comments, literals and preprocessor lines: the rest stays in its place."""
    pattern = OPAQUE + (DIRECTIVE if directives else "")
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m[0]), source, flags=re.S | re.M)


class _Scanner:
    def __init__(self, source: str):
        self.lines = source.split("\n")
        self.code = blanked(source)
        self.found: list[Declaration] = []
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
                self.declare(begin, at, header, scope)
                begin, header = at + 1, ""
            else:
                header += char
            at += 1

    @staticmethod
    def initialises(header: str) -> bool:
        """A brace that is a value: `name{...}` or `name = {...}`, not the start of a body."""
        return header[-1:].isidentifier() or header[-1:] == ">" or bool(VALUE.search(header))

    def define(self, begin: int, opened: int, close: int, header: str, scope: str) -> None:
        while label := LABEL.match(self.code, begin, opened):
            begin = label.end()
        header = TEMPLATE.sub("", LABEL.sub("", header))
        if re.match(r"\s*(?:inline\s+)?(?:namespace\b|extern\b)", header):
            self.scan(opened + 1, close, scope)
        elif found := TYPE.search(header):
            self.add(begin, close, scope + found[1], "type")
            self.scan(opened + 1, close, f"{scope}{found[1]}::")
        elif found := FUNCTION.search(header):
            self.add(begin, close, scope + found[1], "function")

    def declare(self, begin: int, end: int, header: str, scope: str) -> None:
        """What has no body. Members are no use without their class."""
        header = TEMPLATE.sub("", VALUE.split(header)[0]).strip()
        if scope or not header:
            return
        if found := FUNCTION.search(header):
            self.add(begin, end, found[1], "prototype")
        else:
            self.add(begin, end, LAST_WORD.search(header)[1], "other")

    def add(self, begin: int, end: int, name: str, kind: str) -> None:
        start = begin + len(self.code[begin:]) - len(self.code[begin:].lstrip())
        own = first = self.code.count("\n", 0, start)
        last = self.code.count("\n", 0, end)
        while first > 0 and self.lines[first - 1].lstrip().startswith("//"):
            first -= 1
        text = textwrap.dedent("\n".join(self.lines[first:last + 1]))
        self.found.append(Declaration(name, kind, first + 1, own + 1, last + 1, text))


@functools.cache  # a note quotes many functions of the same file
def declarations(source: str) -> tuple[Declaration, ...]:
    """In order. Inside a type only what has a body."""
    return tuple(_Scanner(source).found)


def definitions(path: pathlib.Path) -> list[Declaration]:
    return [d for d in declarations(path.read_text(encoding="utf-8")) if d.has_body]


def find(path: pathlib.Path, name: str) -> Declaration:
    """`name` may leave out what it is in; `name#2` is the second of several."""
    return find_in(path.read_text(encoding="utf-8"), name, path.name)


def find_in(source: str, name: str, where: str = "it") -> Declaration:
    plain, _, number = name.partition("#")
    same = [d for d in declarations(source)
            if d.has_body and (d.name == plain or d.name.endswith("::" + plain))]
    if not same:
        raise NotFound(f"{where} defines no {plain}")
    if number:
        if int(number) > len(same):
            raise NotFound(f"{where} defines {plain} {len(same)} times, there is no #{number}")
        return same[int(number) - 1]
    exact = [d for d in same if d.name == plain]
    best = exact if len(exact) == 1 else same
    if len(best) > 1:
        raise NotFound(f"{where} defines {plain} {len(best)} times: say {plain}#1 or so")
    return best[0]
