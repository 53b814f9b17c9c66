"""What the checks of a student's work found: one Outcome per check, one Mark per checkpoint."""

from __future__ import annotations

import dataclasses

PASSED, FAILED, UNSTABLE, SKIPPED = "passed", "failed", "unstable", "skipped"


@dataclasses.dataclass
class Outcome:
    """What one check saw."""

    check: str  # its name: steps/1, conv/idle, test_text.py::test_upper_case, calls/swap
    verdict: str  # passed, failed, skipped; unstable: it failed, and passed when it was run again
    message: str = ""  # one line: what is wrong, or why it was skipped
    replay: list[str] = dataclasses.field(default_factory=list)  # the way there, line by line
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return self.verdict == FAILED


@dataclasses.dataclass
class Mark:
    """What a checkpoint is worth, and how much of that was reached: all of it or nothing."""

    id: str  # 1.3
    title: str
    max: int
    outcomes: list[Outcome] = dataclasses.field(default_factory=list)
    message: str = ""  # why there was nothing to check: it does not compile, an earlier one fails

    @property
    def passed(self) -> bool:
        return not self.message and bool(self.outcomes) and not any(o.failed for o in self.outcomes)

    @property
    def points(self) -> int:
        return self.max if self.passed else 0

    @property
    def seconds(self) -> float:
        return sum(outcome.seconds for outcome in self.outcomes)
