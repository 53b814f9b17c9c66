"""SVG plots of a measurement's results, where matplotlib is installed.

    -m tests.bench.plots build/bench/results.json     draws them again
"""

from __future__ import annotations

import json
import pathlib
import statistics
import sys


def median(rounds: list[dict], name: str, field: str) -> float:
    return statistics.median(r[name][field] for r in rounds if name in r)


def bars(plt, rounds: list[dict], title: str, path: pathlib.Path) -> None:
    """CPU per request, user and system stacked; floors are lighter."""
    names = list(rounds[0])[::-1]
    user = [median(rounds, name, "user") for name in names]
    system = [median(rounds, name, "system") for name in names]
    figure, axes = plt.subplots(figsize=(8, 0.32 * len(names) + 1.2))
    for at, name in enumerate(names):
        faint = 0.45 if name.startswith("floor") else 1.0
        axes.barh(at, system[at], color="tab:blue", alpha=faint)
        axes.barh(at, user[at], left=system[at], color="tab:orange", alpha=faint)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("microseconds of CPU per request (blue: kernel, orange: program)")
    axes.set_title(title)
    figure.savefig(path, bbox_inches="tight")
    plt.close(figure)


def growth(plt, rounds: dict[str, list[dict]], path: pathlib.Path) -> None:
    """CPU per request over the number of connections."""
    counts = [name for name in rounds if name.isdigit()]
    figure, axes = plt.subplots(figsize=(8, 5))
    for name in rounds[counts[0]][0]:
        if name.startswith("floor"):
            continue
        axes.plot([int(c) for c in counts], [median(rounds[c], name, "cpu") for c in counts],
                  marker="o", label=name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("connections")
    axes.set_ylabel("microseconds of CPU per request")
    axes.legend(fontsize="small", ncols=2)
    figure.savefig(path, bbox_inches="tight")
    plt.close(figure)


def draw(results: dict, folder: pathlib.Path) -> str:
    """Says what was drawn, or why nothing was."""
    try:
        import matplotlib
        matplotlib.use("svg")
        import matplotlib.pyplot as plt
    except ImportError:
        return f"numbers in {folder}; no plots: python3-matplotlib is not installed"
    rounds = results["rounds"]
    for name, title in (("64", "64 connections"),
                        ("pipelined", "64 connections, 16 requests deep")):
        if name in rounds:
            bars(plt, rounds[name], title, folder / f"cpu_{name}.svg")
    if sum(name.isdigit() for name in rounds) > 1:
        growth(plt, rounds, folder / "growth.svg")
    return f"numbers and plots in {folder}"


if __name__ == "__main__":
    source = pathlib.Path(sys.argv[1])
    print(draw(json.loads(source.read_text(encoding="utf-8")), source.parent))
