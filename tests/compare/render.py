"""The views as text, and as data for --json. Each view has a function for either."""

from __future__ import annotations

import difflib
import itertools
import re
import textwrap

from tests.compare import calls, conversation as conv, functions, play, show
from tests.lib.words import shown

STATUS_COLOUR = {"equal": "green", "changed": "yellow", "new": "cyan", "gone": "red"}


def heading(text: str) -> None:
    print(show.paint(text, "bold"))


# ---- code ----------------------------------------------------------------------------------------

def code_text(a: str, b: str) -> None:
    sources = functions.source_of(a), functions.source_of(b)
    changes = functions.compare(*sources)
    lines = [len(source) for source in sources]
    added, removed = (sum(n) for n in zip(*(c.counts() for c in changes)))
    heading(f"code: {a}/server.cc ({lines[0]} lines) → {b}/server.cc ({lines[1]} lines): "
            f"+{added} −{removed}")
    for change in changes:
        plus, minus = change.counts()
        size = "" if change.status == "equal" else f"+{plus} −{minus}"
        status = show.paint(f"{change.status:8}", STATUS_COLOUR[change.status])
        print(f"  {status} {change.name:24} {size}".rstrip())
    for change in (c for c in changes if c.status != "equal"):
        print(show.paint(f"\n── {change.name}: {change.status}", "bold"))
        for line in change.hunk():
            colour = {"+": ("green",), "-": ("red",)}.get(line[:1], ())
            print(show.paint(line, *colour))


def code_json(a: str, b: str) -> list[dict]:
    return [{"name": c.name, "status": c.status, "lines": [len(c.before), len(c.after)],
             "hunk": [] if c.status == "equal" else c.hunk()}
            for c in functions.compare(functions.source_of(a), functions.source_of(b))]


# ---- wire ----------------------------------------------------------------------------------------

Played = dict[str, dict[str, list[conv.Observation]]]  # conversation -> label -> observations
ABSENT = "–"  # this server has no part in the conversation


def wire_text(conversations: list[conv.Conversation], played: Played, labels: list[str],
              listed: frozenset = frozenset()) -> None:
    """A row per conversation; below the table the first differing byte of each that differs."""
    names = max([len(c.name) for c in conversations] + [12])
    cell = max([len(label) for label in labels] + [4]) + 2
    room = show.columns() - names - 2 - cell * len(labels)
    heads = "".join(show.fit(label, cell) for label in labels)
    heading(f"{'conversation':{names + 2}}{heads}".rstrip())
    for conversation in conversations:
        cells = [wire_cell(played[conversation.name].get(label), (conversation.name, label), listed)
                 for label in labels]
        title = show.paint(conv.shorten(conversation.title, room), "dim") if room > 20 else ""
        marks = "".join(play.mark(text, cell) for text in cells)
        print(f"{conversation.name:{names + 2}}{marks}{title}".rstrip())
    for conversation in conversations:
        for label, seen in played[conversation.name].items():
            wrong = play.differences(seen)
            if wrong and (conversation.name, label) not in listed:
                print()
                print(show.paint(f"{conversation.name}, {label}:", "red", "bold"))
                print("\n".join(conv.difference(wrong[0], conversation)))


def wire_cell(seen: list[conv.Observation] | None, key: tuple[str, str], listed: frozenset) -> str:
    if seen is None:
        return ABSENT
    if not play.differences(seen):
        return "✓"
    return "✓*" if key in listed else "✗"


def wire_json(played: Played) -> dict:
    def entry(seen: list[conv.Observation]) -> dict:
        wrong = [{"line": o.step.line, "step": o.step.text, "byte": o.at,
                  "expected": conv.printable(o.expected), "got": conv.printable(o.got)}
                 for o in play.differences(seen)]
        return {"identical": not wrong, "differences": wrong}

    return {name: {label: entry(seen) for label, seen in by_label.items()}
            for name, by_label in played.items()}


# ---- system calls --------------------------------------------------------------------------------

def calls_text(a: str, b: str, name: str, left: calls.Trace, right: calls.Trace) -> None:
    """Two timelines, side by side; a mark between them where they differ."""
    width = (show.columns() - 3) // 2
    heading(f"system calls: {name}")
    print(show.paint(f"{show.fit(a, width)}   {b}", "bold"))
    for step_a, step_b in zip(left.steps, right.steps):
        print(show.paint(conv.shorten("── " + step_a.step.text, show.columns()), "cyan"))
        for text_a, mark, text_b in side_by_side(step_a, step_b):
            line = f"{show.fit(text_a, width)} {mark} {show.fit(text_b, width)}".rstrip()
            print(show.paint(line, *(() if mark == " " else ("yellow",))))
    counts = per_request(left, right) or "not counted (no request, or bulk that is cut by chance)"
    print(textwrap.fill(f"calls per request, {a[:2]} | {b[:2]}: {counts}", show.columns(),
                        subsequent_indent="  "))


def side_by_side(a: calls.StepCalls, b: calls.StepCalls) -> list[tuple[str, str, str]]:
    before, after = ([shown(text) for text, _ in step.lines()] for step in (a, b))
    rows = []
    matcher = difflib.SequenceMatcher(None, [purpose(text) for text in before],
                                      [purpose(text) for text in after], autojunk=False)
    for _, a1, a2, b1, b2 in matcher.get_opcodes():
        for old, new in itertools.zip_longest(before[a1:a2], after[b1:b2], fillvalue=""):
            mark = " " if old == new else "|" if old and new else "<" if old else ">"
            rows.append((old, mark, new))
    return rows


def purpose(line: str) -> tuple[str, ...]:
    """What two calls must have in common to stand in one row: recv and readv do the same job."""
    name, _, rest = line.partition("(")
    if "wait" in name:
        return "wait", rest.partition(" = ")[2]
    job = "read" if name in calls.READS else "write" if name in calls.WRITES else name
    return job, *re.findall(r"\bc\d|[a-z]+-(?:listener|pipe)|signals", rest)[:1]


def number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def per_request(left: calls.Trace, right: calls.Trace) -> str:
    """By kind, left | right; empty where a number would mean nothing."""
    if not (left.countable and right.countable):
        return ""
    one, two = left.by_kind(), right.by_kind()
    kinds = [f"{kind} {number(one.get(kind, 0))} | {number(two.get(kind, 0))}"
             for kind in sorted(one | two)]
    total = f"all {number(sum(one.values()))} | {number(sum(two.values()))}"
    return ", ".join([*kinds, total])


def other_counts_text(a: str, b: str, counts: dict[str, str]) -> None:
    print(f"\ncalls per request, {a[:2]} | {b[:2]}, in the other conversations:")
    for name, text in counts.items():
        print(textwrap.fill(f"  {name:18} {text}", show.columns(), subsequent_indent=" " * 21))


def trace_text(stage: str, conversation: conv.Conversation, trace: calls.Trace) -> None:
    """One timeline, with what each call is for."""
    title = f"{stage}, {conversation.name}: {shown(conversation.title)}"
    heading(conv.shorten(title, show.columns()))
    timeline(trace)


def timeline(trace: calls.Trace) -> None:
    lines = [shown(text) for step in trace.steps for text, _ in step.lines()]
    left = min(max([show.width_of(text) for text in lines] + [20]), show.columns() // 2)
    right = show.columns() - left - 4
    caption = ""
    for step in trace.steps:
        if step.step.caption != caption:
            caption = step.step.caption
            print(show.paint(f"* {shown(caption)}", "bold"))
        print(show.paint(conv.shorten("── " + step.step.text, show.columns()), "cyan"))
        for text, gloss in step.lines():
            for i, part in enumerate(show.wrap(shown(gloss), right)):
                call = "" if i else shown(text)
                print(f"  {show.fit(call, left)}  {show.paint(part, 'dim')}".rstrip())


def trace_json(trace: calls.Trace) -> dict:
    return {"steps": [{"line": s.step.line, "step": s.step.text,
                       "calls": [{"call": text, "gloss": gloss, "gloss_zh": gloss.zh}
                                 for text, gloss in s.lines()]}
                      for s in trace.steps],
            "requests": trace.requests,
            "calls_per_request": trace.by_kind() if trace.countable else None}
