"""The programs of notes/next/ are the same service, and do what notes/where_next.md says."""

from __future__ import annotations

import pathlib
import re
import ssl

import pytest

from tests import harness
from tests.lib import cpp
from tests.next import programs, stuck
from tests.next.programs import PASSES
from tests.steps import steps

STEP_7 = str(steps.SOURCES[7].relative_to(harness.ROOT))
# What must be rejected is beside this file: uring.patch and so on. The conversation that does it:
REJECTED_BY = {"uring": 2, "coroutine": 3, "tls": 1}


def run_or_skip(name: str) -> None:
    if why := programs.why_not(name):
        pytest.skip(why)


@pytest.fixture(name="plain")
def fixture_plain(monkeypatch):
    """The build without sanitizers, under strace."""
    if harness.binary("").name.startswith("bin-"):
        monkeypatch.setenv("LAB_BIN", str(harness.binary("").parent))
    if why := harness.why_no_tracing():
        pytest.skip(why)


# ---- the service ---------------------------------------------------------------------------------

@pytest.mark.parametrize("name, number", [(name, n) for name in PASSES for n in PASSES[name]])
def test_passes(name, number):
    """Fails where a program is not the service that the steps are, or a sanitizer minds."""
    run_or_skip(name)
    assert programs.play(name, number) == []


@pytest.mark.parametrize("name", REJECTED_BY)
def test_a_broken_one_is_rejected(name):
    """Fails where the conversations pass a program that is broken as its patch says."""
    run_or_skip(name)
    assert programs.play(name, REJECTED_BY[name], "_broken", steps.IMPATIENCE) != []


# ---- what the note says --------------------------------------------------------------------------

def test_the_coroutine_asks_what_step_7_asks(plain):  # pylint: disable=unused-argument
    """Fails where the compiler's state machine is another one than that of step 7, time aside."""
    paths = ("next/coroutine", f"steps/{steps.SOURCES[7].stem}")
    mine, other = ([re.sub(r"64, -?\d+\) = ", "64, ...) = ", call)
                    for call in programs.message(str(harness.binary(path)))] for path in paths)
    assert mine == other and len(mine) == 6


def test_its_reactor_is_that_of_step_7():
    """Fails where the reactor had to be changed for coroutines."""
    for name in ("Channel", "Reactor"):
        mine, other = (cpp.find(harness.ROOT / path, name).text
                       for path in ("notes/next/coroutine.cc", STEP_7))
        assert mine == other


def test_a_message_costs_io_uring_two_calls(plain):  # pylint: disable=unused-argument
    """Fails where the kernel is asked one thing at a time, or is asked by other calls as well."""
    run_or_skip("uring")
    calls = programs.message(str(harness.binary("next/uring")))
    assert len(calls) == 2 and all(call.startswith("io_uring_enter(") for call in calls)


def test_nobody_listens_in(plain):  # pylint: disable=unused-argument
    """Fails where a letter of the text can be read on its way."""
    run_or_skip("tls")
    calls = "".join(programs.message(str(harness.binary("next/tls")), programs.TlsServer))
    assert "write(" in calls and "HELLO" not in calls and "hello" not in calls


def test_a_stranger_is_not_believed():
    """Fails where a client of the tests would talk to whoever answers."""
    run_or_skip("tls")
    path = str(harness.binary("next/tls"))
    with programs.TlsServer(path, ports=("text",)) as server:
        server.context = ssl.create_default_context()
        with pytest.raises(ssl.SSLCertVerificationError):
            server.connect()


@pytest.mark.parametrize("source", sorted(programs.FOLDER.glob("*.cc")), ids=lambda p: p.stem)
def test_one_sitting(source: pathlib.Path):
    """Fails where a program is longer than one reads at once, or does not say what it is."""
    assert steps.size_of(source) <= 90
    assert source.read_text(encoding="utf-8").startswith("// Outside the four stages: ")
    assert max(function.last - function.first for function in cpp.definitions(source)) < 40


@pytest.mark.parametrize("main, arguments", [
    (programs.main, []), (programs.main, ["threads"]), (stuck.main, []), (stuck.main, ["sad"])])
def test_no_such_program(main, arguments, capsys):
    """Fails where a slip of the finger ends in a traceback."""
    try:
        assert main(arguments) == 2
    except SystemExit as end:
        assert end.code == 2
    assert "X=NAME" in capsys.readouterr().err
