"""The code view: two server.cc, function by function."""

from __future__ import annotations

import dataclasses
import difflib

from tests import harness
from tests.lib import cpp

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
    return (harness.ROOT / stage / "server.cc").read_text(encoding="utf-8").splitlines()


def units(lines: list[str]) -> dict[str, list[str]]:
    """What is on the top level, by name, in order; comments belong to what follows them."""
    includes = [line for line in lines if line.startswith("#include")]
    at = lines.index(includes[0])
    found = {HEAD: lines[:at] + includes}
    for unit in cpp.declarations("\n".join(lines)):
        if unit.last > at:  # else it is a part of the one before
            comment = [line for line in lines[at:unit.first - 1] if line.startswith("//")]
            body = comment + lines[unit.first - 1:unit.last]
            found.setdefault(unique(name_of(unit), found), []).extend(body)
            at = unit.last
    return found


def name_of(unit: cpp.Declaration) -> str:
    if not unit.has_body and "{" not in unit.text:
        return PROTOTYPES
    return f"{unit.code.split()[0]} {unit.name}" if unit.kind == "type" else unit.name


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
