"""Are the recordings of build/recordings complete, true, and the same each time?"""

from __future__ import annotations

import functools
import itertools
import json
import pathlib
import re
import subprocess
import sys

import pytest

from tests import harness
from tests.compare import calls, conversation as conv, play
from tests.record import record, steps, tap

RECORDINGS = harness.ROOT / "build" / "recordings"
STAGES = ("01", "02", "03", "04")
pytestmark = pytest.mark.skipif(bool(record.why_not()), reason=record.why_not())
EVERYONE = (*record.SERVERS, *record.BROKEN)
needs_strace = pytest.mark.skipif(bool(harness.why_no_tracing()), reason=harness.why_no_tracing())


@functools.cache
def target_of(name: str) -> record.Target:
    return record.broken_server(name) if name in record.BROKEN else record.SERVERS[name]


@functools.cache
def recorded(server: str, name: str) -> dict:
    """As `make recordings` has made it."""
    return json.loads((RECORDINGS / f"{server}.{name}.json").read_text(encoding="utf-8"))


def all_recorded(server: str):
    return [recorded(*path.name.split(".")[:2]) for path in RECORDINGS.glob(f"{server}.*.json")]


def states(recording: dict):
    """Each step with all of the state that holds after it."""
    state: dict = {}
    for step in recording["steps"]:
        state = state | step["state"]
        yield step, state


# ---- the same each time --------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["emfile", "errors_that_close", "idle", "sigterm"])
@pytest.mark.parametrize("server", STAGES)
def test_two_recordings_are_the_same(server, name):
    """Fails where an address, a port or the time gets into a recording, and where a step begins
    before the server is done with the one before."""
    again, answered = record.record(target_of(server), steps.find(name))
    assert again == recorded(server, name)
    assert answered and not again["one_run"]


def test_time_passes_only_for_the_server():
    """Fails where a time-out is sat out, or a deadline is not read but guessed: these are 60 and 1
    seconds by the server's clock."""
    recording = recorded("02", "connection_close")
    assert all(state["derived"] == ["ready"] for server in record.SERVERS
               for recorded_one in all_recorded(server) for _, state in states(recorded_one))
    ends = {c["list"]: c["ends"] for _, state in states(recording) for c in state["conns"]}
    assert ends["idle"] == "60 s" and ends["linger"] == "1 s"


# ---- complete ------------------------------------------------------------------------------------

def calls_in(recording: dict, client: int) -> list[dict]:
    return [step["call"] for step in recording["steps"]
            if step["client"] == client and step["kind"] == "call"]


@needs_strace
@pytest.mark.parametrize("name", ["half_close", "sigterm", "two_clients"])
@pytest.mark.parametrize("server", [*STAGES, "03-changelist"])
def test_every_call_of_strace_stands_in_it(server, name):
    """Fails where a function of the C library that asks the kernel for something is not looked at,
    a call is lost, or stands in another step."""
    target = target_of(server)
    conversation = steps.find(name)
    conversation.flags += target.flags
    traced = calls.trace(conversation, str(target.path))
    for client, step in enumerate(traced.steps):
        assert calls_in(recorded(server, name), client) == [
            steps.call_entry(call) for call in step.calls], step.step.text


ALL_FUNCTIONS = r"""flags: --idle-timeout 0.3
c1 connects to text
c1 sends "and now?\n"
c1 receives "AND NOW?\n"
c1 half-closes
c1 is closed
c2 connects to http
c2 is closed
server gets SIGTERM
server exits with 0
"""


def covered(server: str, folder: pathlib.Path) -> pathlib.Path:
    """The server with gcov's counters in its server.cc, and what else it is recorded with."""
    stage = target_of(server).stage
    build = next((harness.ROOT / record.FOLDER / "obj").glob("*/common")).parent
    libevent = subprocess.run(["pkg-config", "--cflags", "--libs", "libevent_core"], check=True,
                              capture_output=True, text=True).stdout.split()
    own = [*(build / stage).glob("rea*.o"), build / "03_libevent_raw" / "base.o"]
    subprocess.run(["g++", "-std=c++20", "-O0", "-g", "--coverage", "-pthread", "-I.",
                    f"{stage}/server.cc", *own, *(build / "common").glob("*.o"),
                    "-o", folder / "covered", "-dumpdir", f"{folder}/", *libevent],
                   check=True, cwd=harness.ROOT)
    return folder / "covered"


def functions_that_ran(folder: pathlib.Path) -> set[int]:
    """The lines at which those of server.cc begin that gcov has counted."""
    said = subprocess.run(["gcov", "--json-format", "--stdout", *folder.glob("*.gcda")],
                          check=True, capture_output=True, text=True, cwd=harness.ROOT).stdout
    return {function["start_line"] for file in json.loads(said)["files"]
            if re.fullmatch(r"\d+_\w+/server\.cc", file["file"])
            for function in file["functions"] if function["execution_count"]}


@pytest.mark.parametrize("server", ["02", "04"])
def test_every_function_that_ran_stands_in_it(server, tmp_path):
    """Fails where a function of server.cc is overlooked: one in a template or a lambda, or one that
    only a time-out or a signal calls."""
    talk = tmp_path / "talk.conv"
    talk.write_text(ALL_FUNCTIONS, encoding="utf-8")
    assert all(seen.same for seen in conv.play(conv.load(talk), str(covered(server, tmp_path))))
    source = (harness.ROOT / target_of(server).stage / "server.cc").read_text().splitlines()
    ran = {line for line in functions_that_ran(tmp_path)
           if not re.match(r"\s*(struct|class) ", source[line - 1])}
    recording, _ = record.record(target_of(server), conv.load(talk))
    shown = {f["line"] for f in recording["functions"] if f["file"].endswith("server.cc")}
    assert len(ran) > 8 and ran <= shown, [source[line - 1] for line in ran - shown]


# ---- true ----------------------------------------------------------------------------------------

def interests(recording: dict):
    """For each step the interest list as the calls until then have made it, and as it is shown."""
    derived = {entry["who"]: entry["events"] for entry in recording["steps"][0]["state"]["tree"]}
    for step, state in states(recording):
        call = step.get("call", {"name": "", "args": "", "result": ""})
        who, *rest = call["args"].split(", ")
        if call["name"] == "epoll_ctl" and call["result"] == "0":
            operation, who, *bits = who, *rest
            derived.pop(who, None)
            if operation != "DEL":
                derived[who] = [bit.removeprefix("EPOLL") for bit in bits[0].split("|")]
        elif call["name"] == "close" and who == "signals":
            return  # a duplicate of it keeps it on the tree
        elif call["name"] == "close":
            derived.pop(who, None)
        yield step, derived, {entry["who"]: entry["events"] for entry in state["tree"]}


@pytest.mark.parametrize("server", EVERYONE)
def test_the_interest_list_is_what_the_calls_made_it(server):
    """Fails where the list is read at the wrong moment, of the wrong descriptor, or under another
    client's name: it comes from /proc/PID/fdinfo, and the calls say the same."""
    count = 0
    for recording in all_recorded(server):
        for step, derived, shown in interests(recording):
            assert derived == shown, (recording["conversation"], step)
            count += len(shown) > 2
    assert count > 100


@pytest.mark.parametrize("server", EVERYONE)
def test_who_is_ready_hangs_on_the_tree(server):
    """Fails where what epoll_wait returned is laid at somebody else's door."""
    for step, state in itertools.chain.from_iterable(map(states, all_recorded(server))):
        if step["kind"] == "call" and step["call"]["name"] == "epoll_wait":
            interest = {entry["who"]: {*entry["events"], "ERR", "HUP"} for entry in state["tree"]}
            assert all({*entry["events"]} <= interest[entry["who"]] for entry in state["ready"])


@pytest.mark.parametrize("server, callbacks", [
    ("01", {""}), ("02", {"on_readable", "on_writable"}), ("03", {"on_readable", "on_writable"}),
    ("04", {"bufferevent: on_readable"})])
def test_the_callback_is_the_one_that_will_be_called(server, callbacks):
    """Fails where a std::function or libevent's event is read wrongly."""
    tree = [entry for _, state in states(recorded(server, "keepalive")) for entry in state["tree"]]
    assert {entry["callback"] for entry in tree if entry["who"] == "c1"} == callbacks


@pytest.mark.parametrize("server", STAGES)
def test_bytes_go_the_whole_way(server):
    """Fails where what is owed, or what the kernel holds, belongs to another connection or another
    moment: an answer of 130 bytes is owed, sent, and then waits for its reader."""
    known = list(states(recorded(server, "keepalive")))
    at = next(i for i, (step, _) in enumerate(known) if step["name"] == "c1-first-send")
    before, after = known[at - 1][1], known[at][1]  # the send has been made, and nothing else
    assert [c["owed"] for c in after["conns"]] == [130]
    assert [s["unread"] + s["out"] for s in before["sockets"] + after["sockets"]] == [0, 130]
    assert [c["owed"] for c in known[-1][1]["conns"]] in ([], [0])


def test_a_bufferevent_reads_before_it_calls():
    """Fails where the evbuffers are not looked at between libevent's work and ours."""
    known = list(states(recorded("04", "keepalive")))
    at = next(i for i, (step, _) in enumerate(known) if step["name"] == "c1-first-read")
    assert known[at + 1][1]["bufs"] == [{"who": "c1", "input": 34, "output": 0}]
    names = [f["name"] for f in recorded("04", "keepalive")["functions"]]
    assert names[known[at + 1][0]["fn"]] == "call<on_readable>"
    assert "active" not in {e["status"] for e in known[0][1]["events"]}


# ---- what it is for ------------------------------------------------------------------------------

def test_a_slow_reader_is_waited_for():
    """Fails where a recording is made too small for the kernel to refuse anything."""
    for server in ("01", "02"):
        recording = recorded(server, "slow_reader")
        names = [step["name"] for step in recording["steps"]]
        order = ["c1-asks-in", "c1-asks-out", "c1-first-out", "c1-asks-in-again"]
        assert [name for name in names if name in order] == order
        pause = next(state for step, state in states(recording) if step["name"] == "pause-1")
        assert pause["conns"][0]["owed"] > 0 and pause["conns"][0]["state"] == "writing"
        assert recording["one_run"] and len(recording["steps"]) < 600


def test_the_step_in_which_bytes_vanish():
    """Fails where a recording does not show what a server drops, or suspects a healthy one."""
    broken = list(states(recorded("drops-partial-send", "slow_reader")))
    at = next(i for i, (step, _) in enumerate(broken) if step["name"] == "c1-bytes-vanish")
    sent = [int(step["call"]["result"]) for step, _ in broken[:at]
            if step["name"] == "c1-partial-send"]
    owed = [state["conns"][0]["owed"] for _, state in broken[at - 1:at + 1]]
    assert owed == [16384, 0] and sent[0] < 16384
    healthy = [step["name"] for server in record.SERVERS for recording in all_recorded(server)
               for step in recording["steps"]]
    assert len(healthy) > 20_000 and not [name for name in healthy if "vanish" in name]
    changed = recorded("drops-partial-send", "slow_reader")["sources"]
    assert [*changed] == ["01_plain_epoll/server.cc"]


@pytest.mark.parametrize("server", EVERYONE)
def test_names_are_the_same_where_the_same_happens(server):
    """Fails where a step has a name that no list tells of, two have the same, or a client's step is
    missing or stands there twice."""
    listed = re.sub(r"c1|-1\b", "", steps.__doc__)
    for recording in all_recorded(server):
        names = [step["name"] for step in recording["steps"] if step["name"]]
        assert len(names) == len(set(names))
        assert [n for n in names if re.sub(r"^c\d|-\d+$", "", n) not in listed] == []
        clients = [step["name"] for step in recording["steps"] if step["kind"] == "client"]
        assert clients == [entry["name"] for entry in recording["client"]]
        assert {"c1-connect", "c1-accepted"} <= {*names}


# ---- somebody's own ------------------------------------------------------------------------------

def test_a_server_of_ones_own_is_recorded(tmp_path):
    """Fails where only the tree's own objects can be read, or only what calls the hooks: this one
    has no Loop, and was built by somebody else."""
    source = harness.ROOT / "notes" / "steps" / "7_reactor.cc"
    binary = tmp_path / "mine"
    subprocess.run(["g++", "-std=c++20", "-g", "-I.", source, "-o", binary], check=True,
                   cwd=harness.ROOT)
    done = subprocess.run([sys.executable, "-m", "tests.record.record", "one", "01", "line",
                           "--binary", binary, "--folder", tmp_path], capture_output=True,
                          text=True, check=False, cwd=harness.ROOT)
    assert done.returncode == 0, done.stderr
    recording = json.loads((tmp_path / "mine.line.json").read_text(encoding="utf-8"))
    names = {step["call"]["name"] for step in recording["steps"] if step["kind"] == "call"}
    assert {"epoll_wait", "epoll_ctl", "accept4"} <= names
    assert "conns" in recording["steps"][0]["state"]["derived"]


def test_a_server_that_spins_is_given_up(monkeypatch):
    """Fails where such a recording grows until the memory is full."""
    monkeypatch.setattr(tap, "MOST_STEPS", 50)
    with pytest.raises(tap.NotRecorded, match="does it spin"):
        record.record(target_of("02"), steps.find("keepalive"))


def test_a_server_without_epoll_is_refused(monkeypatch, tmp_path):
    """Fails where its recording has no steps, and nobody says why."""
    monkeypatch.setattr(tap, "PATIENCE", 1.0)
    mine = tmp_path / "mine"
    mine.write_text(f"#!{sys.executable}\nimport socket\nserver = socket.create_server(('', 0))\n"
                    "port = server.getsockname()[1]\n"
                    "print(f'listening on 127.0.0.1:{port} (text)', flush=True)\n"
                    "server.accept()\n", encoding="utf-8")
    mine.chmod(0o755)
    target = record.Target(record.MINE, "01_plain_epoll", binary=mine)
    with pytest.raises(tap.NotRecorded, match="epoll_wait"):
        record.record(target, steps.find("line"))


def test_without_gdb_one_line_says_so(tmp_path):
    """Fails where a traceback does."""
    (tmp_path / "python3").symlink_to(sys.executable)
    done = subprocess.run([sys.executable, "-m", "tests.record.record", "all", tmp_path / "out"],
                          env={"PATH": str(tmp_path)}, capture_output=True, text=True,
                          check=False, cwd=harness.ROOT)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "gdb" in done.stderr and not (tmp_path / "out").exists()


def test_evhttp_plays_only_what_it_has_a_port_for():
    """Fails where it is asked for text, and where a server is not played at all."""
    played = {(target.name, conversation.name) for target, conversation in record.jobs()}
    assert (play.EVHTTP, "keepalive") in played and (play.EVHTTP, "line") not in played
    assert len(played) == 9 * 25 + 14 + 4
