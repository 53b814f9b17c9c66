"""What was true stays true: black-box tests of a stage, as a point of an exercise. Chosen from
all that its clients can see, so that they take a few seconds: drains, limits, time-outs, loops."""

from __future__ import annotations

import os
import re
import sys

from tests import harness, trees
from tests.exercises.clients import CannotLook, Unmet

OF_A_STAGE = {
    "test_drain": (),  # all
    "test_limits": (),
    "test_threads": (),
    "test_fairness": (),
    "test_knobs": ("heartbeat",),
    "test_time": ("a_silent_client_is_closed_silently", "a_partial_request_gets_408",
                  "between_requests_the_close_is_silent", "text_stalled_is_closed",
                  "the_silent_get_no_last_look", "300_slowloris_clients_are_gone"),
    "test_survive_refusals": ("it_listens_for_a_second", "the_end_is_told_with_the_last_word"),
}
OF_HTTP = {"test_http_rules": (), "test_http_routes": (), "test_same_bytes": ()}
OF_EVHTTP = {"test_evhttp_server": (), "test_evhttp_guard": ()}
ENOUGH = 3  # failures: what hangs takes long
FAILED = re.compile(r"^(?:FAILED|ERROR) \S+::(\w+)", re.MULTILINE)


def stays(stage: str, tests: dict[str, tuple[str, ...]] | None = None) -> None:
    """All of these tests pass, or those of a stage; without asserts of the interpreter's, which
    PYTHONOPTIMIZE switches off: pytest has its own."""
    chosen = [f"tests/blackbox/{file}.py{name and '::test_' + name}"
              for file, names in (tests or OF_A_STAGE).items() for name in names or ("",)]
    ran = trees.run([sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", "4",
                     "--tb=no", "-rfE", f"--maxfail={ENOUGH}", "-m", "not repository and not calls",
                     *chosen],
                    cwd=harness.ROOT,
                    env={**os.environ, "LAB_STAGES": stage, "LAB_BIN": str(harness.binary("")),
                         "LAB_LANG": "en", "PYTHONOPTIMIZE": ""})
    if ran.returncode == 0:
        return
    failed = FAILED.findall(ran.stdout)
    if not failed:
        raise CannotLook(f"pytest says: {ran.stdout.strip().splitlines()[-1]}")
    raise Unmet(f"{failed[0]} passes without your change: "
                f"make blackbox STAGES_TESTED={stage[:2]} K={failed[0]}")
