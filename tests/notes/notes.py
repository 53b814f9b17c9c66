"""Checked notes: what a note quotes is what the tree holds, and what it shows is what runs.

A note asks for a quote, a link, a diff or an output in a comment of its own line; what stands
behind the comment is written by `make notes` and verified by `make notes-check`:

    <!-- quote 01_plain_epoll/server.cc on_readable -->  the whole function, and a link to its lines
    <!-- link common/session.h Session::Phase -->        the link alone
    <!-- diff 01 02 on_readable -->                      what changes from stage 1 to stage 2
    <!-- changes notes/steps/7_a.cc notes/steps/8_b.cc --> what changes from one file to another
    <!-- run -->            the commands in the fence below; their output goes into a second fence
    <!-- run server=02 -->  the command below is a server; it runs until the note ends
    <!-- run stop=02 -->    ... or until here: Ctrl-C first, then the commands below

Within a line, a link of code, [`accept4(`](../common/socket.cc#L103), leads to where it stands: the
number is written, as long as that is one place only.

Options of `run`: `quiet` runs without showing the output, `varies` shows it but does not compare
it, `needs=strace,nc` skips where a program is missing (or what ASK knows), `seconds=60` allows more
than 30. Server 00 has the text port alone.
The reader's ports (7001, 8002 ...) are replaced by free ones, and back in what is shown.

A translation (notes/zh/lab/1_1.md of notes/lab/1_1.md, README.zh.md of README.md) names what it was
made from, as `<!-- translation of NAME digest -->`. Behind the titles of both stands a link to the
other, which is written. It quotes by itself; its outputs are those of the original. No other link
leads from a translation to a page that is translated. Where its original is gone, runs other things
or was changed, a translation is due: with --may-lag no failure, but its quotes, its outputs and the
files it links to have to be true like any other's.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import difflib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from tests import harness, skips
from tests.harness import LISTENING, STAGES
from tests.lib import cpp
from tests.next import programs

# In English alone: for those who change the tree.
NOT_TRANSLATED = {"CONTRIBUTING.md", "CHANGELOG.md", "notes/contract.md"}
# A program writes both, from one table: there is nothing that could follow later.
WRITTEN_IN_BOTH = {"notes/libevent_api.md"}
CHINESE, TOP = "notes/zh/", ("README.md", "README.zh.md")
# Where to be installed is not enough: a container may forbid it.
ASK = {"strace": harness.why_no_tracing, "attaching": harness.why_no_attaching,
       "uring": lambda: programs.why_not("uring"), "tls": lambda: programs.why_not("tls")}
DIRECTIVE = re.compile(r"^<!-- *(\w+)\b *(.*?) *-->$")
OTHER_LANGUAGE = re.compile(r"^\[(?:English|中文)\]\([^)]*\)$")
CODE_LINE = re.compile(r"\[`(?P<code>[^`]+)`\]\((?P<file>[^)#\s]+)#L(?P<line>\d+)\)")
LINK_LINE = re.compile(r"^\[`[^`]+`\]\([^)]*\)(?: · \[`[^`]+`\]\([^)]*\))?$")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
# What differs between two runs of the same thing.
NORMALISE = (
    (re.compile(r"\r"), ""),
    (re.compile(r"^Date: .*$", re.M), "Date: Sat, 21 Nov 2026 12:00:00 GMT"),
    (re.compile(r"[ \t]+$", re.M), ""),
    (re.compile(r"\b(within|after) \d+\.\d s\b"), r"\1 2.5 s"),  # more on a slower machine
    (re.compile(r'("uptime_seconds"|"loop_wakeups"):\d+'), r"\1:7"),
)


class NoteError(Exception):
    """A directive that cannot be followed."""


class Outgrown(NoteError):
    """A translation's, because its original is no longer what was translated."""


@dataclasses.dataclass(frozen=True)
class Problem:
    note: str
    line: int
    what: str
    written: int = 0  # its line once the note is written anew; 0: writing it mends this
    due: bool = False  # a translation has to follow

    def __str__(self) -> str:
        return f"{self.note}:{self.line}: {'due: ' if self.due else ''}{self.what}"


@dataclasses.dataclass(frozen=True)
class Rendered:
    text: str
    problems: list[Problem]
    skipped: list[str]  # for each output that could not be had, why


# ---- blocks of a note ----------------------------------------------------------------------------


def fence_end(lines: list[str], at: int) -> int:
    """The line behind the fenced block that starts at `at`; `at` itself if none starts there."""
    if at >= len(lines) or not lines[at].startswith("```"):
        return at
    for end in range(at + 1, len(lines)):
        if lines[end].rstrip() == "```":
            return end + 1
    raise NoteError("a fenced block is never closed")


def fenced(language: str, text: str) -> list[str]:
    return [f"```{language}", *text.rstrip("\n").split("\n"), "```"]


class Tree:
    """The files that notes talk about."""

    def __init__(self, root: pathlib.Path):
        self.root = root

    def path(self, name: str) -> pathlib.Path:
        if not (self.root / name).is_file():
            raise NoteError(f"there is no file {name}")
        return self.root / name

    def text(self, file: str) -> str:
        return self.path(file).read_text(encoding="utf-8")

    def line_of(self, file: str, code: str, told: int) -> int:
        """Where code stands in a file: as told, or in the only place there is."""
        found = [at for at, line in enumerate(self.text(file).split("\n"), 1) if code in line]
        if told not in found and len(found) != 1:
            raise NoteError(f"{code} is on {len(found)} lines of {file}")
        return told if told in found else found[0]

    def find(self, file: str, name: str) -> cpp.Declaration:
        try:
            return cpp.find(self.path(file), name)
        except cpp.NotFound as missing:
            raise NoteError(str(missing)) from None

    def stage(self, number: str) -> str:
        for stage in STAGES:
            if stage.startswith(number):
                return f"{stage}/server.cc"
        raise NoteError(f"there is no stage {number}")

    def notes(self) -> list[pathlib.Path]:
        folders = (self.root / "notes").glob("**/*.md")
        return sorted(p for p in (*self.root.glob("*.md"), *folders)
                      if p.is_file() and "solutions" not in p.relative_to(self.root).parts)

    def name(self, path: pathlib.Path) -> str:
        return path.relative_to(self.root).as_posix()

    def original(self, path: pathlib.Path) -> pathlib.Path | None:
        """What a page is a translation of; None if it is none."""
        name = self.name(path)
        if name == TOP[1]:
            return self.root / TOP[0]
        return self.root / "notes" / name[len(CHINESE):] if name.startswith(CHINESE) else None

    def translation(self, path: pathlib.Path) -> pathlib.Path:
        """Where that of an original lies, if there is one."""
        name = self.name(path)
        return self.root / (TOP[1] if name == TOP[0] else CHINESE + name.removeprefix("notes/"))

    def translated(self) -> list[pathlib.Path]:
        """What has to have a translation."""
        return [path for path in self.notes() if self.original(path) is None
                and self.name(path) not in NOT_TRANSLATED]

    def is_translated(self, path: pathlib.Path) -> bool:
        return path.suffix == ".md" and path.is_relative_to(self.root) and (
            self.original(path) is None and self.translation(path).is_file())

    def other_language(self, path: pathlib.Path) -> str:
        """The link to it; empty where the page is there in one only."""
        source = self.original(path)
        there = source or self.translation(path)
        to = os.path.relpath(there, path.parent)
        return f"[{'English' if source else '中文'}]({to})" if there.is_file() else ""


# ---- commands ------------------------------------------------------------------------------------


class Shell:
    """Types what a note tells its reader to type, in order."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.servers: dict[str, subprocess.Popen] = {}
        self.ports: dict[str, str] = {}  # what the reader types -> what it is here
        hidden = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "SAN", "LAB_BIN", "LAB_LANG", "http_proxy")
        self.env = {k: v for k, v in os.environ.items() if k not in hidden}
        self.env |= {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "COLUMNS": "100"}

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_):
        for number in list(self.servers):
            self.stop(number)

    def spawn(self, command: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["bash", "-c", command], cwd=self.root, env=self.env, encoding="utf-8",
            errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)

    @staticmethod
    def end(process: subprocess.Popen, number: int) -> None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass

    def stop(self, number: str) -> None:
        process = self.servers.pop(number, None)
        if process is None:
            raise NoteError(f"no server {number} is running")
        self.end(process, signal.SIGINT)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            self.end(process, signal.SIGKILL)
            process.wait()
        process.stdout.close()

    def serve(self, number: str, command: str) -> str:
        if number in self.servers:
            self.stop(number)  # two of them would not get the same ports either
        one = "text" if number == "00" else "http"
        names = ("text", "http") if f"{number}_" in "".join(STAGES) else (one,)
        free = " ".join(f"--{name}-port 0" for name in names)
        if "ARGS='" in command:
            command = command.replace("ARGS='", f"ARGS='{free} ")
        elif command.startswith("make "):
            command += f" ARGS='{free}'"
        else:
            command += " " + free
        self.servers[number] = process = self.spawn("exec " + command)
        output = ""
        for _ in names:
            while not (match := LISTENING.match(line := process.stdout.readline())):
                if not line:
                    raise NoteError(f"the server did not start: {output}")
                output += line
            thousands = {"text": 7, "http": 8}[match["name"]]
            self.ports[f"{thousands}0{number}"] = match["port"]
            output += line
        return self.readers(output)

    def readers(self, text: str) -> str:
        for typed, actual in self.ports.items():
            text = re.sub(rf"\b{actual}\b", typed, text)
        for pattern, replacement in NORMALISE:
            text = pattern.sub(replacement, text)
        return text

    def run(self, commands: str, seconds: float) -> str:
        for typed, actual in self.ports.items():
            commands = re.sub(rf"\b{typed}\b", actual, commands)
        process = self.spawn("set -e\n" + commands)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.end(process, signal.SIGKILL)
            raise NoteError(f"not done after {seconds:g} seconds: "
                            f"{process.communicate()[0]!r}") from None
        if process.returncode != 0:
            raise NoteError(f"exit status {process.returncode}: {output.rstrip()}")
        return self.readers(output)


def lacking(program: str) -> str:
    """Why it cannot run here; empty if it can."""
    if program in ASK:
        return ASK[program]()
    return "" if shutil.which(program) else f"{program} is not installed"


def options_of(arguments: str) -> dict[str, str]:
    options = {key: value for key, _, value in (word.partition("=") for word in arguments.split())}
    if unknown := options.keys() - {"server", "stop", "quiet", "varies", "needs", "seconds"}:
        raise NoteError(f"run has no option {sorted(unknown)[0]}")
    return options


# ---- one note ------------------------------------------------------------------------------------


class Note:
    """Renders a note anew: directives are followed, everything else stays.

    `shell`: None leaves outputs as they are. `original`: what this note is a translation of,
    already rendered; its outputs are taken over. `strip`: leave out what a program wrote.
    """

    def __init__(self, tree: Tree, path: pathlib.Path, shell: Shell | None = None,
                 original: str | None = None, strip: bool = False):
        self.tree, self.path, self.shell, self.strip = tree, path, shell, strip
        self.name = tree.name(path)
        self.lines = path.read_text(encoding="utf-8").split("\n")
        self.outputs = None if original is None else outputs_of(original.split("\n"))
        self.problems: list[Problem] = []
        self.skipped: list[str] = []

    def render(self) -> Rendered:
        result: list[str] = []
        at = 0
        while at < len(self.lines):
            directive = DIRECTIVE.match(self.lines[at])
            try:
                if directive:
                    end, block = self.follow(at, directive[1], directive[2])
                else:
                    end = max(fence_end(self.lines, at), at + 1)
                    block = self.lines[at:end]
                    if end == at + 1:
                        block = [self.with_code_lines(at)]
            except NoteError as error:
                self.problems.append(Problem(self.name, at + 1, str(error), len(result) + 1,
                                             isinstance(error, Outgrown)))
                end, block = at + 1, [self.lines[at]]
            result += block
            at = end
        return Rendered("\n".join(self.with_language(result)), self.problems, self.skipped)

    def with_code_lines(self, at: int) -> str:
        """The line, with the numbers that its links of code should have."""
        def link(match: re.Match) -> str:
            file = os.path.relpath(self.path.parent / match["file"], self.tree.root)
            line = self.tree.line_of(file, match["code"], int(match["line"]))
            return f"[`{match['code']}`]({match['file']}#L{'' if self.strip else line})"

        line = CODE_LINE.sub(link, self.lines[at])
        if line != self.lines[at] and not self.strip:
            self.problems.append(Problem(self.name, at + 1, "a link of code is to another line"))
        return line

    def with_language(self, lines: list[str]) -> list[str]:
        """With the link to the other language as the first line behind the title."""
        title = next((at for at, line in enumerate(lines) if line.startswith("# ")), None)
        if title is None:
            return lines
        told = lines[title + 2:title + 3]
        end = title + 1 + 2 * bool(told and OTHER_LANGUAGE.match(told[0]))
        link = "" if self.strip else self.tree.other_language(self.path)
        block = ["", link] if link else []
        if not self.strip and lines[title + 1:end] != block:
            lost = not link and self.tree.original(self.path) is not None
            self.problems.append(Problem(
                self.name, title + 1, f"links behind its title not to {link or 'none'}", due=lost))
        return [*lines[:title + 1], *block, *lines[end:]]

    def follow(self, at: int, kind: str, arguments: str) -> tuple[int, list[str]]:
        """The line behind what the directive covers, and what should stand there."""
        if kind == "translation":
            return at + 1, [self.lines[at]]
        if kind == "run":
            return self.follow_run(at, arguments)
        make = {"quote": self.quote, "link": self.link, "diff": self.diff,
                "changes": self.changes}.get(kind)
        if make is None:
            raise NoteError(f"unknown directive {kind}")
        try:
            block = make(*arguments.split())
        except TypeError:
            raise NoteError(f"{kind} {arguments}: wrong number of words") from None
        end = at + 1 if kind == "link" else fence_end(self.lines, at + 1)
        if end < len(self.lines) and LINK_LINE.match(self.lines[end]):
            end += 1
        if self.strip:
            block = []
        elif self.lines[at + 1:end] != block:
            self.problems.append(Problem(self.name, at + 1, f"{kind} {arguments} is stale"))
        return end, [self.lines[at], *block]

    def link_to(self, file: str, found: cpp.Declaration) -> str:
        place = f"{file}#L{found.first}-L{found.last}"
        up = os.path.relpath(self.tree.root / file, self.path.parent)
        return f"[`{place}`]({up}#L{found.first}-L{found.last})"

    def quote(self, file: str, name: str) -> list[str]:
        found = self.tree.find(file, name)
        return [*fenced("cpp", found.text), self.link_to(file, found)]

    def link(self, file: str, name: str) -> list[str]:
        return [self.link_to(file, self.tree.find(file, name))]

    def diff(self, stage_a: str, stage_b: str, name: str) -> list[str]:
        files = [self.tree.stage(stage_a), self.tree.stage(stage_b)]
        a, b = (self.tree.find(file, name) for file in files)
        lines = difflib.unified_diff(a.text.split("\n"), b.text.split("\n"), lineterm="", n=1000)
        changes = list(lines)[3:]
        if not changes:
            raise NoteError(f"{name} is the same in both stages")
        links = " · ".join(self.link_to(*pair) for pair in zip(files, (a, b)))
        return [*fenced("diff", "\n".join(changes)), links]

    def changes(self, file_a: str, file_b: str) -> list[str]:
        files = (file_a, file_b)
        a, b = (self.tree.path(file).read_text(encoding="utf-8").split("\n") for file in files)
        lines = list(difflib.unified_diff(a, b, lineterm="", n=2))[3:]
        if not lines:
            raise NoteError(f"{file_a} and {file_b} are the same")
        shown = ["…" if line.startswith("@@") else line for line in lines]
        links = " · ".join(f"[`{file}`]({os.path.relpath(self.tree.root / file, self.path.parent)})"
                           for file in files)
        return [*fenced("diff", "\n".join(shown)), links]

    def follow_run(self, at: int, arguments: str) -> tuple[int, list[str]]:
        options = options_of(arguments)
        behind = fence_end(self.lines, at + 1)
        if behind == at + 1 or self.lines[at + 1] != "```sh":
            raise NoteError("run needs a ```sh block on the next line")
        typed = self.lines[at:behind]
        end = behind
        if "quiet" not in options and self.lines[behind:behind + 1] == ["```text"]:
            end = fence_end(self.lines, behind)
        if self.strip:
            return end, typed
        wanted = self.output(typed, self.lines[behind:end], options)
        if "quiet" in options:
            return end, typed
        stale = wanted != self.lines[behind:end]
        if stale and ("varies" not in options or behind == end):
            self.problems.append(Problem(self.name, at + 1, "output is stale:\n" + "\n".join(
                difflib.unified_diff(self.lines[behind:end], wanted, "note", "now", lineterm=""))))
        return end, [*typed, *wanted]

    def output(self, typed: list[str], old: list[str], options: dict[str, str]) -> list[str]:
        commands = "\n".join(typed[2:-1])
        if self.outputs is not None:
            if not self.outputs.get(commands):
                raise Outgrown("the original runs no such commands")
            return self.outputs[commands].pop(0)
        if self.shell is None:
            return old
        programs = options["needs"].split(",") if "needs" in options else []
        if missing := [why for why in map(lacking, programs) if why]:
            self.skipped += missing
            return old
        if "stop" in options:
            self.shell.stop(options["stop"])
        if "server" in options:
            return fenced("text", self.shell.serve(options["server"], commands))
        return fenced("text", self.shell.run(commands, float(options.get("seconds", 30))))


def outputs_of(lines: list[str]) -> dict[str, list[list[str]]]:
    """Of a rendered note: commands -> the output blocks behind them, empty where there is none.
    Commands may come several times, each time with another output."""
    found: dict[str, list[list[str]]] = {}
    for at, line in enumerate(lines):
        directive = DIRECTIVE.match(line)
        if not directive or directive[1] != "run":
            continue
        behind = fence_end(lines, at + 1)
        shown = "quiet" not in directive[2] and lines[behind:behind + 1] == ["```text"]
        end = fence_end(lines, behind) if shown else behind
        found.setdefault("\n".join(lines[at + 2:behind - 1]), []).append(lines[behind:end])
    return found


def course(root: pathlib.Path) -> list[str]:
    """The pages of the course in their order, which is that of the links in notes/README.md."""
    text = (root / "notes/README.md").read_text(encoding="utf-8")
    return list(dict.fromkeys(re.findall(r"\]\((\w+\.md)\)", text)))


# ---- what holds between files --------------------------------------------------------------------


def without_fences(lines: list[str]):
    """(line number, text) of what is prose; code spans are blanked."""
    at = 0
    while at < len(lines):
        end = fence_end(lines, at)
        if end == at:
            yield at + 1, re.sub(r"(?<!\[)`[^`]*`(?!\])", "", lines[at])
            end = at + 1
        at = end


def anchors(lines: list[str]) -> set[str]:
    """The names that a code host gives to headings."""
    found: set[str] = set()
    at = 0
    while at < len(lines):
        end = fence_end(lines, at)
        if end == at:
            end = at + 1
            if heading := re.match(r"#+ +(.*)", lines[at]):
                plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower().replace("`", "")
                found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
        at = end
    return found


def check_links(tree: Tree, path: pathlib.Path) -> list[Problem]:
    name = tree.name(path)
    problems = []
    original = tree.original(path)
    for number, text in without_fences(path.read_text(encoding="utf-8").split("\n")):
        for target in LINK.findall(text):
            file, _, anchor = target.partition("#")
            if re.match(r"\w+:", target):
                continue
            there = (path.parent / file).resolve() if file else path
            if not there.exists():
                problems.append(Problem(name, number, f"link to {target}: no such file",
                                        due=there == original))
            elif anchor and not anchor_exists(there, anchor):
                problems.append(
                    Problem(name, number, f"link to {target}: no such place in it",
                            due=original is not None))
            elif original and tree.is_translated(there) and not OTHER_LANGUAGE.match(text):
                problems.append(
                    Problem(name, number, f"link to {target}: it is there in Chinese", due=True))
    return problems


def anchor_exists(path: pathlib.Path, anchor: str) -> bool:
    lines = path.read_text(encoding="utf-8").split("\n")
    if path.suffix == ".md":  # `make player` says whether a step of the player is there
        return anchor in anchors(lines) or anchor.startswith("conv=")
    numbers = re.fullmatch(r"L(\d+)(?:-L(\d+))?", anchor)
    return numbers is not None and int(numbers[2] or numbers[1]) <= len(lines)


def check_coverage(tree: Tree) -> list[Problem]:
    """Every function of a stage's server.cc stands in the stage's note, quoted or linked."""
    problems = []
    for stage in STAGES:
        note = tree.root / "notes" / f"{stage}.md"
        if not note.is_file():
            problems.append(Problem(f"notes/{stage}.md", 1, "the stage has no note"))
            continue
        file = f"{stage}/server.cc"
        words = [line.split() for line in note.read_text(encoding="utf-8").split("\n")
                 if re.match(rf"<!-- (quote|link) {file} ", line)]
        named = {line[3].partition("#")[0] for line in words}
        everything = cpp.definitions(tree.path(file))
        shown = [d for d in everything if d.name in named]
        for function in everything:
            if not any(d.first <= function.first and function.last <= d.last for d in shown):
                problems.append(Problem(f"notes/{stage}.md", 1,
                                        f"neither quotes nor links {function.name} of {file}"))
    return problems


def check_answers(tree: Tree) -> list[Problem]:
    """Every question at the end of a note has a folded answer, with commands that show it."""
    return [Problem(tree.name(path), line, f"question {number} {lacks}")
            for path in tree.notes() if tree.original(path) is None
            for number, line, block in questions(path.read_text(encoding="utf-8").split("\n"))
            if (lacks := unanswered(block))]


def questions(lines: list[str]):
    """(number, its line, the lines up to the next) for each item under the heading Questions."""
    headings = [at for at, _ in without_fences(lines) if lines[at - 1].startswith("## ")]
    for first, last in zip(headings, [*headings[1:], len(lines) + 1]):
        if lines[first - 1] != "## Questions":
            continue
        prose = {at for at, _ in without_fences(lines)}
        items = [at for at in range(first, last) if at in prose
                 and re.match(r"\*\*\d+\. ", lines[at - 1])]
        for begin, end in zip(items, [*items[1:], last]):
            yield lines[begin - 1].partition(".")[0][2:], begin, lines[begin:end - 1]


def unanswered(block: list[str]) -> str:
    """What a question lacks; empty if nothing."""
    if "<summary>Answer</summary>" not in block or "</details>" not in block:
        return "has no folded answer"
    answer = block[block.index("<summary>Answer</summary>"):block.index("</details>")]
    shown = any((found := DIRECTIVE.match(line)) and found[1] == "run" for line in answer)
    return "" if shown else "has an answer that no command shows"


def digest(tree: Tree, path: pathlib.Path) -> str:
    """Of what a person wrote: quotes and outputs may change without making a translation old."""
    text = Note(tree, path, strip=True).render().text
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_translations(tree: Tree) -> list[Problem]:
    """All of it is due."""
    pages = {path for path in tree.notes() if tree.original(path)}
    pages.update(map(tree.translation, tree.translated()))
    return [Problem(tree.name(page), line, what, due=True)
            for page in sorted(pages) for line, what in lag(tree, page)]


def lag(tree: Tree, page: pathlib.Path):
    """How a translation lies behind its original: (line, what) for each reason."""
    original = tree.original(page)
    name = tree.name(original)
    if not page.is_file():
        yield 1, "there is no translation"
    elif not original.is_file():
        yield 1, f"there is no {name} any more"
    elif name not in WRITTEN_IN_BOTH:
        line, told = translation_line(page)
        if directives(page) != directives(original):
            yield line, f"quotes or runs other things than {name}"
        if told != digest(tree, original):
            yield line, (f"{name} changed after this translation did: bring it up to date, "
                         f"then say so: make notes-zh-done NOTE={tree.name(page)}")


def directives(path: pathlib.Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n")
            if (found := DIRECTIVE.match(line)) and found[1] != "translation"]


def translation_line(path: pathlib.Path) -> tuple[int, str]:
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        directive = DIRECTIVE.match(line)
        if directive and directive[1] == "translation":
            return number, directive[2].split()[-1]
    return 1, ""


def translation_done(tree: Tree, name: str) -> None:
    """`name`: README.zh.md, notes/zh/lab/1_1.md, or lab/1_1.md for short."""
    path = tree.path(name if name == TOP[1] else CHINESE + name.removeprefix(CHINESE))
    original = tree.name(tree.original(path))
    mark = f"<!-- translation of {original} {digest(tree, tree.path(original))} -->"
    lines = path.read_text(encoding="utf-8").split("\n")
    number, told = translation_line(path)
    if told:
        lines[number - 1] = mark
    else:
        lines.insert(0, mark)
    path.write_text("\n".join(lines), encoding="utf-8")


# ---- all of them ---------------------------------------------------------------------------------


def is_of_the_lab(tree: Tree, path: pathlib.Path) -> bool:
    """A page of the lab shows a server that is built for it and fails: half a minute for each."""
    return tree.name(path).startswith("notes/lab/")


def render_all(tree: Tree, paths: list[pathlib.Path],
               runs: Callable[[pathlib.Path], bool]) -> dict[pathlib.Path, Rendered]:
    """Notes in their order: an original comes before its translation. Two at a time run."""
    def render(path: pathlib.Path) -> Rendered:
        if not runs(path):
            return Note(tree, path).render()
        with Shell(tree.root) as shell:
            return Note(tree, path, shell).render()

    originals = [path for path in paths if tree.original(path) is None]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = dict(zip(originals, pool.map(render, originals)))
    for path in paths:
        if source := tree.original(path):
            text = None  # of an original that is gone: the outputs stay
            if source in done:
                text = done[source].text
            elif source.is_file():
                text = source.read_text(encoding="utf-8")
            done[path] = Note(tree, path, original=text).render()
    skipped = collections.Counter(why for rendered in done.values() for why in rendered.skipped)
    for why, times in skipped.items():
        print(f"skipped {times} outputs: {why}")
    return done


def check(tree: Tree, run: bool, lab: bool = False) -> list[Problem]:
    """`run`: the commands too; of the lab's pages with `lab`, else of all others."""
    paths = tree.notes()
    rendered = render_all(tree, paths, lambda path: run and is_of_the_lab(tree, path) == lab)
    problems = [problem for note in rendered.values() for problem in note.problems]
    for path, note in rendered.items():
        name = str(path.relative_to(tree.root))
        problems += [Problem(name, 1, f"an output was skipped: {why}")
                     for why in note.skipped if skips.unexpected(name, why)]
    for path in paths:
        problems += check_links(tree, path)
    return problems + check_coverage(tree) + check_answers(tree) + check_translations(tree)


def write(tree: Tree, paths: list[pathlib.Path], run: bool) -> list[Problem]:
    """Refreshes the notes; returns what could not be followed, a failing command for one."""
    problems = []
    for path, rendered in render_all(tree, paths, lambda path: run).items():
        if rendered.text != path.read_text(encoding="utf-8"):
            path.write_text(rendered.text, encoding="utf-8")
        problems += [dataclasses.replace(problem, line=problem.written)
                     for problem in rendered.problems if problem.written]
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=["check", "write", "translated"])
    parser.add_argument("notes", nargs="*", help="these only (write), or the one (translated)")
    parser.add_argument("--run", action="store_true", help="run the commands of the notes too")
    parser.add_argument("--lab", action="store_true", help="check: those of the lab instead")
    parser.add_argument("--may-lag", action="store_true", help="what is due is no failure")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parents[2])
    arguments = parser.parse_intermixed_args()
    tree = Tree(arguments.root.resolve())
    if arguments.what == "translated":
        try:
            for name in arguments.notes:
                translation_done(tree, name)
        except NoteError as error:
            sys.exit(f"notes: {error}")
        return 0
    started = time.monotonic()
    lock = os.open(tree.root / "tests/notes/notes.py", os.O_RDONLY)
    if arguments.run:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the commands write into build/: one reader at a time
    if arguments.what == "check":
        problems = check(tree, arguments.run, arguments.lab)
    else:
        paths = [tree.root / name for name in arguments.notes] or tree.notes()
        problems = write(tree, paths, arguments.run)
    for problem in problems:
        print(problem)
    due = sum(problem.due for problem in problems)
    wrong = len(problems) - due
    if wrong and arguments.what == "check":
        print("make notes brings quotes and outputs up to date.")
    print(f"notes: {wrong} problems, {f'{due} due, ' if due else ''}{len(tree.notes())} notes, "
          f"{time.monotonic() - started:.1f} s")
    return 1 if wrong or (due and arguments.what == "check" and not arguments.may_lag) else 0


if __name__ == "__main__":
    sys.exit(main())
