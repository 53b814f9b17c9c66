"""The checkpoints of the lab: what checkpoints.toml says, read and looked at.

    checkpoints.track("01_plain_epoll")     its checkpoints, in order
    checkpoints.find("1.3")
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import tomllib

from tests import harness
from tests.lib import words

TABLE = pathlib.Path(__file__).resolve().parent / "checkpoints.toml"
PAGES = harness.ROOT / "notes" / "lab"
CHINESE = harness.ROOT / "notes" / "zh" / "lab"
# By the first digit of an id. Track 0 knows no stage: any program in any language.
TRACKS = ("", *harness.STAGES, "evhttp_server")


class NoCheckpoint(Exception):
    """There is none of that name; says which there are."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A function that the student writes."""

    file: str  # from the root of the tree: common/deadlines.h
    name: str  # Deadlines::expire, as tests/lib/cpp.py finds it
    task: str  # what it has to do, in lines
    until: str  # the body that stands there until it is written
    include: str = ""  # what that body needs beside


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    id: str
    title: str
    points: int
    checks: tuple[str, ...]
    writes: tuple[Place, ...]

    @property
    def number(self) -> int:
        """Within its track."""
        return int(self.id.partition(".")[2])

    @property
    def program(self) -> str:
        """The stage, or evhttp_server; empty on track 0."""
        return TRACKS[int(self.id[0])]

    @property
    def page(self) -> pathlib.Path:
        """In the language of who reads it. Track 0 has one for all."""
        name = self.id.replace(".", "_") if self.program else "0_from_nothing"
        chinese = CHINESE / f"{name}.md"
        return chinese if words.chinese() and chinese.exists() else PAGES / chinese.name

    @property
    def shown(self) -> str:
        """The title that this page has."""
        text = self.page.read_text(encoding="utf-8") if self.page.exists() else ""
        heading = re.search(rf"^##? {re.escape(self.id)}[:：] *(.*)$", text, re.M)
        return heading[1] if heading else self.title


def read(row: dict) -> Checkpoint:
    places = tuple(Place(write["in"], write["name"], write["do"].strip(), write["until"].strip(),
                         write.get("include", "")) for write in row.get("write", ()))
    return Checkpoint(row["id"], row["title"], row["points"], tuple(row["checks"]), places)


@functools.cache
def load() -> tuple[Checkpoint, ...]:
    with open(TABLE, "rb") as table:
        return tuple(read(row) for row in tomllib.load(table)["checkpoint"])


def program_of(name: str) -> str:
    """1, 01 or 01_plain_epoll; the whole name."""
    short = name.lstrip("0")
    known = [program for program in TRACKS if short and program.lstrip("0").startswith(short)]
    if len(known) != 1:
        raise NoCheckpoint(f"no stage {name!r}: there are {' '.join(filter(None, TRACKS))}")
    return known[0]


def track(program: str) -> list[Checkpoint]:
    return [checkpoint for checkpoint in load() if checkpoint.program == program]


def find(name: str) -> Checkpoint:
    for checkpoint in load():
        if checkpoint.id == name:
            return checkpoint
    raise NoCheckpoint(f"no checkpoint {name!r}: there are {' '.join(c.id for c in load())}")
