"""What is handed out holds nothing of what students write, and is enough to write it with."""

from __future__ import annotations

import functools
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

from tests import harness, trees
from tests.lab import checkpoints, handout, skeleton
from tests.lib import cpp
from tests.notes import notes

SHORTEST = 20  # columns of a line that is somebody's own
# Longer ones that say nothing of how it is done: they stand in experiments, and in tables.
TRIVIAL = {"std::fflush(stdout);", "evhttp_set_max_headers_size(",
           "for (int i = 0; i < count; ++i) {"}
# What is the same code in two stages, whatever it is called there.
ALIKE = ((r"//.*", ""), (r"\s+", ""), (r"\b(?:c|loop|worker)(?:\.|->)", ""), (r"\.get\(\)", ""),
         (r"call<(\w+)>", r"\1"), (r"EPOLLIN|EV_READ", "READ"), (r"EPOLLOUT|EV_WRITE", "WRITE"),
         (r"\b(?:01_plain_epoll|02_epoll_reactor|03_libevent_raw|04_bufferevent_http)\b", "stage"))
RUN = 3  # lines that are no accident
# common/ is handed out to be read: it fills a set of signals as step 8 does, and as everybody does.
GIVEN = ("common/process.cc", "8_the_end.cc stop_signals")
ENV = {key: value for key, value in os.environ.items()
       if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "SAN", "LAB_BIN", "LAB_STAGES")}


# ---- what must not be in it ----------------------------------------------------------------------

def lines_of(code: str) -> set[str]:
    return {" ".join(line.split()) for line in code.split("\n")}


def secret_functions() -> dict[str, str]:
    """Of the table, and all of the steps, which are track 0: the code, and its name."""
    found = {cpp.find(harness.ROOT / place.file, place.name).code: f"{place.file} {place.name}"
             for checkpoint in checkpoints.load() for place in checkpoint.writes}
    for path in sorted((harness.ROOT / "notes" / "steps").glob("*.cc")):
        found |= {code: f"{path.name} {name}" for name, code in skeleton.functions(path).items()}
    return found


def given_text(secret: dict[str, str]) -> str:
    """The code of the stages and of common/ around these functions, and what stands in their place
    until they are written: the task, and a stub."""
    given = [line for checkpoint in checkpoints.load() for place in checkpoint.writes
             for line in lines_of(f"{place.task}\n{place.until}")]
    for top in trees.SOURCES:
        for path in (harness.ROOT / top).rglob("*.*"):
            text = path.read_text(encoding="utf-8")
            lines = text.split("\n")
            for found in cpp.declarations(text) if path.suffix in (".cc", ".h") else ():
                if found.code in secret:
                    lines[found.begin:found.last] = [""] * (found.last - found.begin)
            given += lines_of("\n".join(lines))
    return "\n".join(given)


@functools.cache
def secret_lines() -> dict[str, str]:
    """Each line of these bodies that tells something: where it is from."""
    secret = secret_functions()
    given = given_text(secret)
    return {line: name for code, name in secret.items()
            for line in lines_of(skeleton.body_of(code))
            if len(line) >= SHORTEST and not line.startswith("//") and line not in given
            and line not in TRIVIAL}


def leaks(found: dict[str, bytes]) -> list[str]:
    """file: line (whose) for each such line in each file, however it is indented there."""
    texts = {name: " ".join(data.decode(errors="replace").split()) for name, data in found.items()}
    return [f"{name}: {line} ({whose})" for name, text in sorted(texts.items())
            for line, whose in secret_lines().items() if line in text]


def code_of(text: str) -> list[str]:
    """Its lines of code, but for those of brackets alone; in all stages the same where it is."""
    for what, instead in ALIKE:
        text = "\n".join(re.sub(what, instead, line) for line in text.split("\n"))
    return [line for line in text.split("\n") if re.search(r"\w", line)]


@functools.cache
def secret_runs() -> dict[str, str]:
    """Any three lines of these bodies that follow each other: where they are from."""
    runs = {}
    for code, name in secret_functions().items():
        lines = code_of(skeleton.body_of(code))
        runs |= {"\n".join(["", *lines[at:at + RUN], ""]): name
                 for at in range(len(lines) - RUN + 1)}
    return runs


def runs_in(found: dict[str, bytes]) -> list[str]:
    """file: lines (whose) for each of them; also where a function that is handed out has them."""
    texts = {name: "\n".join(["", *code_of(data.decode(errors="replace")), ""])
             for name, data in found.items()}
    return [f"{name}: {' '.join(run.split())} ({whose})" for name, text in sorted(texts.items())
            for run, whose in secret_runs().items() if run in text and (name, whose) != GIVEN]


def calls_in(found: dict[str, bytes]) -> list[str]:
    """page: call (whose) for each call that a page shows as it stands in one of these bodies."""
    secret = secret_functions()
    given = "".join(given_text(secret).split())
    bodies = {"".join(skeleton.body_of(code).split()): name for code, name in secret.items()}
    shown = {(page, "".join(code.split())) for page, data in found.items() if page.endswith(".md")
             for code in re.findall(r"`([^`\n]+)`", data.decode()) if re.search(r"\([^)]", code)}
    return sorted(f"{page}: {code} ({name})" for page, code in shown
                  for body, name in bodies.items() if code in body and code not in given)


def test_nothing_of_a_solution_is_in_it():
    """Fails where a body, or one line of it, is left in a source, a note, a patch or a test."""
    assert len(secret_lines()) > 300
    found = handout.files()
    assert leaks(found) == [] and runs_in(found) == [] and calls_in(found) == []
    assert not [name for name in found if name.startswith((
        "notes/solutions", "tests/exercises/wrong", "tests/exercises/unusual", "tests/broken",
        "build"))]


@pytest.mark.parametrize("name", ["notes/changed", "notes/next", "tests/steps/test_steps.py"])
def test_what_repeats_a_solution_is_noticed(monkeypatch, name):
    """Fails where the grep passes over a patch, a program or a test."""
    monkeypatch.setattr(handout, "LEFT_OUT", [out for out in handout.LEFT_OUT if out != name])
    assert {leak.startswith(name) for leak in leaks(handout.files())} == {True}


@pytest.mark.parametrize("name, file", [("read_some", "common/socket.cc"),
                                        ("on_signal", "notes/steps/8_the_end.cc")])
def test_one_quote_is_noticed(monkeypatch, name, file):
    """Fails where the grep passes over a note, in either language."""
    outlined = handout.outlined
    monkeypatch.setattr(handout, "outlined", lambda where, text: (
        cpp.find(harness.ROOT / file, name).text if where == file and f"{name}(" in text
        else outlined(where, text)))
    found = leaks(handout.files())
    assert found and all(leak.startswith("notes/") and f"{name})" in leak for leak in found)


def test_a_function_that_is_nearly_the_same_is_noticed(monkeypatch):
    """Fails where the loop of evhttp's server shows, in its source or in its note, what checkpoint
    4.1 asks for: each of its lines stands around a body, too, so no line alone is one of a body."""
    name, outlines = "04_bufferevent_http/evhttp_server.cc", skeleton.outlines()
    outlines[name] = skeleton.replaced(outlines[name], cpp.find_in(outlines[name], "run"),
                                       lambda code: cpp.find(harness.ROOT / name, "run").code)
    monkeypatch.setattr(skeleton, "outlines", lambda: outlines)
    where = {leak.split(":")[0] for leak in runs_in(handout.files())}
    assert where == {name, "notes/05_evhttp.md", "notes/zh/05_evhttp.md"}


def test_a_call_in_a_table_is_noticed(monkeypatch):
    """Fails where the table of libevent's functions, or a line of a note, shows a call with all
    that it is called with."""
    monkeypatch.setattr(handout.Outline, "without_arguments", lambda tree, match: match[0])
    where = {leak.split(":")[0] for leak in calls_in(handout.files())}
    assert {f"notes/{folder}{page}.md" for folder in ("", "zh/")
            for page in ("libevent_api", "01_plain_epoll", "02_epoll_reactor")} <= where


def test_what_a_stage_has_from_the_one_before_is_noticed(monkeypatch):
    """Fails where stage 2 or 3 shows what stage 1 asks for."""
    monkeypatch.setattr(skeleton, "siblings", lambda program: [])
    assert {leak.split(":")[0] for leak in leaks(handout.files())} >= {
        "02_epoll_reactor/server.cc", "03_libevent_raw/server.cc"}


def test_a_change_that_a_note_shows_is_noticed(monkeypatch):
    """Fails where the output of `make changed` shows the line that it takes away."""
    monkeypatch.setattr(handout.Page, "follow_run", notes.Note.follow_run)
    assert {leak.split(":")[0] for leak in leaks(handout.files())} >= {
        "notes/01_plain_epoll.md", "notes/04_bufferevent_http.md", "notes/steps.md"}


# ---- what it must be -----------------------------------------------------------------------------

def run(*command, folder: pathlib.Path, status: int = 0) -> str:
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True,
                          text=True, check=False, env=ENV)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(name="packed", scope="module")
def fixture_packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    assert handout.main([str(folder)]) == 0
    return folder


@pytest.fixture(name="tree", scope="module")
def fixture_tree(packed):
    """Unpacked as a student does."""
    run("tar", "xzf", packed / "handout.tar.gz", folder=packed)
    return packed / handout.NAME


def test_it_is_the_same_whoever_makes_it(packed, tmp_path):
    """Fails where a time, an owner, a umask or a setting of git's finds its way into it."""
    (tmp_path / ".gitconfig").write_text("[user]\nname = me\n[commit]\ngpgsign = true\n")
    env = {**ENV, "HOME": str(tmp_path), "TZ": "Asia/Shanghai", "LC_ALL": "C"}
    subprocess.run(["bash", "-c", f"umask 077; exec {sys.executable} -B -m tests.lab.handout "
                    f"{tmp_path}/again"], cwd=harness.ROOT, env=env, check=True)
    heads = [run("git", "rev-parse", "main", folder=folder / "handout.git")
             for folder in (packed, tmp_path / "again")]
    archives = [(folder / "handout.tar.gz").read_bytes() for folder in (packed, tmp_path / "again")]
    assert heads[0] == heads[1] and archives[0] == archives[1]
    with tarfile.open(fileobj=io.BytesIO(archives[0])) as tar:
        names = tar.getnames()
        assert names == sorted(names)
        assert {(entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime)
                for entry in tar} == {(0, 0, "", "", handout.TIME)}


def test_the_repository_is_the_archive_in_one_commit(packed, tree, tmp_path):
    """Fails where it brings a history along, or another tree."""
    run("git", "clone", "-q", packed / "handout.git", "clone", folder=tmp_path)
    assert run("git", "rev-list", "--all", "--count", folder=tmp_path / "clone") == "1\n"
    assert run("git", "log", "--format=%an %ae", folder=tmp_path / "clone") == (
        f"{handout.AUTHOR} lab@localhost\n")
    shutil.rmtree(tmp_path / "clone" / ".git")
    assert run("diff", "-r", "-x", "build", tree, tmp_path / "clone", folder=tmp_path) == ""


def test_its_links_lead_somewhere(tree):
    """Fails where a page still links to what is left out, or to a line that a file has not."""
    there = notes.Tree(tree)
    assert [str(problem) for path in there.notes()
            for problem in notes.check_links(there, path)] == []


def test_nothing_in_it_misses_what_was_left_out(tree):
    """Fails where a module or a makefile needs what is not there."""
    run(sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--collect-only",
        "tests", folder=tree)
    assert "lab-start" in run("make", "help", folder=tree)
    assert "1 client" not in run("make", "-n", "lab-check", "lab-list", "lab-watch", folder=tree)


def test_what_needs_finished_stages_says_so(tree, tmp_path):
    """Fails where `make demo` compares four skeletons, or `make run-02` starts one that says
    nothing to its clients; and where they still refuse once the stages are written."""
    for target, what in (("demo", "what this needs"), ("exercises", "what this needs"),
                         ("run-02", "02_epoll_reactor"), ("run-05", "evhttp_server")):
        said = run("make", target, folder=tree, status=2)
        assert f"{what} is not written here" in said and "make lab-start DIR=~/lab" in said
    finished = tmp_path / "tree"
    shutil.copytree(tree, finished, ignore=shutil.ignore_patterns("build"))
    trees.copy(tmp_path / "reference")
    shutil.copytree(tmp_path / "reference", finished, dirs_exist_ok=True)
    for target in ("finished", "written-02", "written-05"):
        assert run("make", target, folder=finished) == ""


# ---- what can be done with it --------------------------------------------------------------------

def test_it_compiles(tree):
    """Fails where a skeleton breaks a stage, or a stub warns."""
    flags = ("WERROR=1", "CXXFLAGS=-O0", "BUILD=werror")
    run("make", "-s", f"-j{os.cpu_count()}", *flags, folder=tree)
    shutil.rmtree(tree / "werror")


def test_it_gives_the_same_folder(tree, tmp_path):
    """Fails where a skeleton of a skeleton differs from a skeleton: in a comment, a pragma."""
    for root, to in ((tree, "a"), (harness.ROOT, "b")):
        run("make", "-s", "lab-start", f"DIR={tmp_path / to}", folder=root)
    different = run("diff", "-rq", "a/01_plain_epoll", "b/01_plain_epoll", folder=tmp_path)
    different += run("diff", "-rq", "a/common", "b/common", folder=tmp_path)
    assert different == ""


@pytest.mark.parametrize("more, said", [
    (["FROM=3"], "on_readable (1.2) is not written"), (["STAGE=02"], "STAGE=01_plain_epoll CP=")])
def test_catching_up_needs_the_teacher(tree, tmp_path, more, said):
    """Fails where FROM=3 hands out stubs for what the first two checkpoints asked for."""
    late = tmp_path / "late"
    refused = run("make", "-s", "lab-start", f"DIR={late}", *more, folder=tree, status=2)
    assert said in refused and "lab-release" in refused and not late.exists()


def test_the_next_stage_takes_over_what_is_written(tree, tmp_path):
    """Fails where stage 2 comes with a stub in place of what the student wrote in stage 1."""
    start = ("make", "-s", "lab-start", f"DIR={tmp_path / 'mine'}")
    run(*start, folder=tree)
    assert "lab-release" in run(*start, "STAGE=02", folder=tree, status=2)
    run("make", "-s", "lab-release", f"DIR={tmp_path / 'mine'}", "CP=8", folder=harness.ROOT)
    run(*start, "STAGE=02", folder=tree)
    for file in ("server.cc", "reactor.cc"):
        assert ((tmp_path / "mine" / "02_epoll_reactor" / file).read_text(encoding="utf-8")
                == skeleton.sources("02_epoll_reactor", 0)[f"02_epoll_reactor/{file}"])


def points(said: str) -> list[str]:
    return re.findall(r"^\d\.\d .*?(\S+/\d+)", said, re.M)


def test_it_checks_a_students_work(tree, tmp_path):
    """Fails where the handout gives other points than this tree: for the skeleton, or for what the
    teacher releases."""
    mine = tmp_path / "mine"
    run("make", "-s", "lab-start", f"DIR={mine}", folder=tree)
    check = ("make", "-s", "lab-check", f"DIR={mine}")
    said = run(*check, "CP=1", folder=tree, status=2)
    assert points(said) == ["4/4", "0/16"], said
    run("make", "-s", "lab-release", f"DIR={mine}", "CP=2", folder=harness.ROOT)
    assert points(run(*check, "CP=3", folder=tree, status=2)) == ["4/4", "16/16", "14/14", "0/14"]
