"""The stages are siblings: same names, same order, and what need not differ is equal to the letter.

These tests read the sources. They fail when a stage drifts away from its neighbours, or outgrows
what one can hold in mind.
"""

from __future__ import annotations

import re
import statistics
import subprocess

import pytest

from tests import harness
from tests.lib import cpp

pytestmark = pytest.mark.repository

ORDER = ["run", "on_acceptable", "on_readable", "on_writable", "decide_next", "watch", "on_time_up",
         "on_signal", "close_connection"]
FIRST, SECOND, THIRD, FOURTH = harness.STAGES

# Which functions are equal to the letter, between which neighbours. What is not named here differs,
# for the reason that the later stage's header comment gives. An entry goes only with such a reason.
EQUAL = {
    (FIRST, SECOND): ["on_writable", "on_time_up"],
    (SECOND, THIRD): ["on_readable", "on_writable", "on_time_up"],
    (THIRD, FOURTH): [],
}
# Equal after the names of the mechanism are exchanged: the algorithm is the same.
RENAMED = {
    (FIRST, SECOND): (["decide_next", "on_acceptable", "on_signal"], [
        (r"watch\((?:c\.)?loop, c, EPOLLIN\)", "watch(c, EPOLLIN, on_readable)"),
        (r"watch\((?:c\.)?loop, c, EPOLLOUT\)", "watch(c, EPOLLOUT, on_writable)"),
        (r"watch\(loop, loop\.listeners", "loop.reactor.watch(loop.listeners"),
        (r"\n    loop\.by_fd\[.*", "")]),
    (SECOND, THIRD): (["decide_next", "on_acceptable", "on_signal"], [
        (r"EPOLLIN, on_readable", "EV_READ, call<on_readable>"),
        (r"EPOLLOUT, on_writable", "EV_WRITE, call<on_writable>"),
        (r"\{\{std::move\(client\)\}, loop, (.*?)\}\)",
         r"{loop, std::move(client), \1},\n        call<on_time_up>)"),
        (r"loop\.reactor\.watch\((loop\.listeners\[protocol\]), 0\)", r"\1.ev.reset()")]),
    (THIRD, FOURTH): ([], []),
}
LINES = {FIRST: 180, SECOND: 180, THIRD: 220, FOURTH: 230}


def source(stage: str) -> str:
    return (harness.ROOT / stage / "server.cc").read_text()


def bodies(text: str) -> dict[str, str]:
    """The definition of each function behind main: name -> its text, in order. Trampolines of
    libevent share a name."""
    defined = [d for d in cpp.declarations(text) if d.kind == "function"]
    main = next(i for i, d in enumerate(defined) if d.name == "main")
    return {d.name: d.code for d in defined[main:]}


def prototypes(text: str) -> list[str]:
    return [d.name for d in cpp.declarations(text) if d.kind == "prototype"]


@pytest.mark.parametrize("name", harness.STAGES)
def test_order(name):
    """Prototypes in the order of a connection's life, then main, then the bodies, same order."""
    text = source(name)
    assert prototypes(text)[:len(ORDER)] == ORDER
    defined = list(bodies(text))
    assert defined[0] == "main"
    assert defined[1:len(ORDER) + 1] == ORDER
    helpers = prototypes(text)[len(ORDER):]
    assert [f for f in defined[len(ORDER) + 1:] if f in helpers] == helpers, "helpers' order"


@pytest.mark.parametrize("name", harness.STAGES)
def test_header_comment(name):
    """The file opens with what is new here and what is left out on purpose."""
    comment = re.match(r"(?://.*\n)+", source(name))[0]
    assert comment.startswith(f"// Stage {int(name[:2])}: ")
    assert "\n// New here: " in comment and "\n// Not here, on purpose: " in comment


def nesting(body: str) -> int:
    """Blocks inside blocks, the function's own not counted."""
    depth = deepest = 0
    for char in re.sub(r"\{[^{}\n]*\}", "", cpp.blanked(body)):
        depth += (char == "{") - (char == "}")
        deepest = max(deepest, depth)
    return deepest - 1


@pytest.mark.parametrize("name", harness.STAGES)
def test_budgets(name):
    """Small enough to be read in one go."""
    text = source(name)
    assert len(text.splitlines()) <= LINES[name]
    lengths = {f: len(body.splitlines()) for f, body in bodies(text).items()}
    assert max(lengths.values()) <= 40, lengths
    assert statistics.median(lengths.values()) <= 12, lengths
    for function, body in bodies(text).items():
        assert nesting(body) <= 4, function


SOURCES = [path for folder in ("common", *harness.STAGES)
           for path in sorted((harness.ROOT / folder).glob("*.cc"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_function_is_long(path):
    """What holds for the stages holds for what they share."""
    lengths = {d.name: d.last - d.begin + 1 for d in cpp.definitions(path) if d.kind == "function"}
    assert max(lengths.values(), default=0) <= 40, lengths


def test_common_knows_no_loop():
    """The parser, the sessions and the book-keeping stand below every mechanism: what names one
    belongs in a stage."""
    for path in sorted((harness.ROOT / "common").iterdir()):
        named = re.findall(
            r"epoll_(?:ctl|create|event)|sys/epoll|event2/|libevent\w*\(", path.read_text())
        assert not named, path.name


@pytest.mark.parametrize("pair", EQUAL, ids=lambda pair: f"{pair[0][:2]}-{pair[1][:2]}")
def test_equal_functions(pair):
    """The table EQUAL is the truth, in both directions: a function that became equal belongs in
    it, one that stopped being equal is drift."""
    left, right = (bodies(source(stage)) for stage in pair)
    same = [f for f in left if right.get(f) == left[f]]
    assert same == EQUAL[pair]


@pytest.mark.parametrize("pair", RENAMED, ids=lambda pair: f"{pair[0][:2]}-{pair[1][:2]}")
def test_equal_but_for_the_mechanism(pair):
    """Only the names of the mechanism differ."""
    functions, exchanges = RENAMED[pair]
    left, right = (bodies(source(stage)) for stage in pair)
    for function in functions:
        translated = left[function]
        for old, new in exchanges:
            translated = re.sub(old, new, translated)
        assert translated == right[function], function


def test_the_first_step_is_small():
    """`diff 01 02` shows the reactor and little else."""
    # diff(1) itself, because that is what a reader runs: difflib finds longer ways.
    files = [str(harness.ROOT / stage / "server.cc") for stage in (FIRST, SECOND)]
    diff = subprocess.run(["diff", *files], capture_output=True, text=True, check=False).stdout
    removed = sum(line.startswith("<") for line in diff.splitlines())
    added = sum(line.startswith(">") for line in diff.splitlines())
    assert removed <= 60 and added <= 45, (removed, added)


def test_the_check_itself():
    """The parser above finds what it is to find: an empty set of functions would pass
    everything."""
    text = ("void f(int a);\n\nint main() {\n  if (a) {\n    b();\n  }\n}\n\n"
            "void f(int a) { c(); }\n")
    assert prototypes(text) == ["f"]
    assert list(bodies(text)) == ["main", "f"]
    assert nesting(bodies(text)["main"]) == 1
    assert all(len(bodies(source(stage))) > len(ORDER) for stage in harness.STAGES)
