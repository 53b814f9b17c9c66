"""A crowd of healthy, slow, resetting and hostile clients on one server, for a while.

    -m tests.soak.soak SECONDS [SERVER...]

SECONDS are divided among the servers: the four stages, or programs that take their flags and print
their two lines. What must hold: not one healthy answer is lost or wrong, and afterwards descriptors
and memory are where they were. Prints a table; exit status 1 if anything did not hold.

Memory is compared with what it was after a first, shorter crowd: what any crowd leaves behind once
(an allocator's pools, the vectors that index descriptors) is in both. Under AddressSanitizer freed
memory stays in a quarantine and in free lists per size, which are capped below; TOLERANCE is for
what is left of that (a stage's growth was at most 1.2 MiB). A server that keeps 1 KB for each of
the 6,000 connections of half a minute exceeds it, and what it loses altogether is found by
LeakSanitizer when it exits.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import random
import sys
import time
import traceback

from tests import harness
from tests.lib import wire
from tests.soak.clients import BAD, HEALTHY, IDLE_TIMEOUT, PATIENCE, Figures, Peer, healthy_http

TOLERANCE = 4 << 20
WARM_UP = 0.25  # of the time
ASAN = "quarantine_size_mb=1:thread_local_quarantine_size_kb=64:" \
       "allocator_release_to_os_interval_ms=100:detect_leaks=1"
COLUMNS = ("healthy", "slow", "reset", "hostile")


class Soak:
    """One server and its crowd."""

    def __init__(self, server, seed: int):
        self.server = server
        self.rng = random.Random(seed)
        self.figures = Figures()
        self.violations = []
        self.until = 0.0

    def fail(self, what: str) -> None:
        self.violations.append(what)

    async def keep_playing(self, kind: str, port: str, play) -> None:
        """One client after the other, until the time is up."""
        while time.monotonic() < self.until and len(self.violations) < 5:
            await self.play_once(kind, port, play)
            self.figures.played[kind] += 1

    async def play_once(self, kind: str, port: str, play) -> None:
        rng = random.Random(self.rng.random())
        peer = None
        try:
            async with asyncio.timeout(PATIENCE):
                peer = await Peer.connect(self.server, port)
                await play(peer, rng, self.figures)
        except wire.Unexpected as violation:
            self.fail(f"{kind}: {violation}")
        except (TimeoutError, OSError) as error:
            if kind == "healthy":
                self.fail(f"lost answer: {error!r}")
        finally:
            if peer:
                peer.sock.close()

    async def crowd(self, seconds: float) -> None:
        """All kinds at once. In the end the healthy have their say, the others are cut off."""
        self.until = time.monotonic() + seconds
        tasks = {clients: [asyncio.create_task(self.keep_playing(kind, port, play))
                           for kind, port, count, play in clients for _ in range(count)]
                 for clients in (HEALTHY, BAD)}
        await asyncio.gather(*tasks[HEALTHY])
        for task in tasks[BAD]:
            task.cancel()
        await asyncio.gather(*tasks[BAD], return_exceptions=True)

    async def quiet(self, descriptors: int) -> None:
        """All clients are gone: so are their connections, within the server's time-outs."""
        deadline = time.monotonic() + 2 * IDLE_TIMEOUT + 5
        while self.server.descriptors() != descriptors:
            if time.monotonic() > deadline:
                left = self.server.descriptors() - descriptors
                return self.fail(f"{left} descriptors more than before, without a client")
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)  # the allocator gives memory back at intervals

    async def run(self, seconds: float) -> str:
        """The row of the table."""
        self.until = time.monotonic() + PATIENCE
        await self.play_once("healthy", "http", healthy_http)  # it is up, loop and all
        await asyncio.sleep(0.2)
        descriptors = self.server.descriptors()
        await self.crowd(seconds * WARM_UP)
        await self.quiet(descriptors)
        before = self.server.resident()
        if not self.violations:
            await self.crowd(seconds * (1 - WARM_UP))
            await self.quiet(descriptors)
        after = self.server.resident()
        if after - before > TOLERANCE:
            self.fail(f"memory grew from {before >> 10} to {after >> 10} KiB")
        took = sorted(self.figures.took) or [0.0]
        played = "".join(f"{self.figures.played[kind]:9}" for kind in COLUMNS)
        return (f"{played}{self.figures.answers:9}{self.figures.text_bytes >> 20:9}"
                f"{took[len(took) * 99 // 100] * 1000:9.1f}"
                f"{descriptors:5}{self.server.descriptors():5}{before >> 10:9}{after >> 10:9}")


def soak(name: str, seconds: float) -> list[str]:
    """Prints the row; returns what did not hold."""
    options = f"{ASAN}:{os.environ.get('ASAN_OPTIONS', '')}"
    with harness.Server(name, "--idle-timeout", IDLE_TIMEOUT,
                        env={"ASAN_OPTIONS": options}) as server:
        run = Soak(server, seed=1)
        try:
            row = asyncio.run(run.run(seconds))
        except OSError:  # the server is gone
            row = " the server did not live to see the end"
            run.fail(traceback.format_exc(limit=1))
        status = server.stop(timeout=30)
        if status != 0:
            run.fail(f"exit status {status}")
        if server.stderr():
            run.fail(f"stderr: {server.stderr()[:3000]}")
        print(f"{pathlib.Path(name).name:20}{row}", flush=True)
        return run.violations


def main() -> int:
    seconds = float(sys.argv[1])
    servers = sys.argv[2:] or harness.STAGES
    print(f"{'connections of:':20}{''.join(f'{kind:>9}' for kind in COLUMNS)}{'answers':>9}"
          f"{'text MiB':>9}{'p99 ms':>9}{'fds':>5}{'then':>5}{'KiB':>9}{'then':>9}", flush=True)
    failed = False
    for name in servers:
        for violation in soak(name, seconds / len(servers)):
            print(f"  VIOLATION {violation}", flush=True)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
