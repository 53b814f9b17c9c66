"""Which tests may be skipped where all that they need ought to be there, as in CI.

A student's machine may lack a program or a permission: what cannot be tested there is skipped and
says why. In CI nobody reads that. So LAB_SKIPS names a list, and a skip that is not in it fails the
run; without LAB_SKIPS all skips are fine. A line of the list: the beginning of a test's name, two
spaces, the beginning of the reason.

As a plugin (-p tests.skips) this sees to each pytest of the Makefile. GoogleTest's report it reads:

    python3 -m tests.skips build/.../unit.xml
"""

from __future__ import annotations

import os
import pathlib
import sys
import xml.etree.ElementTree

# pylint: disable=unused-argument


def allowed() -> list[tuple[str, str]] | None:
    """Names and reasons; None: whatever."""
    path = os.environ.get("LAB_SKIPS")
    if not path:
        return None
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return [(name, why.strip()) for name, gap, why in (line.partition("  ") for line in lines)
            if gap and not name.startswith("#")]


def unexpected(name: str, why: str) -> bool:
    """May that not be skipped here for that reason?"""
    known = allowed()
    return known is not None and not any(name.startswith(n) and why.startswith(w) for n, w in known)


def complaint(skips: list[tuple[str, str]]) -> str:
    """A line for each skip that may not be; empty: all is well."""
    return "\n".join(f"skipped, and that is not in {os.environ['LAB_SKIPS']}: {name}: {why}"
                     for name, why in skips if unexpected(name, why))


# ---- pytest --------------------------------------------------------------------------------------

class Watcher:
    """Collects the skips of one run, by names that begin with a path from the tree's root."""

    def __init__(self, rootpath: pathlib.Path) -> None:
        self.where = os.path.relpath(rootpath)
        self.skips: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            why = str(report.longrepr[2]).removeprefix("Skipped: ")
            self.skips.append((os.path.normpath(os.path.join(self.where, report.nodeid)), why))

    pytest_collectreport = pytest_runtest_logreport  # of a whole file

    def pytest_sessionfinish(self, session) -> None:
        if complaint(self.skips) and session.exitstatus == 0:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter) -> None:
        if text := complaint(self.skips):
            terminalreporter.write_line(text, red=True)


def pytest_configure(config) -> None:
    """With xdist the process that was started hears of all tests; its workers need not judge."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Watcher(config.rootpath), "unexpected-skips")


# ---- GoogleTest ----------------------------------------------------------------------------------

def main(paths: list[str]) -> int:
    skips = [(f"{case.get('classname')}.{case.get('name')}",
              (why.get("message") or "").partition("\n")[2].strip())  # behind file and line
             for path in paths for case in xml.etree.ElementTree.parse(path).iter("testcase")
             for why in case.iter("skipped")]
    for name, why in skips:
        print(f"skipped {name}: {why}")
    if text := complaint(skips):
        print(text, file=sys.stderr)
    return 1 if complaint(skips) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
