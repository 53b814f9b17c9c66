"""Each step passes what it should, and fails what the next one is for."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests import harness
from tests.compare import conversation as conv
from tests.steps import steps
from tests.steps.steps import FLAWS, LAST, SOURCES, TIMER

PAIRS = [(step, number) for step in SOURCES for number in range(1, step + 2)]


def text_of(step: int) -> str:
    return SOURCES[step].read_text(encoding="utf-8")


@pytest.fixture(name="plain")
def fixture_plain(monkeypatch):
    """The build without sanitizers: what strace sees is the program's own."""
    if harness.binary("").name.startswith("bin-"):
        monkeypatch.setenv("LAB_BIN", str(harness.binary("").parent))


@pytest.fixture(name="tracing")
def fixture_tracing(plain):  # pylint: disable=unused-argument
    if why := harness.why_no_tracing():
        pytest.skip(why)


# ---- conversations -------------------------------------------------------------------------------

@pytest.mark.parametrize("step, number", PAIRS)
def test_passes_its_own_and_fails_the_next(step, number):
    """Fails where a step loses what the one before it had, where it needs no successor, or needs
    one for another reason than the one that is named."""
    assert steps.failure(step, number) == ("" if number <= step else FLAWS[number].reason)


def test_a_failure_for_another_reason_is_told_apart():
    """Fails where whatever goes wrong is taken for the reason named: step 1 loses no byte."""
    assert "c2 receives" in steps.failure(1, 3)


@pytest.mark.parametrize("number", [n for n in FLAWS if n != TIMER])
def test_stage_1_passes_all(number):
    """Fails where the steps lead to a place at which stage 1 does not stand."""
    assert steps.play(str(harness.binary(harness.STAGES[0])), number, ports=("text", "http")) == []


# ---- what no conversation shows ------------------------------------------------------------------

def test_a_timer_leaves_the_reactor_alone():
    """Fails where the callback travels and the loop has to be changed all the same."""
    before, after = ({change.name for change in steps.timer(step)} for step in (TIMER - 1, TIMER))
    assert before - after == {"run", "struct Loop"} and not after - before


@pytest.mark.parametrize("step", [TIMER - 1, TIMER])
def test_a_timer_strikes(step):
    """Fails where a patch compiles and does nothing, or breaks what was there."""
    path = steps.program(step, "_timed")
    with harness.Server(path, ports=("text",)) as server, server.connect("text") as client:
        client.sendall(b"hello\n")
        assert client.recv(100) == b"HELLO\n"
        conv.select.select([server.process.stdout], [], [], 10)
        assert server.process.stdout.read() == b"clients: 1\n"
    assert steps.play(path, 1) == []


@pytest.mark.parametrize("step, calls", [(3, 0), (TIMER - 1, 0), (TIMER, 2)])
def test_epoll_ctl_per_message(step, calls, tracing):
    """Fails where a step asks for what it has already, or the swap is made away with."""
    assert steps.epoll_ctl_per_message(step) == calls


def test_no_descriptor_is_left(tracing):
    """Fails where the end of the process closes what the program should have."""
    opened, left = steps.descriptors_left(LAST)
    assert opened == 4 and not left


def test_who_does_not_read_does_not_keep_it():
    """Fails where the last client ends by its time-out and the loop sleeps on: nobody is left to
    wake it."""
    flags = ("--idle-timeout", "1")
    with harness.Server(steps.program(LAST), *flags, ports=("text",)) as server:
        with server.connect("text") as client:
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.sendall(bytes(64 << 20))
            assert server.stop() == 0


def test_freed_in_the_middle_of_a_batch(tmp_path):
    """Fails where conversation 8 does not see a connection that is freed at once, although a later
    event of the same batch has its address."""
    text = text_of(LAST)
    for old, new in ((r"  c\.interest = 0;\n", ""),
                     (r"c\.loop\.closed\.splice\(.*\);", "c.loop.connections.erase(c.place);")):
        text, count = re.subn(old, new, text)
        assert count == 1
    source, program = tmp_path / "freed.cc", tmp_path / "freed"
    source.write_text(text, encoding="utf-8")
    subprocess.run(["g++", "-std=c++20", "-g", "-fsanitize=address", "-o", program, source],
                   check=True)
    assert "heap-use-after-free" in steps.play(str(program), LAST)[-1].got.decode()


# ---- the sources ---------------------------------------------------------------------------------

def test_sizes():
    """Fails where a step grows beyond what one types in an evening."""
    sizes = [steps.size_of(path) for path in SOURCES.values()]
    assert sizes[0] <= 50 and sizes[-1] <= 180 and sizes == sorted(sizes), sizes


def test_the_table_of_the_note():
    """Fails where the note says another size, or sends its reader to another file."""
    note = (harness.ROOT / "notes" / "steps.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d)\]\((steps/\S+)\) \| (\d+) \|", note, re.M)
    assert rows == [(str(step), f"steps/{path.name}", str(steps.size_of(path)))
                    for step, path in SOURCES.items()]


@pytest.mark.parametrize("step", range(2, LAST + 1))
def test_the_way_from_the_step_before_is_short(step):
    """Fails where a step brings more than its idea: a diff of two screens is not read."""
    files = [str(SOURCES[k]) for k in (step - 1, step)]
    diff = subprocess.run(["diff", *files], capture_output=True, text=True, check=False).stdout
    gone, come = (len(re.findall(rf"^{mark}", diff, re.M)) for mark in "<>")
    assert 0 < gone <= 40 and 0 < come <= 60, (gone, come)


@pytest.mark.parametrize("step", SOURCES)
def test_each_stands_alone(step):
    """Fails where a step leans on common/, does not say what is new in it, or has a long
    function."""
    text = text_of(step)
    assert '#include "' not in text
    assert text.startswith(f"// Step {step}: ")
    assert step == 1 or "\n// New here: " in text
    parts = steps.functions.units(text.splitlines())
    assert max(len(body) for name, body in parts.items() if "header" not in name) <= 40


# ---- make step -----------------------------------------------------------------------------------

@pytest.mark.parametrize("step", SOURCES)
def test_it_is_shown(step, plain, capsys):
    """Fails where `make step` ends without a word about what goes wrong."""
    assert steps.main([str(step)]) == 0
    shown = capsys.readouterr().out
    assert f"\npasses {step}: " in shown and FLAWS[step + 1].reason in shown


@pytest.mark.parametrize("arguments", [[], ["0"], [str(LAST + 1)], ["two"]])
def test_no_such_step(arguments, capsys):
    """Fails where a slip of the finger ends in a traceback."""
    assert steps.main(arguments) == 2 and "which step?" in capsys.readouterr().err
