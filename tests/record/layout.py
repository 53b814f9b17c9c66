"""Run by gdb, in batch: what the debug information of a program says of its functions and objects.

    gdb -nx -batch -x tests/record/layout.py PROGRAM

Prints one JSON object: `functions` (name, file, first and last line, and where its code lies),
`lines` (where the code of which line begins), and `offsets`, for those objects of a loop that a
recording shows (CHAINS). What a program of somebody's own does not have is left out.
"""

from __future__ import annotations

import json
import re
import subprocess

import gdb

SHOWN = re.compile(r"(^|/)(server|reactor|base|session|\w+_session|evhttp_server)\.cc$")
SPACE = r"(?:\(anonymous namespace\)::)?"
CHAINS = {  # type -> the members that are looked for in it, through bases and members
    "Loop": ["deadlines", "deadlines.serving_", "deadlines.last_look_", "deadlines.lingering_",
             "deadlines.closed_", "deadlines.open_", "deadlines.idle_", "deadlines.linger_",
             "deadlines.serving_.timeout", "deadlines.serving_.members"],
    "Connection": ["fd", "bev", "socket", "interest", "out", "out.begin_", "out.end_", "owed",
                   "handler", "place.clock_started", "place.timeout", "place.timer",
                   "place.timer.ev_timeout", "ev.ev_evcallback.evcb_cb_union"],
    "Channel": ["handler"],
}


def plain(name: str) -> str:
    """Without namespaces that have no name, and without parameters."""
    name = re.sub(r"\(anonymous namespace\)::|^void |(?<=\()void ", "", name)
    name = name.replace("(Protocol)0", "kText").replace("(Protocol)1", "kHttp")
    name = re.sub(r"&(\w+)>|&\((\w+<\w+>)\([^()]*\)\)>", r"\1\2>", name)
    if match := re.match(r"(.*)::\{lambda\(.*?\)#(\d+)\}::operator\(\)", name):
        return f"lambda {match[2]} in {plain(match[1])}"
    depth = 0
    for at, char in enumerate(name):
        depth += (char == "<") - (char == ">")
        if char == "(" and depth == 0 and at > 0:
            return name[:at]
    return name


def symbols() -> list[tuple[int, int, str]]:
    """Address, size and name of each function: gdb's own list has no lambdas in it."""
    said = subprocess.run(["nm", "-C", "-S", "--defined-only", gdb.current_progspace().filename],
                          check=True, capture_output=True, text=True).stdout
    rows = [re.match(r"(\w+) (\w+) [tTwW] (.*)", line) for line in said.splitlines()]
    return [(int(row[1], 16), int(row[2], 16), row[3]) for row in rows if row]


def is_written(name: str, line: str) -> bool:
    """Somebody wrote it: the compiler's own constructors stand where their class does."""
    return not re.match(r"\s*(struct|class)\b", line) and "::_FUN(" not in name


def find(kind: gdb.Type, path: list[str]) -> tuple[int, int] | None:
    """Offset and size of a member, in bytes."""
    kind = kind.strip_typedefs()
    if not path:
        return 0, kind.sizeof
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return None
    for field in kind.fields():
        if not hasattr(field, "bitpos"):
            continue  # static
        rest = path if field.is_base_class else path[1:] if field.name == path[0] else None
        found = find(field.type, rest) if rest is not None else None
        if found:
            return field.bitpos // 8 + found[0], found[1]
    return None


def offsets() -> dict:
    found = {}
    for name, members in CHAINS.items():
        try:
            kind = gdb.lookup_type(f"(anonymous namespace)::{name}" if name != "Channel" else name)
        except gdb.error:
            continue
        found[name] = [0, kind.sizeof]
        for member in members:
            if place := find(kind, member.split(".")):
                found[f"{name}.{member}"] = list(place)
    return found


def frame_offset() -> int | None:
    """Of run()'s variable `loop`, from the frame's canonical address."""
    try:
        said = gdb.execute("info scope '(anonymous namespace)::run'", to_string=True)
    except gdb.error:
        return None
    match = re.search(r"Symbol loop is [^:]*:\s*0: DW_OP_fbreg (-?\d+)", said)
    return int(match[1]) if match else None


def invokers(named: list[tuple[int, int, str]]) -> dict[int, int]:
    """What a std::function calls first -> the lambda that is in it."""
    starts = {plain(name): start for start, _, name in named if "::{lambda" in name}
    found = {}
    for start, _, name in named:
        if match := re.match(r"std::_Function_handler<.*?\(\), (.*\})>::_M_invoke\(", name):
            found[start] = starts.get(plain(f"{match[1]}::operator()"))
    return {start: inner for start, inner in found.items() if inner is not None}


def main() -> dict:
    functions, lines, tables = {}, [], {}
    named = symbols()
    for start, size, name in named:
        place = gdb.find_pc_line(start)
        if place.symtab is None or not SHOWN.search(place.symtab.filename):
            continue
        if place.symtab not in tables:
            table = [(entry.pc, entry.line) for entry in place.symtab.linetable() if entry.line > 0]
            with open(place.symtab.fullname(), encoding="utf-8") as source:
                tables[place.symtab] = table, source.read().splitlines()
            lines += table
        table, text = tables[place.symtab]
        if is_written(name, text[place.line - 1]):
            inside = [line for pc, line in table if start <= pc < start + size]
            functions[start] = {
                "name": plain(name), "file": place.symtab.filename,
                "path": place.symtab.fullname(), "line": place.line,
                "end": max(inside, default=place.line), "start": start, "stop": start + size}
    return {"functions": [functions[start] for start in sorted(functions)], "lines": sorted(lines),
            "offsets": offsets(), "loop": frame_offset(), "invokers": invokers(named),
            "freeing": [(start, start + size) for start, size, name in named
                        if "::free_closed(" in name]}


print(json.dumps(main()))
