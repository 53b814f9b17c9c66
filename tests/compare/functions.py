"""The code view: two server.cc, function by function.

The sources are formatted by clang-format, so that no parser is needed: what is on the top level
starts in the first column and ends with a brace in the first column.
"""

from __future__ import annotations

import dataclasses
import difflib
import re

from conversation import lab

NAME = re.compile(r"([~\w:]+)\(")
HEAD, PROTOTYPES = "(header and includes)", "(prototypes)"


@dataclasses.dataclass
class Change:
    name: str
    status: str  # equal, changed, new, gone
    before: list[str]
    after: list[str]

    def hunk(self) -> list[str]:
        """Lines as in a unified diff, without its file names and line numbers."""
        lines = list(difflib.unified_diff(self.before, self.after, lineterm="", n=2))[2:]
        return ["…" if line.startswith("@@") else line for line in lines][1:]

    def counts(self) -> tuple[int, int]:
        hunk = self.hunk()
        return (sum(line.startswith("+") for line in hunk),
                sum(line.startswith("-") for line in hunk))


def source_of(stage: str) -> list[str]:
    return (lab.ROOT / stage / "server.cc").read_text(encoding="utf-8").splitlines()


def units(lines: list[str]) -> dict[str, list[str]]:
    """What is on the top level, by name, in order; comments belong to what follows them."""
    found: dict[str, list[str]] = {}
    comment: list[str] = []
    at = next(i for i, line in enumerate(lines) if line.startswith("#include"))
    found[HEAD] = lines[:at]
    while at < len(lines):
        line = lines[at]
        if line.startswith("#include"):
            found[HEAD].append(line)
        elif line.startswith("//"):
            comment.append(line)
        elif not line or line.startswith(("namespace", "}", "#")):
            pass
        else:
            end = end_of(lines, at)
            body = comment + lines[at:end]
            found.setdefault(unique(name_of(body[len(comment):]), found), []).extend(body)
            comment, at = [], end - 1
        at += 1
    return found


def end_of(lines: list[str], at: int) -> int:
    """The line behind a definition or declaration that starts here."""
    if lines[at].endswith((";", "}")):
        return at + 1
    for end in range(at, len(lines)):
        if lines[end] in ("}", "};") or lines[end].endswith("{}"):
            return end + 1
    return len(lines)


def name_of(body: list[str]) -> str:
    text = " ".join(line for line in body if not line.startswith("template"))
    if len(body) == 1 and text.endswith(";") and "{" not in text:
        return PROTOTYPES
    if match := re.match(r"(struct|class|enum) (\w+)", text):
        return f"{match[1]} {match[2]}"
    match = NAME.search(text)
    return match[1].split("::")[0] if match else text[:30]


def unique(name: str, found: dict[str, list[str]]) -> str:
    if name == PROTOTYPES:
        return name
    number, chosen = 2, name
    while chosen in found:
        chosen, number = f"{name} ({number})", number + 1
    return chosen


def compare(a: list[str], b: list[str]) -> list[Change]:
    """Of two sources, in the order of b; what is gone comes where it was."""
    before, after = units(a), units(b)
    order = list(after)
    previous = -1
    for name in before:
        if name not in after:
            order.insert(previous + 1, name)
        previous = order.index(name)
    changes = []
    for name in order:
        old, new = before.get(name, []), after.get(name, [])
        status = ("new" if not old else "gone" if not new else
                  "equal" if old == new else "changed")
        changes.append(Change(name, status, old, new))
    return changes
