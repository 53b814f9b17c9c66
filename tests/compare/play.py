"""The wire view: plays conversations against several servers at once and compares what came."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib

from tests import harness
from tests.compare import conversation as conv, expected, show


EVHTTP = "evhttp"
EVHTTP_PATIENCE = 2.5  # it leaves much unanswered, and to wait for that is most of the run


def play_all(conversation: conv.Conversation, targets: dict[str, str]
             ) -> dict[str, list[conv.Observation]]:
    """Observations per target (label -> stage or path); the servers run side by side. evhttp has no
    text port: it takes part where none is needed."""
    takes_part = [label for label in targets
                  if label != EVHTTP or conversation.ports == {"http"}]
    with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
        try:
            running = {label: pool.submit(play_one, conversation, label, targets[label])
                       for label in takes_part}
            waited_for = set(running.values())
            while waited_for:  # not without end: a signal just before a wait does not end it
                waited_for = concurrent.futures.wait(waited_for, timeout=0.2).not_done
            return {label: future.result() for label, future in running.items()}
        except BaseException:  # Ctrl-C too: the pool waits for its threads
            conv.STOP.set()
            raise


def play_one(conversation: conv.Conversation, label: str, target: str) -> list[conv.Observation]:
    if label == EVHTTP:
        seen = conv.play(conversation, target, ports=("http",), patience=EVHTTP_PATIENCE)
        return [expected.canonical(observation) for observation in seen]
    return conv.play(conversation, target)


def differences(seen: list[conv.Observation]) -> list[conv.Observation]:
    return [o for o in seen if not o.same]


def stage_label(stage: str) -> str:
    """01 for 01_plain_epoll; the name of a folder of one's own."""
    return pathlib.Path(stage).name if os.sep in stage else stage.split("_", 1)[0]


def all_stages() -> dict[str, str]:
    return {stage_label(stage): stage for stage in harness.STAGES}


def mark(text: str, width: int) -> str:
    """A cell of a table: ✓ or what differs."""
    return show.paint(show.fit(text, width), "green" if text.startswith("✓") else "red")
