"""How results look on a terminal: colour where it is one, width, and a line of progress."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import textwrap
import time
import unicodedata

COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}


def on_terminal(stream=None) -> bool:
    return (stream or sys.stdout).isatty()


def paint(text: str, *styles: str) -> str:
    """Colour on a terminal only, and not where NO_COLOR is set (no-color.org)."""
    if not text or not styles or not on_terminal() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{';'.join(COLOURS[s] for s in styles)}m{text}\033[0m"


def columns() -> int:
    """The terminal's width; COLUMNS overrides, and a pipe or a file gets 100."""
    if os.environ.get("COLUMNS", "").isdigit():
        return max(40, int(os.environ["COLUMNS"]))
    return max(40, shutil.get_terminal_size((100, 24)).columns) if on_terminal() else 100


def width_of(text: str) -> int:
    """Columns on a terminal: East Asian characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def fit(text: str, width: int) -> str:
    """Padded or cut to exactly so many columns."""
    if width_of(text) > width:
        while width_of(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - width_of(text))


def wrap(text: str, width: int) -> list[str]:
    """Lines no wider than that. Chinese has no spaces: it may end wherever a character does."""
    if width_of(text) == len(text):
        return textwrap.wrap(text, width) or [""]
    lines = [""]
    for part in re.findall(r"[!-~]+ ?|.", text):
        if lines[-1] and width_of(lines[-1] + part.rstrip()) > width and part not in "，。：；）":
            lines.append("")
        lines[-1] += part
    return lines


class Progress:
    """What is being done, on stderr, once it has taken a second; gone when it is done."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.shown = False

    def __call__(self, text: str) -> None:
        if on_terminal(sys.stderr) and time.monotonic() - self.start > 1:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
            self.shown = True

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def guarded(main, *arguments) -> int:
    """Runs main(); Ctrl-C, SIGTERM and a reader that has had enough end it without a traceback.
    Each is an exception inside main(), so that the servers it started are stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        status = main(*arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
