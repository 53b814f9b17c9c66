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
    "test_fairness": ("accepting_has_a_bound", "a_batch_is_one_wake_up",
                      "a_bulk_sender_has_one_turn_at_a_time"),
    # All but the first are of stages 3 and 4, and left out elsewhere.
    "test_knobs": ("heartbeat", "debug", "backend", "memory_is_counted_to_the_byte"),
    "test_time": ("a_silent_client_is_closed_silently", "a_partial_request_gets_408",
                  "between_requests_the_close_is_silent", "text_stalled_is_closed",
                  "the_silent_get_no_last_look", "300_slowloris_clients_are_gone"),
    "test_survive_refusals": ("a_client_that_still_sends_sees_the_status",
                              "it_listens_for_a_second", "the_end_is_told_with_the_last_word"),
}
OF_HTTP = {"test_http_rules": (), "test_http_routes": (), "test_same_bytes": ()}
OF_EVHTTP = {"test_evhttp_server": (), "test_evhttp_guard": ()}
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::(\w+))", re.MULTILINE)


def stays(stage: str, tests: dict[str, tuple[str, ...]] | None = None, but: str = "") -> None:
    """All of these tests pass, or those of a stage, except `but`, of which the exercise asks the
    contrary. What fails is tried again alone: four tests at a time on a busy machine may fail one
    that looks at the clock."""
    chosen = [f"tests/blackbox/{file}.py{name and '::test_' + name}"
              for file, names in (tests or OF_A_STAGE).items() for name in names or ("",)]
    selected = (*chosen, "-k", f"not {but}") if but else chosen
    if again := failing(stage, "-n4", "--timeout=20", "--maxfail=6", *selected):
        if failed := failing(stage, "-n0", "--maxfail=1", *again):
            name = next(iter(failed.values()))
            raise Unmet(f"{name} should pass as it did before: "
                        f"make blackbox STAGES_TESTED={stage[:2]} K={name}")


def failing(stage: str, *arguments: str) -> dict[str, str]:
    """Those that fail, and how each is called."""
    ran = trees.run([sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q",
                     "--color=no", "--tb=no", "-rfE",
                     "-m", "not repository and not calls", *arguments],
                    cwd=harness.ROOT,
                    env={**os.environ, "LAB_STAGES": stage, "LAB_BIN": str(harness.binary("")),
                         "LAB_LANG": "en", "PYTHONOPTIMIZE": ""})
    failed = dict(FAILED.findall(ran.stdout))
    if ran.returncode and not failed:
        said = ran.stdout.strip().splitlines() or [f"exit status {ran.returncode}"]
        raise CannotLook(f"pytest says: {next((s for s in said if 'rror' in s), said[-1])}")
    return failed
