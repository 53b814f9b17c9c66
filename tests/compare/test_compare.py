"""What the comparison promises: the same text each time, true views, and no difference missed.

Each test says which broken server, or which broken comparison, it catches.
"""

from __future__ import annotations

import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests import harness
from tests.compare import calls, conversation as conv, expected, functions, render, show
from tests.lib import strace

HERE = pathlib.Path(__file__).resolve().parent
STAGES = ("01", "02", "03", "04")
COMPARE = (sys.executable, "-m", "tests.compare.compare")
DEMO = (sys.executable, "-m", "tests.demo.demo")
BROKEN = HERE.parent / "broken" / "proxy.py"
needs_strace = pytest.mark.skipif(bool(harness.why_no_tracing()), reason=harness.why_no_tracing())


def run(*arguments: str, program: tuple[str, ...] = COMPARE, **env: str):
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    return subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=120,
                          check=False, cwd=harness.ROOT, env={**environment, **env})


def run_json(*arguments: str):
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_on_terminal(*arguments: str, **env: str) -> str:
    """The output where stdout is a terminal of 80 columns."""
    master, slave = pty.openpty()
    with subprocess.Popen([*COMPARE, *arguments], stdout=slave, stderr=subprocess.DEVNULL,
                          cwd=harness.ROOT,
                          env={**os.environ, "COLUMNS": "80", **env}) as process:
        os.close(slave)
        output = b""
        try:
            while piece := os.read(master, 65536):
                output += piece
        except OSError:  # EIO: nobody has the other end open any more
            pass
        process.wait(60)
    os.close(master)
    return output.decode()


def mine(folder: pathlib.Path, text: str) -> tuple[str, ...]:
    """The flags for a conversation of the test's own."""
    (folder / "mine.conv").write_text(text, encoding="utf-8")
    return "--folder", str(folder), "--conv", "mine"


# ---- the same text each time ---------------------------------------------------------------------

@needs_strace
@pytest.mark.parametrize("name", ["keepalive", "two_clients", "sigterm"])
@pytest.mark.parametrize("stage", STAGES)
def test_two_traces_give_the_same_text(stage, name):
    """Catches addresses, ports, pids, time-outs or dates in the text, and steps that begin before
    the server is done with the one before."""
    first, second = run("trace", stage, "--conv", name), run("trace", stage, "--conv", name)
    assert first.returncode == 0 and "epoll_wait" in first.stdout, first.stderr
    assert first.stdout == second.stdout


@needs_strace
@pytest.mark.parametrize("pair", [("01", "02"), ("02", "03"), ("03", "04")])
def test_two_comparisons_give_the_same_text(pair):
    """The same for the three views of a pair."""
    first, second = (run("pair", *pair, "--conv", "keepalive") for _ in range(2))
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout == second.stdout


# ---- what the views show -------------------------------------------------------------------------

def reaction(stage: str, name: str = "keepalive", verb: str = "sends HELLO") -> list[str]:
    """The calls of a stage in the first step with that text."""
    steps = run_json("trace", stage, "--conv", name)["steps"]
    step = next(s for s in steps if verb in s["step"])
    return [call["call"].split(' "')[0] for call in step["calls"]]


@needs_strace
def test_stage_1_sends_at_once():
    """Catches a stage 1 that waits for writability before it has tried, and a trace that drops
    calls."""
    assert reaction("01") == ["epoll_wait(timeout) = c1 EPOLLIN", "recvfrom(c1) = 34",
                              "sendto(c1) = 130"]


@needs_strace
def test_stage_2_waits_for_writability_between_two_epoll_ctl():
    """Catches a reactor that sends without having swapped interest and callback."""
    assert reaction("02") == [
        "epoll_wait(timeout) = c1 EPOLLIN", "recvfrom(c1) = 34", "epoll_ctl(MOD, c1, EPOLLOUT)",
        "epoll_wait(timeout) = c1 EPOLLOUT", "sendto(c1) = 130", "epoll_ctl(MOD, c1, EPOLLIN)"]


@needs_strace
def test_libevent_takes_the_descriptor_off_and_hangs_it_back():
    """Catches a trace that loses the operation of an epoll_ctl: this is all that 02 and 03 differ
    in."""
    data = run_json("pair", "02", "03", "--conv", "keepalive", "--view", "calls")["calls"]
    kinds = {label: trace["calls_per_request"] for label, trace in data["keepalive"].items()}
    assert kinds["02"]["epoll_ctl"] == 2 and kinds["03"]["epoll_ctl"] == 4
    assert [c for c in reaction("03") if "epoll_ctl" in c] == [
        "epoll_ctl(DEL, c1)", "epoll_ctl(ADD, c1, EPOLLOUT)",
        "epoll_ctl(DEL, c1)", "epoll_ctl(ADD, c1, EPOLLIN)"]


@needs_strace
def test_a_bufferevent_uses_readv_ioctl_writev():
    """Catches a stage 4 that reads by itself, and a view that leaves out a kind of call."""
    shown = run("pair", "03", "04", "--conv", "keepalive", "--view", "calls").stdout
    assert "ioctl 0 | 1" in shown and "readv 0 | 1" in shown and "writev 0 | 1" in shown
    assert 'recvfrom(c1) = 34 "GET /hello HTTP/1.1…"         | readv(c1) = 34' in shown


def recorded(version: str) -> str:
    """What strace of that version said of stage 3 and one client."""
    return (HERE / "strace" / f"{version}.txt").read_text(encoding="utf-8")


def explained(tmp_path: pathlib.Path, text: str) -> list[tuple[str, str]]:
    """The timeline of the client in such a record, as if it were one step."""
    (tmp_path / "log").write_text(text, encoding="utf-8")
    ports = {name: int(port) for port, name in re.findall(r":(\d+) \((\w+)\)", text)}
    step = conv.Step(1, "", "", "connects", "c1")
    start = re.search(r"epoll_p?wait\(", text).start()
    talk = conv.Conversation(tmp_path / "log", steps=[step])
    log = strace.Log(tmp_path / "log")
    return calls.build(log, start, [len(text)], ports, talk, []).steps[0].lines()


def test_each_strace_is_explained_alike(tmp_path):
    """Catches an explanation that only one version's `data=` fits: the other one's wake-ups were
    taken for signals."""
    old, new = (explained(tmp_path, recorded(version)) for version in ("6.1", "6.13"))
    assert old == new
    assert old[0] == ("epoll_wait(forever) = http-listener EPOLLIN",
                      "wakes up: http-listener has a client waiting")
    assert old[0][1].zh == "被唤醒：http-listener 有客户端在等待接受"
    woken = [call for call, gloss in old if "by a signal" in gloss]
    assert woken == ["epoll_wait(timeout) = EINTR"]


def test_arm64_is_explained_like_the_others(tmp_path):
    """Catches an explanation that takes the size of a signal mask for the time-out, or has another
    name for the wait, where the kernel has epoll_pwait alone."""
    text = recorded("6.13")
    there, changed = re.subn(r"epoll_wait\((.*)\)( +=)", r"epoll_pwait(\1, NULL, 8)\2", text)
    assert changed > 5
    assert explained(tmp_path, there) == explained(tmp_path, text)
    assert strace.totals(" 9.80 0.1 9 3000 epoll_pwait") == {"epoll_wait": 3000}


@pytest.mark.parametrize("version", ["6.1", "6.13"])
@pytest.mark.parametrize("said, instead", [
    (r"(epoll_ctl.*ADD, 8.*) data=.*\}", r"\1 payload=8}"),
    (r"(epoll_wait.*) data=.*\}", r"\1 payload=8}"),
    (r"(epoll_wait.*events=)EPOLLIN", r"\g<1>0x1"),
    (r"epoll_wait\(\d+, \[.*\](.*) = 1", r"epoll_wait(5, 0x5581\1 = 1"),
    (r"EINTR \(.*\)", "EBADF (Bad file descriptor)"),
    (r"(recvfrom.*) = 34", r"\1 = ? ERESTARTSYS (To be restarted)"),
    (r"EPOLL_CTL_MOD|EPOLL_CTL_DEL", "EPOLL_CTL_SWAP"),
    (r"getsockname", "getsocketname"),
    (r"recvfrom", "[ Process PID=8 runs in 32 bit mode. ] recvfrom"),
])
def test_what_strace_says_is_understood_or_an_error(tmp_path, version, said, instead):
    """Catches an explanation that passes over what it cannot read, or guesses."""
    text, changed = re.subn(said, instead, recorded(version), count=1)
    assert changed == 1
    with pytest.raises(strace.NotUnderstood, match="strace"):
        explained(tmp_path, text)


def test_a_call_that_another_thread_interrupts_is_one_call(tmp_path):
    """Catches a reader that loses such a call, counts its halves, or one that has not returned."""
    (tmp_path / "log").write_text(
        "7 epoll_wait(5,  <unfinished ...>\n8 accept4(4, NULL, NULL, 0) = -1 EAGAIN (try again)\n"
        "8 epoll_wait(6,  <unfinished ...>\n7 <... epoll_wait resumed>[], 64, -1) = 0\n"
        "7 --- SIGTERM {si_signo=SIGTERM} ---\n7 read(3, ", encoding="utf-8")
    log = strace.Log(tmp_path / "log")
    accepted = strace.Call("accept4", "4, NULL, NULL, 0", "EAGAIN")
    assert log.calls() == [accepted, strace.Call("epoll_wait", "5, [], 64, -1", "0")]
    assert log.calls("accept4", "read") == [accepted]


@needs_strace
def test_a_strange_strace_ends_with_an_error(tmp_path):
    """Catches an exit status 0 for a trace that could not be explained."""
    (tmp_path / "strace").write_text(f'#!/bin/sh\nexec {shutil.which("strace")} -X raw "$@"\n')
    (tmp_path / "strace").chmod(0o755)
    done = run("trace", "02", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 2 and done.stderr.startswith("strace ") and not done.stdout, done
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("stage", harness.STAGES)
def test_no_line_of_code_is_left_out(stage):
    """Catches a code view that overlooks a part of the source, and with it what changed there."""
    shown = {line for body in functions.units(functions.source_of(stage)).values()
             for line in body}
    left_out = {line for line in functions.source_of(stage) if line and line not in shown}
    assert left_out == {"namespace {", "}  // namespace"}


def test_what_no_client_notices_of_a_timer_is_left_out():
    """Catches a timeline in which a timer strikes now in this step and now in the next one."""
    tick = calls.Call("epoll_wait", "epoll_wait(timeout) = time-out", "")
    retry = calls.Call("epoll_ctl", "epoll_ctl(ADD, text-listener, EPOLLIN)", "")
    close = calls.Call("close", "close(c1)", "")
    wake = calls.Call("epoll_wait", "epoll_wait(timeout) = c1 EPOLLIN", "")
    assert calls.without_chance([tick, retry, wake, close, tick], "sends") == [wake, close]
    assert calls.without_chance([tick, close], "end") == [tick, close]
    assert calls.without_chance([tick, retry], "silence") == [tick, retry]


def test_code_view_names_what_changed():
    """Catches a view that mixes up equal and changed, or new and gone."""
    status = {c["name"]: c["status"]
              for c in run_json("pair", "02", "03", "--view", "code")["code"]}
    assert status["on_writable"] == "equal" and status["run"] == "changed"
    assert status["call"] == "new"


def test_folding_counts_exactly_but_not_timers():
    """Catches a timeline whose length depends on how often a timer struck."""
    one = calls.Call("read", "read(c1)", "", "1")
    tick = calls.Call("epoll_wait", "epoll_wait(timeout) = time-out", "")
    other = calls.Call("close", "close(c1)", "")
    assert list(calls.fold([one] * 5 + [other])) == [
        ("read(c1) = 1", ""), ("… the line above, 5 times in all", ""), ("close(c1)", "")]
    assert list(calls.fold([tick] * 4 + [one])) == list(calls.fold([tick, one]))
    assert list(calls.fold([tick, other] * 2)) == list(calls.fold([tick, other] * 7))


# ---- what the kernel says of a client ------------------------------------------------------------

@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_client_in_the_accept_queue_is_not_accepted(address):
    """Catches a server that leaves its clients in the queue: their connect succeeds all the same.
    And a look that overlooks IPv6, or an IPv4 client of a listener for both."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server(("" if "ffff" in address else address, 0), family=family,
                                    dualstack_ipv6="ffff" in address)
    with listener:
        host = address.removeprefix("::ffff:")
        client = conv.Client(socket.create_connection((host, listener.getsockname()[1])))
        assert not client.accepted()
        with listener.accept()[0]:
            assert client.accepted()
        client.close()
        assert not client.accepted()


def test_a_program_sleeps_when_all_its_threads_do():
    """Catches a look at the first thread only: that of Go or Java hardly ever runs."""
    busy = ("import threading, time\n"
            "threading.Thread(target=lambda: all(iter(lambda: 1, 0))).start()\n"
            "print(flush=True)")
    with subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            looks = [conv.sleeps(process.pid) for _ in range(200) if not time.sleep(0.002)]
            assert looks.count(True) < 100
        finally:
            process.kill()


@pytest.mark.parametrize("line, verb, value", [
    ("c1 is accepted", "accepted", ""), ("server holds 1 client", "holds", "1"),
    ("server holds 12 clients", "holds", "12")])
def test_steps_that_ask_the_kernel(tmp_path, line, verb, value):
    """Catches such a step taken for another, or for none."""
    read = conv.Reader(tmp_path).read(
        f"counts: epoll_ctl 2 sendto 0.5\nc1 connects to text\n{line}\n")
    assert (read.steps[-1].verb, read.steps[-1].value) == (verb, value)
    assert read.counts == {"epoll_ctl": 2, "sendto": 0.5}


# ---- no difference missed ------------------------------------------------------------------------

def test_all_stages_answer_alike():
    """Any stage that answers one byte otherwise than the conversations say, in any of them; and an
    evhttp whose differences are not those that are listed."""
    done = run("all")
    assert done.returncode == 0, done.stdout + done.stderr


def run_broken(how: str, *arguments: str):
    """With a second stage that has a defect."""
    return run(*arguments, "--binary", f"02={BROKEN}", FLAW=how,
               REAL_STAGE=str(harness.binary("02_epoll_reactor")))


def test_one_wrong_byte_is_named(tmp_path):
    """A server that answers one byte wrongly makes `all` fail; conversation and byte are named."""
    talk = 'c1 connects to text\nc1 sends "wax\\n"\nc1 receives "WAX\\n"\n'
    done = run_broken("byte", "all", *mine(tmp_path, talk))
    assert done.returncode == 1
    assert "mine, 02:" in done.stdout and f"{tmp_path / 'mine.conv'}:3" in done.stdout
    assert "byte 2 differs" in done.stdout and '"WA»x\\n"' in done.stdout
    assert "mine, 01:" not in done.stdout


@pytest.mark.parametrize("how, conversation, sign", [
    ("extra", 'c1 connects to text\nc1 sends "a"\nc1 receives "A"\n', '"» "'),
    ("reset", 'c1 connects to text\nc1 sends "a"\nc1 receives "A"\nc1 half-closes\nc1 is closed\n',
     "reset"),
])
def test_other_defects_are_seen(tmp_path, how, conversation, sign):
    """A server that says more than it should, and one that resets where it should close."""
    done = run_broken(how, "all", *mine(tmp_path, conversation))
    assert done.returncode == 1 and sign in done.stdout, done.stdout


def test_demo_passes_and_fails(tmp_path):
    """Catches a demo that says that all is well whatever the answers are."""
    done = run(program=DEMO)
    assert done.returncode == 0 and "byte for byte the same" in done.stdout
    assert max(map(show.width_of, done.stdout.splitlines())) <= 80
    for stage in harness.STAGES:
        (tmp_path / stage).symlink_to(harness.binary(stage))
    (tmp_path / "02_epoll_reactor").unlink()
    (tmp_path / "02_epoll_reactor").symlink_to(BROKEN)
    done = run(program=DEMO, FLAW="extra", LAB_BIN=str(tmp_path),
               REAL_STAGE=str(harness.binary("02_epoll_reactor")))
    assert done.returncode == 1 and "stage 02" in done.stdout and "✗ byte" in done.stdout


def test_evhttp_list_must_be_true(tmp_path):
    """Catches a list of expected differences that hides new ones, or keeps what is gone."""
    step = conv.Step(1, "c1 receives ...", "", "receives", "c1")
    same, other = conv.Observation(step, b"ab", b"ab"), conv.Observation(step, b"ab", b"ax")
    listed = tmp_path / "list.txt"
    listed.write_text('talk 2 got "x"\n    because\n', encoding="utf-8")
    assert expected.check({"talk": [same, other]}, listed) == []
    assert "not in list.txt: talk 1" in expected.check({"talk": [other, other]}, listed)[0]
    assert "list.txt:1: not seen" in expected.check({"talk": [same, same]}, listed)[0]
    listed.write_text('talk 2 got "x"\n', encoding="utf-8")
    with pytest.raises(conv.WrongStep, match="no reason"):
        expected.read(listed)


def test_header_order_is_no_difference_to_evhttp():
    """Catches a comparison that calls every answer of evhttp different."""
    a = b"HTTP/1.1 200 OK\r\nDate: x\r\nAllow: y\r\n\r\nbody: 1\r\nage: 2\r\n"
    b = b"HTTP/1.1 200 OK\r\nAllow: y\r\nDate: x\r\n\r\nbody: 1\r\nage: 2\r\n"
    assert expected.sort_fields(a) == b


# ---- wrong files, terminals, Ctrl-C --------------------------------------------------------------

@pytest.mark.parametrize("line, why", [
    ("c1 shouts", "no such step"),
    ('c1 sends "a', "in double quotes"),
    ('c1 sends "\\q"', "no escape"),
    ("c1 sends NAME", "NAME is not defined"),
    ('c1 sends "a" slowly', "cannot understand 'slowly'"),
    ('c2 sends "a"', "c2 is not connected"),
    ("c1 connects to http", "connected already"),
    ("server gets SIGKILL", "no such step"),
])
def test_a_wrong_step_is_named(tmp_path, line, why):
    """Catches a reader that overlooks what it does not understand: such a test would pass for the
    wrong reason."""
    done = run("all", *mine(tmp_path, f"title: wrong\n# a comment\nc1 connects to text\n{line}\n"))
    assert done.returncode == 2 and why in done.stderr, done.stderr
    assert done.stderr.startswith(f"{tmp_path / 'mine.conv'}:4: "), done.stderr


@pytest.mark.parametrize("name", [str(conv.FOLDER / "line"), "../conversations/line", "line.conv"])
def test_a_conversation_goes_by_its_name(name):
    """Catches a CONV= that opens any file of the reader's machine and shows how it begins."""
    done = run("list", "--conv", name)
    assert done.returncode == 2 and done.stderr.startswith("no conversation '"), done.stderr


def test_every_conversation_is_good_and_has_a_title():
    """Catches a conversation that nobody can read or that expects nothing."""
    conversations = conv.load_all()
    assert len(conversations) >= 20
    for conversation in conversations:
        assert conversation.title, conversation.name
        assert any(s.verb in ("receives", "end") for s in conversation.steps), conversation.name


def test_colour_only_on_a_terminal():
    """Catches escape sequences in files and for those who asked for none."""
    arguments = ("pair", "01", "02", "--view", "code")
    assert "\033" not in run(*arguments).stdout
    assert "\033[" in run_on_terminal(*arguments, NO_COLOR="")
    assert "\033" not in run_on_terminal(*arguments, NO_COLOR="1")


@needs_strace
@pytest.mark.parametrize("arguments", [
    ("trace", "04", "--conv", "sigterm"), ("all", "--conv", "line"),
    ("pair", "03", "04", "--conv", "keepalive", "--view", "calls")])
def test_fits_into_the_width(arguments):
    """Catches lines that a terminal of 80 columns would break."""
    lines = run(*arguments, COLUMNS="80").stdout.splitlines()
    assert lines and max(map(show.width_of, lines)) <= 80


@pytest.mark.parametrize("fake, why", [
    ("echo 'strace: attach: Operation not permitted' >&2; exit 1", "Operation not permitted"),
    ('shift 3; exec "$@"', "it is silent"),  # strace -D where it cannot attach: status 0
])
def test_without_strace_the_other_views_remain(tmp_path, fake, why):
    """Catches a crash, a wait for what never comes, and a timeline without calls, where a container
    forbids ptrace."""
    (tmp_path / "strace").write_text(f"#!/bin/sh\n{fake}\n")
    (tmp_path / "strace").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    missing = f"no system calls: strace may not trace here: {why}"
    done = run("pair", "01", "02", "--conv", "line", PATH=path)
    assert done.returncode == 0, done.stderr
    assert "code:" in done.stdout and "line " in done.stdout
    assert done.stdout.splitlines()[-1] == missing
    assert run("trace", "01", PATH=path).stdout.splitlines() == [missing]


def members(session: int) -> list[str]:
    """Command lines of the processes that still run in a session."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = harness.stat_of(int(folder.name))
            if int(fields[3]) == session and fields[0] != "Z":
                found.append((folder / "cmdline").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def hear_ctrl_c() -> None:
    """What a shell starts in the background ignores SIGINT, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@needs_strace
@pytest.mark.parametrize("command", [("trace", "02"), ("all",)])
@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_nothing_survives_ctrl_c(tmp_path, command, number, status):
    """Catches servers and tracers that are left behind."""
    talk = mine(tmp_path, "c1 connects to text\npause 60 s\n")
    with subprocess.Popen([*COMPARE, *command, *talk], cwd=harness.ROOT,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          start_new_session=True, preexec_fn=hear_ctrl_c) as process:
        deadline = time.monotonic() + 30
        while not any("02_epoll" in line and "strace" not in line
                      for line in members(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(30) == status
    deadline = time.monotonic() + 10
    while members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(process.pid) == []


def test_purpose_puts_the_same_job_into_one_row():
    """Catches a side-by-side view that pairs a read with an epoll_ctl."""
    assert render.purpose('recvfrom(c1) = 3 "abc"') == render.purpose('readv(c1) = 3 "abc"')
    assert render.purpose("epoll_ctl(MOD, c1, EPOLLIN)") == render.purpose("epoll_ctl(DEL, c1)")
    assert render.purpose("recvfrom(c1) = 3") != render.purpose("recvfrom(c2) = 3")
