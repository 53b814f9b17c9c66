"""One page from real runs: the wire, the system calls, the cost, and the machine.

    -m tests.report.report               plays, traces and measures; writes build/report/index.html
    -m tests.report.report --no-bench    draws the last measurement, build/bench/results.json, again

The numbers are those of tests/compare and tests/bench; this file only asks for them and draws.
"""

from __future__ import annotations

import argparse
import functools
import html
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

from tests import harness
from tests.bench import bench, targets as tg
from tests.lib.words import Said, say as both
from tests.mutants import table as mutants
from tests.report import draw

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = harness.ROOT / "build" / "report"
TRACED = ("keepalive", "pipelining", "line", "half_close", "slow_reader", "sigterm")
KINDS = (("wait", "wait"), ("epoll_ctl", "control"), ("accept", "open"), ("close", "open"),
         ("shutdown", "open"), ("read", "read"), ("recv", "read"), ("write", "write"),
         ("send", "write"))
NONE = "<td>–</td>"

text = html.escape


def prose(title: str) -> str:
    """A conversation's title; what stands in backquotes is code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", text(title))


def spoken(said: Said) -> str:
    """In English; the page's script puts the Chinese in its place."""
    return f'<span data-zh="{text(said.zh)}">{said}</span>'


def language_switch() -> str:
    """The part of the stages' page that does so, and remembers the choice."""
    page = (harness.ROOT / "common" / "page.html").read_text(encoding="utf-8")
    return re.search(r"^// ---- language.*?(?=\n// ---- )", page, re.M | re.S)[0]


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def compare(*arguments: str):
    """What tests/compare says, as data. It ends 1 when the stages differ: that is shown, too."""
    program = (sys.executable, "-B", "-m", "tests.compare.compare")
    done = subprocess.run([*program, *arguments, "--json"], capture_output=True, text=True,
                          check=False, timeout=600, cwd=harness.ROOT)
    if done.returncode not in (0, 1):
        sys.exit(f"compare {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


# ---- on the wire ---------------------------------------------------------------------------------

def wire_cell(entry: dict | None, listed: bool) -> str:
    if entry is None:
        return '<td class="dim">–</td>'
    if entry["identical"]:
        return '<td class="same">✓</td>'
    kind, mark = ("odd", spoken(both("differs"))) if listed else ("wrong", "✗")
    return f'<td class="{kind}">{mark}</td>'


def first_differences(played: dict) -> str:
    """Where each conversation first went another way, to be unfolded."""
    items = [f"<li><b>{text(name)}, {text(label)}</b>: {text(found['step'])}<br>"
             f"{spoken(both('expected'))} <code>{text(found['expected'])}</code><br>"
             f"{spoken(both('got'))} <code>{text(found['got'])}</code></li>"
             for name, seen in played["conversations"].items() for label, entry in seen.items()
             for found in entry["differences"][:1]]
    if not items:
        return ""
    return (f"<details><summary>{spoken(both('The first difference of each'))}</summary>"
            f'<ul class="differences">{"".join(items)}</ul></details>')


def wire_section(played: dict, titles: dict[str, str]) -> str:
    labels = list(dict.fromkeys(label for seen in played["conversations"].values()
                                for label in seen))
    rows = []
    for name, seen in played["conversations"].items():
        cells = [wire_cell(seen.get(label), label == "evhttp" and not played["evhttp"])
                 for label in labels]
        rows.append(f'<tr><th scope="row">{text(name)}</th>{"".join(cells)}'
                    f'<td class="text">{prose(titles.get(name, ""))}</td></tr>')
    verdict = spoken(both(
        "The four stages answer every conversation byte for byte the same, the Date aside."))
    if not played["identical"]:
        verdict = f'<strong class="wrong">{spoken(both("Not identical."))}</strong>'
    evhttp = spoken(both("evhttp is libevent's own HTTP server: where it differs, it is known to."))
    heads = "".join(f'<th scope="col">{text(label)}</th>' for label in labels)
    return (f'<p>{verdict} {evhttp}</p>'
            '<div class="scroll" tabindex="0"><table class="wire"><thead><tr>'
            f'<th scope="col">{spoken(both("conversation"))}</th>{heads}<th class="text"></th></tr>'
            f'</thead><tbody>{"".join(rows)}</tbody></table></div>{first_differences(played)}')


# ---- system calls --------------------------------------------------------------------------------

def kind_of(call: str) -> str:
    name = call.partition("(")[0]
    return next((kind for part, kind in KINDS if part in name), "other")


def lane(label: str, calls: list[dict]) -> str:
    items = "".join(f'<li class="call {kind_of(c["call"])}" tabindex="0">{text(c["call"])}'
                    f'<span class="gloss" data-zh="{text(c["gloss_zh"])}">{text(c["gloss"])}</span>'
                    "</li>" for c in calls)
    return f'<div class="lane"><b>{text(label)}</b><ol>{items}</ol></div>'


def per_request(trace: dict) -> str:
    """How many calls a request took; nothing where the number would mean nothing."""
    counted = trace["calls_per_request"]
    if not counted:
        return ""
    number = f"{sum(counted.values()):.2f}".rstrip("0").rstrip(".")
    return spoken(both("{number} calls per request", number=number))


def timeline(name: str, title: str, traces: dict[str, dict], opened: bool) -> str:
    heads = "".join(f"<div><h3>{text(stage.replace('_', ' '))}</h3>"
                    f'<div class="dim">{per_request(trace)}</div></div>'
                    for stage, trace in traces.items())
    steps = []
    for parts in zip(*(trace["steps"] for trace in traces.values())):
        lanes = "".join(lane(stage.replace("_", " "), part["calls"])
                        for stage, part in zip(traces, parts))
        steps.append(f'<div class="step"><h4>{text(parts[0]["step"])}</h4>'
                     f'<div class="lanes">{lanes}</div></div>')
    return (f'<details{" open" if opened else ""}><summary>{text(name)} <span>{prose(title)}</span>'
            f'</summary><div class="lanes heads">{heads}</div>{"".join(steps)}</details>')


def calls_section(titles: dict[str, str]) -> str:
    parts = []
    for name in TRACED:
        say(f"tracing: {name}")
        traces = {stage: compare("trace", stage[:2], "--conv", name) for stage in harness.STAGES}
        if error := next((t["error"] for t in traces.values() if "error" in t), ""):
            return f"<p>{text(error)}</p>"
        parts.append(timeline(name, titles.get(name, ""), traces, opened=not parts))
    return "".join(parts)


# ---- cost ----------------------------------------------------------------------------------------

def samples(results: dict) -> dict[str, bench.Rounds]:
    return {scenario: [{name: bench.Sample(**sample) for name, sample in one.items()}
                       for one in rounds] for scenario, rounds in results["rounds"].items()}


def ratio_cell(rounds: bench.Rounds, name: str, to: str) -> str:
    found = bench.ratio(rounds, name, to) if to else None
    if not found:
        return NONE
    spread = f"{min(found.values):.2f} … {max(found.values):.2f} ({len(found.values)})"
    return f'<td title="{spread}">{found.median:.2f}</td>'


def cost_row(name: str, results: dict, rounds: bench.Rounds) -> str:
    floors = {target.name: target.floor for target in tg.TARGETS}
    calls, memory = results["calls"].get(name), results["memory"].get(name)
    by_kind = ", ".join(f"{kind} {each:.2f}" for kind, each in
                        sorted((calls or {}).items(), key=lambda item: -item[1]))
    code = results["code"].get(name, {})
    median = functools.partial(bench.median_of, rounds, name)
    cells = [f'<td title="{text(by_kind)}">{sum(calls.values()):.2f}</td>' if calls else NONE,
             *(f"<td>{code[kind]:,}</td>" if code else NONE for kind in ("instructions", "lines")),
             *(f"<td>{median(field):.2f}</td>" for field in ("cpu", "user", "system")),
             ratio_cell(rounds, name, floors.get(name, "")), ratio_cell(rounds, name, "nginx"),
             *(f"<td>{median(field):,.0f}</td>" for field in ("rate", "p50", "p99")),
             f"<td>{memory:,.0f}</td>" if memory is not None else NONE]
    kind = ' class="floor"' if name.startswith("floor") else ""
    return f'<tr{kind}><th scope="row">{text(name)}</th>{"".join(cells)}</tr>'


MEASURED = ("<code>GET /hello</code>, 64 kept-alive connections, one request in flight on each, "
            "one thread on one core. A <em>floor</em> uses the same loop but sends one canned "
            "answer and parses nothing. Rounds: {count}; these are their medians. Whatever else "
            "ran on the machine is in the numbers; a ratio compares runs of the same round.")
HEADS = ("server", "system<br>calls", "instructions<br>(user space)", "cache lines<br>of code",
         "CPU<br>µs", "of that<br>user", "of that<br>kernel", "CPU ×<br>its floor",
         "CPU ×<br>nginx", "requests<br>per second", "median<br>µs", "p99<br>µs",
         "bytes per idle<br>connection")


def cost_section(results: dict, scenario: str) -> str:
    rounds = samples(results)[scenario]
    heads = "".join(f'<th scope="col">{spoken(both(head))}</th>' for head in HEADS)
    rows = "".join(cost_row(name, results, rounds) for name in rounds[0])
    count = len(rounds)
    return (f"<p>{spoken(both(MEASURED, count=count))}</p>"
            f'<div class="scroll" tabindex="0"><table class="cost"><thead><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>")


# ---- plots ---------------------------------------------------------------------------------------

SCENARIOS = {"1": "1 connection", "64": "64 connections", "512": "512 connections",
             "5000": "5,000 connections", "pipelined": "64 connections, 16 requests deep"}


def medians(rounds: bench.Rounds, field: str, names: list[str], divisor: float = 1) -> list[float]:
    return [bench.median_of(rounds, name, field) / divisor for name in names]


def plots_section(results: dict) -> str:
    drawn = []
    for scenario, rounds in samples(results).items():
        names = list(rounds[0])
        peers = [name for name in names if not name.startswith("floor")]
        where = both(SCENARIOS[scenario]) if scenario in SCENARIOS else scenario
        drawn.append(draw.bars(f"cpu-{scenario}", both("CPU per request, {where}", where=where),
                               names, {both("kernel"): medians(rounds, "system", names),
                                       both("program"): medians(rounds, "user", names)},
                               both("microseconds"), stacked=True))
        drawn.append(draw.bars(f"rate-{scenario}", both("Throughput, {where}", where=where), peers,
                               {"": medians(rounds, "rate", peers, 1000)},
                               both("thousand requests per second")))
        if scenario != "pipelined":  # wrk measures no latency there that would mean something
            drawn.append(draw.bars(f"latency-{scenario}", both("Latency, {where}", where=where),
                                   peers, {both("median"): medians(rounds, "p50", peers, 1000),
                                           both("99th percentile"): medians(rounds, "p99", peers,
                                                                            1000)},
                                   both("milliseconds")))
    code = {kind: {name: cost[kind] for name, cost in results["code"].items()}
            for kind in ("instructions", "lines")}
    for name, title, found, unit in (
            ("instructions", "Instructions per request, user space", code["instructions"],
             "instructions"),
            ("lines", "Cache lines of code that a request touches", code["lines"],
             "cache lines of 64 bytes"),
            ("memory", "Memory per idle connection", results["memory"], "bytes")):
        if found:
            drawn.append(draw.bars(name, both(title), list(found), {"": list(found.values())},
                                   both(unit)))
    drawn += growth(samples(results))
    return f'<div class="plots">{"".join(drawn)}</div>'


def growth(rounds: dict[str, bench.Rounds]) -> list[str]:
    """CPU per request over the number of connections, if more than one number was measured."""
    counts = [name for name in rounds if name.isdigit()]
    if len(counts) < 2:
        return []
    names = [name for name in rounds[counts[0]][0] if not name.startswith("floor")]
    series = {n: [bench.median_of(rounds[c], n, "cpu") for c in counts] for n in names}
    return [draw.lines("growth", both("CPU per request as connections grow"),
                       [int(c) for c in counts], series, both("connections"), both("microseconds"))]


# ---- mutants -------------------------------------------------------------------------------------

NOTICED = ("Small faults that were put into the code one at a time. A test notices (killed) or "
           "none does (survived); of an equivalent one nobody could notice anything.")


def mutants_section(table: pathlib.Path) -> str:
    """What the last `make mutants` found, if there was one."""
    if not table.exists():
        return f"<p>{spoken(both('Not asked here: <code>make mutants</code>.'))}</p>"
    rows = json.loads(table.read_text(encoding="utf-8"))
    counts = ("made", "killed", "survived", "equivalent")
    heads = "".join(f'<th scope="col">{spoken(both(head))}</th>' for head in (
        "file", *counts, "killed of those<br>not equivalent"))
    body = "".join(
        f'<tr><th scope="row">{text(file)}</th>' + "".join(f"<td>{row[key]}</td>" for key in counts)
        + f"<td>{mutants.share(row):.1f} %</td></tr>" for file, row in rows.items())
    return (f"<p>{spoken(both(NOTICED))}</p>"
            f'<div class="scroll" tabindex="0"><table><thead><tr>{heads}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


# ---- machine -------------------------------------------------------------------------------------

def first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except OSError:
        return "?"
    return (done.stdout or done.stderr).strip().partition("\n")[0] or "?"


def machine_section(results: dict, measured: float) -> str:
    known = results["machine"]
    system = os.uname()
    facts = {
        "processor": f"{known['model']} × {known['cpus']}",
        "system": f"{system.sysname} {system.release} {system.machine}",
        "compiler": first_line("g++", "--version"),
        "libevent": first_line("pkg-config", "--modversion", "libevent"),
        "nginx": first_line(tg.which("nginx") or "nginx", "-v").removeprefix("nginx version: "),
        "source": first_line("git", "-C", str(harness.ROOT), "log", "-1", "--format=commit %h"),
        "measured": time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(measured)),
        "load before (above 1, something else ran)": f"{known['load']:.2f}",
    }
    return "<dl>" + "".join(f"<dt>{spoken(both(name))}</dt><dd>{text(str(value))}</dd>"
                            for name, value in facts.items() if value != "?") + "</dl>"


# ---- all -----------------------------------------------------------------------------------------

def measure(flags: str) -> None:
    say(f"measuring (tests.bench.bench {flags})")
    done = subprocess.run([sys.executable, "-B", "-m", "tests.bench.bench", *shlex.split(flags)],
                          stdout=subprocess.DEVNULL, check=False, cwd=harness.ROOT)
    if done.returncode != 0:
        sys.exit("tests.bench.bench failed")


def write(parts: dict[str, str]) -> pathlib.Path:
    page = (HERE / "page.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        page = page.replace("{{" + name + "}}", part)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "index.html").write_text(page, encoding="utf-8")
    return OUTPUT / "index.html"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", default="--quick", metavar="FLAGS", help="for tests.bench.bench")
    parser.add_argument("--no-bench", action="store_true", help="draw the last measurement again")
    options = parser.parse_args(arguments)
    if not options.no_bench:
        measure(options.bench)
    source = bench.OUTPUT / "results.json"
    results = json.loads(source.read_text(encoding="utf-8"))
    scenario = "64" if "64" in results["rounds"] else next(iter(results["rounds"]))
    say("playing every conversation")
    titles = compare("list")
    measured = source.stat().st_mtime
    page = write({
        "date": time.strftime("%Y-%m-%d", time.localtime(measured)),
        "language": language_switch(),
        "wire": wire_section(compare("all"), titles),
        "calls": calls_section(titles),
        "cost": cost_section(results, scenario),
        "plots": plots_section(results),
        "mutants": mutants_section(mutants.PATH),
        "machine": machine_section(results, measured)})
    print(page.relative_to(harness.ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
