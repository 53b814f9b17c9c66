"""The soak itself: quiet with a good server, and not with a broken one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests import harness

STAGE = "01_plain_epoll"


def soak(server: object, **env: str) -> subprocess.CompletedProcess:
    program = (sys.executable, "-B", "-m", "tests.soak.soak")
    return subprocess.run([*program, "3", str(server)], cwd=harness.ROOT, env={**os.environ, **env},
                          stdout=subprocess.PIPE, text=True, timeout=150)


def test_a_good_server_passes():
    """Catches a soak that always complains."""
    run = soak(STAGE)
    assert run.returncode == 0, run.stdout
    answers = int(run.stdout.splitlines()[1].split()[5])
    assert answers > 50, run.stdout


@pytest.mark.parametrize("flaw, complaint", [
    ("lost", "lost answer"),
    ("flipped", "wrong answer"),
    ("descriptor", "descriptors more than before"),
    ("memory", "memory grew"),
])
def test_a_broken_server_does_not(flaw, complaint):
    """Catches a soak that looks away: what it complains about is named in the proxy."""
    run = soak(harness.ROOT / "tests/broken/proxy.py", FLAW=flaw,
               REAL_STAGE=str(harness.binary(STAGE)))
    assert run.returncode == 1, run.stdout
    assert "VIOLATION" in run.stdout and complaint in run.stdout, run.stdout
