"""The tree for students: make handout.

    build/handout.tar.gz    the same bytes for the same commit
    build/handout.git       the same tree as a repository with one commit

What the student writes is in neither of them. The stages are skeletons. A note says what it said,
but where it quotes a function that the student writes, there stands its head. So it is for every
function of the steps and of notes/next, which do in one file what the stages do. These programs are
left out: track 0 begins with an empty file, and step 3 has what is missing in step 2. The ideas,
the traces and the outputs are there; the teacher has the rest, and make lab-release.

What is handed out is what is committed.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import functools
import gzip
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable

from tests import harness, trees
from tests.lab import skeleton
from tests.lib import cpp
from tests.notes import notes

# Folders and files. First the solutions and what repeats them; then what needs those; then what
# measures finished servers, or checks this tree itself.
LEFT_OUT = (
    "notes/solutions", "notes/changed", "notes/next", "notes/steps", "tests/bench/floor",
    "tests/broken", "tests/exercises/wrong", "tests/exercises/unusual",
    "tests/lab/fixtures/server.py",
    "tests/blackbox/test_broken.py", "tests/blackbox/test_stage_shape.py", "tests/browser",
    "tests/compare/test_compare.py", "tests/compare/test_tools.py",
    "tests/lab/fixtures/broken.py", "tests/next", "tests/notes", "tests/site", "tests/soak",
    "tests/steps/steps.mk", "tests/steps/steps.py", "tests/steps/test_steps.py",
    ".ci", "tests/api", "tests/bench", "tests/coverage", "tests/lab/unfinished.make",
    "tests/lab/handout.py", "tests/lab/matrix.py", "tests/report", "tests/lab/autograder",
    "tests/lab/bundle.py", "tests/lab/test_autograder.py", "tests/mutants",
)
OUTLINED = ("notes/steps/", "notes/next/")  # of these, each function is left out of a quote
TIME = 1767225600  # 2026-01-01: of each file, and of the commit
NAME = "reactor-lab"
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
# In the table of libevent's functions.
USED_AT = re.compile(r"\[([\w./]+):\d+\]\(([^)#]+)#L\d+\)")
SHOWS_A_CHANGE = re.compile(r"^make -s (?:changed|step) ", re.M)
SHOWS_A_SOURCE = re.compile(r"^(?:grep|sed) .*\.(?:cc|h|patch)$", re.M)
CODE = re.compile(r"`([^`\n]+)`")
CALL = re.compile(r"([\w.]+)(?:<[^<>]*>)?\s*\([^)]")  # with what it is called with
CHANGED = re.compile(r"[-+](?!\+\+ )| {6}")
SAYS = {  # behind a heading; behind a page's title, if it is ""
    ("README.md", ""): """
**This is the handout**: the stages are empty, and you write them. Begin with
`make lab-start DIR=~/lab`; [notes/lab](notes/lab/README.md) says how it goes on. What needs
finished stages (`make demo`, `make test` and others below) says so, and works once you have copied
yours into this tree. What is named and not here, your teacher has.
""",
    ("README.zh.md", ""): """
**这一份发给学生**：各个阶段是空的，要由你来写。先运行 `make lab-start DIR=~/lab`；接下来怎样写，见[动手实验](notes/zh/lab/README.md)。
凡是需要完整阶段的命令（`make demo`、`make test` 和下面的其他命令）都会说明这一点，把你写好的阶段复制进来就能用。
文中提到而这里没有的文件，在老师那里。
""",
    ("README.md", "## Talk to one"): """
**The stages are empty here**: yours answers after checkpoint 1.2. Run it in `~/lab`.
""",
    ("README.zh.md", "## 试着连一下"): """
**这里的各个阶段是空的**：做完检查点 1.2，你写的服务器才会响应。请在 `~/lab` 里运行它。
""",
    ("notes/README.md", "## Build it first"): """
**The stages are empty here**: begin with `make lab-start DIR=~/lab` ([the lab](lab/README.md)).
What follows, and what note 0 tries, works with your own stage 1 after checkpoint 1.2.
""",
    ("notes/zh/README.md", "## 先编译"): """
**这里的各个阶段是空的**：先运行 `make lab-start DIR=~/lab`（见[动手实验](lab/README.md)）。下面的内容和第 0 篇笔记里的实验，
要等你自己的阶段 1 做完检查点 1.2 才能运行。
""",
    ("notes/00_sockets.md", "## The experiment"): """
**The stages are empty here**: do it with your own stage 1, after checkpoint 1.2. What it shows is.
""",
    ("notes/zh/00_sockets.md", "## 实验"): """
**这里的各个阶段是空的**：做完检查点 1.2 之后，用你自己的阶段 1 来做这个实验。它显示的内容还在。
""",
    ("notes/steps.md", ""): """
**You write these programs** ([track 0](lab/README.md)), so they are not here, and `make step` is
not either. What it shows is.
""",
    ("notes/zh/steps.md", ""): """
**这些程序要由你来写**（[从零开始](lab/README.md)），所以这里没有，`make step` 也没有。它显示的内容还在。
""",
    ("notes/stuck.md", ""): """
**The servers of this page** are with your teacher, and `make stuck` is too. What they show is here.
""",
    ("notes/zh/stuck.md", ""): """
**本页的服务器在老师那里**，`make stuck` 也是。它们显示的内容还在。
""",
}
FAILS = {  # behind these headings, where what comes before is not in a handout
    "## When it fails": "(To begin here, as below, you need what comes before. Write it, or ask "
                        "your teacher.)",
    "## 失败的时候": "（要像下面这样从这里开始，得先有前面的内容：自己写出来，或者向老师要。）",
}
STARTS_LATE = re.compile(r"lab-start DIR=\S+ (?:STAGE|FROM=(?![01]\b))")
AUTHOR = "The reactor lab"
HERE = pathlib.Path(__file__).resolve().parent


def left_out(name: str) -> bool:
    return name.startswith("tests/lab/test_") or any(
        name == out or name.startswith(f"{out}/") for out in LEFT_OUT)


# ---- what is quoted ------------------------------------------------------------------------------

def is_students(file: str, code: str) -> bool:
    return file.startswith(OUTLINED) or skeleton.MARK in code


def outlined(file: str, text: str) -> str:
    """With a semicolon for the body of each function that the student writes."""
    for found in reversed(cpp.declarations(text)):
        if found.kind == "function" and is_students(file, found.code):
            text = skeleton.replaced(text, found, head)
    return text


def head(code: str) -> str:
    """Also without what a constructor initialises."""
    task = re.search(rf"{skeleton.MARK} \((.*)\):", code)
    declared = re.split(r"\s:\s", code[:skeleton.opening(code)])[0].rstrip()
    return f"{declared};" + (f"  // yours: {task[1]}" if task else "")


def squeezed(code: str) -> str:
    return "".join(code.split())


class Outline(notes.Tree):
    """The tree as the notes of a handout see it."""

    def __init__(self, texts: dict[str, str]):
        super().__init__(harness.ROOT)
        self.texts = texts

    def text(self, file: str) -> str:
        return self.texts.get(file) or self.path(file).read_text(encoding="utf-8")

    @functools.cached_property
    def ours(self) -> str:
        return squeezed("\n".join(map(skeleton.reference, self.texts)))

    @functools.cached_property
    def theirs(self) -> str:
        files = (str(path.relative_to(self.root)) for top in trees.SOURCES
                 for path in (self.root / top).glob("*.*"))
        return squeezed("\n".join(map(self.text, files)))

    def without_arguments(self, match: re.Match) -> str:
        """Of code in a line of text: a call that the student is to find is its name alone."""
        call, code = CALL.search(match[1]), squeezed(match[1])
        hidden = call and code in self.ours and code not in self.theirs
        return f"`{call[1]}`" if hidden else match[0]

    def find(self, file: str, name: str) -> cpp.Declaration:
        found = cpp.find_in(self.text(file), name, file)
        return dataclasses.replace(found, text=outlined(file, found.text))


class Page(notes.Note):
    """A note whose quotes are those of the outline. What it ran stays as it is, but for the lines
    of a change of the code, and those that a command picks out of it."""

    def follow_run(self, at: int, arguments: str) -> tuple[int, list[str]]:
        end, block = super().follow_run(at, arguments)
        if SHOWS_A_SOURCE.search("\n".join(block)) and "```text" in block:
            block = [*block[:block.index("```text") + 1], "…", "```"]
        if SHOWS_A_CHANGE.search("\n".join(block)):
            block = ["…" if CHANGED.match(line) else line for line in block]
            block = [line for line, before in zip(block, ["", *block])
                     if line != "…" or before != "…"]
        return end, block

    def with_code_lines(self, at: int) -> str:
        """What the student writes is on no line yet."""
        def link(match: re.Match) -> str:
            file = os.path.relpath(self.path.parent / match["file"], self.tree.root)
            if match["code"] in self.tree.text(file):
                return match[0]
            return f"[`{match['code']}`]({match['file']})"

        self.lines[at] = notes.CODE_LINE.sub(link, self.lines[at])
        return super().with_code_lines(at)

    def diff(self, stage_a: str, stage_b: str, name: str) -> list[str]:
        return self.quote(self.tree.stage(stage_b), name)

    def changes(self, file_a: str, file_b: str) -> list[str]:
        a, b = (outlined(file, self.tree.text(file)) for file in (file_a, file_b))
        lines = difflib.unified_diff(a.split("\n"), b.split("\n"), lineterm="", n=0)
        return notes.fenced("diff", "\n".join(
            "…" if line.startswith("@@") else line for line in list(lines)[3:]))


def page(name: str, tree: Outline, names: set[str]) -> str:
    """A note as it is handed out. Its directives go: nobody writes it anew. A link to what is not
    there is its text alone, and one to a line that has moved is one to its file."""
    def link(match: re.Match) -> str:
        path = os.path.normpath(pathlib.PurePath(name).parent / match[2].partition("#")[0])
        there = "://" in match[2] or match[2].startswith("#") or path == "." or any(
            other == path or other.startswith(f"{path}/") for other in names)
        return match[0] if there else match[1]

    written = Page(tree, harness.ROOT / name).render().text.split("\n")
    for heading in [heading for file, heading in SAYS if file == name]:
        behind = next(at + 2 for at, line in enumerate(written)
                      if line == heading or not heading and line.startswith("# "))
        written[behind:behind] = SAYS[name, heading].split("\n")[1:]
    if STARTS_LATE.search("\n".join(written)):
        written = [f"{line}\n\n{FAILS[line]}" if line in FAILS else line for line in written]
    lines = []
    for line in written:
        kept = LINK.sub(link, line)
        if not notes.DIRECTIVE.match(line) and (kept == line or not notes.LINK_LINE.match(line)):
            kept = USED_AT.sub(
                lambda m: f"[{m[1]}]({m[2]})" if m[1] in tree.texts else m[0], kept)
            lines.append(CODE.sub(tree.without_arguments, kept))
    return "\n".join(lines)


# ---- the files -----------------------------------------------------------------------------------

def committed() -> list[str]:
    """What is handed out, and what is not: no file that only lies here. Where git knows nothing of
    this tree, as in an unpacked archive, all of it but the output."""
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=harness.ROOT,
                            capture_output=True, text=True, check=False).stdout
    names = listed.split("\0") if listed else (
        str(path.relative_to(harness.ROOT)) for path in harness.ROOT.rglob("*") if path.is_file())
    return sorted(name for name in names if name and not name.startswith(("build/", ".git/"))
                  and "__pycache__" not in name)


def files() -> dict[str, bytes]:
    """The handout: path -> what stands there."""
    texts = skeleton.outlines()
    tree = Outline(texts)
    names = {name for name in committed() if not left_out(name)}
    found = {name: (harness.ROOT / name).read_bytes() for name in names}
    found |= {name: text.encode() for name, text in texts.items()}
    found |= {name: page(name, tree, names).encode() for name in names if name.endswith(".md")}
    found["tests/lab/unfinished.mk"] = (HERE / "unfinished.make").read_bytes()
    return found


def mode(name: str) -> int:
    return 0o755 if os.access(harness.ROOT / name, os.X_OK) else 0o644


def tarred(found: dict[str, bytes], mode_of: Callable[[str], int]) -> bytes:
    """The same files are the same bytes, whoever packs them and when."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(found):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(found[name]), mode_of(name), TIME
            tar.addfile(entry, io.BytesIO(found[name]))
    return packed.getvalue()


def archive(found: dict[str, bytes]) -> bytes:
    """All of it in one folder."""
    inside = {f"{NAME}/{name}": data for name, data in found.items()}
    return gzip.compress(tarred(inside, lambda name: mode(name.removeprefix(f"{NAME}/"))),
                         mtime=TIME)


def lay(found: dict[str, bytes], folder: pathlib.Path) -> None:
    for name, data in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        (folder / name).chmod(mode(name))


def repository(found: dict[str, bytes], to: pathlib.Path) -> None:
    """One commit, and nothing of this tree's history. No setting of who runs it has a say."""
    when = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
            (("NAME", AUTHOR), ("EMAIL", "lab@localhost"), ("DATE", f"{TIME} +0000"))}
    with tempfile.TemporaryDirectory() as folder:
        lay(found, pathlib.Path(folder))
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull,
               "GIT_CONFIG_NOSYSTEM": "1", "GIT_DIR": str(to), **when}
        for arguments in (("init", "--quiet", "--bare", "--template=", "--initial-branch=main"),
                          ("--work-tree=.", "add", "--all", "--force"),
                          ("--work-tree=.", "commit", "--quiet", "-m", "The reactor lab")):
            subprocess.run(["git", *arguments], cwd=folder, env=env, check=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="handout", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, nargs="?", default=harness.ROOT / "build")
    folder = parser.parse_args(arguments).folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    found = files()
    (folder / "handout.tar.gz").write_bytes(archive(found))
    shutil.rmtree(folder / "handout.git", ignore_errors=True)
    repository(found, folder / "handout.git")
    print(f"{folder}/handout.tar.gz and handout.git: for students, without what they write")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
