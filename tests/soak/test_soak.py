"""The soak itself: quiet with a good server, and not with a broken one."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent


def soak(server: object, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-B", HERE / "soak.py", "3", str(server)],
                          env={**os.environ, **env}, stdout=subprocess.PIPE, text=True, timeout=150)


def test_a_good_server_passes():
    """Catches a soak that always complains."""
    run = soak("01_plain_epoll")
    assert run.returncode == 0, run.stdout
    answers = int(run.stdout.splitlines()[1].split()[5])
    assert answers > 50, run.stdout


@pytest.mark.parametrize("flaw, complaint", [
    ("answer", "lost answer"),
    ("byte", "wrong answer"),
    ("descriptor", "descriptors more than before"),
    ("memory", "memory grew"),
])
def test_a_broken_server_does_not(flaw, complaint):
    """Catches a soak that looks away: what it complains about is named in broken_server.py."""
    run = soak(HERE / "broken_server.py", FLAW=flaw)
    assert run.returncode == 1, run.stdout
    assert "VIOLATION" in run.stdout and complaint in run.stdout, run.stdout
