"""Skeletons: the finished stages without the functions that the student is to write.

They are made from the sources whenever they are needed, so that they cannot differ from them. Where
a function was, stands what it has to do, and a body that compiles and does no harm.
"""

from __future__ import annotations

import functools
import pathlib
import sys
import textwrap

from tests import harness
from tests.lab import checkpoints
from tests.lab.checkpoints import Checkpoint, Place
from tests.lib import cpp
from tests.lib.words import shown

MARK = "// To write"  # how a stub begins
WIDTH = 94  # of a comment: two columns for each brace that it stands in come before it
UNUSED = ("// Until each function calls the others. Take it out at the last checkpoint.\n"
          '#pragma GCC diagnostic ignored "-Wunused-function"\n\n')
CARRIED = "As in the stage before. Once it is written there, make lab-start takes it over."


def opening(code: str) -> int:
    """Where the body of a function begins: the first brace outside parentheses."""
    depth = 0
    for at, char in enumerate(cpp.blanked(code)):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "{" and depth == 0:
            return at
    raise cpp.NotFound("a function without a body")


def body_of(code: str) -> str:
    return code[opening(code) + 1:code.rindex("}")]


def words(body: str) -> str:
    """What it does, however it is laid out and commented."""
    return " ".join(cpp.blanked(body, directives=False).split())


def comment(place: Place, checkpoint: Checkpoint) -> str:
    """The task, as wide as the sources are; lines that are indented there stay lines."""
    lines, paragraph = [f"{MARK} ({checkpoint.id}):"], []
    for line in (*place.task.split("\n"), ""):
        if line and not line.startswith(" "):
            paragraph.append(line)
            continue
        lines += textwrap.wrap(" ".join(paragraph), WIDTH, initial_indent="// ",
                               subsequent_indent="// ")
        paragraph.clear()
        if line:
            lines.append(f"// {line}")
    return "\n".join(lines)


def stub(place: Place, checkpoint: Checkpoint, code: str) -> str:
    """The function, before it is written."""
    body = f"{comment(place, checkpoint)}\n{place.until}".rstrip()
    return f"{code[:opening(code)]}{{\n{textwrap.indent(body, '  ')}\n}}"


def replaced(text: str, found: cpp.Declaration, make) -> str:
    """The text with make(code) in place of that function's code."""
    lines = text.split("\n")
    indent = len(lines[found.begin - 1]) - len(lines[found.begin - 1].lstrip())
    new = textwrap.indent(make(found.code), " " * indent).split("\n")
    return "\n".join(lines[:found.begin - 1] + new + lines[found.last:])


def with_stub(text: str, place: Place, checkpoint: Checkpoint) -> str:
    return replaced(text, cpp.find_in(text, place.name), functools.partial(stub, place, checkpoint))


def reference(file: str) -> str:
    return (harness.ROOT / file).read_text(encoding="utf-8")


def server_of(program: str) -> str:
    """The file that is always the student's."""
    if program == checkpoints.TRACKS[-1]:
        return f"{harness.STAGES[-1]}/{program}.cc"
    return f"{program}/server.cc"


def files_of(program: str) -> list[str]:
    """The student's: what the checkpoints of this track and of those before it name."""
    until = checkpoints.TRACKS.index(program)
    named = {place.file for checkpoint in checkpoints.load() for place in checkpoint.writes
             if 0 < int(checkpoint.id[0]) <= until
             and (checkpoint.program == program or place.file.startswith("common/"))}
    return sorted(named | {server_of(program)})


def sources(program: str, until: int) -> dict[str, str]:
    """The student's files of that stage, with what is written at checkpoints up to `until`. What
    they were to write for an earlier stage is there."""
    texts = {file: reference(file) for file in files_of(program)}
    unwritten = [(checkpoint, place) for checkpoint in checkpoints.track(program)
                 if checkpoint.number > until for place in checkpoint.writes]
    for checkpoint, place in reversed(unwritten):  # name#2 is the second one before and after
        texts[place.file] = with_stub(texts[place.file], place, checkpoint)
    for file in {place.file for _, place in unwritten}:
        texts[file] = with_extras(texts[file], file, [p for _, p in unwritten if p.file == file])
    return texts


def with_extras(text: str, file: str, unwritten: list[Place]) -> str:
    """What the stubs include; and where functions have internal linkage, some nobody calls yet."""
    for include in sorted({place.include for place in unwritten if place.include}):
        if f"#include {include}\n" not in text:
            text = text.replace("#include <", f"#include {include}\n#include <", 1)
    if file.endswith(".cc") and "\nnamespace {\n" in text and UNUSED not in text:
        text = text.replace("namespace {\n", f"{UNUSED}namespace {{\n", 1)
    return text


def functions(path: pathlib.Path) -> dict[str, str]:
    return {d.name: d.code for d in cpp.declarations(path.read_text(encoding="utf-8"))
            if d.kind == "function"}


def siblings(program: str) -> list[tuple[Checkpoint, Place]]:
    """What was written for an earlier stage and is the same in this one. In a handout it is a stub
    here, too: nobody shall find in stage 2 what stage 1 asks for."""
    number = checkpoints.TRACKS.index(program)
    if number < 2:
        return []
    here, before = (functions(harness.ROOT / server_of(checkpoints.TRACKS[n]))
                    for n in (number, number - 1))
    own = {place.name for checkpoint in checkpoints.track(program) for place in checkpoint.writes}
    found = {}
    for checkpoint in checkpoints.load():
        for place in checkpoint.writes if 0 < int(checkpoint.id[0]) < number else ():
            same = Place(server_of(program), place.name, CARRIED, "static_cast<void>(c);")
            code = here.get(place.name)
            if code and place.name not in own and (
                    code == before.get(place.name) or is_unwritten(same, code)):
                found[place.name] = (checkpoint, same)
    return list(found.values())


def gaps(program: str, first: int, texts: dict[str, str]) -> list[tuple[Checkpoint, Place]]:
    """What is to be written before that checkpoint, and is not: in a handout nothing is."""
    number = checkpoints.TRACKS.index(program)
    before = [(checkpoint, place) for checkpoint in checkpoints.load()
              if int(checkpoint.id[0]) < number
              or checkpoint.program == program and checkpoint.number < first
              for place in checkpoint.writes]
    return [(checkpoint, place) for checkpoint, place in siblings(program) + before
            if place.file in texts
            and is_unwritten(place, cpp.find_in(texts[place.file], place.name).code)]


def outlines() -> dict[str, str]:
    """The student's files of all stages, and nothing is written."""
    texts = {}
    for program in reversed(checkpoints.TRACKS[1:]):  # the first one last: common/ is written there
        texts |= sources(program, -1)
        for checkpoint, place in siblings(program):
            texts[place.file] = with_stub(texts[place.file], place, checkpoint)
    return texts


def is_unwritten(place: Place, code: str) -> bool:
    return words(body_of(code)) == words(place.until)


def unwritten_in(folder: pathlib.Path, checkpoint: Checkpoint) -> list[str]:
    """Where in that student's folder the stubs of a checkpoint still stand: file:line name."""
    found = []
    for place in checkpoint.writes:
        path = folder / place.file
        if not path.exists():
            continue
        try:
            function = cpp.find(path, place.name)
        except cpp.NotFound:
            continue
        if is_unwritten(place, function.code):
            found.append(f"{place.file}:{function.begin} {place.name}")
    return found


def main(programs: list[str]) -> int:
    """Says what the stages of this tree lack, or these programs; a handout's lack all that the
    student writes."""
    lack = {f"{place.name} in {place.file}" for program in programs or harness.STAGES
            for _, place in gaps(program, sys.maxsize,
                                 {file: reference(file) for file in files_of(program)})}
    if lack:
        what = programs[0] if programs else "what this needs"
        print(shown(f"{what} is not written here: {len(lack)} functions, "
                    f"{', '.join(sorted(lack)[:2])} ... Begin: make lab-start DIR=~/lab"),
              file=sys.stderr)
    return 1 if lack else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
