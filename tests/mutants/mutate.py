"""Mutants of C++ sources: small faults, made from the syntax tree that libclang reads.

    for mutant in mutants(tree, "common/socket.cc"): ...

A mutant replaces one range of bytes. Its name, which stands in equivalent.txt, holds no line
number: file, function, kind, which of the same, and what the line says before and after.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
import functools
import hashlib
import pathlib
import re
import subprocess

from clang import cindex
from clang.cindex import CursorKind as Kind

KINDS = {
    "negated": "a condition negated",
    "bound": "< and <= exchanged, > and >=",
    "constant": "a constant one more or one less, a flag switched",
    "left-out": "a statement left out that only has an effect",
    "returned": "another value returned",
    "dropped": "one of several left out: an errno, a flag, an element, a part of a condition",
    "callback": "a callback or an interest not removed",
    "unit": "seconds for milliseconds, bytes for KiB",
}
BOUNDS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
DURATIONS = {"seconds": "milliseconds", "milliseconds": "seconds", "microseconds": "milliseconds"}
FACTORS = {"1024": "1", "1000": "1", "1e6": "1e3", "1'000'000": "1'000"}
SWAPPED = {"EXIT_SUCCESS": "EXIT_FAILURE", "EXIT_FAILURE": "EXIT_SUCCESS",
           "true": "false", "false": "true"}
FUNCTIONS = (Kind.FUNCTION_DECL, Kind.CXX_METHOD, Kind.CONSTRUCTOR, Kind.DESTRUCTOR,
             Kind.CONVERSION_FUNCTION, Kind.FUNCTION_TEMPLATE)
VALUES = (Kind.VAR_DECL, Kind.FIELD_DECL)
LABELS = (Kind.CASE_STMT, Kind.DEFAULT_STMT)
NUMBER = re.compile(r"(0[xX][0-9a-fA-F']+|[0-9][0-9']*)([uUlLzZ]*)")
REMOVES = re.compile(r"_del$|_remove_|\bwatch$|setcb$|set_\w*cb$|disable$")


@dataclasses.dataclass(frozen=True)
class Mutant:
    file: str
    function: str
    line: int
    kind: str
    begin: int  # the bytes that are replaced
    end: int
    after: str  # by what
    was: str  # what the line says, without comments
    now: str
    text: str  # hash of the function
    inside: bool  # of a function: else it is the value of a constant or a member
    nth: int = 1  # of those that would be named the same

    @property
    def name(self) -> str:
        return f"{self.file} {self.function} {self.kind} {self.nth}: {self.was} => {self.now}"

    def apply(self, source: bytes) -> bytes:
        return source[:self.begin] + self.after.encode() + source[self.end:]


@functools.cache
def resources() -> str:
    """Where the compiler's own headers are: libclang looks beside itself, where they are not."""
    return subprocess.run(["clang++", "-print-resource-dir"], capture_output=True, text=True,
                          check=True).stdout.strip()


class Unparsable(Exception):
    """libclang reports an error: what it made of the rest is not to be trusted."""


class _Reader:
    """Walks over one file's tree and notes what could be wrong in it."""

    def __init__(self, root: pathlib.Path, file: str, flags: tuple[str, ...]):
        self.file = file
        self.source = (root / file).read_bytes()
        unit = cindex.Index.create().parse(str(root / file), args=[
            "-x", "c++", "-std=c++20", f"-I{root}", "-resource-dir", resources(), *flags])
        errors = [str(d) for d in unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
        if errors:
            raise Unparsable("\n".join(errors))
        tokens = list(unit.get_tokens(extent=unit.cursor.extent))
        self.comments = [(t.extent.start.offset, t.extent.end.offset) for t in tokens
                         if t.kind == cindex.TokenKind.COMMENT]
        self.tokens = [t for t in tokens if t.kind != cindex.TokenKind.COMMENT]
        self.starts = [t.extent.start.offset for t in self.tokens]
        self.found: dict[tuple[int, int, str], Mutant] = {}
        self.function, self.hash, self.inside = "", "", False
        self.name = str(root / file)
        self.walk_declarations(unit.cursor)

    # ---- text ------------------------------------------------------------------------------------

    def text(self, node) -> str:
        return self.source[node.extent.start.offset:node.extent.end.offset].decode()

    def token(self, at: int) -> str:
        """The first token that begins there or later, and the next ones by `at` + 1, ..."""
        return self.tokens[at].spelling if at < len(self.tokens) else ""

    def index(self, offset: int) -> int:
        return bisect.bisect_left(self.starts, offset)

    def closing(self, at: int) -> int:
        """Where the bracket is closed that the token opens."""
        depth = 0
        for i in range(at, len(self.tokens)):
            depth += {"(": 1, ")": -1}.get(self.tokens[i].spelling, 0)
            if depth == 0:
                return self.tokens[i].extent.end.offset
        raise Unparsable(f"{self.file}: a bracket is never closed")

    def lines(self, begin: int, end: int, after: str | None = None) -> str:
        """The whole lines around that range, as one and without comments; `after` in its place."""
        first = self.source.rfind(b"\n", 0, begin) + 1
        last = self.source.find(b"\n", end)
        parts, at = [], first
        marks = [(b, e, "") for b, e in self.comments if b < last and e > first]
        if after is not None:
            marks.append((begin, end, after))
        for b, e, instead in sorted(marks):
            parts += [self.source[at:b].decode(), instead]
            at = max(at, e)
        parts.append(self.source[at:last].decode())
        return " ".join("".join(parts).split())

    # ---- what is noted ---------------------------------------------------------------------------

    def note(self, kind: str, begin: int, end: int, after: str) -> None:
        if self.source[begin:end].decode() == after:
            return
        self.found.setdefault((begin, end, after), Mutant(
            self.file, self.function, self.source.count(b"\n", 0, begin) + 1, kind, begin, end,
            after, self.lines(begin, end), self.lines(begin, end, after), self.hash, self.inside))

    def replace(self, kind: str, node, after: str) -> None:
        self.note(kind, node.extent.start.offset, node.extent.end.offset, after)

    # ---- declarations ----------------------------------------------------------------------------

    def walk_declarations(self, node) -> None:
        for child in node.get_children():
            if child.location.file is None or child.location.file.name != self.name:
                continue
            if child.kind in FUNCTIONS and child.is_definition() or child.kind in VALUES:
                self.function, self.inside = named(child), child.kind in FUNCTIONS
                self.hash = hashlib.sha256(self.text(child).encode()).hexdigest()[:16]
                self.walk(child, (child,))
            elif child.kind == Kind.UNEXPOSED_DECL or not (
                    child.kind in FUNCTIONS or child.kind == Kind.STATIC_ASSERT):
                self.walk_declarations(child)

    # ---- statements and expressions --------------------------------------------------------------

    def walk(self, node, above) -> None:
        for child in node.get_children():
            if child.kind == Kind.STATIC_ASSERT or child.extent.start.offset == 0:
                continue
            self.look_at(child, (*above, child))
            self.walk(child, (*above, child))

    def look_at(self, node, above) -> None:
        parent = above[-2]
        children = list(node.get_children())
        if node.kind in (Kind.IF_STMT, Kind.WHILE_STMT, Kind.FOR_STMT, Kind.DO_STMT):
            self.condition_of(node, children)
        if node.kind == Kind.CONDITIONAL_OPERATOR:
            self.negate(children[0])
        if is_statement(node, parent, self):
            self.leave_out(node)
        if node.kind == Kind.RETURN_STMT and children:
            self.returned(node, children[0])
        if node.kind == Kind.CASE_STMT and (
                parent.kind in LABELS or children[-1].kind in LABELS):
            label = self.index(children[0].extent.end.offset)
            self.note("dropped", node.extent.start.offset, self.tokens[label].extent.end.offset, "")
        if node.kind == Kind.INIT_LIST_EXPR and is_list(node):
            self.drop_element(node, children)
        if node.kind in (Kind.INTEGER_LITERAL, Kind.FLOATING_LITERAL, Kind.CXX_BOOL_LITERAL_EXPR):
            self.constant(node, above)
        if node.kind == Kind.DECL_REF_EXPR:
            self.neighbour(node, above)
        if node.kind == Kind.TYPE_REF:
            self.duration(node)
        self.operator(node, children)

    def condition_of(self, node, children) -> None:
        """The parts stand in their order; which of them are there, the tree does not say."""
        if node.kind == Kind.DO_STMT:
            return self.negate(children[-1])
        opening = next(i for i in range(self.index(node.extent.start.offset), len(self.tokens))
                       if self.tokens[i].spelling == "(")
        close = self.closing(opening)
        head = [c for c in children if c.extent.end.offset < close]
        if node.kind == Kind.FOR_STMT:
            ends = [t.extent.start.offset for t in self.tokens[opening:self.index(close)]
                    if t.spelling == ";"]
            head = [c for c in head if ends[0] < c.extent.start.offset < ends[-1]]
        if not head:
            return None
        if head[-1].kind == Kind.VAR_DECL:  # if (T x = f()) -> if (T x = f(); !x)
            end = head[-1].extent.end.offset
            return self.note("negated", end, end, f"; !({head[-1].spelling})")
        return self.negate(head[-1])

    def negate(self, node) -> None:
        text = self.text(node)
        plain = node.kind == Kind.UNARY_OPERATOR and text.startswith("!")
        self.replace("negated", node, text[1:] if plain else f"!({text})")

    def leave_out(self, node) -> None:
        called = first(node, Kind.CALL_EXPR)
        removes = called is not None and REMOVES.search(called.spelling) and (
            not re.search("watch$|cb$", called.spelling)
            or re.search(r"\b(nullptr|0|NULL)\b", self.text(called)))
        self.replace("callback" if removes else "left-out", node, "")

    def returned(self, node, value) -> None:
        if node.kind == Kind.RETURN_STMT and value.type.spelling == "void":
            self.replace("left-out", value, "")
        elif value.type.spelling == "bool" and self.text(value) not in SWAPPED:
            text = self.text(value)
            self.replace("returned", value, f"!({text})")

    def drop_element(self, node, children) -> None:
        ends = [c.extent.start.offset for c in children[1:]] + [children[-1].extent.end.offset]
        for child, end in zip(children, ends):
            self.note("dropped", child.extent.start.offset, end, "")

    def constant(self, node, above) -> None:
        text, parent = self.text(node), above[-2]
        kind = "returned" if any(a.kind == Kind.RETURN_STMT for a in above) else "constant"
        if text in SWAPPED:
            return self.replace(kind, node, SWAPPED[text])
        if text in FACTORS:
            self.replace("unit", node, FACTORS[text])
        number, following = NUMBER.fullmatch(text), self.index(node.extent.end.offset)
        in_a_type = self.token(following) in (">", "]") and parent.kind in VALUES + FUNCTIONS
        if not number or in_a_type or text == "1024" or node.kind != Kind.INTEGER_LITERAL:
            return None
        value, suffix = int(number[1].replace("'", ""), 0), number[2]
        form = hex if text[:2] in ("0x", "0X") else str
        self.replace("constant", node, form(value + 1) + suffix)
        if value > 0:
            self.replace("constant", node, form(value - 1) + suffix)
        return None

    def neighbour(self, node, above) -> None:
        """The next value of an enumeration of this tree."""
        value = node.referenced
        if value is None or value.kind != Kind.ENUM_CONSTANT_DECL or in_system(value):
            return
        if any(a.kind == Kind.CASE_STMT and node.extent.end.offset <=
               next(a.get_children()).extent.end.offset for a in above):
            return
        around = next(a for a in reversed(above[:-1]) if a.kind != Kind.UNEXPOSED_EXPR)
        if around.kind == Kind.BINARY_OPERATOR and re.search("[!=]=", self.text(around)):
            return  # a comparison is negated
        all_of = [c.spelling for c in value.semantic_parent.get_children()
                  if c.kind == Kind.ENUM_CONSTANT_DECL]
        other = all_of[(all_of.index(value.spelling) + 1) % len(all_of)]
        prefix = self.text(node).rpartition("::")
        kind = "returned" if any(a.kind == Kind.RETURN_STMT for a in above) else "constant"
        self.replace(kind, node, "".join(prefix[:2]) + other)

    def duration(self, node) -> None:
        """Where a number becomes a duration, not where one is declared."""
        unit = self.text(node).rpartition("::")[2]
        if unit not in DURATIONS or "chrono" not in node.spelling:
            return
        at = self.index(node.extent.end.offset)
        if self.tokens[at].kind == cindex.TokenKind.IDENTIFIER:
            at += 1
            if self.tokens[at + 1].kind != cindex.TokenKind.LITERAL:
                return
        if self.token(at) in ("(", "{", ">") and self.token(at + 1) not in ("0", "}"):
            end = node.extent.end.offset
            self.note("unit", end - len(unit), end, DURATIONS[unit])

    def operator(self, node, children) -> None:
        """Of two operands, whether the tree calls it an operator or a call."""
        sides = [c for c in children if c.kind.is_expression()
                 and self.text(c) not in (*BOUNDS, "&&", "||", "|", "==", "!=")]
        if len(sides) != 2 or not node.kind.is_expression():
            return
        left, right = sides
        at = self.index(left.extent.end.offset)
        if at + 1 >= len(self.tokens) or self.starts[at + 1] != right.extent.start.offset:
            return
        sign, token = self.token(at), self.tokens[at]
        if sign in BOUNDS:
            self.note("bound", token.extent.start.offset, token.extent.end.offset, BOUNDS[sign])
        if sign in ("&&", "||", "|"):
            self.note("dropped", left.extent.start.offset, right.extent.start.offset, "")
            self.note("dropped", left.extent.end.offset, right.extent.end.offset, "")


def named(node) -> str:
    parts = []
    while node is not None and node.kind != Kind.TRANSLATION_UNIT:
        if node.spelling and node.kind != Kind.NAMESPACE:
            parts.insert(0, node.spelling.partition("<")[0].replace(" ", "_"))
        node = node.semantic_parent
    return "::".join(parts)


def in_system(node) -> bool:
    return node.location.file is None or node.location.file.name.startswith("/usr/")


def is_statement(node, parent, reader: _Reader) -> bool:
    """An expression that stands where a statement may."""
    if not node.kind.is_expression() or node.kind == Kind.DECL_REF_EXPR:
        return False
    after = reader.token(reader.index(node.extent.end.offset))
    if parent.kind in (Kind.COMPOUND_STMT, *LABELS):
        return after == ";"
    before = reader.token(reader.index(node.extent.start.offset) - 1)
    return after == ";" and before in (")", "else", "do") and parent.kind in (
        Kind.IF_STMT, Kind.WHILE_STMT, Kind.FOR_STMT, Kind.DO_STMT, Kind.CXX_FOR_RANGE_STMT)


def is_list(node) -> bool:
    """Whose elements are of one kind, and more than one."""
    shape = node.type.get_canonical().spelling
    children = list(node.get_children())
    return len(children) > 1 and (
        node.type.get_canonical().kind in (cindex.TypeKind.CONSTANTARRAY,
                                           cindex.TypeKind.INCOMPLETEARRAY)
        or re.match(r"(const )?std::(initializer_list|vector|array|span)<", shape) is not None)


def first(node, kind: Kind):
    """It or what is in it, the outermost."""
    return next((n for n in node.walk_preorder() if n.kind == kind), None)


def mutants(root: pathlib.Path, file: str, flags: tuple[str, ...] = ()) -> list[Mutant]:
    """Of one file, in the order of its text."""
    seen: collections.Counter = collections.Counter()
    made = []
    for mutant in sorted(_Reader(root, file, flags).found.values(),
                         key=lambda m: (m.begin, m.end, m.after)):
        seen[mutant.name] += 1
        made.append(dataclasses.replace(mutant, nth=seen[mutant.name]))
    return made
