"""The wire view: plays conversations against several servers at once and compares what came."""

from __future__ import annotations

import concurrent.futures

import conversation as conv
import lab
import show


def play_all(conversation: conv.Conversation, targets: dict[str, str]
             ) -> dict[str, list[conv.Observation]]:
    """Observations per target (label -> stage or path); the servers run side by side."""
    with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
        running = {label: pool.submit(conv.play, conversation, target)
                   for label, target in targets.items()}
        return {label: future.result() for label, future in running.items()}


def differences(seen: list[conv.Observation]) -> list[conv.Observation]:
    return [o for o in seen if not o.same]


def stage_label(stage: str) -> str:
    return stage.split("_", 1)[0]


def all_stages() -> dict[str, str]:
    return {stage_label(stage): stage for stage in lab.STAGES}


def mark(text: str, width: int) -> str:
    """A cell of a table: ✓ or what differs."""
    return show.paint(show.fit(text, width), "green" if text.startswith("✓") else "red")
