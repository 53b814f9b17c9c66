"""Bar plots as inline SVG: text stays text and takes the page's colour, so that dark mode works."""

from __future__ import annotations

import html
import io
import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

from tests.lib.words import Said  # noqa: E402

INK = "#010203"  # becomes currentColor
COLOURS = ("#3b82f6", "#f59e0b")
STYLE = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
         "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK,
         "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
         "savefig.transparent": True, "svg.hashsalt": "report"}

Series = dict[str, list[float]]  # a name in the legend -> a value per bar


def inline(figure, name: str, title: str, *words: str) -> str:
    """The figure as an element of the page; its ids are made the page's own. Where `words` stand in
    it, their Chinese is kept beside them."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    svg = text.getvalue()[text.getvalue().index("<svg"):].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'id="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(#|xlink:href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px system-ui, sans-serif", svg)
    for word in (word for word in words if isinstance(word, Said)):
        svg = svg.replace(f">{html.escape(word)}</text>",
                          f' data-zh="{html.escape(word.zh)}">{html.escape(word)}</text>')
    head = re.match(r"<svg[^>]*>", svg)[0]
    box = re.search(r'viewBox="[^"]*"', head)[0]
    label = html.escape(title)
    return (f'<svg {box} role="img" aria-label="{label}" xmlns="http://www.w3.org/2000/svg" '
            f'xmlns:xlink="http://www.w3.org/1999/xlink">' + svg[len(head):])


def bars(name: str, title: Said, names: list[str], series: Series, unit: Said,
         stacked: bool = False) -> str:
    """A bar per name and series; floors are faint. The series lie one after the other, or beneath
    each other."""
    at = range(len(names))[::-1]
    thick = 0.72 if stacked or len(series) == 1 else 0.72 / len(series)
    with matplotlib.rc_context(STYLE):
        rows = len(names) * (1 if stacked else len(series) ** 0.5)
        figure, axes = plt.subplots(figsize=(4.6, 0.27 * rows + 0.7))
        left = [0.0] * len(names)
        for number, (label, values) in enumerate(series.items()):
            shift = 0 if stacked else ((len(series) - 1) / 2 - number) * thick
            drawn = axes.barh([y + shift for y in at], values, thick, label=label,
                              left=left if stacked else None, color=COLOURS[number])
            for bar, each in zip(drawn, names):
                bar.set_alpha(0.4 if each.startswith("floor") else 1)
            if stacked:
                left = [a + b for a, b in zip(left, values)]
            if not stacked or number == len(series) - 1:
                totals = left if stacked else values
                axes.bar_label(drawn, [f"{v:.3g}" if v < 1000 else f"{v:,.0f}" for v in totals],
                               padding=3, fontsize=8)
        axes.set_yticks(list(at), names)
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.16)
        axes.set_xlabel(unit)
        if len(series) > 1:
            axes.legend(frameon=False, fontsize=8, ncols=len(series), loc="lower right",
                        bbox_to_anchor=(1, 1), borderpad=0)
        return figure_of(name, title, inline(figure, name, title, unit, *series))


def lines(name: str, title: Said, xs: list[int], series: Series, x_unit: Said, unit: Said) -> str:
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.6, 3.6))
        for label, values in series.items():
            axes.plot(xs, values, marker="o", markersize=3, label=label)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(x_unit)
        axes.set_ylabel(unit)
        axes.legend(frameon=False, fontsize=7, ncols=2)
        return figure_of(name, title, inline(figure, name, title, x_unit, unit))


def figure_of(name: str, title: Said, svg: str) -> str:
    return (f'<figure id="plot-{name}"><figcaption data-zh="{html.escape(title.zh)}">'
            f"{html.escape(title)}</figcaption>{svg}</figure>")
