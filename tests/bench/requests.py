"""What a request costs a server, by callgrind: instructions, system calls, cache lines.

    -m tests.bench.requests show      the record, as a table
    -m tests.bench.requests record    writes requests.txt: stages and floors
    -m tests.bench.requests check     fails where a count grew by over 2 %

A cache line is 64 bytes of code: what the processor's instruction cache takes in at once. Callgrind
says for each address of the program and its libraries how often it was executed. From two runs that
differ by a number of requests, we know how often it is executed for each request; a line is touched
if anything in it is.

The counts are those of a busy server, and the same in every run: it is stopped while all clients
send, so it finds 64 requests at once. What a turn of the loop costs is paid once for 64, and
what happens for fewer than half of the requests is left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.bench import record, targets as tg
from tests.lib import wire

RECORD = pathlib.Path(__file__).resolve().parent / "requests.txt"
CLIENTS = 64
TURNS = 4  # of the first run; the second one has twice as many
LINE, ALIGNED = 64, 16  # bytes
# The kernel's page of code that tells the time without a call is hidden by valgrind.
CLOCKS = re.compile(r"fn=(clock_gettime|gettimeofday|time_syscall)\b")
# malloc keeps what a batch of 64 gives back: otherwise what it does hangs on where it had put it.
TUNABLES = (f"{record.NO_FEATURES}:glibc.malloc.tcache_count={2 * CLIENTS - 1}:"
            "glibc.malloc.tcache_max=65536")

Place = tuple[str, int]  # a program or library, and the address in it


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one request."""
    instructions: int
    calls: int
    lines: int


def parse(dump: str) -> tuple[Counter[Place], Counter[Place]]:
    """How often each instruction was executed, and how often it was a system call."""
    executed, calls = Counter(), Counter()
    program, is_clock = "", False
    lines = iter(dump.splitlines())
    for line in lines:
        if line.startswith("0x"):
            address, times, *called = line.split()
            place = program, int(address, 16)
            executed[place] += int(times)
            if called and not is_clock:
                calls[place] += int(called[0])
        elif line.startswith("calls="):
            next(lines)  # what the function called has executed
        elif line.startswith("ob="):
            program = line[3:]
        elif line.startswith("fn="):
            is_clock = bool(CLOCKS.match(line))
    return executed, calls


def lines_of(places: set[Place]) -> int:
    """The compiler lays functions at multiples of 16 bytes: where in a line one begins is chance,
    and changes with whatever stands before it. The mean of the four ways does not."""
    shifts = range(0, LINE, ALIGNED)
    return round(sum(len({(program, (address + shift) // LINE) for program, address in places})
                     for shift in shifts) / len(shifts))


def cost_of(few: str, many: str, requests: int) -> Cost:
    """From two dumps that differ by that many requests."""
    def each(less: Counter[Place], more: Counter[Place]) -> Counter[Place]:
        return +Counter({at: round((times - less[at]) / requests) for at, times in more.items()})
    executed, calls = map(each, parse(few), parse(many))
    return Cost(executed.total(), calls.total(), lines_of(set(executed)))


@contextlib.contextmanager
def stopped(pid: int):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def dump(target: tg.Target, turns: int) -> str:
    """What callgrind says of a server that has answered 64 clients that often."""
    with tempfile.TemporaryDirectory(prefix="callgrind-") as folder:
        out = pathlib.Path(folder) / "out"
        wrapper = ("env", f"GLIBC_TUNABLES={TUNABLES}", "valgrind", "-q", "--tool=callgrind",
                   "--dump-instr=yes", "--dump-line=no", "--collect-systime=yes",
                   "--compress-pos=no", "--compress-strings=no", f"--callgrind-out-file={out}")
        with target.start(wrapper=wrapper) as server, contextlib.ExitStack() as stack:
            with stopped(server.pid):
                clients = [stack.enter_context(wire.connect(server)) for _ in range(CLIENTS)]
            for _ in range(1 + turns):
                with stopped(server.pid):
                    for client in clients:
                        client.send(wire.HELLO)
                for client in clients:
                    client.read_response()
        return out.read_text(encoding="utf-8")


def count(target: tg.Target) -> Cost:
    return cost_of(dump(target, TURNS), dump(target, 2 * TURNS), TURNS * CLIENTS)


def count_all(targets: list[tg.Target]) -> dict[str, Cost]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip((t.name for t in targets), pool.map(count, targets)))


def rows(costs: dict[str, dict[str, int]]) -> list[list[str]]:
    """What bench.py prints, and a note: what a stage's request costs, and how much of that is not
    its floor's."""
    floors = {target.name: target.floor for target in tg.TARGETS}
    found = [["code that a request runs", "calls", "instructions", "beyond floor", "cache lines",
              "beyond floor"]]
    for name, cost in costs.items():
        floor = costs.get(floors[name])
        found.append([name, str(cost["calls"])])
        for kind in ("instructions", "lines"):
            found[-1] += [f"{cost[kind]:,}", f"{cost[kind] - floor[kind]:,}" if floor else "-"]
    return found


def on_record() -> record.Counts:
    """`--changelist` saves calls, and changes little else: it is left to `make bench`."""
    chosen = [t for t in tg.TARGETS if (t.floor or t.is_floor) and "--changelist" not in t.flags]
    return {f"{name} {kind}": number for name, cost in count_all(chosen).items()
            for kind, number in dataclasses.asdict(cost).items()}


def main(action: str) -> int:
    if action == "show":
        costs: dict[str, dict[str, int]] = {}
        for name, number in record.read(RECORD)[0].items():
            server, kind = name.rsplit(" ", 1)
            costs.setdefault(server, {})[kind] = number
        print(record.table(rows(costs)))
        return 0
    libevent = subprocess.run(["pkg-config", "--modversion", "libevent"], capture_output=True,
                              text=True, check=True).stdout.strip()
    return record.main(action, RECORD, f"{record.toolchain()}; libevent {libevent}", on_record)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
