"""make demo: one conversation, four event loops, the same answers.

Plays tests/compare/conversations/demo.conv against all four stages. Exit status 1 if one of them
answers anything else than the file says.
"""

from __future__ import annotations

import sys

from tests import harness
from tests.compare import conversation as conv, play, show
from tests.lib.words import say, shown

FIRST, CELL = 33, 11
HEADS = ("01 plain", "02 reactor", "03 libevent", "04 buffer")
NEXT = (
    ("run a stage:", "make run-02"),
    ("talk to it, from another terminal:",
     "printf 'Hello, 世界 123' | nc -N 127.0.0.1 7002\ncurl -i http://127.0.0.1:8002/hello"),
    ("see what the next stage changes:",
     "diff 01_plain_epoll/server.cc 02_epoll_reactor/server.cc"),
)


def cell(seen: list[conv.Observation]) -> str:
    wrong = play.differences(seen)
    return f"✗ byte {wrong[0].at}" if wrong else "✓"


def rows(played: dict[str, list[conv.Observation]]) -> list[tuple[str, list[str]]]:
    """One row per caption; what follows the last step belongs to the last caption."""
    captions = dict.fromkeys(o.step.caption for seen in played.values() for o in seen)
    return [(caption, [cell([o for o in seen if o.step.caption == caption])
                       for seen in played.values()]) for caption in captions]


def print_table(played: dict[str, list[conv.Observation]]) -> None:
    print(" " * FIRST + " ".join(show.paint(show.fit(h, CELL), "bold") for h in HEADS).rstrip())
    for caption, cells in rows(played):
        marks = " ".join(play.mark(text, CELL) for text in cells)
        print((show.fit(shown(caption), FIRST) + marks).rstrip())


def main() -> int:
    conversation = conv.find("demo")
    print(shown(say("One conversation, played against four event loops:")) + "\n")
    try:
        played = play.play_all(conversation, play.all_stages())
    except (harness.StartError, OSError) as why:
        print(f"demo: a stage does not run: {why}", file=sys.stderr)
        return 1
    print_table(played)
    wrong = {label: play.differences(seen) for label, seen in played.items()}
    if any(wrong.values()):
        what = shown(say("Not what the conversation expects:"))
        print("\n" + show.paint(what, "red", "bold"))
        for label in (label for label in wrong if wrong[label]):
            print(f"stage {label}, " + "\n".join(conv.difference(wrong[label][0], conversation)))
        return 1
    count = sum(len(o.got) for o in played["01"] if o.step.verb == "receives")
    same = say("All four answered byte for byte the same: {count} bytes each, the Date header "
               "aside.", count=count)
    print("\n" + show.paint(shown(same), "green", "bold"))
    print("\n" + shown(say("Next:")))
    for what, commands in NEXT:
        print(f"  {shown(say(what))}")
        for command in commands.split("\n"):
            print("      " + show.paint(command, "cyan"))
    return 0


if __name__ == "__main__":
    sys.exit(show.guarded(main))
