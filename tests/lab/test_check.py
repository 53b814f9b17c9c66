"""What a failing check says, what is run again and what is ended, and what the commands print."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests import harness
from tests.lab import check, checkpoints, one, record, skeleton
from tests.lab.one import Target

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
STEPS = harness.ROOT / "notes" / "steps"
IMPATIENT = 0.4  # where a server fails anyhow: a second for an answer
STAGE = harness.STAGES[0]
needs_strace = pytest.mark.skipif(bool(harness.why_no_tracing()), reason=harness.why_no_tracing())


@pytest.fixture(autouse=True)
def fixture_deadline(monkeypatch):
    """Who is impatient for an answer is not for a whole conversation: others compute here too."""
    monkeypatch.setattr(check, "DEADLINE", check.DEADLINE / IMPATIENT)


@pytest.fixture(name="notes")
def fixture_notes(tmp_path, monkeypatch):
    """A folder in which a broken server may write."""
    monkeypatch.setenv("BROKEN_NOTES", str(tmp_path))
    return tmp_path


@pytest.fixture(name="output")
def fixture_output(tmp_path, monkeypatch):
    """What would lie in build/lab."""
    monkeypatch.setattr(check, "OUTPUT", tmp_path / "lab")
    return tmp_path / "lab"


def broken(flaw: str) -> Target:
    return Target((sys.executable, str(FIXTURES / "broken.py"), flaw, "--text-port", "0"))


def good() -> Target:
    return Target((sys.executable, str(FIXTURES / "server.py"), "--text-port", "0"))


def made(tmp_path: pathlib.Path, step: str, *changes: tuple[str, str]) -> Target:
    """A step with a change in it, built with ASan."""
    text = (STEPS / step).read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    source, program = tmp_path / "mine.cc", tmp_path / "mine"
    source.write_text(text, encoding="utf-8")
    subprocess.run(["g++", "-std=c++20", "-g", "-fsanitize=address", "-o", program, source],
                   check=True)
    return Target((str(program), "--text-port", "0"))


# ---- what each kind of failure says --------------------------------------------------------------

@pytest.mark.parametrize("flaw, step, message", [
    ("Silent", 1, r"step 3: c1 gets nothing within 1\.0 s"),
    ("Slow", 1, r"step 3: c1 got 6 bytes after 1\.\d s: 1\.0 s are allowed"),
    ("Trickles", 1, r"step 3: c1 got [3-5] of 6 bytes after \d\.\d s: 1\.0 s are allowed"),
    ("WrongByte", 1, r'step 3: byte 4 of 6 is wrong: "0" in place of "O"'),
    ("LosesAByte", 3, r"step 7: 1 byte of 12,600,000 is lost, at offset 500"),
    ("DoublesAByte", 1, r"step 3: c1 gets 1 byte too many, at offset 4"),
    ("ForgetsTheRest", 3, r"step 7: bytes are lost at offset [\d,]+: what c1 gets there comes "
                          r"later|step 7: the last [\d,]+ bytes of 12,600,000 are lost: .*"
                          r"|step 7: [\d,]+ bytes of 12,600,000 are lost, at offset [\d,]+"),
    ("Crashes", 1, r"step 3: it crashes: it is killed by SIGSEGV"),
    ("Raises", 1, r"step 3: it crashes: it ends with status 1"),
    ("Spins", 1, r"step 1: it spins: 2\.0 s after this step it still does not sleep.*"),
    ("KeepsDescriptors", 4, r"step 11: descriptors leak: the server holds the sockets of "
                            r"2 clients, and should hold 0"),
    ("ClosesNobody", 1, r"step 7: c1 is still connected after 1\.0 s: the server does not close "
                        r"it"),
    ("Resets", 1, r"step 7: the server resets c1's connection"),
    ("AcceptsNobody", 1, r"step 3: c1 gets nothing within 1\.0 s"),
    ("DoesNotStart", 1, r"it does not start: it ends with status 1"),
    ("Mute", 1, r'it does not start: it has not printed "listening on HOST:PORT \(text\)" within '
                r"4 s \(is stdout flushed\?\)"),
    ("DoesNotEnd", 1, r"it does not end: 2\.0 s after SIGTERM it still runs"),
])
def test_each_kind_of_failure_has_its_words(notes, flaw, step, message):
    """Fails where one is taken for another: a slow server for a silent one, a crash for a lost
    answer. KeepsDescriptors: where a connection that is closed but not let go is none to look
    for."""
    outcome = check.perform(f"steps/{step}", broken(flaw), IMPATIENT)
    assert outcome.verdict == record.FAILED
    assert re.fullmatch(message, outcome.message), outcome


def test_the_replay_shows_the_way():
    """Fails where a step is not shown as it was played, or the place of the wrong byte is lost."""
    replay = check.perform("steps/1", broken("WrongByte"), IMPATIENT).replay
    assert replay[0].endswith("broken.py WrongByte --text-port 0")
    assert replay[1:6] == ["   1 c1 connects to text",
                           '   2 c1 sends "hello\\n"',
                           '   3 c1 receives "HELLO\\n"',
                           '       expected "HELL»O\\n"',
                           '       got      "HELL»0\\n"']


def test_megabytes_are_shown_around_the_byte_that_matters():
    """Fails where the replay is as long as the answer, or shows its beginning only."""
    replay = check.perform("steps/3", broken("LosesAByte"), IMPATIENT).replay
    assert max(map(len, replay)) < 200
    expected, got = (line.split(" ", 8)[-1].strip() for line in replay
                     if line.startswith(("       expected", "       got")))
    assert "»" in expected and "»" in got and expected != got


def test_the_replay_shows_what_the_server_printed():
    """Fails where a traceback, or what a student printed to find out, is thrown away."""
    replay = "\n".join(check.perform("steps/1", broken("Raises"), IMPATIENT).replay)
    assert "it printed, on stderr:" in replay and "LookupError: who is that?" in replay
    replay = "\n".join(check.perform("steps/1", broken("ChattersAndErrs"), IMPATIENT).replay)
    assert "it printed, on stdout:\n       got 6 bytes\n" in replay


def test_a_server_may_print_as_much_as_it_likes():
    """Fails where a server waits for ever because nobody reads what it prints."""
    assert check.perform("steps/1", broken("Chatters"), IMPATIENT).verdict == record.PASSED


@needs_strace
def test_the_replay_ends_with_the_system_calls():
    """Fails where those of another step are shown, or those of a server that spins never end; and
    where of one that died between two steps none are shown."""
    replay = check.perform("steps/1", broken("Silent"), IMPATIENT).replay
    start = replay.index("     its system calls since step 2:")
    assert [line.split("  ")[3].strip() for line in replay[start + 1:]] == [
        " epoll_wait(forever) = c1 EPOLLIN".strip(), 'recvfrom(c1) = 6 "hello\\n"',
        "epoll_ctl(MOD, c1, EPOLLIN)", "it waits in epoll_wait(epoll)"]
    replay = check.perform("steps/1", broken("CrashesBetween"), IMPATIENT).replay
    start = replay.index("     its system calls since step 2:")
    assert 'sendto(c1) = 6 "HELLO' in replay[start + 3]
    assert replay[-1].strip() == "and then: it is killed by SIGSEGV"
    replay = check.perform("steps/1", broken("Spins"), IMPATIENT).replay
    assert re.fullmatch(r" +… the line above, \d{2,} times in all", replay[-1]), replay
    replay = check.perform("steps/1", broken("LoopsInside"), IMPATIENT).replay
    assert "recvfrom(c1)" in replay[-2] and "it loops inside the process" in replay[-1], replay


def test_without_tracing_it_says_why(tmp_path, monkeypatch):
    """Fails where a replay just ends, or a check fails that could have passed without strace."""
    (tmp_path / "strace").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "strace").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    replay = check.perform("steps/1", broken("WrongByte"), IMPATIENT).replay
    assert replay[-1].startswith("     no system calls: strace may not trace here")


def test_a_report_of_the_sanitizer_is_the_message(tmp_path):
    """Fails where a stack overflow is told as "the connection was reset"."""
    target = made(tmp_path, "1_one_client.cc", (
        "const std::span text(bytes, static_cast<size_t>(got));",
        "const std::span text(bytes + 8, sizeof bytes);"))
    assert not target.may_be_limited and good().may_be_limited
    outcome = check.perform("steps/1", target, IMPATIENT)
    assert re.fullmatch(r"step 3: it crashes: AddressSanitizer: stack-buffer-overflow .*mine\.cc"
                        r":\d+ in .*to_upper.*", outcome.message), outcome
    replay = "\n".join(outcome.replay)
    assert "WRITE of size" in replay or "READ of size" in replay
    assert "Shadow bytes" not in replay


def test_memory_that_leaks_is_said_to_leak(tmp_path):
    """Fails where LeakSanitizer's word at the end is lost, or is called a crash."""
    if why := harness.why_no_tracing():
        pytest.skip(why)
    target = made(tmp_path, "8_the_end.cc", (
        "int main(int, char** argv) {",
        "int main(int, char** argv) {\n  for (int i = 0; i < 9; ++i) new char[1000];"))
    outcome = check.perform("steps/1", target, 1.0)
    assert re.fullmatch(r"memory leaks: AddressSanitizer: \d+ byte\(s\) leaked in \d allocation.*",
                        outcome.message), outcome


# ---- black-box tests -----------------------------------------------------------------------------

def program(tmp_path: pathlib.Path, script: str) -> Target:
    """A stage that is none."""
    (tmp_path / STAGE).write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / STAGE).chmod(0o755)
    return Target(program=STAGE, folder=str(tmp_path))


def test_a_black_box_test_shows_its_line_and_the_wire(tmp_path):
    """Fails where the student sees pytest's page, or nothing of what was sent."""
    real = harness.binary(STAGE)
    target = program(tmp_path, f'exec "{real}" --text-mode echo "$@"')
    outcome = check.perform("test_text.py::test_answers_as_it_comes", target, 1.0)
    assert outcome.verdict == record.FAILED
    assert outcome.message.startswith("AssertionError: assert b'ab' == b'AB'"), outcome
    replay = "\n".join(outcome.replay)
    assert "assert client.read_exactly(len(piece)) == upper(piece)" in replay
    assert "Fails on a server that waits for a line end" in replay
    assert "   1 sent b'ab'\n   2 got b'ab'" in replay


def test_a_server_that_dies_in_a_black_box_test_has_crashed(tmp_path):
    """Fails where the reset that its client sees is taken for the cause."""
    target = program(tmp_path, f'"{harness.binary(STAGE)}" "$@" & sleep 0.6; kill -9 $! $$')
    outcome = check.perform("test_time.py::test_text_lives_while_bytes_move", target, 1.0)
    assert outcome.message == "it crashes: it is killed by SIGKILL", outcome


def test_a_server_that_ends_badly_behind_a_black_box_test(tmp_path):
    """Fails where a test that passes has nothing to say of the end of its server."""
    target = program(tmp_path, f'"{harness.binary(STAGE)}" "$@"; exit 3')
    outcome = check.perform("test_text.py::test_fin_without_a_byte", target, 1.0)
    assert outcome.failed and "broke down" not in outcome.message, outcome


def test_a_black_box_test_that_passes(tmp_path):
    """Fails where the student's binary is not the one that is tested, or none is."""
    assert check.perform("test_text.py::test_upper_case", Target(
        program=STAGE, folder=str(harness.binary("").resolve())), 1.0).verdict == record.PASSED


@pytest.mark.parametrize("name", ["test_text.py::test_nothing", "test_none.py", "steps/7", "x"])
def test_a_check_that_does_not_exist_fails(name):
    """Fails where a slip in the table gives everybody the points."""
    outcome = check.perform(name, good(), 1.0)
    assert outcome.failed and "the check broke down: no check" in outcome.message


# ---- what is run again, and what is ended --------------------------------------------------------

def test_what_passes_the_second_time_is_unstable(notes):
    """Fails where a student is failed for one bad run, or never hears of it."""
    outcome = check.perform("steps/1", broken("Flaky"), 1.0)
    assert outcome.verdict == record.UNSTABLE and not outcome.failed
    assert 'byte 0 of 6 is wrong: "h" in place of "H"' in outcome.message


def gone(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


@pytest.mark.parametrize("deadline", [60.0, 2.0])
def test_whatever_it_started_ends_with_it(notes, monkeypatch, deadline):
    """Fails where a child lives on after the check, be it that it has a session of its own; and
    where a check that hangs keeps those after it waiting."""
    monkeypatch.setattr(check, "DEADLINE", deadline / IMPATIENT)
    outcome = check.perform("steps/1", broken("Forks"), IMPATIENT)
    children = [int(path.name) for path in notes.iterdir()]
    assert len(children) >= 2 and all(map(gone, children))
    if deadline == 2.0:
        assert outcome.message == "it hangs: not done after 2 s"
    else:
        assert outcome.message.startswith("it does not end")


@pytest.mark.parametrize("flaw, said", [("FillsTheDisk", "File too large"),
                                        ("TakesAllMemory", "MemoryError")])
def test_what_it_takes_is_limited(notes, flaw, said):
    """Fails where a student's slip fills the disk or the memory of all."""
    outcome = check.perform("steps/1", broken(flaw), 1.0)
    assert outcome.message.startswith("it does not start")
    assert said in "\n".join(outcome.replay)


# ---- a run ---------------------------------------------------------------------------------------

def command(*words: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-B", "-m", "tests.lab.check", *map(str, words)],
                          cwd=harness.ROOT, capture_output=True, text=True, timeout=100,
                          check=False)


def line_of(target: Target) -> str:
    return " ".join(target.command)


def test_any_language_will_do():
    """Fails where track 0 asks for more than a text port, or for C++."""
    done = command("run", "--bin", line_of(good()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^(0\.\d) .* (\d+)/(\d+)$", done.stdout, re.M) == [
        (c.id, str(c.points), str(c.points)) for c in checkpoints.track("")]
    assert done.stdout.endswith("\n100 of 100 points\n")


def test_it_stops_at_the_first_failure_unless_told_otherwise():
    """Fails where a student has to read of what he has not come to yet, or a grader does not see
    what is right after a fault."""
    wanted = checkpoints.track("")[:3]
    for every, passed in ((False, [True, False, False]), (True, [True, False, True])):
        target = broken("MishearsTheSecond")
        marks = check.run(wanted, target, IMPATIENT, every=every)
        assert [mark.passed for mark in marks] == passed
        assert marks[2].message == ("" if every else "not checked: 0.2 comes first")
        assert sum(mark.points for mark in marks) == sum(
            c.points for c, good in zip(wanted, passed) if good)


def test_a_mark_is_not_given_before_its_last_check():
    """Fails where a run that is cut off leaves points for what was not looked at."""
    whole = checkpoints.Checkpoint("0.1", "Both", 10, ("steps/1", "steps/8"), ())
    seen = []
    marks = check.run([whole], good(), 1.0, after=lambda marks: seen.append(
        [(mark.points, len(mark.outcomes)) for mark in marks]))
    assert seen == [[(0, 1)], [(10, 2)]] and marks[0].passed


def test_what_the_command_prints():
    """Fails where the exit status is 0 all the same, or the reason stands in none of the lines."""
    done = command("run", "--bin", line_of(broken("WrongByte")), "--cp", 2)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == "0.1 One client after the other 0/10".split()
    assert lines[1] == '     steps/1: step 3: byte 4 of 6 is wrong: "0" in place of "O"'
    assert lines[2].split()[-1] == "-/14"
    assert lines[3] == "0 of 24 points"
    assert '   2 c1 sends "hello\\n"' in lines


def test_one_check_alone():
    """Fails where CHECK= runs another one, counts points, or ends with 0 whatever it saw."""
    done = command("run", "--bin", line_of(broken("WrongByte")), "--check", "steps/2")
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert first.startswith("0.2, steps/2: ") and first.endswith("in place of \"O\"")
    assert "points" not in done.stdout
    done = command("run", "--bin", line_of(good()), "--check", "steps/2")
    assert (done.returncode, done.stdout) == (0, "0.2, steps/2: passed\n")


@needs_strace
def test_a_whole_conversation_is_explained():
    """Fails where lab-trace shows no step or no call, or does not know where it ends."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "tests.lab.trace", "steps/2", "--bin", line_of(good())],
        cwd=harness.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "── c1 sends \"at last\\n\"" in lines
    assert sum(line.startswith("  sendto(c1) = 8 ") for line in lines) == 1
    assert lines[-1] == "  it waits in epoll_wait(epoll)"


@pytest.mark.parametrize("words", [
    [], ["--bin", "/no/such/program"], ["--dir", "/no/such/folder"], ["--bin", "'"],
    ["--bin", "true", "--dir", "."], ["--bin", "true", "--cp", "77"],
    ["--bin", "true", "--cp", "1.1"],  # of another track
    ["--bin", "true", "--check", "conv/idle"],
    ["--dir", str(harness.ROOT), "--stage", "9"]])
def test_wrong_usage_is_one_line(words):
    """Fails where a slip of the finger ends in a traceback, or as a failed check."""
    done = command("run", *words)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr


def test_make_hands_the_command_line_on():
    """Fails where make takes BIN for a variable of its own, or a shell takes its quotes off."""
    done = subprocess.run(["make", "-s", "lab-list", f"BIN={sys.executable} 'a b' \"$HOME\""],
                          cwd=harness.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split()[-3:] == ["not", "checked", "yet"]


# ---- a folder of sources -------------------------------------------------------------------------

def folder(tmp_path: pathlib.Path, until: int) -> pathlib.Path:
    for name, text in skeleton.sources(STAGE, until).items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "mine"


def test_a_folder_is_built_and_checked(tmp_path, output, monkeypatch, capsys):
    """Fails where the tree's own stage is checked in place of the student's, where what he has
    not written yet is not said, and where a compiler's error is not shown."""
    monkeypatch.setattr(check, "calibrate", lambda: IMPATIENT)
    mine = folder(tmp_path, 0)
    assert check.main(["run", "--dir", str(mine), "--cp", "1.1"]) == 1
    said = capsys.readouterr().out
    number = next(i for i, line in enumerate((mine / STAGE / "server.cc").read_text(
        encoding="utf-8").splitlines(), 1) if line.startswith("void run(Worker& worker) {"))
    assert re.search(r"^1\.0 .* 4/4$", said, re.M), said
    assert f"\nnothing is written here yet: {STAGE}/server.cc:{number} run\n" in said
    assert "c1 still waits in the accept queue" in said

    server = mine / STAGE / "server.cc"
    server.write_text(server.read_text(encoding="utf-8") + "\nint x = nobody;\n", encoding="utf-8")
    assert check.main(["run", "--dir", str(mine), "--cp", "1"]) == 1
    said = capsys.readouterr().out
    assert "build: it does not compile" in said
    assert f"{STAGE}/server.cc:" in said and "error: ‘nobody’ was not declared" in said

    assert check.main(["list", "--dir", str(mine)]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].endswith("fails: it does not compile")
    assert listed[1].endswith("not checked since you changed it (failed before)")
    assert listed[2].endswith("not checked yet")


def test_files_that_are_not_the_students_are_the_trees(tmp_path, output):
    """Fails where a Makefile or a header of the student's comes into the build."""
    mine = folder(tmp_path, 8)
    for name in ("Makefile", "common/options.h", "common/mine.cc"):
        (mine / name).write_text("#error this is mine\n", encoding="utf-8")
    work = check.work_in(str(mine))
    check.lay_out(work, output / "tree")
    for name in ("Makefile", "common/options.h"):
        assert (output / "tree" / name).read_bytes() == (harness.ROOT / name).read_bytes()
    assert not (output / "tree" / "common" / "mine.cc").exists()


def test_a_file_that_is_missing_is_one_that_is_not_written(tmp_path, output):
    """Fails where the reference stands in for what was not handed in: points for nothing."""
    mine = folder(tmp_path, 8)
    (mine / "common" / "deadlines.h").unlink()
    check.lay_out(check.work_in(str(mine)), output / "tree")
    unwritten = skeleton.unwritten_in(output / "tree", checkpoints.find("1.8"))
    assert [place.split()[-1] for place in unwritten] == ["Deadlines::last_look"]


def test_first_errors_are_the_first():
    """Fails where the student has to look for the error among what follows from it."""
    noise = "".join(f"a.cc:{i}:1: note: candidate {i}\n" for i in range(500))
    lines = check.first_errors("mine does not compile:\na.cc:1:2: warning: unused\n"
                               "a.cc: In function ‘f’:\na.cc:3:4: error: first\n" + noise)
    assert lines[:2] == ["a.cc: In function ‘f’:", "a.cc:3:4: error: first"]
    assert len(lines) == check.FIRST_ERRORS + 1 and lines[-1].endswith("more lines")


# ---- again, whenever it changes ------------------------------------------------------------------

def test_nothing_is_left_when_whoever_asked_is_killed(tmp_path):
    """Fails where a grader's own time-out leaves servers behind that run for ever."""
    name = tmp_path / "spins_for_a_test.py"
    for fixture, path in (("broken.py", name), ("server.py", tmp_path / "server.py")):
        shutil.copy(FIXTURES / fixture, path)

    def running() -> list[str]:  # the server, and the check that knows its command line
        return [pid for pid in os.listdir("/proc") if pid.isdigit() and pid != str(asked.pid)
                and str(name).encode() in read_or_nothing(f"/proc/{pid}/cmdline")]

    asked = subprocess.Popen(
        [sys.executable, "-B", "-m", "tests.lab.check", "run", "--cp", "1", "--bin",
         f"{sys.executable} {name} Silent --text-port 0"], cwd=harness.ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        waits_for(lambda: len(running()) >= 2, 30, "it was never started")
    finally:
        asked.kill()
        asked.wait()
    waits_for(lambda: not running(), 6, "it runs on: left alone, a silent server takes 15 s")


def read_or_nothing(path: str) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b""


def waits_for(condition, seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.02)


def test_watch_runs_again_on_a_change(tmp_path):
    """Fails where a save goes unnoticed, and where Ctrl-C ends in a traceback."""
    for name in ("broken.py", "server.py"):
        shutil.copy(FIXTURES / name, tmp_path)
    mine = tmp_path / "broken.py"
    with subprocess.Popen(
            [sys.executable, "-B", "-m", "tests.lab.check", "watch", "--cp", "1", "--bin",
             f"{sys.executable} {mine} WrongByte --text-port 0"], cwd=harness.ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            # Who is started in the background by a script ignores it, and so do its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as process:
        try:
            assert "0 of 10 points" in until_it_waits(process)
            mine.write_text(mine.read_text(encoding="utf-8").replace('b"0"', 'b"O"'),
                            encoding="utf-8")
            assert "10 of 10 points" in until_it_waits(process)
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130 and process.stderr.read() == ""
        finally:
            process.kill()


def until_it_waits(process: subprocess.Popen) -> str:
    said, deadline = "", time.monotonic() + 60
    while "waiting for a change" not in said and time.monotonic() < deadline:
        said += process.stdout.readline()
    return said


def test_what_the_server_itself_cannot_show_is_checked(tmp_path):
    """Fails where a reactor that calls a handler where it lies, or one that was taken off, gets its
    points: no handler of the server's uses what it has captured after it was replaced."""
    work = check.Work(folder=tmp_path / "mine", program=harness.STAGES[1])

    def judged(right: str, wrong: str) -> record.Outcome:
        texts = skeleton.sources(work.program, 3)
        assert any(right in text for text in texts.values())
        for file, text in texts.items():
            check.lay(work.folder / file, text.replace(right, wrong).encode())
        target = check.build(work, tmp_path / "tree", plain=False)
        return check.perform("unit/handlers", target)

    assert judged("const Handler handler = ", "const Handler handler = ").verdict == record.PASSED
    said = judged("const Handler handler = ", "const Handler& handler = ").message
    assert said.startswith("it crashes: AddressSanitizer: heap-use-after-free"), said
    said = judged(" : event.events & channel.interest;", " : event.events;").message
    assert said == "two channels take each other off: not exactly one was called"


# ---- the process that runs one -------------------------------------------------------------------

def test_what_a_server_prints_is_not_taken_for_the_outcome():
    """Fails where a server that prints an Outcome gives itself the points."""
    done = subprocess.run([sys.executable, "-B", "-m", "tests.lab.one", "steps/1", "--command",
                           line_of(broken("Praises")), "--scale", "0.4"], cwd=harness.ROOT,
                          capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout)["verdict"] == record.FAILED
    assert check.perform("steps/1", broken("Praises"), IMPATIENT).failed


@needs_strace
def test_calls_are_counted(tmp_path, monkeypatch):
    """Fails where a count is not compared, where a server that answers nobody is one that makes
    few calls, or where one that may not be looked at fails a student."""
    target = Target(program=harness.STAGES[1])
    assert one.run("calls/rearm_mod", target, 1.0).verdict == record.PASSED
    text = (one.FOLDERS["calls"] / "rearm_mod.conv").read_text(encoding="utf-8")
    monkeypatch.setitem(one.FOLDERS, "calls", tmp_path)
    for old, new, message in (
            ("epoll_ctl 2", "epoll_ctl 3", "2 calls of epoll_ctl for a request, not 3"),
            ('"HELLO', '"HALLO', r".*mine\.conv:\d+: c1 receives .*: byte 1 differs")):
        (tmp_path / "mine.conv").write_text(text.replace(old, new), encoding="utf-8")
        outcome = one.run("calls/mine", target, 1.0)
        assert outcome.failed and re.fullmatch(message, outcome.message), outcome
    monkeypatch.setattr(harness, "why_no_tracing", lambda: "forbidden")
    assert one.run("calls/mine", target, 1.0).verdict == record.SKIPPED
