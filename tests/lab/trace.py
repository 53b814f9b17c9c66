"""A student's server in one conversation, under strace: each system call, and what it is for.

    python3 -m tests.lab.trace steps/3 --dir mine [--stage 01]
    python3 -m tests.lab.trace steps/3 --bin './mine --text-port 0'
"""

from __future__ import annotations

import argparse
import sys

from tests import harness, trees
from tests.compare import calls, render, show
from tests.lab import check, one
from tests.lib.words import shown


def trace(name: str, work: check.Work) -> None:
    """Of the build without sanitizers: they have calls of their own."""
    conversation = one.find_conversation(name)
    target = check.build(work)
    program = work.command or str(check.OUTPUT / work.key / "build" / work.program)
    seen = calls.trace(conversation, program, ports=target.ports, waits=one.ANY_CALL,
                       patience=one.PATIENCE)
    render.trace_text(work.program or work.command[0], conversation, seen)
    if rests := seen.steps and seen.steps[-1].rests:
        print(f"  {shown(f'it waits in {rests}')}")
    if work.folder:
        print("\n" + shown(f"for strace and gdb: {program}"))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.lab.trace", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", help="a conversation: steps/3, conv/idle, lab/accepts")
    parser.add_argument("--bin", default="", help="a command line")
    parser.add_argument("--dir", default="", help="a folder of sources")
    parser.add_argument("--stage", default="")
    options = parser.parse_args(arguments)
    if why := harness.why_no_tracing():
        print(shown(f"no system calls: {why}"))
        return 0
    try:
        trace(options.check, check.work_of(options.bin) if options.bin else
              check.work_in(options.dir, options.stage))
    except (check.Unusable, one.NoCheck, trees.Failure) as why:
        print(shown(str(why)), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(show.guarded(main, sys.argv[1:]))
