"""Recordings: what a server does in a conversation, step by step, and how things are after each.

    -m tests.record.record one SERVER CONVERSATION [--binary PATH] --folder FOLDER
    -m tests.record.record all FOLDER     every server with every conversation, and broken ones
    -m tests.record.record list           the servers

A recording is FOLDER/SERVER.CONVERSATION.json. What has not changed is not recorded again.

Exit status: 0, 1 where a healthy server did not do what the conversation says, 2 for wrong usage or
where nothing can be recorded.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from tests import harness, trees
from tests.compare import conversation as conv, play
from tests.record import marks, steps, tap

FOLDER = pathlib.Path("build") / "record"  # of the build with which recordings are made
LIBRARY = harness.ROOT / FOLDER / "recorder.so"
MAKE_FLAGS = "CXXFLAGS=-O0 -g -finstrument-functions"  # those of record.mk
FORMAT = 1
MINE = "mine"
BROKEN = {  # patch of tests/broken -> the conversations in which it shows
    "drops-partial-send": ("slow_reader",),
    "loses-reply-on-half-close": ("half_close", "demo"),
    "reads-on-while-it-owes": ("slow_reader",)}


@dataclasses.dataclass(frozen=True)
class Target:
    """A server that is recorded."""
    name: str
    stage: str
    flags: tuple[str, ...] = ()
    broken: str = ""
    binary: pathlib.Path | None = None

    @property
    def path(self) -> pathlib.Path:
        return self.binary or harness.ROOT / FOLDER / self.program

    @property
    def program(self) -> str:
        return "evhttp_server" if self.name == play.EVHTTP else self.stage

    @property
    def title(self) -> str:
        return " ".join((self.program, *self.flags)) + (f", {self.name}" if self.binary else "")

    def ports(self, conversation: conv.Conversation) -> tuple[str, ...]:
        """That it announces; somebody's own may have no more than it needs."""
        if self.name in (MINE, play.EVHTTP):
            return tuple(sorted(conversation.ports))
        return "text", "http"

    @property
    def healthy(self) -> bool:
        """It has to answer as the conversations say."""
        return not self.binary and self.name != play.EVHTTP

    def file_for(self, conversation: conv.Conversation) -> str:
        return f"{self.name}.{conversation.name}.json"


SERVERS = {target.name: target for target in (
    Target("01", "01_plain_epoll"),
    Target("02", "02_epoll_reactor"),
    Target("02-del-add", "02_epoll_reactor", ("--rearm=del-add",)),
    Target("02-eager", "02_epoll_reactor", ("--rearm=eager",)),
    Target("03", "03_libevent_raw"),
    Target("03-eager", "03_libevent_raw", ("--rearm=eager",)),
    Target("03-changelist", "03_libevent_raw", ("--changelist",)),
    Target("04", "04_bufferevent_http"),
    Target("04-changelist", "04_bufferevent_http", ("--changelist",)),
    Target(play.EVHTTP, "04_bufferevent_http"))}


def why_not() -> str:
    """Empty where servers can be recorded; else one line that says what is missing."""
    if not shutil.which("gdb"):
        return "gdb is missing, which reads a program's debug information (make record-deps)"
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            marks.Memory(child.pid).close()
        except OSError as why:
            return f"a child's memory may not be read here: {why}"
        finally:
            child.kill()
    return ""


def broken_server(name: str) -> Target:
    """Its sources are a copy of the tree, with the patch in it."""
    patch = harness.ROOT / "tests" / "broken" / f"{name}.patch"
    said = dict(re.findall(r"^(Broken|Stage): (.+)$", patch.read_text(encoding="utf-8"), re.M))
    tree = harness.ROOT / FOLDER / "broken" / name
    stamp, now = tree / "digest", digest_of(patch, *sources())
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != now:
        trees.copy(tree, str(FOLDER / "obj"))
        trees.apply(patch, tree)
        trees.make(tree, f"BUILD={FOLDER}", MAKE_FLAGS, str(FOLDER / said["Stage"]))
        stamp.write_text(now, encoding="utf-8")
    return Target(name, said["Stage"], (), said["Broken"], tree / FOLDER / said["Stage"])


def sources() -> list[pathlib.Path]:
    return [path for name in trees.SOURCES for path in sorted((harness.ROOT / name).glob("*"))]


def digest_of(*files: pathlib.Path) -> str:
    sha = hashlib.sha256()
    for file in files:
        sha.update(content_digest(file))
    return sha.hexdigest()


@functools.cache
def content_digest(file: pathlib.Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()


# ---- one recording -------------------------------------------------------------------------------

def record(target: Target, conversation: conv.Conversation) -> tuple[dict, bool]:
    """The recording, and whether the clients saw what the conversation says."""
    program = marks.Program.of(target.path)
    patience = play.EVHTTP_PATIENCE if target.name == play.EVHTTP else conv.PATIENCE
    with tempfile.TemporaryDirectory(prefix="record-") as folder:
        ear = tap.Tap(pathlib.Path(folder) / "tap", program, conversation)
        env = {"LD_PRELOAD": str(LIBRARY), "LAB_RECORD": str(ear.path)}
        files = conversation.files
        if files:  # the library's own descriptor comes behind them
            env["LAB_RECORD_FILES"] = str(files)
        with ear, harness.Server(str(target.path), *conversation.flags, *target.flags,
                                 ports=target.ports(conversation), env=env,
                                 preexec=conv.limit_files(files and files + 1)) as server:
            seen = tap.Stepper(server, conversation, ear, patience).play()
    recording = ear.recording
    recorded = {
        "format": FORMAT, "server": target.name, "title": target.title, "stage": target.stage,
        "broken": target.broken, "conversation": conversation.name, "one_run": recording.bulk,
        "client": recording.clients, "functions": recording.functions, "steps": recording.steps}
    if changed := changed_sources(program, recording):
        recorded["sources"] = changed
    return recorded, all(observation.same for observation in seen)


def changed_sources(program: marks.Program, recording: steps.Recording) -> dict[str, str]:
    """The files of its functions that are not the tree's."""
    texts = {f["file"]: program.text_of(f["file"]) for f in recording.functions}
    return {name: text for name, text in texts.items()
            if not (harness.ROOT / name).exists()
            or (harness.ROOT / name).read_text(encoding="utf-8") != text}


def write(target: Target, conversation: conv.Conversation, folder: pathlib.Path) -> str:
    """What went wrong."""
    try:
        recorded, same = record(target, conversation)
    except (harness.StartError, tap.NotRecorded) as why:
        return f"{target.name}, {conversation.name}: {why}"
    text = json.dumps(recorded, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (folder / target.file_for(conversation)).write_text(text + "\n", encoding="utf-8")
    if target.healthy and not same:
        return f"{target.name} does not answer as {conversation.path.name} says"
    return ""


# ---- all of them ---------------------------------------------------------------------------------

def jobs() -> list[tuple[Target, conv.Conversation]]:
    every = {c.name: c for c in map(steps.load, sorted(conv.FOLDER.glob("*.conv")))}
    return [*((target, conversation) for target in SERVERS.values()
              for conversation in every.values()
              if target.name != play.EVHTTP or conversation.ports == {"http"}),
            *((target, every[name]) for target in map(broken_server, BROKEN)
              for name in BROKEN[target.name])]


def made_from(target: Target, conversation: conv.Conversation) -> str:
    here = harness.ROOT / "tests"
    recorder = [file for file in (here / "record").glob("*.py") if not file.match("test_*")]
    tools = [*recorder, here / "compare" / "conversation.py", here / "compare" / "calls.py",
             here / "lib" / "strace.py"]
    return digest_of(LIBRARY, target.path, conversation.path, *sorted(tools))


def all_of_them(folder: pathlib.Path) -> int:
    """Several at once: most of the time is spent on waiting until a server really sleeps."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "made-from"
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    wanted = {t.file_for(c): (t, c, made_from(t, c)) for t, c in jobs()}
    for file in folder.glob("*.json"):
        if file.name not in wanted and not file.name.startswith(f"{MINE}."):
            file.unlink()
    due = {name: job for name, job in wanted.items()
           if known.get(name) != job[2] or not (folder / name).exists()}
    for target in {job[0].path: job[0] for job in due.values()}.values():
        marks.Program.of(target.path)  # once, before several need it
    with concurrent.futures.ProcessPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        begun = {name: pool.submit(write, job[0], job[1], folder) for name, job in due.items()}
        failures = {name: task.result() for name, task in begun.items()}
    done = {name: job[2] for name, job in wanted.items() if not failures.get(name)}
    kept.write_text(json.dumps(done, indent=0), encoding="utf-8")
    print(*filter(None, failures.values()), sep="\n", end="")
    print(f"{len(due)} of {len(wanted)} recorded, in {folder}")
    return 1 if any(failures.values()) else 0


def one(chosen: argparse.Namespace) -> int:
    target = SERVERS[chosen.server]
    if chosen.binary:
        target = dataclasses.replace(target, name=MINE, binary=chosen.binary)
    conversation = steps.find(chosen.conversation)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    if failure := write(target, conversation, chosen.folder):
        print(failure, file=sys.stderr)
        return 1
    print(chosen.folder / target.file_for(conversation))
    return 0


def program_file(text: str) -> pathlib.Path:
    if not os.access(text, os.X_OK):
        raise argparse.ArgumentTypeError(f"{text} is no program")
    return pathlib.Path(text).resolve()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.record.record", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    commands.add_parser("all").add_argument("folder", type=pathlib.Path)
    single = commands.add_parser("one")
    single.add_argument("server", choices=SERVERS)
    single.add_argument("conversation")
    single.add_argument("--binary", type=program_file, help="another program in its place")
    single.add_argument("--folder", type=pathlib.Path, required=True)
    chosen = parser.parse_args(arguments)
    if chosen.command == "list":
        print(*SERVERS, sep="\n")
        return 0
    if reason := why_not():
        print(f"nothing is recorded: {reason}", file=sys.stderr)
        return 2
    return all_of_them(chosen.folder) if chosen.command == "all" else one(chosen)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (conv.WrongStep, trees.Failure) as why:
        print(why, file=sys.stderr)
        sys.exit(2)
