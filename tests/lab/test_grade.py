"""Submissions that mean harm: each gets the points of its honest part, and does none.

Most are the finished stage 1 with one more line, which runs before main; they are put in place of
what the compiler would make of a submission, and judged by two checkpoints that it passes and one
that nobody does.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from tests import harness, trees
from tests.lab import check, formats, grade, sandbox, skeleton
from tests.lab.check import Work
from tests.lab.checkpoints import Checkpoint

STAGE = "01_plain_epoll"
SANITIZED = harness.ROOT / "build" / "bin-g++-address-undefined"
OBJECTS = harness.ROOT / "build" / "obj" / "g++-address-undefined"
WANTED = [Checkpoint("1.1", "It answers", 10, ("steps/2",), ()),
          Checkpoint("1.2", "It ends", 5, ("conv/sigterm_idle",), ()),
          Checkpoint("1.3", "What nobody passes", 20, ("steps/nobody",), ())]
HONEST = {"1.1": 10, "1.2": 5, "1.3": 0}
NOTHING = {"1.1": 0, "1.2": 0, "1.3": 0}
BOXES = {"bwrap": sandbox.Bubblewrap, "user": sandbox.OtherUser}

HEAD = """
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>
namespace { struct Hostile { Hostile(); } hostile; }
Hostile::Hostile() {
"""


def box_for(name: str) -> sandbox.Box:
    """The way that is asked for, if it works here."""
    nobody = 61184 + os.getpid() % 4096
    root = os.geteuid() == 0
    if name == "user" and not root:
        pytest.skip("only root may run it as somebody else")
    box = BOXES[name](nobody if root else 0)
    if why := sandbox.Box.why_not(box):  # that everybody may read the tests is not asked here
        pytest.skip(f"{name}: {why}")
    return box


@pytest.fixture(name="out")
def fixture_out():
    """A folder that anyone may go through, and nobody else write into."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-grade-test-"))
    folder.chmod(0o711)
    (folder / "out").mkdir()
    (folder / "room").mkdir(mode=0o711)
    yield folder / "out"
    shutil.rmtree(folder)


@dataclasses.dataclass(frozen=True)
class Small(Work):
    """Judged by three checkpoints."""

    @property
    def checkpoints(self) -> list[Checkpoint]:
        return WANTED


def linked(code: str, folder: pathlib.Path) -> pathlib.Path:
    """The finished stage 1, with that in it."""
    source, program = folder / "hostile.cc", folder / STAGE
    source.write_text(HEAD + code + "\n}\n", encoding="utf-8")
    objects = [OBJECTS / STAGE / "server.o", *sorted(OBJECTS.glob("common/*.o"))]
    subprocess.run(["g++", "-std=c++20", "-g", f"-fsanitize={check.SAN}", "-pthread", "-o", program,
                    source, *objects], check=True)
    return program


def of_this(folder: pathlib.Path) -> list[str]:
    """Command lines of processes that run something of that folder."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and int(path.parent.name) != os.getpid():
            found.append(words.replace("\0", " "))
    return found


@pytest.fixture(name="judged")
def fixture_judged(out, monkeypatch):
    """judged(code, box name, seconds) -> the scores that are in every file of results."""
    def judge(code: str, name: str, within: float = 0) -> dict[str, int]:
        box = box_for(name)
        program = linked(code, out.parent)
        monkeypatch.setenv("LAB_ROOM", str(out.parent / "room"))
        monkeypatch.setattr(check, "calibrate", lambda: 1.5)
        monkeypatch.setattr(grade, "lay_out", lambda work, tree: tree.mkdir())
        monkeypatch.setattr(grade, "compiled", lambda *_: program)
        options = argparse.Namespace(out=out, format=list(formats.FORMATS), within=within)
        grade.grade_all([Small(folder=out.parent, program=STAGE)], box, options)
        assert not of_this(out.parent / "room"), "somebody is left"
        assert not list((out.parent / "room").iterdir())
        return scores_in(out)

    return judge


def scores_in(out: pathlib.Path) -> dict[str, int]:
    """They say the same, and there is nothing beside them."""
    assert {path.name for path in out.iterdir()} == {name for name, _ in formats.FORMATS.values()}
    for path in out.iterdir():
        assert path.stat().st_size < 1 << 20 and path.stat().st_uid == os.geteuid()
    read = {name: json.loads((out / file).read_text(encoding="utf-8"))
            for name, (file, _) in formats.FORMATS.items() if file.endswith(".json")}
    scores = read["autolab"]["scores"]
    assert read["gradescope"]["score"] == read["classroom50"]["score"] == sum(scores.values())
    assert [test["score"] for test in read["gradescope"]["tests"]] == list(scores.values())
    return scores


# ---- one harm each -------------------------------------------------------------------------------

@pytest.mark.parametrize("name", BOXES)
def test_nothing_hostile(judged, name):
    """Fails where the sandbox keeps an honest server from its work: the rest proves nothing."""
    assert judged("", name) == HONEST


@pytest.mark.parametrize("name", BOXES)
def test_writes_its_own_results(judged, out, name):
    """Fails where a submission reaches the files of results, or a descriptor of who judges it."""
    files = ", ".join(f'"{out / file}"' for file, _ in formats.FORMATS.values())
    assert judged(f"""
      const std::string won =
          "{{\\"scores\\": {{\\"1.1\\": 100, \\"1.3\\": 100}}}}\\n"
          "{{\\"check\\": \\"steps/nobody\\", \\"verdict\\": \\"passed\\"}}\\n";
      for (const char* name : {{{files}, "/dev/stdout"}}) {{
        const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (fd >= 0) static_cast<void>(!write(fd, won.data(), won.size()));
        unlink(name);
      }}
      for (int fd = 1; fd < 10; ++fd)
        if (fd != 2) static_cast<void>(!write(fd, won.data(), won.size()));""", name) == HONEST


@pytest.mark.parametrize("name", BOXES)
def test_reads_the_tests(judged, out, name, monkeypatch):
    """Fails where it can open the tests or the results while it runs: then it aborts."""
    secret = out.parent / "secret"  # hidden by its mode, as the whole tree may have to be
    secret.mkdir(mode=0o700)
    (secret / "test_secret.py").write_text("the expected answers", encoding="utf-8")
    names = [secret / "test_secret.py", "/etc/shadow"]
    if name == "bwrap":
        names += [out / "results.txt", pathlib.Path(__file__), harness.ROOT / "Makefile",
                  "/etc/passwd"]
    if os.geteuid() != 0:
        names.remove(secret / "test_secret.py")
    monkeypatch.setenv("SECRET", "of the grader")
    assert judged("".join(f'if (open("{path}", O_RDONLY) >= 0) _exit({status});\n'
                          for status, path in enumerate(names, 40))
                  + 'if (getenv("SECRET") != nullptr) _exit(39);', name) == HONEST


@pytest.mark.parametrize("name", BOXES)
def test_kills_whom_it_sees(judged, name):
    """Fails where one of its signals reaches who judges it, or anybody else."""
    assert judged("""
      kill(getppid(), SIGKILL);
      kill(-1, SIGKILL);  // does not count the caller
      if (DIR* all = opendir("/proc")) {
        while (const dirent* entry = readdir(all)) {
          const int pid = atoi(entry->d_name);
          if (pid > 0 && pid != getpid()) kill(pid, SIGKILL);
        }
        closedir(all);
      }""", name) == HONEST


@pytest.mark.parametrize("name", BOXES)
def test_kills_its_group(judged, name):
    """Fails where the checks are in the group that it kills; it has no points, being dead."""
    code = "kill(0, SIGKILL);" if name == "bwrap" else "kill(getpid(), SIGKILL);"
    assert judged(code, name) == NOTHING


@pytest.mark.parametrize("name", BOXES)
def test_forks_without_end(judged, name):
    """Fails where its processes are not counted: then nothing else here gets on."""
    scores = judged("""
      std::vector<pid_t> made;
      while (made.size() < 5000) {
        const pid_t pid = fork();
        if (pid < 0) break;
        if (pid == 0) for (;;) pause();
        made.push_back(pid);
      }
      if (made.size() > 500) abort();
      for (int i = 0; i < 5; ++i, made.pop_back()) {  // who looks for leaks needs one
        kill(made.back(), SIGKILL);
        waitpid(made.back(), nullptr, 0);
      }""", name)
    assert scores == HONEST
    judged("if (fork() == 0) for (;;) fork();", name, within=10)  # who serves beside it, is slow


@pytest.mark.parametrize("name", BOXES)
def test_leaves_somebody_behind(judged, name):
    """Fails where only the server's process is ended, or its group: judged() looks for the rest."""
    assert judged("""
      if (fork() == 0) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        if (fork() == 0) for (;;) pause();
        _exit(0);
      }""", name) == HONEST


@pytest.mark.parametrize("name", BOXES)
def test_prints_without_end(judged, name):
    """Fails where all of it is kept, or where a pipe that nobody empties stops the checks."""
    assert judged("""
      std::thread([] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, nullptr);  // SIGTERM is for the loop
        usleep(200000);  // first it says where it listens
        const std::string noise(4096, '!');
        for (;;) static_cast<void>(!write(1, noise.data(), noise.size()));
      }).detach();""", name) == HONEST


@pytest.mark.parametrize("name", BOXES)
def test_complains_without_end(judged, name):
    """Fails where a file of its own grows until the disk is full: then it aborts."""
    assert judged("""
      std::thread([] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, nullptr);  // SIGXFSZ, too: only the write fails
        const std::string noise(1 << 20, '!');
        for (int i = 0; i < 500; ++i)
          if (write(2, noise.data(), noise.size()) > 0 && i > 20) abort();
      }).detach();
      usleep(300000);""", name) == HONEST


@pytest.mark.parametrize("name", BOXES)
def test_takes_all_memory(judged, name):
    """Fails where nothing stops it at 400 MiB: then it has 700, and its points."""
    assert judged("""
      static std::vector<char> all(700 << 20, 1);
      usleep(500000);  // the sanitizer looks ten times a second""", name) == NOTHING


@pytest.mark.parametrize("name", BOXES)
def test_ignores_sigterm(judged, name):
    """Fails where a server that does not end makes the grading wait for it."""
    began = time.monotonic()
    assert judged("""
      }
      int signalfd(int, const sigset_t*, int) noexcept {  // in place of libc's
        return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);""", name) == NOTHING
    assert time.monotonic() - began < 120


def test_fills_the_disk(judged, out):
    """Fails where it can write more than its own small /tmp has room for, or anywhere else. Where
    it is only another user, nothing bounds the number of its files."""
    assert judged("""
      long written = 0;
      const std::string noise(1 << 20, '!');
      for (const char* folder : {"/tmp", "/dev/shm", "/dev", "/", ".", "/var/tmp", "/usr"}) {
        for (int i = 0; i < 40; ++i) {
          const std::string name = std::string(folder) + "/lab-fill-" + std::to_string(i);
          const int fd = open(name.c_str(), O_WRONLY | O_CREAT, 0666);
          if (fd < 0) break;
          const long n = write(fd, noise.data(), noise.size());
          if (n > 0) written += n;
          close(fd);
        }
      }
      if (written > (17 << 20)) abort();""", "bwrap") == HONEST
    for folder in ("/tmp", "/dev/shm", "/var/tmp", out.parent):
        assert not list(pathlib.Path(folder).glob("lab-fill-*"))


def test_the_time_runs_out(judged, out):
    """Fails where a check goes on when the grading has to end, or what was not reached counts."""
    began = time.monotonic()
    scores = judged("pause();", "bwrap", within=4)
    assert scores == NOTHING and time.monotonic() - began < 60
    assert "not reached within 4 s" in (out / "results.txt").read_text(encoding="utf-8")


# ---- all the way ---------------------------------------------------------------------------------

@pytest.fixture(name="handed_in")
def fixture_handed_in(out):
    """What lab-start hands out, finished."""
    folder = out.parent / "handed in"
    for name in skeleton.files_of(STAGE):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(harness.ROOT / name, folder / name)
    return folder


def graded(handed_in: pathlib.Path, out: pathlib.Path, *more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-B", "-m", "tests.lab.grade", "--dir", handed_in, "--out", out, *more],
        cwd=harness.ROOT, capture_output=True, text=True, timeout=900, check=False)


def test_connects_to_the_outside(handed_in, out):
    """Fails where a submission reaches the network of the machine: here somebody listens."""
    box_for("bwrap")
    if not sandbox.room():
        pytest.skip("no network namespace may be made here")
    source = handed_in / STAGE / "server.cc"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        text = source.read_text(encoding="utf-8")
        source.write_text(text + HEAD.replace("Hostile::Hostile() {", f"""Hostile::Hostile() {{
          sockaddr_in there = {{}};
          there.sin_family = AF_INET;
          there.sin_port = htons({listener.getsockname()[1]});
          there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
          const int fd = socket(AF_INET, SOCK_STREAM, 0);
          if (connect(fd, reinterpret_cast<sockaddr*>(&there), sizeof there) == 0) abort();
          close(fd);
        }}"""), encoding="utf-8")
        run = graded(handed_in, out, "--within", "150")  # enough for the first checkpoints
        assert run.returncode == 0, run.stderr
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert {t["number"]: t["score"] for t in results["tests"]}["1.1"] > 0, results
    assert json.loads(run.stdout.splitlines()[-1])["scores"]


@pytest.mark.parametrize("line", [
    '#include "{file}"', '#include "../../../../../../../../../../../..{file}"',
    'asm(".incbin \\"{file}\\"");', '#include "../02_epoll_reactor/server.cc"',
    'asm(".incbin \\"build/obj/g++-address-undefined/01_plain_epoll/server.o\\"");'])
def test_reads_the_tests_when_it_is_compiled(handed_in, out, line):
    """Fails where the compiler sees the tests, a solution, or what was made of one."""
    box = box_for("bwrap")
    secret = out.parent / "secret.h"
    secret.write_text("THE_EXPECTED_ANSWERS\n", encoding="utf-8")
    source = handed_in / STAGE / "server.cc"
    source.write_text(line.format(file=secret) + "\n" + source.read_text(encoding="utf-8"),
                      encoding="utf-8")
    with pytest.raises(trees.Failure, match="does not compile") as failure:
        grade.build(Work(folder=handed_in, program=STAGE), box, out.parent / "room")
    assert "No such file" in str(failure.value) or "file not found" in str(failure.value)
    assert "EXPECTED" not in str(failure.value)


def test_what_is_missing_is_not_the_solution(handed_in, out):
    """Fails where the reference's file is taken when a student hands in none of that name."""
    for name in skeleton.files_of(STAGE):
        if name.startswith("common/"):
            (handed_in / name).unlink()
    tree = out.parent / "tree"
    grade.lay_out(Work(folder=handed_in, program=STAGE), tree)
    for name, unwritten in skeleton.sources(STAGE, -1).items():
        text = (tree / name).read_text(encoding="utf-8")
        assert text == (unwritten if name.startswith("common/") else skeleton.reference(name))
        assert "To write" in unwritten


def test_a_server_is_told_what_a_test_tells_it():
    """Fails where a black-box test starts a server with a variable that does not reach it in the
    sandbox: the finished stage 3 got 60 points for that."""
    tests = "".join(path.read_text(encoding="utf-8")
                    for path in (harness.ROOT / "tests/blackbox").glob("test_*.py"))
    told = set(re.findall(r'"(\w+)": ', "".join(re.findall(r"launch\(.*env=\{(.*?)\}", tests))))
    assert told and told <= set(sandbox.TOLD)


def test_only_plain_files_are_taken(handed_in, out):
    """Fails where a link leads to a file of the machine, or a pipe makes the grading wait."""
    name = f"{STAGE}/server.cc"
    assert sandbox.read_plain(handed_in, name)
    (handed_in / name).write_bytes(b"x" * (sandbox.LARGEST + 1))
    with pytest.raises(sandbox.Refused, match="KiB"):
        sandbox.read_plain(handed_in, name)
    for make in (lambda path: path.symlink_to("/etc/passwd"), os.mkfifo, pathlib.Path.mkdir):
        (handed_in / name).rmdir() if (handed_in / name).is_dir() else (handed_in / name).unlink()
        make(handed_in / name)
        with pytest.raises(sandbox.Refused, match="no plain file"):
            sandbox.read_plain(handed_in, name)
    shutil.rmtree(handed_in / STAGE)
    (handed_in / STAGE).symlink_to(harness.ROOT / STAGE)
    with pytest.raises(sandbox.Refused, match="no plain file"):
        sandbox.read_plain(handed_in, name)


def test_refuses_without_a_sandbox(handed_in, out, monkeypatch, capsys):
    """Fails where a machine without namespaces runs a stranger's code all the same, or says why in
    more than a line."""
    monkeypatch.setattr(sandbox, "BWRAP", ("no-such-bwrap",))
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert grade.main(["--dir", str(handed_in), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "UNSAFE=1" in said and "no-such-bwrap" in said
    assert not list(out.iterdir())
    assert grade.box_of(argparse.Namespace(unsafe=True, out=out)).name == "none"


def test_as_root_the_tests_have_to_be_hidden(out, monkeypatch):
    """Fails where the user who runs it may read the tests, or write the results, by their modes."""
    if os.geteuid() != 0:
        pytest.skip("only root may run it as somebody else")
    monkeypatch.setattr(sandbox, "BWRAP", ("no-such-bwrap",))
    if stat.S_IMODE(harness.ROOT.stat().st_mode) & stat.S_IROTH:
        with pytest.raises(sandbox.Refused, match="chmod go-rwx"):
            sandbox.find()
    out.chmod(0o777)
    assert sandbox.may_write(61184, out)
    out.chmod(0o755)
    assert not sandbox.may_write(61184, out)


def test_is_told_to_end(handed_in, out):
    """Fails where a grader that is ended by its time leaves the compiler or a server running, or no
    file of results."""
    box_for("bwrap")
    with subprocess.Popen([sys.executable, "-B", "-m", "tests.lab.grade", "--dir", handed_in,
                           "--out", out], cwd=harness.ROOT, stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not (out / "results.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
        reader.join(20)  # whoever runs yet has that pipe
        assert not reader.is_alive()
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["score"] == 0
