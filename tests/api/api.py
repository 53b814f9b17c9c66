"""notes/libevent_api.md: a table of every libevent function and macro that the C++ sources use.

    -m tests.api.api write     makes the table
    -m tests.api.api check     says what is missing, superfluous or stale, and fails then
    -m tests.api.api used      lists what is used, and where

Declarations come from the installed headers, lines from the sources, the words from api.txt: one
line per function, `name | what it does | in stages 1 and 2 | threads`, under `# Section` lines.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import subprocess
import sys

from tests.lib import cpp

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTE = ROOT / "notes" / "libevent_api.md"
WORDS = pathlib.Path(__file__).with_name("api.txt")

HEAD = """# libevent, as far as this tree uses it

Every function and macro of libevent that the sources of stages 3 and 4 name, with its declaration
in the installed headers, its first use, and what stands in its place in stages 1 and 2, where
everything is done by hand. `make api` writes this page from the sources and from
[`tests/api/api.txt`](../tests/api/api.txt); `make api-check` fails when a function is missing here.

**Threads.** *own* means: called by the thread that runs the base only. Nothing in these sources
shares a base, so that is all there is. libevent could do more: after `evthread_use_pthreads()` a
base and the events on it may be used by any thread (it takes a lock each time), a bufferevent with
`BEV_OPT_THREADSAFE` and an evbuffer after `evbuffer_enable_locking()` as well; evdns takes a lock
of its own, evhttp and evrpc have none. *start* means: before the first base is made. *any* means:
touches nothing that is shared.

"""


class ApiError(Exception):
    """The table cannot be made, or is not what it should be."""


@dataclasses.dataclass
class Entry:
    section: str
    what: str
    stages: str
    threads: str


def headers() -> list[pathlib.Path]:
    folder = subprocess.run(["pkg-config", "--variable=includedir", "libevent"], check=True,
                            capture_output=True, text=True).stdout.strip() or "/usr/include"
    found = sorted(pathlib.Path(folder, "event2").glob("*.h"))
    if not found:
        raise ApiError(f"no headers in {folder}/event2")
    return [path for path in found if not path.stem.endswith("_compat")]


def declared() -> dict[str, str]:
    """Name -> declaration, of every exported function and every macro with arguments."""
    found: dict[str, str] = {}
    for path in headers():
        text = cpp.blanked(path.read_text(errors="replace"), directives=False)
        for match in re.finditer(r"^#define +(\w+)(\([^)]*\))", text, re.M):
            found.setdefault(match[1], f"#define {match[1]}{match[2]}")
        for match in re.finditer(r"^EVENT2_EXPORT_SYMBOL\s+([^;{#\\]+?);", text, re.M):
            if name := re.search(r"(\w+)\s*\(", re.sub(r"\(\*\w+\)", "", match[1])):
                found[name[1]] = re.sub(r"\s+", " ", match[1])
    return found


def used(names) -> dict[str, list[tuple[str, int]]]:
    """Name -> where it stands, of those that the C++ sources name."""
    places: dict[str, list[tuple[str, int]]] = {}
    for path in sorted(ROOT.glob("0*_*/*")):
        if path.suffix not in (".h", ".cc"):
            continue
        for number, line in enumerate(cpp.blanked(path.read_text()).splitlines(), 1):
            for name in re.findall(r"\b\w+\b", line):
                if name in names:
                    places.setdefault(name, []).append((str(path.relative_to(ROOT)), number))
    return places


def words(text: str) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("# "):
            section = line[2:]
        elif line.strip():
            parts = [part.strip() for part in line.split(" | ")]
            if len(parts) != 4 or not all(parts) or parts[0] in entries:
                raise ApiError(f"{WORDS.name}:{number}: not four parts, or a second entry: {line}")
            entries[parts[0]] = Entry(section, *parts[1:])
    return entries


def table(entries: dict[str, Entry]) -> str:
    names = declared()
    places = used(names)
    if missing := sorted(places.keys() - entries.keys()):
        first = places[missing[0]][0]
        raise ApiError(f"used but not in {WORDS.name}: {', '.join(missing)} "
                       f"(the first one in {first[0]}:{first[1]})")
    if unused := sorted(entries.keys() - places.keys()):
        raise ApiError(f"in {WORDS.name} but not used: {', '.join(unused)}")
    out, section = HEAD, ""
    for name, entry in entries.items():
        if entry.section != section:
            section = entry.section
            out += (f"## {section}\n\n| declaration | used | what it does | in stages 1 and 2 "
                    "| threads |\n|---|---|---|---|---|\n")
        path, line = places[name][0]
        more = len(places[name]) - 1
        link = f"[{path}:{line}](../{path}#L{line})" + (f" and {more} more" if more else "")
        declaration = names[name].replace("|", "\\|")
        out += f"| `{declaration}` | {link} | {entry.what} | {entry.stages} | {entry.threads} |\n"
        following = list(entries)[list(entries).index(name) + 1:]
        if following and entries[following[0]].section != section:
            out += "\n"
    return out


def main(command: str) -> int:
    try:
        if command == "used":
            for name, places in used(declared()).items():
                print(name, *(f"{path}:{line}" for path, line in places))
            return 0
        text = table(words(WORDS.read_text()))
        if command == "write":
            NOTE.write_text(text)
        elif not NOTE.exists() or NOTE.read_text() != text:
            raise ApiError(f"{NOTE.relative_to(ROOT)} is stale: run `make api`")
        return 0
    except ApiError as error:
        print(f"api: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("write", "check", "used"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
