"""What holds for every tool of tests/, on whatever machine and however it is started."""

from __future__ import annotations

import ast
import filecmp
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from tests import harness
from tests.compare import show
from tests.lib import wire, words

TESTS = harness.ROOT / "tests"
SOURCES = sorted(TESTS.glob("**/*.py"))
TOOLS = [".".join(path.relative_to(harness.ROOT).with_suffix("").parts) for path in SOURCES
         if "__main__" in path.read_text(encoding="utf-8") and not path.name.startswith("test_")]


def run(*command: object, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run([*map(str, command)], cwd=harness.ROOT, capture_output=True, timeout=120,
                          check=False, env={**os.environ, **env})


def no_strace(folder: pathlib.Path) -> str:
    """A PATH with a strace that starts the program and sees nothing, as under a container's ban."""
    (folder / "strace").write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\nshift 2\n'
                                   'while :; do case $1 in -e) shift 2;; *) exec "$@";; esac; done')
    (folder / "strace").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


# ---- the reader's language -----------------------------------------------------------------------

def test_both_languages_say_the_same():
    """Fails where the Chinese for a message lacks a name or a number, or is English; or where it
    is kept for a message that no program has any more."""
    said = "\n".join(
        node.value for path in SOURCES for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str))
    for english, chinese in words.WORDS.items():
        assert words.holes(english) == words.holes(chinese), english
        assert re.search("[一-鿿]", chinese) and not re.search("[一-鿿]", english), english
        assert english in said, f"nobody says: {english}"


@pytest.mark.parametrize("env, chinese", [
    ({}, False), ({"LANG": "zh_CN.UTF-8"}, True), ({"LANG": "en_US.UTF-8"}, False),
    ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, False),
    ({"LANG": "C", "LAB_LANG": "zh"}, True), ({"LANG": "zh_CN.UTF-8", "LAB_LANG": "en"}, False),
])
def test_whose_language(monkeypatch, env, chinese):
    """Fails where a Chinese terminal gets English, or one that was told otherwise gets Chinese."""
    for name in ("LAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    count = words.say("{count} bytes", count=34)
    said = words.say("reads {count} from {who}", count=count, who="c1")
    assert said == "reads 34 bytes from c1" and said.zh == "从 c1 读到 34 字节"
    assert words.shown(said) == (said.zh if chinese else said)
    assert words.shown("c1") == "c1"


def test_chinese_is_wrapped_at_the_width_of_its_characters():
    """Fails where a Chinese line is twice as wide as the terminal, or a name is cut in two."""
    text = "被唤醒：text-listener 有客户端在等待接受"
    lines = show.wrap(text, 20)
    assert "".join(lines) == text and max(map(show.width_of, lines)) <= 20
    assert any("text-listener" in line for line in lines)
    assert show.wrap("a b", 1) == ["a", "b"] and show.wrap("", 9) == [""]


# ---- the interpreter's settings, and the compiler's name -----------------------------------------

NO_OTHER_MAKE = {"MAKEFLAGS": "", "SAN": ""}  # what the make that runs this was told


def test_no_assert_is_left_out_by_python_optimize():
    """Catches a check that PYTHONOPTIMIZE=1 removes: an assert that pytest does not rewrite."""
    conftest = (TESTS / "blackbox" / "conftest.py").read_text(encoding="utf-8")
    names = re.search(r"register_assert_rewrite\((.*)\)", conftest)[1]
    rewritten = {harness.ROOT / f"{name.replace('.', '/')}.py"
                 for name in re.findall(r"[\w.]+", names)}
    bare = [f"{path}:{node.lineno}" for path in SOURCES if path not in rewritten
            and not re.match(r"test_|conftest", path.name)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Assert)]
    assert not bare


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_find_their_modules(tool):
    """Catches a tool that counts on Python to look beside it, as it does for a file alone."""
    env = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(harness.ROOT)}
    done = run(sys.executable, "-c", f"import {tool}", FLAW="byte", **env)  # for the proxy
    missing = re.findall(r"No module named '([\w.]+)'", done.stderr.decode())
    assert not [name for name in missing if "tests" in name or list(TESTS.glob(f"*/{name}.py"))]
    assert done.returncode == 0 or missing, done.stderr.decode()  # matplotlib may not be there


def test_make_hides_settings_that_change_what_python_means(tmp_path):
    """Catches a Makefile that runs the tests with whatever the reader's profile sets."""
    (tmp_path / "mk").write_text(
        "include Makefile\nshow: ; @env && $(PYTHON) -m tests.compare.compare list --conv line\n")
    done = run("make", "-s", "-f", tmp_path / "mk", "show", PYTHONOPTIMIZE="1", PYTHONSAFEPATH="1",
               **NO_OTHER_MAKE)
    assert done.returncode == 0 and b"PATH=" in done.stdout, done.stderr
    assert b"PYTHONOPTIMIZE" not in done.stdout and b"PYTHONSAFEPATH" not in done.stdout


@pytest.mark.parametrize("compiler, name", [
    ("ccache g++", "ccache-g++"), ("/usr/bin/g++ -m32", "g++--m32"), ("clang++", "clang++")])
def test_a_compiler_may_be_of_several_words(compiler, name):
    """Catches "no rule to make target", and objects of two compilers in one folder."""
    done = run("make", "-n", "-B", f"CXX={compiler}", **NO_OTHER_MAKE)
    assert done.returncode == 0, done.stderr.decode()
    assert f"{compiler} -std=c++20" in done.stdout.decode()
    assert set(re.findall(r"build/obj/([^/ ]+)/", done.stdout.decode())) == {name}


# ---- what an answer is ---------------------------------------------------------------------------

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"


def test_an_answer_is_cut_out_of_a_stream():
    """Catches a client that takes half an answer for one, or a part of the next one into it."""
    assert all(wire.response_in(ANSWER[:end]) is None for end in range(len(ANSWER)))
    assert wire.response_in(bytearray(ANSWER + b"HTTP")).raw == ANSWER
    heads = ANSWER.removesuffix(b"body") + ANSWER + b"HTTP/1.1 100 Continue\r\n\r\n"
    assert [answer.body for answer in wire.responses(heads, heads=(0,))] == [b"", b"body", b""]
    with pytest.raises(wire.Unexpected, match="cut short"):
        wire.responses(ANSWER + ANSWER[:-1])


@pytest.mark.parametrize("old, new", [
    (b"HTTP/1.1", b"HTTP/1.2"), (b"200 OK", b"200"), (b": ", b":"), (b": 4", b": -4"),
    (b"Content-Length: 4", b"Date: 4"), (b"\r\n\r\n", b"\r\ncontent-length: 4\r\n\r\n")])
def test_what_is_no_answer_is_unexpected(old, new):
    """Catches a client to which a wrong head is good enough."""
    with pytest.raises(wire.Unexpected):
        wire.response_in(ANSWER.replace(old, new))


# ---- other terminals -----------------------------------------------------------------------------

@pytest.mark.parametrize("encoding", ["latin-1", "gbk", "ascii"])
@pytest.mark.parametrize("tool", [
    "demo.demo", "compare.compare all --conv line", "compare.compare trace 01",
    "compare.compare pair 01 02 --conv line", "compare.compare list --json"])
def test_terminals_that_lack_characters(tool, encoding):
    """Catches UnicodeEncodeError where the terminal is not UTF-8."""
    tool, *arguments = tool.split()
    done = run(sys.executable, "-m", f"tests.{tool}", *arguments, PYTHONIOENCODING=encoding,
               PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding) and "UnicodeEncodeError" not in done.stderr.decode(encoding)


def test_the_marks_differ_in_every_encoding():
    """Catches a table in which right and wrong look alike, or whose columns move."""
    assert "✓ ✗ 世é".encode("latin-1", "plain") == b"v x ?\xe9"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", "plain")


# ---- without ptrace ------------------------------------------------------------------------------

def test_leaks_are_not_looked_for_without_ptrace(tmp_path):
    """Catches servers that LeakSanitizer ends with an error because it may not trace."""
    show = ("-c", "import os; from tests import harness; print(os.environ['ASAN_OPTIONS'])")
    env = {"ASAN_OPTIONS": "exitcode=99"}
    assert run(sys.executable, *show, PATH=no_strace(tmp_path), **env).stdout == (
        b"exitcode=99:detect_leaks=0\n")
    started = run(sys.executable, "-m", "tests.harness", "printenv", "ASAN_OPTIONS",
                  PATH=no_strace(tmp_path), **env)
    assert started.stdout == b"exitcode=99:detect_leaks=0\n"
    assert started.stderr.startswith(b"leaks are not looked for: strace may not trace here")
    if not harness.why_no_tracing():
        assert run(sys.executable, *show, **env).stdout == b"exitcode=99\n"


def test_an_exercise_that_needs_strace_is_not_known_to_be_solved(tmp_path):
    """Catches a check that passes, or fails, for what it could not look at."""
    done = run(sys.executable, "-B", "-m", "tests.exercises.exercises", "check", "01b",
               PATH=no_strace(tmp_path))
    assert done.returncode == 77, done.stdout.decode()
    assert done.stdout.startswith(b"skipped Every client") and b"may not trace here" in done.stdout


# ---- what is skipped -----------------------------------------------------------------------------

SKIPS = "import pytest\ndef test_a():\n    pytest.skip('no such machine')\n"
UNIT = """<testsuites><testcase name="A" classname="Unit">
<skipped message="file:1&#x0A;no such machine"/></testcase></testsuites>"""


@pytest.mark.parametrize("listed, status", [
    (None, 0), ("", 1), ("{name}  no such", 0), ("{name}  other", 1), ("#{name}  no such", 1)])
@pytest.mark.parametrize("kind", ["pytest", "unit"])
def test_a_skip_that_is_not_expected_fails_where_that_is_asked(tmp_path, kind, listed, status):
    """Fails where CI passes over a test that was skipped, or a student's machine must have all."""
    (tmp_path / "test_it.py").write_text(SKIPS)
    (tmp_path / "unit.xml").write_text(UNIT)
    name = f"{os.path.relpath(tmp_path, harness.ROOT)}/test_it.py::test_a"
    command = ("pytest", "-p", "no:cacheprovider", "-p", "tests.skips", tmp_path / "test_it.py")
    if kind == "unit":
        name, command = "Unit.A", ("tests.skips", tmp_path / "unit.xml")
    (tmp_path / "list").write_text((listed or "").format(name=name) + "\n")
    env = {"LAB_SKIPS": "" if listed is None else str(tmp_path / "list")}
    done = run(sys.executable, "-B", "-m", *command, **env)
    assert done.returncode == status, done.stdout
    assert (f"{name}: no such machine".encode() in done.stdout + done.stderr) == bool(
        status or kind == "unit")


# ---- other clones --------------------------------------------------------------------------------

def test_a_clone_with_autocrlf_has_the_same_bytes(tmp_path):
    """Catches a file that Git for Windows would give CRLF: no shell finds its way through these."""
    for crlf in ("true", "false"):
        done = run("git", "-c", "safe.directory=*", "-c", f"core.autocrlf={crlf}", "checkout-index",
                   "--all", f"--prefix={tmp_path}/{crlf}/")
        if done.returncode != 0:
            pytest.skip(f"not a git checkout: {done.stderr.decode().strip()}")
    names = [path.relative_to(tmp_path / "true") for path in (tmp_path / "true").glob("**/*")
             if path.is_file()]
    assert len(names) > 100
    _, differ, lost = filecmp.cmpfiles(tmp_path / "true", tmp_path / "false", names, shallow=False)
    assert not differ and not lost


# ---- a server of one's own -----------------------------------------------------------------------

def test_a_server_of_ones_own_beside_a_stage(tmp_path):
    """Catches a comparison that plays against the tree's stage instead of the folder's, or that
    does not say which function is another."""
    mine = tmp_path / "mine"
    mine.mkdir()
    reference = (harness.ROOT / "02_epoll_reactor" / "server.cc").read_text(encoding="utf-8")
    answer = "return watch(c, EPOLLOUT, on_writable)"
    assert answer in reference
    for change in ("", "return close_connection(c)"):
        (mine / "server.cc").write_text(reference.replace(answer, change or answer))
        done = run("make", "-s", "diff", "A=mine", "B=02", f"DIR={mine}", "CONV=line",
                   **NO_OTHER_MAKE)
        said = done.stdout.decode()
        assert done.returncode == (2 if change else 0), said + done.stderr.decode()
        assert ("changed  decide_next" in said) == bool(change)
        assert re.search(r"line +✓" if not change else r"line +(?!✓)\S.* ✓", said), said
    done = run("make", "-s", "diff", "A=mine", "B=02", **NO_OTHER_MAKE)
    assert done.returncode == 2 and b"DIR=" in done.stderr


def test_a_stage_4_of_ones_own(tmp_path):
    """Catches one that links evhttp's programs, which lie beside it, or nothing of libevent's; and
    one that takes the tree's header for that in the folder."""
    mine = tmp_path / "04_bufferevent_http"
    shutil.copytree(harness.ROOT / mine.name, mine)
    server = (mine / "server.cc").read_text(encoding="utf-8")
    (mine / "mine.h").write_text("constexpr int kAcceptsAtOnce = 1;\n", encoding="utf-8")
    (mine / "server.cc").write_text(server.replace(
        "\nnamespace {", f'\n#include "{mine.name}/mine.h"\nnamespace {{', 1).replace(
        "== kAcceptsPerEvent", "== kAcceptsAtOnce"), encoding="utf-8")
    done = run("make", "-s", "diff", "A=mine", "B=04", f"DIR={mine}", "CONV=line", **NO_OTHER_MAKE)
    said = done.stdout.decode()
    assert done.returncode == 0, said + done.stderr.decode()
    assert "changed  on_acceptable" in said and re.search(r"line +✓", said), said


# ---- what is missing, and who may install it -----------------------------------------------------

def stand_in(folder: pathlib.Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("user, sudo, asked", [
    ("1000", None, False),
    ("1000", "exit 1", False),
    ("1000", '[ "$2" = true ] || exec "$2" "$3" "$4"', True),
    ("0", None, True),
], ids=["no sudo", "sudo refuses", "sudo", "root"])
def test_who_may_not_install_is_told_whom_to_ask(tmp_path, user, sudo, asked):
    """Catches a clone in which nothing is missing but a word: "sudo: not found"."""
    stand_in(tmp_path, "id", f"echo {user}")
    stand_in(tmp_path, "apt-get", f"echo $* >> {tmp_path}/installed")
    stand_in(tmp_path, "env", 'shift; exec "$@"')
    if sudo:
        stand_in(tmp_path, "sudo", sudo)
    script = f". {TESTS}/need.sh; need true there; need false not-there; install_missing"
    done = subprocess.run(["/bin/sh", "-ec", script], env={"PATH": str(tmp_path)}, timeout=20,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (tmp_path / "installed").exists() == asked, done.stderr
    assert (done.returncode == 0) == asked
    assert ("administrator" in done.stderr) == (not asked) and "not-there" in done.stderr


@pytest.mark.parametrize("place", ["lib/linux", "lib/x86_64-pc-linux-gnu", "elsewhere"])
def test_the_fuzzers_library_is_found(tmp_path, place):
    """Catches a check that never succeeds with another clang: its folder is named otherwise."""
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "libclang_rt.fuzzer-x86_64.a").touch()
    stand_in(tmp_path, "clang++", f"echo {tmp_path}")
    stand_in(tmp_path, "id", "echo 1000")
    stand_in(tmp_path, "sudo", "exit 1")
    done = run(TESTS / "deps.sh", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == (1 if place == "elsewhere" else 0)
    assert (b"libclang-rt-dev" in done.stderr) == (place == "elsewhere")
