"""The player: one page that steps two recorded servers side by side, forward and back.

    -m tests.player.build [--recordings FOLDER] [--page FILE] [--links]

Takes the recordings that tests.compare.record wrote (what one holds is said there) and the sources
they speak of, and puts them into one HTML file with the scripts, the styles and the texts: it asks
for nothing else, so that it can be handed around as a file.

A conversation's recordings say the same things again and again, within one server and from server
to server. Stacks, calls and values of the state are therefore kept once per conversation, a step
holds their numbers, column by column, and gzip does the rest. The browser unpacks a conversation
when it is chosen.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import pathlib
import re
import sys
import urllib.parse

from tests import harness
from tests.compare import conversation as conv
from tests.lib import zh

HERE = pathlib.Path(__file__).resolve().parent
RECORDINGS = harness.ROOT / "build" / "recordings"
PAGE = harness.ROOT / "build" / "player" / "index.html"
SCRIPTS = ("data.js", "align.js", "text.js", "draw.js", "predict.js", "player.js")
FORMAT = 1
KINDS = ("call", "enter", "client", "wait")
LINK = re.compile(r"player\.md#(conv=[^)\s]+)")
HOLE = re.compile(r"\{(\w+)\}")
ANSWER = re.compile(rb"HTTP/1\.1 (?!100)\d")


class Unusable(Exception):
    """The recordings that are there make no page; the text says why."""


class Table:
    """Values by number; the same value has one."""

    def __init__(self, *first):
        self.values: list = []
        self.numbers: dict[str, int] = {}
        for value in first:
            self.number(value)

    def number(self, value) -> int:
        key = json.dumps(value, sort_keys=True)
        if key not in self.numbers:
            self.numbers[key] = len(self.values)
            self.values.append(value)
        return self.numbers[key]


class Tables:
    """What the recordings of one conversation share."""

    def __init__(self):
        self.stacks, self.calls, self.keys, self.values = Table(), Table(), Table(), Table()
        self.names = Table("")

    def columns(self, steps: list[dict]) -> dict[str, list]:
        def state(step: dict) -> list[list[int]]:
            return [[self.keys.number(key), self.values.number(value)]
                    for key, value in step.get("state", {}).items()]

        return {"client": [step["client"] for step in steps],
                "kind": [KINDS.index(step["kind"]) for step in steps],
                "fn": [step.get("fn", -1) for step in steps],
                "line": [step.get("line", 0) for step in steps],
                "stack": [self.stacks.number(step.get("stack", [])) for step in steps],
                "call": [self.calls.number(step["call"]) if "call" in step else -1
                         for step in steps],
                "name": [self.names.number(step.get("name", "")) for step in steps],
                "state": [state(step) for step in steps]}

    def json(self) -> dict[str, list]:
        return {name: table.values for name, table in vars(self).items()}


def pack(data) -> str:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(text, 9, mtime=0)).decode()


# ---- recordings ----------------------------------------------------------------------------------

def load(folder: pathlib.Path) -> dict[str, dict[str, dict]]:
    """Conversation -> server -> recording."""
    found: dict[str, dict[str, dict]] = {}
    for path in sorted(folder.glob("*.json")):
        recording = json.loads(path.read_text(encoding="utf-8"))
        if recording.get("format") != FORMAT:
            raise Unusable(f"{path} is of format {recording.get('format')}, not {FORMAT}")
        found.setdefault(recording["conversation"], {})[recording["server"]] = recording
    if not found:
        raise Unusable(f"there is no recording in {folder}: make recordings")
    return {name: dict(sorted(found[name].items(), key=order)) for name in sorted(found)}


def order(item: tuple[str, dict]) -> tuple:
    """A stage, its modes, the next stage; then evhttp; then the broken ones."""
    name, recording = item
    return bool(recording["broken"]), not name[:2].isdigit(), name


def with_requests(name: str, client: list[dict]) -> list[dict]:
    """Each step of the clients' with how many requests were made, counted as `make diff` does:
    answers of the HTTP port, and pieces sent to the text port."""
    try:
        steps = conv.find(name).steps
    except (conv.WrongStep, OSError):
        steps = []
    if len(steps) != len(client):
        return client
    text = {step.client for step in steps if step.value == "text"}
    return [entry | {"requests": int(step.verb == "sends" and step.client in text)
                     + len(ANSWER.findall(step.data) if step.verb == "receives" else [])}
            for entry, step in zip(client, steps)]


def conversation(name: str, recordings: dict[str, dict]) -> dict:
    tables = Tables()
    packed = {server: {"oneRun": recording["one_run"], "functions": recording["functions"],
                       "columns": tables.columns(recording["steps"])}
              for server, recording in recordings.items()}
    first = next(iter(recordings.values()))
    return {"client": with_requests(name, first["client"]), "recordings": packed,
            "tables": tables.json()}


def title(name: str) -> str:
    try:
        return conv.find(name).title
    except (conv.WrongStep, OSError):
        return ""


# ---- sources -------------------------------------------------------------------------------------

def sources(recordings: list[dict]) -> dict[str, list[str]]:
    """The lines of each file with a function in it; SERVER:FILE where a server has its own."""
    files = {function["file"] for recording in recordings for function in recording["functions"]}
    found = {name: lines(harness.ROOT / name) for name in sorted(files)
             if (harness.ROOT / name).is_file()}
    for recording in recordings:
        for name, text in recording.get("sources", {}).items():
            found[f"{recording['server']}:{name}"] = text.splitlines()
    return found


def lines(path: pathlib.Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


# ---- links to it ---------------------------------------------------------------------------------

def dead_links(found: dict[str, dict[str, dict]], notes: pathlib.Path) -> list[str]:
    """The notes' links to a step that no recording has. Only who has the recordings can tell."""
    return [f"{path.relative_to(notes.parent)}: {link}: {why}"
            for path in sorted(notes.glob("**/*.md"))
            for link in LINK.findall(path.read_text(encoding="utf-8"))
            if (why := missing(dict(urllib.parse.parse_qsl(link)), found))]


def missing(asked: dict[str, str], found: dict[str, dict[str, dict]]) -> str:
    """What of a link is not there; empty if all is."""
    recordings = found.get(asked["conv"], {})
    servers = [asked.get("a", ""), asked.get("b", "")]
    if absent := [server for server in servers if server not in recordings]:
        return f"no recording of {absent[0] or 'two servers'}"
    name = asked.get("at", "").partition("~")[0]
    names = {step["name"] for server in servers for step in recordings[server]["steps"]}
    return "" if name in names else f"no step is called {name!r}"


# ---- page ----------------------------------------------------------------------------------------

def data_element(kind: str, name: str, text: str) -> str:
    inside = text.replace("</", "<\\/")  # nothing in it may end the element
    return f'<script type="{kind}" id="{name}">{inside}</script>'


def texts() -> dict:
    """The table of the page, and what the programs say of a call in Chinese: as patterns, since a
    recording brings the words with the names and numbers filled in."""
    table = json.loads((HERE / "strings.json").read_text(encoding="utf-8"))
    templates = zh.WORDS | table.pop("recorded")["zh"]
    return table | {"patterns": {"zh": [[pattern(each), templates[each]] for each in sorted(
        templates, key=lambda each: -len(HOLE.sub("", each)))]}}


def pattern(template: str) -> str:
    """For JavaScript; the most particular comes first, and a name has no space in it."""
    parts = HOLE.split(template)
    return "".join(re.escape(part) if at % 2 == 0 else
                   f"(?<{part}>{r'[^ ]+' if part == 'who' else '.+'})"
                   for at, part in enumerate(parts)).replace("\\ ", " ").replace("\\-", "-")


def contents(found: dict[str, dict[str, dict]]) -> dict:
    servers = {server: {key: recording[key] for key in ("title", "stage", "broken")}
               for recordings in found.values() for server, recording in recordings.items()}
    return {"servers": servers,
            "texts": texts(),
            "conversations": [{"name": name, "title": title(name), "servers": list(recordings)}
                              for name, recordings in found.items()]}


def page(found: dict[str, dict[str, dict]]) -> str:
    plain = json.dumps(contents(found), ensure_ascii=False, separators=(",", ":"))
    data = [data_element("application/json", "contents", plain),
            data_element("text/plain", "sources", pack(sources(
                [each for recordings in found.values() for each in recordings.values()])))]
    data += [data_element("text/plain", f"conv-{name}", pack(conversation(name, recordings)))
             for name, recordings in found.items()]
    parts = {"style": (HERE / "player.css").read_text(encoding="utf-8"), "data": "\n".join(data),
             "script": "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)}
    text = (HERE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], text)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=pathlib.Path, default=RECORDINGS, metavar="FOLDER")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE, metavar="FILE")
    parser.add_argument("--links", action="store_true", help="fail where a note's link is dead")
    options = parser.parse_args(arguments)
    try:
        found = load(options.recordings)
        text = page(found)
    except Unusable as why:
        print(why, file=sys.stderr)
        return 1
    options.page.parent.mkdir(parents=True, exist_ok=True)
    options.page.write_text(text, encoding="utf-8")
    print(f"{options.page}: {len(text.encode()) / 1e6:.2f} MB; open it in a browser")
    dead = dead_links(found, harness.ROOT / "notes") if options.links else []
    print("\n".join(dead), file=sys.stderr, end="\n" if dead else "")
    return int(bool(dead))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
