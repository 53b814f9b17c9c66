"""The steps of notes/steps/, and the conversations that lead from each to the next.

    steps.py 3     plays conversation 3, which step 3 passes, and conversation 4, which it fails

Step K passes the conversations 1 to K and fails the next one, for the reason that FLAWS gives. They
are files beside this one, written as tests/compare/conversation.py says. The seventh is none: a
timer is added to the step, by the patch beside it, and the loop should not have to change.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable

from tests import harness, trees
from tests.compare import calls, functions, render, show
from tests.compare import conversation as conv
from tests.lib.words import shown

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = harness.ROOT / "notes" / "steps"
SOURCES = {int(path.name[0]): path for path in sorted(FOLDER.glob("*.cc"))}
LAST = max(SOURCES)
TIMER = 7  # the conversation that is none
LOOP = {"run", "class Reactor"}  # what waits, and calls the others
WAITS = re.compile(rb"(epoll_p?wait|recvfrom|accept4)\(")  # step 1 sleeps in the last two
IMPATIENCE = 2.0  # seconds for what is not expected to come


@dataclasses.dataclass(frozen=True)
class Flaw:
    """Why a step fails the conversation after its own."""

    reason: str
    place: str = ""  # how the line of the conversation begins at which it shows first
    shows: Callable[[conv.Observation], bool] = lambda seen: False


FLAWS = {
    2: Flaw("c2 waits: the server sits in a recv for c1, which says nothing.",
            "c2 receives", lambda seen: seen.got == b""),
    3: Flaw("Bytes are lost: a send takes what there is room for, and nobody keeps the rest.",
            "c1 receives", lambda seen: 0 < len(seen.got) < len(seen.expected)),
    4: Flaw('c2 says "hello" and gets "SSSS...", the text of c1: it has the number that c1 had.',
            "c2 receives", lambda seen: seen.got.startswith(b"SSSS")),
    5: Flaw("c2 has said nothing for more than a second, and is still there.",
            "c2 is closed", lambda seen: seen.got == b"still open"),
    6: Flaw("c1 is closed as soon as it has come.",
            "c1 receives nothing", lambda seen: seen.got == b"end"),
    TIMER: Flaw("The loop has to change for it: run asks each descriptor who it is."),
    8: Flaw("SIGTERM ends the process on the spot: nobody answers what c1 had said.",
            "c1 receives", lambda seen: seen.got == b""),
    9: Flaw("It spins: epoll_wait says that a client waits, accept4 says EMFILE, and so on.",
            "server sleeps", lambda seen: seen.got == b"busy"),
}


def title_of(source: pathlib.Path) -> str:
    first = source.read_text(encoding="utf-8").split("\n", 1)[0]
    return first.partition(": ")[2].rstrip(".")


def size_of(source: pathlib.Path) -> int:
    """Lines of code: no comments, no #include, no empty lines."""
    lines = source.read_text(encoding="utf-8").splitlines()
    return sum(not re.match(r"\s*(//|#|$)", line) for line in lines)


def program(step: int, suffix: str = "") -> str:
    return str(harness.binary(f"steps/{SOURCES[step].stem}{suffix}"))


@functools.cache
def conversation(number: int) -> conv.Conversation:
    return conv.load(HERE / f"{number}.conv")


def title_of_conversation(number: int) -> str:
    return "a timer is added" if number == TIMER else conversation(number).title


# ---- what a step does ----------------------------------------------------------------------------

def play(path: str, number: int, ports=("text",), patience: float = conv.PATIENCE,
         start=harness.Server) -> list[conv.Observation]:
    """What is not as the conversation says, in order."""
    played = conversation(number)
    with start(path, *played.flags, ports=ports,
               preexec=conv.limit_files(played.files)) as server:
        player = conv.Player(server, played, patience=patience)
        player.play()
        status = server.stop()
        if status not in (0, -signal.SIGTERM):  # a sanitizer has something to say
            player.died(f"exit status {status}")
    return [observation for observation in player.observations if not observation.same]


def timer(step: int) -> list[functions.Change]:
    """What a patch changes in the program, or adds to it; that of step 7 fits step 8, too."""
    source, meant_for = SOURCES[step], SOURCES[min(step, TIMER)]
    with tempfile.TemporaryDirectory(prefix="step-") as folder:
        patched = pathlib.Path(folder) / meant_for.relative_to(harness.ROOT)
        patched.parent.mkdir(parents=True)
        shutil.copy(source, patched)
        trees.apply(meant_for.with_suffix(".patch"), pathlib.Path(folder))
        texts = [path.read_text(encoding="utf-8").splitlines() for path in (source, patched)]
    return [change for change in functions.compare(*texts) if change.status != "equal"]


def failure(step: int, number: int) -> str:
    """Empty if the step passes that conversation; the flaw's reason if it shows that flaw; else
    what it did."""
    flaw = FLAWS.get(number, Flaw("none is known"))
    if number == TIMER:
        return flaw.reason if any(change.name in LOOP for change in timer(step)) else ""
    patience = conv.PATIENCE if number <= step else IMPATIENCE
    seen = play(program(step), number, patience=patience)
    if not seen:
        return ""
    if seen[0].step.text.startswith(flaw.place) and flaw.shows(seen[0]):
        return flaw.reason
    return "\n".join(conv.difference(seen[0], conversation(number)))


def epoll_ctl_per_message(step: int) -> float:
    trace = calls.trace(conversation(2), program(step), ports=("text",), waits=WAITS)
    return trace.by_kind().get("epoll_ctl", 0.0)


def descriptors_left(step: int) -> tuple[int, set[str]]:
    """How many it opened, and which it had not closed when it ended by SIGTERM."""
    with tempfile.NamedTemporaryFile(prefix="strace-") as log:
        wrapper = ("strace", "-D", "-o", log.name, "-e", "trace=%network,%desc")
        with harness.Server(program(step), ports=("text",), wrapper=wrapper) as server:
            with server.connect("text") as client:
                client.sendall(b"hello\n")
                client.recv(100)
                server.stop()
        lines = log.read().decode().splitlines()
    opened, now_open = 0, set()
    for line in lines:
        if match := re.match(r"(?:socket|accept4|epoll_create1|signalfd4)\(.*\) += (\d+)$", line):
            opened += 1
            now_open.add(match[1])
        elif match := re.match(r"close\((\d+)\) += 0$", line):
            now_open.discard(match[1])
    return opened, now_open


# ---- showing it ----------------------------------------------------------------------------------

def steady(call: calls.Call) -> calls.Call:
    """Without the number of bytes, where the kernel cuts them differently each time: of what is too
    long to be shown. What it leaves over may be few of them."""
    if "…" not in call.payload:
        return call
    return dataclasses.replace(call, size="", gloss=calls.uncounted(call.gloss))


def excerpt(step: int, number: int) -> calls.Trace:
    """What it asks of the kernel, from the last caption on to where the flaw shows."""
    whole = conversation(number)
    end = next(i for i, part in enumerate(whole.steps) if part.text.startswith(FLAWS[number].place))
    until_there = dataclasses.replace(whole, steps=whole.steps[:end + 1])
    trace = calls.trace(until_there, program(step), ports=("text",), waits=WAITS,
                        patience=IMPATIENCE)
    parts = [part if part.bulk else
             dataclasses.replace(part, calls=[steady(call) for call in part.calls])
             for part in trace.steps if part.step.caption == whole.steps[end].caption]
    return calls.Trace(parts, trace.seen)


def show_outcome(step: int, number: int) -> bool:
    """Is it as it should be?"""
    passes = number <= step
    verdict, wanted = ("passes", "") if passes else ("fails", FLAWS[number].reason)
    print(shown(f"{verdict} {number}: {title_of_conversation(number)}"), flush=True)
    seen = failure(step, number)
    if seen == wanted:
        if seen:
            print(show.paint(f"  {shown(seen)}", "red"))
        return True
    print(shown(f"but it does not: {seen or 'it passes'}"))
    return False


def show_calls(step: int, number: int) -> None:
    """Of the conversation that it fails."""
    seen = excerpt(step, number)
    print("\n" + shown("What it asks of the kernel meanwhile:"))
    render.timeline(seen)
    rests = seen.steps[-1].rests.removesuffix("(epoll)")
    print("  " + shown(f"{rests} ...  and here it waits"))


def show_timer(step: int) -> None:
    changes = timer(step)
    lines = sum(change.counts()[0] for change in changes)
    names = ", ".join(change.name for change in changes).replace(functions.HEAD, "#include")
    print("\n" + shown(f"A timer takes {lines} lines in {len(changes)} places: {names}."))
    for change in changes:
        if change.name in LOOP:
            print(shown(f"In {change.name}:"), *change.hunk(), sep="\n")


def show_traced(step: int) -> None:
    """What only strace sees."""
    if step in (TIMER - 1, TIMER):
        per_message = epoll_ctl_per_message(step)
        print("\n" + shown(f"A message costs {per_message:g} calls of epoll_ctl."))
    elif step == LAST:
        opened, left = descriptors_left(step)
        print("\n" + shown(f"It opened {opened} descriptors. "
                           f"At its end {len(left)} of them were open."))
    else:
        show_calls(step, step + 1)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0].isdigit() or int(arguments[0]) not in SOURCES:
        print(f"which step? make step N=1 to N={LAST}", file=sys.stderr)
        return 2
    step = int(arguments[0])
    source = SOURCES[step]
    heading = shown(f"step {step}: {title_of(source)} ({source.relative_to(harness.ROOT)}, "
                    f"{size_of(source)} lines)")
    print(show.paint(heading + "\n", "bold"))
    as_it_should = [show_outcome(step, number) for number in (step, step + 1)]
    if step in (TIMER - 1, TIMER):
        show_timer(step)
    if why := harness.why_no_tracing():
        print("\n" + shown(f"no system calls: {why}"))
    else:
        show_traced(step)
    return 0 if all(as_it_should) else 1


if __name__ == "__main__":
    sys.exit(show.guarded(main, sys.argv[1:]))
