"""Runs one check against one server, in a process of its own, and says what it saw.

    python3 -m tests.lab.one steps/3 --command './mine --text-port 0'
    LAB_BIN=build python3 -m tests.lab.one conv/idle --program 01_plain_epoll

    --scale 2   this machine is so much slower than the one for which PATIENCE was chosen
    --to 5      the descriptor that gets the Outcome, as JSON, and nothing else (1: stdout)

A check is a conversation (steps/3, conv/idle, lab/accepts), a black-box test or a file of them
(test_text.py, test_text.py::test_echo_mode), a conversation whose system calls are counted
(calls/rearm_mod), or a program that calls a function of the student's (unit/handlers).

What fails is run again. If it passes then, it is unstable. If not, the replay ends with the system
calls of the step that went wrong, where these may be looked at.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import re
import resource
import select
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

from tests import harness
from tests.compare import calls, conversation as conv
from tests.lab import record
from tests.lab.record import Outcome
from tests.lib import strace, wire, words

HERE = pathlib.Path(__file__).resolve().parent
FOLDERS = {
    "steps": harness.ROOT / "tests" / "steps",
    "conv": conv.FOLDER,
    "lab": HERE / "conversations",
    "calls": HERE / "calls",
}
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PATIENCE = 2.5  # seconds for one answer, before they are scaled; twice as long, what comes is slow
UNIT_PATIENCE = 15.0  # for a program that calls a function of the student's
TEST_PATIENCE = 60.0  # for one black-box test
FILE_SIZE, MEMORY, DESCRIPTORS = 64 << 20, 1 << 30, 4096
SANITIZER = re.compile(rb"__(?:a|hwa|m|t)san_init")
ANY_CALL = re.compile(rb"\w+\(")  # in which a program rests that may be written in any way
ANYTHING = re.compile(b"")  # of a program that never rests
ACTS = ("connects", "sends", "half-closes", "closes", "resets", "signal")
MOST_BYTES = 1 << 20  # that are kept of what a server prints: it may never stop
MOST_LINES = 40  # of what a server printed, or asked of the kernel


class NoCheck(Exception):
    """There is no check of that name."""


@dataclasses.dataclass(frozen=True)
class Target:
    """What is checked: a command line (its text port only), or a program of the lab."""

    command: tuple[str, ...] = ()
    program: str = ""  # 01_plain_epoll, in the folder that LAB_BIN names
    folder: str = ""  # what LAB_BIN is to be

    @property
    def ports(self) -> tuple[str, ...]:
        if self.command:
            return ("text",)
        return ("http",) if self.program == "evhttp_server" else ("text", "http")

    @property
    def name(self):
        """For harness.Server."""
        return self.command or self.program

    @property
    def arguments(self) -> list[str]:
        """For the command line of this module."""
        if self.command:
            return ["--command", shlex.join(self.command)]
        return ["--program", self.program]

    @property
    def may_be_limited(self) -> bool:
        """In its memory. A sanitizer maps terabytes; what a script starts is not known."""
        path = shutil.which(self.command[0]) if self.command else harness.binary(self.program)
        with contextlib.suppress(OSError, TypeError), open(path, "rb") as file:
            text = file.read()
            return not text.startswith(b"#!") and not SANITIZER.search(text)
        return True


# ---- what one step shows -------------------------------------------------------------------------

def limit(scale: float) -> float:
    return PATIENCE * scale


def wrong(seen: conv.Observation, allowed: float) -> bool:
    return not seen.same or seen.seconds > allowed * seen.step.weight


def plural(count: int, what: str = "byte") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def shown(data: bytes) -> str:
    return f'"{conv.printable(data)}"'


def received(seen: conv.Observation, ended: str, allowed: float) -> str:
    """What is wrong with an answer."""
    who, expected, got, at = seen.step.client, seen.expected, seen.got, seen.at
    allowed *= seen.step.weight
    if seen.seconds > allowed:
        count = plural(len(got)) if seen.same else f"{len(got):,} of {plural(len(expected))}"
        return f"{who} got {count} after {seen.seconds:.1f} s: {allowed:.1f} s are allowed"
    rest = {"end": "the server ends its connection", "reset": "the server resets its connection",
            "": f"within {allowed:.1f} s"}.get(ended, ended)
    if not got:
        return f"{who} gets nothing: {rest}" if ended else f"{who} gets nothing {rest}"
    missing = len(expected) - len(got)
    if at == len(got):
        return (f"the last {plural(missing)} of {len(expected):,} are lost: "
                + (rest if ended else f"nothing more comes {rest}"))
    if missing > 0 and got[at:] == expected[at + missing:]:
        return f"{plural(missing)} of {len(expected):,} {are(missing)} lost, at offset {at:,}"
    if len(got) - at >= 8 and expected.find(got[at:at + 64], at + 1) > 0:
        return f"bytes are lost at offset {at:,}: what {who} gets there comes later"
    if missing < 0 and got[at - missing:] == expected[at:]:
        return f"{who} gets {plural(-missing)} too many, at offset {at:,}"
    return (f"byte {at:,} of {len(expected):,} is wrong: {shown(got[at:at + 1])} in place of "
            f"{shown(expected[at:at + 1])}")


def are(count: int) -> str:
    return "is" if count == 1 else "are"


def other(seen: conv.Observation, allowed: float) -> str:
    """What is wrong where no answer was waited for."""
    step, got = seen.step, seen.got.decode(errors="backslashreplace")
    who = step.client
    ended = {"end": "the server closes its connection", "reset": "the server resets its connection"}
    if step.verb == "connects":
        return f"{who} cannot connect: {got}"
    if step.verb == "silence":
        return f"{who} should hear nothing: " + ended.get(got, f"it gets {plural(len(seen.got))}")
    if step.verb == "end":
        if got == "still open":
            return f"{who} is still connected after {allowed:.1f} s: the server does not close it"
        return ended["reset"].replace("its", f"{who}'s") if got == "reset" else (
            f"{who} gets {plural(len(seen.got))} in place of the end")
    if step.verb == "accepted":
        return f"{who} still waits in the accept queue after {allowed:.1f} s"
    if step.verb == "holds":
        return (f"descriptors leak: the server holds the sockets of {plural(int(got), 'client')}, "
                f"and should hold {seen.expected.decode()}")
    if step.verb == "sleeps":
        return f"it spins: {step.value or 'there is nothing to do, and it does not sleep'}"
    if step.verb == "exit":
        return (f"it does not end: {allowed:.1f} s after the signal it still runs"
                if got == "still running" else
                f"it {how_it_ended(int(got))}, and should end with {step.value}")
    return f"{who} gets {plural(len(seen.got))} that nobody asked for"


def how_it_ended(status: int) -> str:
    return f"is killed by {signal.Signals(-status).name}" if status < 0 else (
        f"ends with status {status}")


def reported(stderr: str) -> str:
    """The first line of a sanitizer's report that says most."""
    for pattern in (r"SUMMARY: (\w+Sanitizer: .*)", r"(\S{1,200}: runtime error: .*)",
                    r"(\w{1,20}Sanitizer: .*)"):
        if found := re.search(pattern, stderr):
            return found[1].replace(f"{harness.ROOT}/", "").strip()
    return ""


# ---- conversations -------------------------------------------------------------------------------

@dataclasses.dataclass
class Played:
    """How a conversation went: up to the first step at which something is wrong."""

    conversation: conv.Conversation
    command: list[str] = dataclasses.field(default_factory=list)
    fault: conv.Observation | None = None
    ended: str = ""  # how that step's client was left by the server
    message: str = ""  # what is wrong; empty: nothing
    died: str = ""  # how, unasked: what a sanitizer said of it, or a signal, or a status
    printed: str = ""
    stderr: str = ""

    @property
    def number(self) -> int:
        """Of the step with the fault; that of the last one, if none has it."""
        steps = self.conversation.steps
        if self.fault is None:
            return len(steps)
        return next((i for i, step in enumerate(steps, 1) if step.line == self.fault.step.line),
                    len(steps))


def find_conversation(check: str) -> conv.Conversation:
    kind, _, name = check.partition("/")
    try:
        return conv.find(name, FOLDERS[kind])
    except (KeyError, conv.WrongStep) as why:
        raise NoCheck(f"no check {check!r}: {why}") from None


@contextlib.contextmanager
def draining(server: harness.Server) -> Iterator[bytearray]:
    """What it prints is read all the time: a full pipe would stop it."""
    pipe, into = server.process.stdout, bytearray()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            if select.select([pipe], [], [], 0.05)[0]:
                piece = pipe.read(1 << 16)
                if not piece:
                    return
                into.extend(piece[:MOST_BYTES - len(into)])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield into
    finally:
        over.set()
        reader.join()


def play(conversation: conv.Conversation, target: Target, allowed: float, patience: float
         ) -> Played:
    """Up to the first fault; then the server has to end."""
    played = Played(conversation, [*target.command, *conversation.flags])
    try:
        with harness.Server(target.name, *conversation.flags, ports=target.ports,
                            preexec=conv.limit_files(conversation.files),
                            start_timeout=4 * allowed) as server, draining(server) as printed:
            played.command = server.command
            look(server, played, allowed, patience)
            played.printed = printed.decode(errors="replace")
    except harness.StartError as why:
        played.printed, played.stderr = why.printed, why.stderr
        played.message = not_started(why, target, 4 * allowed)
    except OSError as why:  # before it could run at all
        played.message = f"it does not start: {why}"
    return played


def not_started(why: harness.StartError, target: Target, allowed: float) -> str:
    if why.status is not None:
        report = reported(why.stderr)
        return f"it does not start: {report or 'it ' + how_it_ended(why.status)}"
    lines = " and ".join(f'"listening on HOST:PORT ({port})"' for port in target.ports)
    hint = "" if why.printed else " (is stdout flushed?)"
    return f"it does not start: it has not printed {lines} within {allowed:.0f} s{hint}"


def look(server: harness.Server, played: Played, allowed: float, patience: float) -> None:
    def after_step(step: conv.Step) -> bool:
        if not player.calm and player.spins():
            busy = dataclasses.replace(step, verb="sleeps", value=(
                f"{patience * step.weight:.1f} s after this step it still does not sleep (or it is "
                "much too slow)"))
            player.observations.append(conv.Observation(busy, b"asleep", b"busy"))
        return any(wrong(seen, allowed) for seen in player.observations)

    player = conv.Player(server, played.conversation, patience=patience, after_step=after_step)
    player.play()
    played.fault = next((o for o in player.observations if wrong(o, allowed)), None)
    if played.fault and (client := player.clients.get(played.fault.step.client)):
        played.ended = client.ended
    status = server.process.poll()
    if status is None:
        played.message = message_of(played, allowed)
        played.message = ending(server, 2 * allowed, played.message)
    elif not player.exited or played.fault:
        report = reported(server.stderr())
        played.died = report or f"it {how_it_ended(status)}"
        if status in (0, -signal.SIGTERM) and not report:
            played.message = f"{played.died} too early: {message_of(played, allowed)}"
        else:
            played.message = f"it crashes: {played.died}"
    played.stderr = server.stderr()


def ending(server: harness.Server, allowed: float, before: str) -> str:
    """What is wrong, once it was asked to end: what was wrong before, or how it does that. A server
    that knows no signal may be ended by it, unless the conversation says otherwise."""
    server.signal(signal.SIGTERM)
    try:
        status = server.wait(allowed)
    except Exception:  # pylint: disable=broad-except
        server.kill()
        return before or f"it does not end: {allowed:.1f} s after SIGTERM it still runs"
    if before or status in (0, -signal.SIGTERM):
        return before
    report = reported(server.stderr())
    if "leak" in report:
        return f"memory leaks: {report}"
    return f"at its end: {report or 'it ' + how_it_ended(status)}"


def message_of(played: Played, allowed: float) -> str:
    seen = played.fault
    if seen is None:
        return ""
    if seen.step.verb == "receives" and not seen.step.text.endswith("is left with"):
        return received(seen, played.ended, allowed)
    return other(seen, allowed)


# ---- the replay ----------------------------------------------------------------------------------

def replay(played: Played) -> list[str]:
    """The way to the fault, line by line."""
    lines = [f"     $ {shlex.join(played.command)}"] if played.command else []
    caption = ""
    for number, step in enumerate(played.conversation.steps[:played.number], 1):
        if step.caption != caption:
            caption = step.caption
            lines.append(f"     * {words.shown(caption)}")
        lines.append(f"{number:4} {step.text}")
    seen = played.fault
    if seen and not seen.same and seen.step.verb in ("receives", "silence", "end"):
        expected = "nothing" if not seen.expected else conv.context(seen.expected, seen.at)
        got = conv.context(seen.got, seen.at) if seen.got else "nothing"
        if seen.step.verb == "end":
            expected = "the end of the connection"
            got = "nothing" if seen.got == b"still open" else got
        lines += [f"       {words.shown(text)}"
                  for text in (f"expected {expected}", f"got      {got}")]
    elif "does not start" in played.message:
        lines = lines[:1]
    elif not seen and not any(step.verb == "exit" for step in played.conversation.steps):
        lines.append("     " + words.shown("no client is left, and server gets SIGTERM"))
    lines += block("it printed, on stdout:", said(played.printed))
    return lines + block("it printed, on stderr:", without_memory(played.stderr).splitlines())


def said(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if not harness.LISTENING.match(line)]


def without_memory(stderr: str) -> str:
    """A sanitizer's report ends with what lay where in memory: nobody reads that."""
    return re.sub(r"(?m)^Shadow bytes around[\s\S]*?(?===\d+==ABORTING|\Z)|^=+\n", "", stderr)


def block(title: str, lines: list[str]) -> list[str]:
    """Indented, and cut where it is long."""
    if not lines:
        return []
    more = [words.shown(f"... {left} more lines")] if (left := len(lines) - MOST_LINES) > 0 else []
    return [f"     {words.shown(title)}", *(f"       {line}" for line in lines[:MOST_LINES] + more)]


def traced(played: Played, target: Target, patience: float) -> list[str]:
    """The system calls since a client did something for the last time; of a server that had died
    before, its last ones. The conversation is played once more for it: a server under strace is
    slow, and its timing another one."""
    if why := harness.why_no_tracing():
        return ["     " + words.shown(f"no system calls: {why}")]
    steps = played.conversation.steps[:played.number]
    until_there = dataclasses.replace(played.conversation, steps=steps)
    spins = played.fault is not None and played.fault.step.verb == "sleeps"
    try:
        trace = calls.trace(until_there, target.name, ports=target.ports, patience=patience,
                            waits=ANYTHING if spins else ANY_CALL)
    except (strace.NotUnderstood, harness.StartError, OSError, ValueError) as why:
        return ["     " + words.shown(f"no system calls: {str(why).splitlines()[0][:100]}")]
    acts = [i for i, step in enumerate(steps, 1) if step.verb in ACTS]
    since = acts[-1] if acts else 1
    while played.died and since > 1 and not any(part.lines() for part in trace.steps[since - 1:]):
        since -= 1
    made = [line for part in trace.steps[since - 1:] for line in part.lines()]
    lines = [f"{words.shown(text):50} {words.shown(gloss)}".rstrip() for text, gloss in made]
    if spins and not any("…" in text or "many times" in text for text, _ in made):
        lines.append(words.shown("and then none: it loops inside the process (look: gdb -p; of "
                                 "libevent's events --libevent-debug tells more)"))
    if played.died:
        lines.append(words.shown(f"and then: {played.died}"))
    elif trace.steps and (rests := trace.steps[-1].rests) and not spins:
        lines.append(words.shown(f"it waits in {rests}"))
    return block(f"its system calls since step {since}:", lines or [words.shown("none")])


# ---- one check -----------------------------------------------------------------------------------

@dataclasses.dataclass
class Look:
    """What one run of a check saw."""

    outcome: Outcome
    again: str = ""  # what to run again: the check, or the one test of it that failed
    explain: Callable[[], list[str]] = list  # what takes one more run


def check_conversation(check: str, target: Target, scale: float, again: bool) -> Look:
    allowed = limit(scale)
    played = play(find_conversation(check), target, allowed, allowed if again else 2 * allowed)
    if not played.message:
        return Look(Outcome(check, record.PASSED))
    step = f"step {played.number}: " if played.fault else ""
    outcome = Outcome(check, record.FAILED, step + played.message, replay(played))
    if played.fault or "crashes" in played.message:
        return Look(outcome, check, lambda: traced(played, target, allowed / 2))
    return Look(outcome, check)


def check_calls(check: str, target: Target, scale: float, _again: bool) -> Look:
    """System calls per request, as many as the conversation says."""
    conversation = find_conversation(check)
    if why := harness.why_no_tracing():
        return Look(Outcome(check, record.SKIPPED, why))
    try:
        trace = calls.trace(conversation, target.name, ports=target.ports, patience=limit(scale))
    except (harness.StartError, strace.NotUnderstood) as why:
        return Look(Outcome(check, record.FAILED, str(why).splitlines()[0]), check)
    if seen := next((o for o in trace.seen if not o.same), None):
        lines = conv.difference(seen, conversation)
        return Look(Outcome(check, record.FAILED, lines[0], lines[1:]), check)
    made = trace.by_kind()
    faults = [f"{made.get(name, 0):.4g} calls of {name} for a request, not {count:.4g}"
              for name, count in conversation.counts.items()
              if round(made.get(name, 0), 2) != count]
    if not faults:
        return Look(Outcome(check, record.PASSED))
    lines = [line for number, part in enumerate(trace.steps, 1) for line in
             [f"{number:4} {part.step.text}", *(f"       {text}" for text, _ in part.lines())]]
    return Look(Outcome(check, record.FAILED, "; ".join(faults), lines), check)


def check_unit(check: str, _target: Target, scale: float, _again: bool) -> Look:
    """It says what is wrong, and ends."""
    try:
        done = subprocess.run([harness.binary(check.removeprefix("unit/"))], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              errors="replace", timeout=UNIT_PATIENCE * scale)
    except subprocess.TimeoutExpired:
        return Look(Outcome(check, record.FAILED, "it hangs"), check)
    if done.returncode == 0:
        return Look(Outcome(check, record.PASSED))
    crash = reported(done.stderr) or ("" if done.returncode == 1 else how_it_ended(done.returncode))
    message = f"it crashes: {crash}" if crash else (done.stderr.splitlines() or ["it fails"])[-1]
    lines = block("it printed, on stderr:", without_memory(done.stderr).splitlines())
    return Look(Outcome(check, record.FAILED, message, lines), check)


class Reporter:
    """A pytest plugin: what the first test that fails says, and what its server did."""

    def __init__(self) -> None:
        self.failed: list = []  # reports of that test: its call, its end
        self.doc: dict[str, str] = {}
        self.passed = 0
        self.skipped: list[str] = []

    def pytest_collection_modifyitems(self, items) -> None:
        for item in items:
            self.doc[item.nodeid] = " ".join((item.obj.__doc__ or "").split())

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed and (not self.failed or report.nodeid == self.failed[0].nodeid):
            self.failed.append(report)
        elif report.skipped:
            self.skipped.append(str(report.longrepr[2]).removeprefix("Skipped: "))
        elif report.when == "call":
            self.passed += 1

    @property
    def printed(self) -> list[str]:
        """Command line and stderr of each server, as the test's report has them."""
        found = {text for report in self.failed for title, text in report.sections
                 if title == "server's stderr"}
        return sorted(found) or [str(self.failed[-1].longrepr)]

    @property
    def message(self) -> str:
        """Why it failed. A server that died, or a sanitizer's report, is the cause of the rest."""
        end = "\n".join(str(r.longrepr) for r in self.failed if r.when == "teardown")
        if report := reported("\n".join([end, *self.printed])):
            return f"memory leaks: {report}" if "leak" in report else f"it crashes: {report}"
        if died := re.search(r"died unasked, status (-?\d+)", end):
            return f"it crashes: it {how_it_ended(int(died[1]))}"
        crash = self.crash_of(self.failed[0])
        text = (crash.message if crash else str(self.failed[0].longrepr)).strip()
        if text.startswith("TimeoutError"):
            return "nothing comes, however long the client waits"
        return (text or "it fails").splitlines()[0]

    @staticmethod
    def crash_of(report):
        """None for what a fixture says without a place, at the end of a test."""
        return getattr(report.longrepr, "reprcrash", None)

    def line_of(self, report) -> list[str]:
        """The line of the test that failed."""
        entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", [])
        for entry in reversed(entries):
            place = getattr(entry, "reprfileloc", None)
            if place and pathlib.Path(place.path).name.startswith("test_"):
                source = [line[1:].strip() for line in entry.lines if line.startswith(">")]
                path = pathlib.Path(place.path)
                if path.is_relative_to(harness.ROOT):
                    path = path.relative_to(harness.ROOT)
                return [f"     {path}:{place.lineno}", *(f"       {line}" for line in source)]
        return []

    def replay(self) -> list[str]:
        report = self.failed[0]
        lines = [f"     {report.nodeid.removeprefix('tests/blackbox/')}"]
        lines += [f"     {self.doc[report.nodeid]}"] if self.doc.get(report.nodeid) else []
        lines += self.line_of(report)
        if crash := self.crash_of(report):
            lines += block("it saw:", crash.message.splitlines())
        numbered = [f"{i:4} {line}" for i, line in enumerate(list(wire.LOG), 1)]
        if numbered:
            lines += ["     " + words.shown("on the wire:"), *numbered[-MOST_LINES:]]
        for text in self.printed:
            lines += block("its command line, and what it printed on stderr:",
                           without_memory(text).splitlines())
        return lines


def check_test(check: str, target: Target, scale: float, _again: bool) -> Look:
    import pytest  # pylint: disable=import-outside-toplevel

    reporter = Reporter()
    arguments = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-x", "-m", "not repository",
                 f"--timeout={TEST_PATIENCE * scale}", f"tests/blackbox/{check}"]
    if target.program in harness.STAGES:
        arguments += ["--stage", target.program]
    status = pytest.main(arguments, plugins=[reporter])
    if reporter.failed:
        name = reporter.failed[0].nodeid.removeprefix("tests/blackbox/")
        return Look(Outcome(check, record.FAILED, reporter.message, reporter.replay()), name)
    if status in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise NoCheck(f"no check {check!r}: pytest ends with {status}")
    if not reporter.passed:
        why = reporter.skipped[0] if reporter.skipped else "nothing was run"
        return Look(Outcome(check, record.SKIPPED, why))
    return Look(Outcome(check, record.PASSED))


def is_test(check: str) -> bool:
    return check.startswith("test_")


def run(check: str, target: Target, scale: float) -> Outcome:
    began = time.monotonic()
    kinds = {"calls": check_calls, "unit": check_unit}
    look_at = check_test if is_test(check) else kinds.get(check.partition("/")[0],
                                                          check_conversation)
    first = look_at(check, target, scale, False)
    outcome = first.outcome
    if outcome.failed and look_at(first.again, target, scale, True).outcome.failed:
        outcome.replay += first.explain()
    elif outcome.failed:
        outcome.verdict = record.UNSTABLE
    outcome.seconds = round(time.monotonic() - began, 3)
    return outcome


# ---- the process ---------------------------------------------------------------------------------

def end_with_parent() -> None:
    """Whoever asked for the check may be killed, and kills nobody any more: then this process ends
    its group, the server with it. Where it leads none, it was started by hand."""
    if os.getpgid(0) != os.getpid():
        return
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def limit_resources(target: Target) -> None:
    """Of this process and those it starts."""
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: FILE_SIZE,
              resource.RLIMIT_NOFILE: DESCRIPTORS}
    if target.may_be_limited:
        limits[resource.RLIMIT_DATA] = MEMORY
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.lab.one", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--command", type=lambda text: tuple(shlex.split(text)), default=())
    what.add_argument("--program", default="")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--to", type=int, default=1)
    options = parser.parse_args(arguments)
    target = Target(options.command, options.program)
    os.chdir(harness.ROOT)
    limit_resources(target)
    end_with_parent()
    try:
        outcome = run(options.check, target, options.scale)
    except NoCheck as why:
        print(why, file=sys.stderr)
        return 2
    with open(options.to, "w", encoding="utf-8") as to:
        json.dump(dataclasses.asdict(outcome), to)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
