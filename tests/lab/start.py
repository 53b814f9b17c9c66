"""Gives a student a folder to work in.

    python3 -m tests.lab.start ~/lab                      stage 1, from its first checkpoint on
    python3 -m tests.lab.start ~/lab --stage 02           beside it the next stage
    python3 -m tests.lab.start ~/lab --from 3             what the checkpoints before 1.3 asked for
                                                          is there already
    python3 -m tests.lab.start --release 3 --stage 01 to  the files as they are after checkpoint 1.3

What is the student's already stays as it is: only files that do not exist are written. A stage
after the first one takes over from the student's last stage what is the same in both. Exit status:
0, or 2 with a line that says why nothing was written.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import sys

from tests import harness
from tests.lab import checkpoints, skeleton
from tests.lib import cpp
from tests.lib.words import shown

MAKEFILE = pathlib.Path(__file__).resolve().parent / "student.make"
FIRST = harness.STAGES[0]
LINK_TO = re.compile(r"(?<=\]\()(?![#\w]+:|#)([^)#\s]+)")  # to another file


class Refused(Exception):
    """Nothing was written; a line that says why."""


def carried(program: str, folder: pathlib.Path) -> dict[str, str]:
    """What the student wrote for the stage before, of functions that are the same in this one."""
    server = folder / skeleton.server_of(checkpoints.TRACKS[checkpoints.TRACKS.index(program) - 1])
    if not server.is_file():
        return {}
    mine = skeleton.functions(server)
    return {same.name: mine[same.name] for _, same in skeleton.siblings(program)
            if same.name in mine and not any(
                skeleton.is_unwritten(place, mine[same.name]) for c in checkpoints.load()
                for place in (*c.writes, same) if place.name == same.name)}


def sources(program: str, first: int, folder: pathlib.Path) -> dict[str, str]:
    """The student's files of this stage, with the checkpoints from `first` on to be written."""
    texts = skeleton.sources(program, first - 1)
    server = skeleton.server_of(program)
    for name, code in carried(program, folder).items():
        texts[server] = skeleton.replaced(texts[server], cpp.find_in(texts[server], name),
                                          lambda _, code=code: code)
    return {name: text for name, text in texts.items() if not (folder / name).exists()}


def refuse_gaps(program: str, first: int, texts: dict[str, str]) -> None:
    """What comes before that checkpoint must stand there: in a handout it does not."""
    if gaps := skeleton.gaps(program, first, texts):
        checkpoint, place = gaps[-1]
        raise Refused(f"{place.name} ({checkpoint.id}) is not written, and a handout has it "
                      f"nowhere: your teacher's `make lab-release STAGE={checkpoint.program} "
                      f"CP={checkpoint.number}` gives it, or the folder where you wrote it")


def programs_in(folder: pathlib.Path) -> list[str]:
    return [program for program in checkpoints.TRACKS
            if program and (folder / skeleton.server_of(program)).exists()]


def readme(folder: pathlib.Path) -> str:
    """With the checkpoints of all stages that lie there."""
    programs = programs_in(folder)
    rows = "\n".join(shown(f"- [{c.id} {c.shown}](lab/{c.page.name}), {c.points} points")
                     for c in checkpoints.load() if c.program in programs)
    how = shown("What is to be written says so where it stands: look for `To write`. `make` builds "
                "it, `make run-01` runs stage 1, `make check` says how far you are in the newest "
                "stage (`STAGE=01`: in that one; `CP=3`: up to the third checkpoint), `make list` "
                "what is solved.")
    return f"{shown(f'# {programs[-1]}: yours')}\n\n{how}\n\n{rows}\n"


def makefile() -> str:
    return MAKEFILE.read_text(encoding="utf-8").replace("@LAB@", str(harness.ROOT))


def page_for(page: pathlib.Path, folder: pathlib.Path, beside: set[str]) -> str:
    """A checkpoint's page as it stands in lab/, with those beside it: what the folder lacks, it
    links to in the tree."""
    def moved(link: re.Match) -> str:
        there = os.path.relpath(page.parent / link[1], harness.ROOT)
        if link[1] in beside or (folder / "lab" / link[1]).exists():
            return link[1]
        mine = folder / there
        return os.path.relpath(mine if mine.exists() else harness.ROOT / there, folder / "lab")
    return LINK_TO.sub(moved, page.read_text(encoding="utf-8"))


def write_new(path: pathlib.Path, text: str) -> bool:
    """False if there is one already: it may be the student's work."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True


def give(folder: pathlib.Path, program: str, first: int) -> list[str]:
    """Writes what is missing. Returns the names of the student's own files that are new."""
    texts = sources(program, first, folder)
    refuse_gaps(program, first, texts)
    written = [name for name, text in texts.items() if write_new(folder / name, text)]
    parts = {"common", *(pathlib.Path(name).parts[0] for name in texts)}
    if program != FIRST:  # stage 4 is built with stage 3's base.cc, evhttp_server too
        parts |= set(harness.STAGES[1:harness.STAGES.index(str(pathlib.Path(
            skeleton.server_of(program)).parent)) + 1])
    servers = {skeleton.server_of(other) for other in checkpoints.TRACKS if other}
    for part in sorted(parts):
        for source in sorted((harness.ROOT / part).rglob("*")):
            name = str(source.relative_to(harness.ROOT))
            if source.is_file() and name not in servers:
                write_new(folder / name, skeleton.reference(name))
    write_new(folder / "Makefile", makefile())
    write_new(folder / "rules.mk", skeleton.reference("Makefile"))
    (folder / "README.md").write_text(readme(folder), encoding="utf-8")
    pages = [c.page for there in programs_in(folder) for c in checkpoints.track(there)
             if c.page.exists()]
    beside = {page.name for page in pages}
    (folder / "lab").mkdir(exist_ok=True)
    for page in pages:
        (folder / "lab" / page.name).write_text(page_for(page, folder, beside), encoding="utf-8")
    return written


def start(folder: pathlib.Path, stage: str, first: int | None) -> None:
    program = checkpoints.program_of(stage)
    track = checkpoints.track(program)
    numbers = [c.number for c in track]
    first = min(numbers) if first is None else first
    if first not in numbers:
        raise Refused(f"no checkpoint {first}: {program} has {numbers[0]} to {numbers[-1]}")
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder} is no folder")
    if (server := folder / skeleton.server_of(program)).exists():
        raise Refused(f"{server} is there already, and stays as it is")
    if folder.resolve().is_relative_to(harness.ROOT) and "build" not in folder.resolve().parts:
        raise Refused(f"{folder} lies in the lab's own tree: choose a folder of yours")
    mine = list(carried(program, folder))
    give(folder, program, first)
    if mine:
        before = checkpoints.TRACKS[checkpoints.TRACKS.index(program) - 1]
        print(shown(f"taken over from your {before}: {', '.join(mine)}"))
    print(shown(f"{folder}: {program}, from checkpoint {track[0].id[0]}.{first} on. "
                f"Read {folder}/README.md, then: make -C {folder} check"))


def release(folder: pathlib.Path, stage: str, until: int) -> None:
    """For a teacher: the student's files with all checkpoints up to that one written."""
    program = checkpoints.program_of(stage)
    texts = skeleton.sources(program, until)
    refuse_gaps(program, until + 1, texts)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="lab-start", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--stage", default=FIRST)
    parser.add_argument("--from", dest="first", type=int)
    parser.add_argument("--release", type=int)
    options = parser.parse_args(arguments)
    try:
        if options.release is not None:
            release(options.folder, options.stage, options.release)
        else:
            start(options.folder.expanduser(), options.stage, options.first)
    except (Refused, checkpoints.NoCheckpoint, OSError) as why:
        print(f"lab-start: {shown(str(why))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
