"""Measures what a request costs: the stages, their floors and peers, side by side.

    -m tests.bench.bench                     everything; about half an hour
    -m tests.bench.bench --quick             about a minute
    -m tests.bench.bench --only '01|nginx'   targets whose name holds that (--list names them)
    -m tests.bench.bench --scenarios pairs   each stage beside its floor, as exactly as can be

What counts is the server's CPU time per request, as a ratio to a peer measured in the same minute:
a ratio survives a slow or busy machine, an absolute number does not. So each round visits every
server once, a ratio is taken within a round, and what is shown is the median of the rounds and
their quartiles. The server has one core, wrk the other.

A stage and its floor differ by a few per cent, and a round of all servers takes too long for that.
They are measured in pairs: a new process of both, within the same second, in an order that chance
decides. A program is paired with itself as well. What these two differ by is the noise of the
machine, and no smaller difference is called one.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from tests.bench import requests, targets as tg
from tests.bench.record import table
from tests.lib import strace, wire

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = HERE.parent.parent / "build" / "bench"
SLICE = 0.35  # seconds: two of them, and two starts, are less than one
AGAIN = "the same twice"
NOISY = 0.15  # a ratio whose quartiles are further apart than that share of its median says little


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    connections: int
    depth: int = 1
    quick_rounds: int = 0


SCENARIOS = (
    Scenario("1", 1),
    Scenario("64", 64, quick_rounds=2),
    Scenario("512", 512),
    Scenario("5000", 5000),
    Scenario("pipelined", 64, depth=16, quick_rounds=1),
)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run of wrk against one server."""
    requests: int
    rate: float  # per second
    p50: float  # microseconds
    p99: float
    cpu: float  # microseconds of the server per request
    user: float
    system: float
    errors: int


# ---- wrk -----------------------------------------------------------------------------------------

UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}


def microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def parse_wrk(text: str) -> dict[str, float]:
    """What wrk printed. A run without a single answer has no rate: that is an error here."""
    requests = re.search(r"(\d+) requests in ", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not requests or not rate or int(requests[1]) == 0:
        raise RuntimeError(f"wrk got no answers:\n{text}")
    found = {"requests": int(requests[1]), "rate": float(rate[1]), "errors": 0}
    for percent in ("50", "99"):
        found["p" + percent] = microseconds(re.search(rf"^\s+{percent}%\s+(\S+)", text, re.M)[1])
    if errors := re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)",
                           text):
        found["errors"] += sum(map(int, errors.groups()))
    if refused := re.search(r"Non-2xx or 3xx responses: (\d+)", text):
        found["errors"] += int(refused[1])
    return found


def run_wrk(port: int, scenario: Scenario, seconds: float, cpu: int) -> dict[str, float]:
    url = f"http://127.0.0.1:{port}/hello"
    command = ["wrk", "-t1", f"-c{scenario.connections}", f"-d{seconds + 1:.0f}s", "--latency", url]
    if scenario.depth > 1:
        command[-1:] = ["-s", str(HERE / "pipeline.lua"), url, "--", str(scenario.depth)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, {cpu})) as wrk:
        time.sleep(seconds)
        wrk.send_signal(signal.SIGINT)  # it knows whole seconds only
        return parse_wrk(wrk.communicate(timeout=60)[0])


def measure(server, scenario: Scenario, seconds: float, cpu: int) -> Sample:
    before = tg.cpu_of(server.pid)
    found = run_wrk(server.http_port, scenario, seconds, cpu)
    spent = tg.cpu_of(server.pid, before)
    each = spent.total / found["requests"]
    return Sample(int(found["requests"]), found["rate"], found["p50"], found["p99"], each,
                  each * spent.user_share, each * (1 - spent.user_share), int(found["errors"]))


# ---- rounds --------------------------------------------------------------------------------------

class Progress:
    """One line that is written over; on something that is no terminal, a line a minute."""

    def __init__(self, total: float):
        self.total, self.done, self.started, self.said = total, 0.0, time.monotonic(), 0.0

    def step(self, what: str, cost: float) -> None:
        self.done += cost
        now = time.monotonic()
        left = (now - self.started) / self.done * max(self.total - self.done, 0)
        if sys.stderr.isatty():
            print(f"\r\033[K{self.done / self.total:4.0%}  {left:4.0f} s left  {what}", end="",
                  file=sys.stderr, flush=True)
        elif now - self.said > 60:
            self.said = now
            print(f"{self.done / self.total:4.0%}  {left:4.0f} s left  {what}", file=sys.stderr,
                  flush=True)

    def end(self) -> None:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


Rounds = list[dict[str, Sample]]  # of one scenario: name of the target -> its sample


def run_scenario(scenario: Scenario, chosen, rounds: int, seconds: int, cpus, progress) -> Rounds:
    result: Rounds = []
    with contextlib.ExitStack() as stack:
        servers = {target.name: stack.enter_context(
            target.start(cpu=cpus[0], pipelined=scenario.depth > 1)) for target in chosen}
        for number in range(rounds):
            result.append({})
            for name, server in servers.items():
                progress.step(f"{scenario.name}, round {number + 1} of {rounds}: {name}", seconds)
                result[-1][name] = measure(server, scenario, seconds, cpus[1])
    return result


def quantiles(values: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile; of few values, the ends."""
    if len(values) < 4:
        return min(values), statistics.median(values), max(values)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Over the rounds."""
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def noisy(self) -> bool:
        low, middle, high = quantiles(list(self.values))
        return len(self.values) < 2 or (high - low) / middle > NOISY

    def __str__(self) -> str:
        mark = "?" if self.noisy else " "
        low, middle, high = quantiles(list(self.values))
        return f"{middle:.2f} ({low:.2f}-{high:.2f}){mark}"

    def verdict(self, limit: float, noise: float, at_least: bool = False) -> str:
        """Compared with a goal. Nobody can tell where the goal lies between the quartiles, or
        anywhere in a range that is too wide, or no further away than a program is from itself; nor
        from fewer than three rounds."""
        low, middle, high = quantiles(list(self.values))
        if self.noisy:
            low, high = min(self.values), max(self.values)
        if len(self.values) < 3 or low <= limit < high or abs(middle / limit - 1) < noise:
            return "undecided"
        return "met" if (self.median >= limit if at_least else self.median <= limit) else "missed"


def ratio(rounds: Rounds, name: str, to: str) -> Ratio | None:
    """Both measured in the same round: what slowed the machine then slowed both."""
    values = tuple(r[name].cpu / r[to].cpu for r in rounds if name in r and to in r)
    return Ratio(values) if values and name != to else None


def pair(one: tg.Target, other: tg.Target, work: Callable, cpu: int) -> tuple[float, float]:
    """What the same work costs both: new processes, one right after the other."""
    with one.start(cpu=cpu) as first, other.start(cpu=cpu) as second:
        found = {}
        for server in random.sample((first, second), 2):
            found[server] = work(server)
    return found[first], found[second]


def measure_pairs(chosen, rounds: int, cpus, progress: Progress) -> dict[str, list]:
    """CPU per request of each stage and of its floor, at 64 connections; and of one program twice.
    Whatever the machine does for longer than a second happens to both of a pair."""
    targets = {target.name: target for target in chosen}
    pairs = {t.name: (t, targets[t.floor]) for t in chosen if t.floor in targets}
    if not pairs:
        return {}
    once = next(iter(pairs.values()))[0]
    pairs[AGAIN] = once, once
    found = {name: [] for name in pairs}
    for number in range(rounds):
        for name in random.sample(list(pairs), len(pairs)):
            progress.step(f"pairs, round {number + 1} of {rounds}: {name}", 1)
            found[name].append(pair(*pairs[name], lambda server: measure(
                server, Scenario("64", 64), SLICE, cpus[1]).cpu, cpus[0]))
    return found


def ratio_of_pairs(results: dict, name: str) -> Ratio | None:
    values = tuple(one / other for one, other in results["pairs"].get(name, ()))
    return Ratio(values) if values else None


def noise(results: dict) -> float:
    """Of two measurements of the same program, three in four differ by less; 0: not measured."""
    again = ratio_of_pairs(results, AGAIN)
    return quantiles([abs(value - 1) for value in again.values])[2] if again else 0.0


def median_of(rounds: Rounds, name: str, field: str) -> float:
    return statistics.median(getattr(r[name], field) for r in rounds if name in r)


# ---- calls, memory, text -------------------------------------------------------------------------

def parse_strace(text: str, requests: int) -> dict[str, float]:
    """Calls per request by kind, from `strace -c`; set-up calls drown in the number of requests."""
    return {name: round(count / requests, 2) for name, count in strace.totals(text).items()
            if count / requests >= 0.01}


def count_calls(target: tg.Target, cpus) -> dict[str, float]:
    """A run of its own: strace slows the server, and so changes everything but the calls."""
    with tempfile.NamedTemporaryFile(prefix="strace-", mode="r", encoding="utf-8") as log:
        with target.start(wrapper=strace.command(log.name, "", "-f", "-c"), cpu=cpus[0]) as server:
            requests = run_wrk(server.http_port, Scenario("64", 64), 1, cpus[1])["requests"]
        for _ in range(100):  # strace outlives the server by a moment
            if "total" in (text := pathlib.Path(log.name).read_text(encoding="utf-8")):
                return parse_strace(text, int(requests))
            time.sleep(0.05)
    return {}


def ask(server) -> wire.Client:
    """A connection that has had one answer."""
    client = wire.connect(server)
    client.ask(wire.HELLO)
    return client


def memory_per_connection(target: tg.Target, count: int) -> float:
    """Resident bytes for each idle connection; the first ones are not counted: they pay for what
    is allocated once."""
    with target.start() as server, contextlib.ExitStack() as stack:
        for _ in range(count // 10):
            stack.enter_context(ask(server))
        before = tg.harness.resident_of(server.pid)
        for _ in range(count):
            stack.enter_context(ask(server))
        return (tg.harness.resident_of(server.pid) - before) / count


def stream(server, size: int) -> float:
    """CPU microseconds per megabyte of one connection that streams through the text port."""
    block = b"The quick brown fox jumps over the lazy dog. 0123456789 ABCDEF.\n" * 4096
    before = tg.cpu_of(server.pid)
    with server.connect("text") as sock:
        def send() -> None:
            for _ in range(size // len(block)):
                sock.sendall(block)
            sock.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        room, got = bytearray(1 << 18), 0
        while count := sock.recv_into(room):
            got += count
        sender.join(10)
    return tg.cpu_of(server.pid, before).total / (got / 1e6)


def measure_text(rounds: int, size: int, cpus, progress: Progress) -> dict[str, dict]:
    """Per stage: CPU per megabyte with and without the upper-casing, and their ratio."""
    os.sched_setaffinity(0, {cpus[1]})
    result = {}
    chosen = {t.program: t for t in tg.TARGETS
              if t.program in tg.harness.STAGES and not t.missing()}
    for program, target in chosen.items():
        echo = dataclasses.replace(target, flags=(*target.flags, "--text-mode=echo"))
        pairs = []
        for number in range(rounds):
            progress.step(f"text, round {number + 1} of {rounds}: {program}", 0.5)
            pairs.append(pair(target, echo, lambda server: stream(server, size), cpus[0]))
        result[program] = {"upper": [u for u, _ in pairs], "echo": [e for _, e in pairs],
                           "speed": [e / u for u, e in pairs]}
    return result


# ---- the report ----------------------------------------------------------------------------------

def scenario_table(rounds: Rounds, chosen) -> str:
    rows = [["server", "req/s", "p50 us", "p99 us", "CPU us", "user", "sys", "x floor", "x nginx"]]
    for target in chosen:
        values = {f: median_of(rounds, target.name, f)
                  for f in ("rate", "p50", "p99", "cpu", "user", "system", "errors")}
        own = ratio(rounds, target.name, target.floor) if target.floor else None
        peer = ratio(rounds, target.name, "nginx")
        rows.append([target.name + (" (errors!)" if values["errors"] else ""),
                     *(f"{values[f]:.0f}" for f in ("rate", "p50", "p99")),
                     *(f"{values[f]:.2f}" for f in ("cpu", "user", "system")),
                     str(own or "-"), str(peer or "-")])
    return table(rows)


def goals(results: dict) -> list[list[str]]:
    """What the course promises, and what was measured."""
    rows = [["goal", "measured", ""]]

    def judge(text: str, found: Ratio | None, limit: float, at_least: bool = False) -> None:
        if found:
            rows.append([text, str(found), found.verdict(limit, noise(results), at_least)])
    rounds = results["rounds"]
    for target in tg.TARGETS:
        judge(f"{target.name}, 64 connections: <= 1.05 x its floor",
              ratio_of_pairs(results, target.name), 1.05)
        for scenario, limit in (("512", 1.10), ("5000", 1.10)):
            if target.floor and scenario in rounds:
                judge(f"{target.name}, {scenario} connections: <= {limit:.2f} x its floor",
                      ratio(rounds[scenario], target.name, target.floor), limit)
    if "64" in rounds:
        judge("01: cheaper than nginx", ratio(rounds["64"], "01", "nginx"), 1.0)
        judge("02 eager: cheaper than nginx", ratio(rounds["64"], "02 eager", "nginx"), 1.0)
        judge("04: <= 0.60 x evhttp", ratio(rounds["64"], "04", "evhttp"), 0.60)
    if "pipelined" in rounds:
        for name, limit in (("01", 0.13), ("02 mod", 0.13), ("03 swap", 0.15), ("04", 0.13)):
            judge(f"{name}, pipelined: <= {limit:.2f} x nginx",
                  ratio(rounds["pipelined"], name, "nginx"), limit)
    for program, found in results["text"].items():
        judge(f"{program[:2]}, text: >= 0.95 x the speed of echo", Ratio(tuple(found["speed"])),
              0.95, at_least=True)
    for name, limit in (("01", 300), ("02 mod", 300), ("03 swap", 600), ("04", 1300)):
        if name in results["memory"]:
            found = results["memory"][name]
            rows.append([f"{name}: <= {limit} bytes per idle connection", f"{found:.0f}",
                         "met" if found <= limit else "missed"])
    return rows


def report(results: dict, chosen) -> str:
    parts = []
    for name, rounds in results["rounds"].items():
        title = "64 connections, 16 requests in flight on each" if name == "pipelined" else \
            f"{name} connection{'s' if name != '1' else ''}"
        parts.append(f"{title}: median of {len(rounds)} rounds, per request (quartiles)\n\n"
                     + scenario_table(rounds, chosen))
    if results["calls"]:
        rows = [["calls per request", "all", "by kind"]]
        for name, calls in results["calls"].items():
            kinds = sorted(calls.items(), key=lambda kind: -kind[1])
            rows.append([name, f"{sum(calls.values()):.2f}",
                         ", ".join(f"{kind} {each:.2f}" for kind, each in kinds)])
        parts.append(table(rows))
    if results["code"]:
        parts.append(table(requests.rows(results["code"])))
    if results["memory"]:
        parts.append(table([["bytes per idle connection", "resident"]] +
                           [[name, f"{each:.0f}"] for name, each in results["memory"].items()]))
    if results["text"]:
        rows = [["text port, CPU us per MB", "upper", "echo", "speed upper/echo"]]
        for name, found in results["text"].items():
            rows.append([name, *(f"{statistics.median(found[m]):.0f}" for m in ("upper", "echo")),
                         str(Ratio(tuple(found["speed"])))])
        parts.append(table(rows))
    if results["pairs"]:
        rows = [["64 connections, in pairs", "CPU us", "of its floor", "ratio (quartiles)"]]
        for name, pairs in results["pairs"].items():
            rows.append([name, *(f"{statistics.median(column):.2f}" for column in zip(*pairs)),
                         str(ratio_of_pairs(results, name))])
        parts.append(table(rows) + f"\n\nnoise: {noise(results):.1%}. Three of four pairs of the "
                     "same program differ by less. No smaller difference is called one")
    judged = goals(results)
    if len(judged) > 1:
        parts.append(table(judged))
    text = "\n\n".join(parts)
    if "?" in text:
        text += ("\n\n? the rounds differ so much (or are so few) that this ratio says little: "
                 "give the machine rest, or more --rounds")
    return text


def machine() -> dict[str, object]:
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    model = re.search(r"model name\s*:\s*(.*)", cpuinfo)
    return {"model": model[1] if model else "?", "kernel": os.uname().release,
            "cpus": os.cpu_count(), "load": os.getloadavg()[0]}


def choose_cpus() -> tuple[int, int]:
    """One for the server, one for wrk."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) == 1:
        print("only one core: server and wrk share it, and disturb each other", file=sys.stderr)
    return allowed[-1], allowed[-2 if len(allowed) > 1 else -1]


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=int, default=1, metavar="S", help="of each run of wrk")
    parser.add_argument("--pairs", type=int, default=30, metavar="N",
                        help="rounds of pairs, and of text")
    parser.add_argument("--only", default="", metavar="REGEX", help="these servers (and nginx)")
    scenarios = [*(s.name for s in SCENARIOS), "pairs", "calls", "code", "memory",
                 "text"]
    parser.add_argument("--scenarios", default="", metavar="A,B", help="of " + ",".join(scenarios))
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, metavar="FOLDER")
    parser.add_argument("--list", action="store_true", help="name the servers, and what is missing")
    return parser.parse_args(argv)


def choose(args: argparse.Namespace) -> list[tg.Target]:
    """The targets to measure. Says what is missing, and does without."""
    chosen = []
    for target in tg.TARGETS:
        wanted = re.search(args.only, target.name) if args.only else target.quick or not args.quick
        if not wanted and not (args.only and target.name == "nginx"):
            continue
        if why := target.missing():
            print(f"without {target.name}: {why}", file=sys.stderr)
        else:
            chosen.append(target)
    return chosen


def run(args: argparse.Namespace, chosen) -> dict:
    cpus = choose_cpus()
    wanted = args.scenarios.split(",") if args.scenarios else None

    def is_wanted(name: str) -> bool:
        return name in wanted if wanted else not args.quick or name not in ("pairs", "text")
    scenarios = [(s, s.quick_rounds if args.quick and not wanted else args.rounds)
                 for s in SCENARIOS if is_wanted(s.name)]
    steps = sum(rounds * args.seconds * len(chosen) for _, rounds in scenarios) + 6 * len(chosen)
    if is_wanted("pairs"):
        steps += args.pairs * (1 + sum(bool(target.floor) for target in chosen))
    progress = Progress(steps + 2 * args.pairs)
    results = {"machine": machine(), "rounds": {}, "pairs": {}, "calls": {}, "code": {},
               "memory": {}, "text": {}}
    for scenario, rounds in scenarios:
        if rounds:
            results["rounds"][scenario.name] = run_scenario(scenario, chosen, rounds, args.seconds,
                                                            cpus, progress)
    if is_wanted("pairs"):
        results["pairs"] = measure_pairs(chosen, args.pairs, cpus, progress)
    for target in chosen:
        progress.step(f"calls and memory: {target.name}", 4)
        if is_wanted("calls") and not tg.harness.why_no_tracing():
            results["calls"][target.name] = count_calls(target, cpus)
        if is_wanted("memory"):
            count = min(500 if args.quick else 4000, tg.harness.descriptor_limit() // 3)
            results["memory"][target.name] = memory_per_connection(target, count)
    if is_wanted("code") and shutil.which("valgrind"):
        progress.step("instructions and cache lines", 2 * len(chosen))
        results["code"] = {name: dataclasses.asdict(cost)
                           for name, cost in requests.count_all(chosen).items()}
    if is_wanted("text"):
        results["text"] = measure_text(args.pairs, 256 << 20, cpus, progress)
    progress.end()
    return results


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    if args.list:
        print("\n".join(f"{t.name:22s}{t.missing() or 'ready'}" for t in tg.TARGETS))
        return 0
    if not shutil.which("wrk"):
        print("wrk is missing: make bench-deps installs it", file=sys.stderr)
        return 1
    if why := tg.harness.why_no_tracing():
        print(f"without calls per request: {why}", file=sys.stderr)
    if not shutil.which("valgrind"):
        print("without instructions and cache lines of code: valgrind is missing", file=sys.stderr)
    if os.getloadavg()[0] > 1:
        print("something else runs on this machine: expect wide ranges", file=sys.stderr)
    tg.harness.raise_descriptor_limit()
    chosen = choose(args)
    results = run(args, chosen)
    text = report(results, chosen)
    print(text)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "table.txt").write_text(text + "\n", encoding="utf-8")
    data = json.dumps(results, default=dataclasses.asdict, indent=1)
    (args.output / "results.json").write_text(data, encoding="utf-8")
    from tests.bench import plots
    print("\n" + plots.draw(json.loads(data), args.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
