"""The flags that turn libevent's knobs, and --heartbeat, which every loop keeps by its own
means."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time

import pytest

from tests import harness
from tests.blackbox import load
from tests.blackbox.conftest import eventually, needs_descriptors
from tests.lib import strace, wire

LIBEVENT = ("03_libevent_raw", "04_bufferevent_http", "evhttp_server")
KNOBS = ("--backend=select", "--changelist", "--libevent-debug", "--count-memory")


def converse(server) -> None:
    with wire.connect(server) as client:
        for _ in range(20):
            client.send(wire.request("POST", "/upper", body=b"abc"))
            assert client.read_response().body == b"ABC"
    if "text" in server.ports:
        assert wire.exchange(server, b"abc", "text") == b"ABC"


@contextlib.contextmanager
def crowd(server, count: int):
    """So many clients that say nothing, all of them accepted; and what /stats says of them."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(wire.connect(server))
        while (seen := wire.stats(server))["connections_open"] < count + 1:
            time.sleep(0.01)
        yield seen


def held_for_nobody(server) -> int:
    """What libevent holds when all are gone but who asks."""
    def alone() -> int | None:
        stats = wire.stats(server)
        return stats["libevent_bytes"] if stats["connections_open"] == 1 else None
    return eventually(alone, what="all others are gone")


def epoll_trees(server) -> list[str]:
    links = []
    for fd in os.listdir(f"/proc/{server.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed since: the client has just left
            links.append(os.readlink(f"/proc/{server.pid}/fd/{fd}"))
    return [link for link in links if "eventpoll" in link]


@pytest.mark.parametrize("backend", ["epoll", "poll", "select"])
@pytest.mark.parametrize("name", LIBEVENT)
def test_backend(launch, name, backend):
    """Fails where the flag is accepted and another one used all the same."""
    server = launch(name, "--backend", backend, env={"EVENT_SHOW_METHOD": "1"})
    converse(server)
    assert bool(epoll_trees(server)) == (backend == "epoll")
    assert server.stderr() == f"libevent using: {backend}\n"


@pytest.mark.usefixtures("without_sanitizers")
@pytest.mark.parametrize("name", LIBEVENT)
@pytest.mark.parametrize("how", ["flag", "environment"])
def test_more_clients_than_select_has_room_for(launch, name, how):
    """Fails where descriptor 1,024 is given to select(2): the C library ends the process. libevent
    chooses select without being told to, where the environment rules out the others."""
    needs_descriptors(4096)
    if how == "flag":
        server = launch(name, "--backend", "select")
    else:
        server = launch(name, env={"EVENT_NOEPOLL": "1", "EVENT_NOPOLL": "1"})
    close = wire.request("GET", "/hello", "Connection: close")
    with load.Crowd(server, [load.Guest(close, fin=False) for _ in range(1_100)]) as crowd:
        crowd.run()
        assert crowd.summary() == "1100 of 1100 served; errors: none"
        assert all(guest.got.endswith(b"hello, world\n") for guest in crowd.guests)


@pytest.mark.parametrize("name", LIBEVENT)
def test_debug(launch, name):
    """Fails where an event is freed, or set up anew, behind libevent's back: it aborts then."""
    server = launch(name, "--libevent-debug")
    for _ in range(5):
        converse(server)
    assert "event_add: event: 0x" in server.stderr()


def test_debug_keeps_a_table(launch):
    """Fails where libevent says what it does, but checks nothing: it keeps no table of events."""
    def grown_by_clients(*flags: str) -> int:
        server = launch("03_libevent_raw", "--count-memory", *flags)
        before = wire.stats(server)["libevent_bytes"]
        with crowd(server, 50) as seen:
            return seen["libevent_bytes"] - before

    assert grown_by_clients("--libevent-debug") > grown_by_clients() + 50 * 16


@pytest.mark.parametrize("name", LIBEVENT)
def test_memory(launch, name):
    """Fails where allocations are counted and releases are not, or neither."""
    server = launch(name, "--count-memory")
    wire.stats(server)
    before = wire.stats(server)["libevent_bytes"]
    with crowd(server, 50) as during:
        # The connection of the answer before may not be gone yet.
        counted = during["connections_open"]
        assert during["libevent_bytes_per_connection"] == during["libevent_bytes"] // counted
        if name != "03_libevent_raw":  # its events are embedded: libevent allocates tables only
            assert during["libevent_bytes"] > before + 50 * 200
    # Again but for the connections that asked, which cost more than those that said nothing.
    eventually(lambda: wire.stats(server)["libevent_bytes"] < before + 50 * 100, what="all freed")


@pytest.mark.usefixtures("without_sanitizers")  # malloc gives no less than 24 bytes
def test_memory_that_grows_is_counted(launch):
    """Fails where a block counts as much as when it was small: libevent's table of descriptors is
    reallocated, with a pointer for each, beside the block that this points to."""
    server = launch("03_libevent_raw", "--count-memory")
    before = wire.stats(server)["libevent_bytes"]
    with crowd(server, 200) as during:
        assert during["libevent_bytes"] - before >= 200 * (8 + 24)


@pytest.mark.parametrize("name", LIBEVENT)
def test_memory_is_counted_to_the_byte(launch, name):
    """Fails where a block counts more, or less, when it comes than when it goes: it drifts."""
    server = launch(name, "--count-memory")
    # libevent keeps a few bytes for each number that a descriptor ever had: no later one is higher.
    with crowd(server, 20):
        pass
    levels = []
    for _ in range(3):
        for _ in range(20):
            converse(server)

        levels.append(held_for_nobody(server))
    assert levels[1] == levels[2]  # by then the tables have grown


@pytest.mark.usefixtures("without_sanitizers")
@pytest.mark.parametrize("name", LIBEVENT[1:])  # 03 embeds its events: it has none to free
def test_memory_that_is_counted_is_given_back(launch, name):
    """Fails where a block is counted as released, and stays."""
    server = launch(name, "--count-memory")
    sizes = []
    for _ in range(3):
        load.hello_times(server, 500)
        sizes.append(server.resident())
    assert sizes[2] - sizes[1] < 500 * 200


@pytest.mark.parametrize("name", LIBEVENT)
def test_memory_is_shown_where_it_is_counted(launch, name):
    """Fails where /stats says that libevent holds nothing, because nobody has counted."""
    assert not [key for key in wire.stats(launch(name)) if key.startswith("libevent")]


def epoll_ctls(launch, tmp_path, *flags) -> int:
    """epoll_ctl calls of a keep-alive conversation."""
    log = strace.Log(tmp_path / f"calls{len(flags)}")
    server = launch("03_libevent_raw", *flags, env=strace.environment(),
                    wrapper=strace.command(log.path, "epoll_ctl", "-f"))
    with wire.connect(server) as client:
        for _ in range(200):
            client.send(wire.request("GET", "/hello"))
            client.read_response()
    return len(log.calls("epoll_ctl"))


@pytest.mark.calls
@pytest.mark.repository
def test_changelist(launch, tmp_path, tracing):
    """Fails where the flag does not reach the base: a swap is one call then, not two."""
    plain, listed = epoll_ctls(launch, tmp_path), epoll_ctls(launch, tmp_path, "--changelist")
    assert plain > 700 and listed < 0.6 * plain, (plain, listed)


@pytest.mark.parametrize("name", [*harness.STAGES, "evhttp_server"])
def test_heartbeat(launch, name):
    """Fails where the timer strikes once, or only when something else wakes the loop; where each
    loop has its own, or prints its own counters; or where it prints when nobody asked."""
    begin = time.monotonic()
    server = launch(name, "--heartbeat", "0.2", "--threads", "3")
    converse(server)
    wake_ups = wire.stats(server)["loop_wakeups"]
    time.sleep(1.5)
    os.set_blocking(server.process.stdout.fileno(), False)
    lines = (server.process.stdout.read() or b"").decode().splitlines()
    beats = [line for line in lines if line.startswith("heartbeat: open ")]
    assert 3 <= len(beats) <= (time.monotonic() - begin) / 0.2
    assert re.search(r"requests 2\d,", beats[-1])
    assert wire.stats(server)["loop_wakeups"] - wake_ups < 60


@pytest.mark.parametrize("name", ["01_plain_epoll", "02_epoll_reactor"])
@pytest.mark.parametrize("flag", KNOBS)
def test_not_without_libevent(name, flag):
    """Fails where a stage takes a flag that means nothing to it."""
    done = subprocess.run([harness.binary(name), flag], capture_output=True, text=True, timeout=10,
                          check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and flag in done.stderr


@pytest.mark.parametrize("flags", [("--backend", "kqueue"), ("--libevent-debug", "--threads", "2"),
                                   ("--changelist", "--threads", "2"),
                                   ("--heartbeat", "0")], ids=" ".join)
def test_bad_values(flags):
    """Fails where a value is taken that cannot work."""
    done = subprocess.run([harness.binary("03_libevent_raw"), *flags], capture_output=True,
                          text=True, timeout=10, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and flags[0] in done.stderr
