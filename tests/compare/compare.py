"""What is really different between two stages? From observation: code, wire, system calls.

    -m tests.compare.compare all                          every conversation against every stage
    -m tests.compare.compare pair 01 02 --conv keepalive  three views of two stages
    -m tests.compare.compare trace 03 --conv keepalive    one stage's system calls, explained
    -m tests.compare.compare list                         the conversations

Exit status: 0 identical, 1 a difference on the wire, 2 wrong usage, a wrong conversation file, or
a line of strace's that cannot be explained.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys

from tests import harness
from tests.compare import calls, conversation as conv, expected, play, render, show
from tests.lib import strace

VIEWS = ("code", "wire", "calls")


def stage_of(number: str) -> str:
    for stage in harness.STAGES:
        if number in (stage, play.stage_label(stage), str(int(play.stage_label(stage)))):
            return stage
    if os.sep in number and pathlib.Path(number, "server.cc").exists():
        return number
    raise argparse.ArgumentTypeError(f"no stage {number!r} (01, 02, 03, 04), nor a folder with a "
                                     "server.cc")


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--conv", metavar="NAME", help="one conversation")
    shared.add_argument("--folder", type=pathlib.Path, default=conv.FOLDER,
                        help="of the conversations (*.conv)")
    shared.add_argument("--json", action="store_true", help="data instead of text")
    shared.add_argument("--binary", metavar="STAGE=PATH", action="append", default=[],
                        help="another program in the place of a stage, such as 02=./mine")
    parser = argparse.ArgumentParser(prog="tests.compare.compare", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("all", parents=[shared], help="all conversations, all stages")
    pair = commands.add_parser("pair", parents=[shared], help="two stages, three views")
    pair.add_argument("a", type=stage_of)
    pair.add_argument("b", type=stage_of)
    pair.add_argument("--view", choices=VIEWS, action="append", help="only this view")
    trace = commands.add_parser("trace", parents=[shared], help="one stage's system calls")
    trace.add_argument("stage", type=stage_of)
    commands.add_parser("list", parents=[shared], help="the conversations")
    options = parser.parse_args(arguments)
    options.binaries = {}
    for text in options.binary:
        number, equals, path = text.partition("=")
        try:
            options.binaries[stage_of(number)] = path
        except argparse.ArgumentTypeError as why:
            parser.error(f"--binary: {why}")
        if not equals:
            parser.error("--binary: STAGE=PATH")
    return options


def target(options: argparse.Namespace, stage: str) -> str:
    return options.binaries.get(stage, stage)


def chosen(options: argparse.Namespace, default: str = "") -> list[conv.Conversation]:
    name = options.conv or default
    return [conv.find(name, options.folder)] if name else conv.load_all(options.folder)


def print_json(data) -> None:
    print(json.dumps(data, indent=2))


# ---- all -----------------------------------------------------------------------------------------

def play_all(conversations: list[conv.Conversation], targets: dict[str, str]) -> render.Played:
    played: render.Played = {}
    with show.Progress() as progress:
        for i, conversation in enumerate(conversations, 1):
            progress(f"wire: {i}/{len(conversations)} {conversation.name}")
            played[conversation.name] = play.play_all(conversation, targets)
    return played


def command_all(options: argparse.Namespace) -> int:
    conversations = chosen(options)
    targets = {label: target(options, stage) for label, stage in play.all_stages().items()}
    stages = list(targets)
    if harness.binary("evhttp_server").exists():
        targets[play.EVHTTP] = str(harness.binary("evhttp_server"))
    played = play_all(conversations, targets)
    evhttp = {name: seen[play.EVHTTP] for name, seen in played.items() if play.EVHTTP in seen}
    complaints = expected.check(evhttp)
    differs = bool(complaints) or any(play.differences(seen[label])
                                      for seen in played.values() for label in stages)
    if options.json:
        print_json({"identical": not differs, "conversations": render.wire_json(played),
                    "evhttp": complaints})
        return int(differs)
    listed = frozenset((name, play.EVHTTP) for name, seen in evhttp.items()
                       if play.differences(seen) and not expected.unlisted(name, seen))
    render.wire_text(conversations, played, list(targets), listed)
    print_verdict(len(conversations), differs, listed, complaints)
    return int(differs)


def print_verdict(count: int, differs: bool, listed: frozenset, complaints: list[str]) -> None:
    print()
    if listed:
        print("✓* differs, as expected: evhttp_differences.txt says where and why")
    for complaint in complaints:
        print(show.paint(complaint, "red"))
    if differs:
        print(show.paint("Not identical.", "red", "bold"))
    else:
        print(show.paint(f"{count} conversations: the stages answer byte for byte the same (Date "
                         "aside)", "green", "bold"))


# ---- pair ----------------------------------------------------------------------------------------

def command_pair(options: argparse.Namespace) -> int:
    views = options.view or list(VIEWS)
    result: dict = {}
    status = 0
    for i, view in enumerate(views):
        if i and not options.json:
            print()
        if view == "code":
            result["code"] = render.code_json(options.a, options.b)
            if not options.json:
                render.code_text(options.a, options.b)
        elif view == "wire":
            status = pair_wire(options, result)
        else:
            pair_calls(options, result)
    if options.json:
        print_json(result)
    return status


def pair_wire(options: argparse.Namespace, result: dict) -> int:
    conversations = chosen(options)
    targets = {play.stage_label(s): target(options, s) for s in (options.a, options.b)}
    played = play_all(conversations, targets)
    result["wire"] = render.wire_json(played)
    if not options.json:
        render.wire_text(conversations, played, list(targets))
    return int(any(play.differences(seen) for both in played.values() for seen in both.values()))


def pair_calls(options: argparse.Namespace, result: dict) -> None:
    """The timelines of one conversation (keepalive, if none is named), counts of the others."""
    if why := harness.why_no_tracing():
        result["calls"] = {"error": why}
        if not options.json:
            print(f"no system calls: {why}")
        return
    full = options.conv or "keepalive"
    conversations = chosen(options, full)
    if not options.conv:
        conversations += [c for c in conv.load_all(options.folder) if c.name != full]
    result["calls"] = {}
    counts = {}
    with show.Progress() as progress:
        for i, conversation in enumerate(conversations):
            progress(f"system calls: {i + 1}/{len(conversations)} {conversation.name}")
            left, right = (calls.trace(conversation, target(options, stage))
                           for stage in (options.a, options.b))
            result["calls"][conversation.name] = {
                play.stage_label(options.a): render.trace_json(left),
                play.stage_label(options.b): render.trace_json(right)}
            if i == 0 and not options.json:
                render.calls_text(options.a, options.b, conversation.name, left, right)
            elif line := render.per_request(left, right):
                counts[conversation.name] = line
    if counts and not options.json:
        render.other_counts_text(options.a, options.b, counts)


# ---- trace ---------------------------------------------------------------------------------------

def command_trace(options: argparse.Namespace) -> int:
    if why := harness.why_no_tracing():
        print_json({"error": why}) if options.json else print(f"no system calls: {why}")
        return 0
    conversation, = chosen(options, "keepalive")
    trace = calls.trace(conversation, target(options, options.stage))
    if options.json:
        print_json(render.trace_json(trace))
    else:
        render.trace_text(options.stage, conversation, trace)
    return 0


def command_list(options: argparse.Namespace) -> int:
    conversations = chosen(options)
    if options.json:
        print_json({c.name: c.title for c in conversations})
    else:
        for conversation in conversations:
            print(f"{conversation.name:20} {conversation.title}")
    return 0


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    try:
        return globals()[f"command_{options.command}"](options)
    except (conv.WrongStep, strace.NotUnderstood) as why:
        print(why, file=sys.stderr)
        return 2
    except (harness.StartError, OSError) as why:
        if isinstance(why, BrokenPipeError):
            raise
        print(f"a server does not run: {why}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(show.guarded(main, sys.argv[1:]))
