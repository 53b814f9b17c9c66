"""Starting: flags, ports, descriptors; and what one request costs in system calls."""

from __future__ import annotations

import collections
import os
import re
import resource
import signal
import socket
import subprocess
import time

import pytest

from tests import harness
from tests.blackbox import load
from tests.blackbox.conftest import eventually
from tests.lib import strace, wire
from tests.lib.wire import request

LIBEVENTS = ("--backend", "--changelist", "--libevent-debug", "--count-memory")
HAS_REARM = {"02_epoll_reactor": ["mod", "del-add", "eager"], "03_libevent_raw": ["swap", "eager"]}


def run(stage: str, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run([harness.binary(stage), *flags], capture_output=True, text=True,
                          timeout=20, check=False)


def refused(stage: str, status: int, names: str, *flags: str) -> None:
    """Ends with that status and one line on stderr that holds `names`."""
    result = run(stage, *flags)
    assert result.returncode == status, (flags, result)
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and names in lines[0], (flags, result.stderr)
    assert "listening" not in result.stdout


BAD_VALUES = {
    "--text-port": ["65536", "-1", "x", "", "80x", "0x50", " 80"],
    "--http-port": ["65536", "99999999999999999999"],
    "--text-mode": ["lower", ""],
    "--idle-timeout": ["x", "", "-1", "0", "1s", "nan", "inf"],
    "--grace": ["x", "-1"],
    "--max-connections": ["0", "-1", "x"],
    "--max-body": ["-1", "1k", "99999999999999999999"],
    "--threads": ["0", "-1", "x", "1000000"],
    "--auth": ["", "nocolon"],
    "--host": [""],
}


@pytest.mark.parametrize("flag", BAD_VALUES)
def test_bad_value(stage, flag):
    """Fails where nonsense is taken for a number, or the message does not name the flag."""
    for value in BAD_VALUES[flag]:
        refused(stage, 2, flag, f"{flag}={value}")
    refused(stage, 2, flag, flag)  # the value is missing


@pytest.mark.parametrize("flags, names", [
    (["--no-such-flag"], "--no-such-flag"), (["--no-such-flag=1"], "--no-such-flag"),
    (["-x"], "-x"), (["extra"], "extra"), (["--threads", "1", "extra"], "extra"),
    (["--help=x"], "--help"),
], ids=["unknown", "unknown-with-value", "short", "argument", "argument-behind-a-flag", "value"])
def test_unknown(stage, flags, names):
    """Fails where a typing error starts a server with its default flags."""
    refused(stage, 2, names, *flags)


@pytest.mark.parametrize("names, flags, status", [
    ("--max-connections, --max-body", ["--max", "5"], 2),
    (r"'upper\necho'", ["--text-mode", "upper\necho"], 2),
    (r"--no\nflag", ["--no\nflag"], 2), (r"'\x1b[2J'", ["\x1b[2J"], 2),
    (r"no-such\nhost.invalid", ["--host", "no-such\nhost.invalid"], 1),
], ids=["abbreviation", "value", "flag", "argument", "host"])
def test_one_line(stage, names, flags, status):
    """Fails where an abbreviation means the first flag that begins with it, or where what is quoted
    makes two lines of one."""
    refused(stage, status, names, "--text-port=0", "--http-port=0", *flags)


def test_rearm_values(stage, start):
    """Fails where a mode is refused, or taken and wrong; stages without the flag do not know it."""
    refused(stage, 2, "--rearm", "--rearm=no-such-mode")
    refused(stage, 2, "--rearm", "--rearm")
    for mode in HAS_REARM.get(stage, []):
        server = start("--rearm", mode)
        assert wire.exchange(server, b"abc" * 100_000, "text") == b"ABC" * 100_000, mode
        got = wire.responses(wire.exchange(server, request("GET", "/hello") * 500))
        assert [answer.status for answer in got] == [200] * 500, mode


def test_help_and_version(stage):
    """Fails where --help leaves out a flag, or goes to stderr, or starts the server."""
    result = run(stage, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    flags = set(re.findall(r"--[a-z-]+", result.stdout))
    expected = {*BAD_VALUES, "--heartbeat", "--help", "--version"}
    expected |= {"--rearm"} if stage in HAS_REARM else set()
    expected |= set(LIBEVENTS) if stage[:2] in ("03", "04") else set()
    assert flags == expected
    result = run(stage, "--version")
    assert result.returncode == 0 and result.stderr == ""
    assert re.fullmatch(rf"{stage} \d+(\.\d+)+\n", result.stdout)


@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize("port", ["text", "http"])
def test_taken_port(stage, start, port, threads):
    """Fails where SO_REUSEPORT hides that somebody has the port: also a twin of ours."""
    taken = start("--threads", threads).ports[port]
    other = "http" if port == "text" else "text"
    refused(stage, 1, f"127.0.0.1:{taken}", f"--{port}-port={taken}", f"--{other}-port=0",
            "--threads", threads)


def test_unresolvable_host(stage):
    """Fails where a name that nobody has is no error, or more than one line."""
    refused(stage, 1, "no-such-host.invalid", "--host=no-such-host.invalid", "--text-port=0",
            "--http-port=0")


def test_host_by_name(start):
    """Fails where --host takes addresses only."""
    server = start("--host", "localhost")
    with wire.connect(server) as client:
        client.send(request("GET", "/hello"))
        assert client.read_response().status == 200


@pytest.mark.usefixtures("ipv6")
def test_ipv6(start):
    """Fails where an IPv6 address cannot be listened on, or is printed without its brackets."""
    server = start("--host", "::1")
    assert server.host == "::1"
    assert wire.exchange(server, b"abc", "text") == b"ABC"


def test_port_0_twice(start):
    """Fails where two servers on port 0 get the same port, or a printed port is not the real
    one."""
    one, two = start(), start()
    ports = {*one.ports.values(), *two.ports.values()}
    assert len(ports) == 4 and 0 not in ports
    assert wire.exchange(two, b"a", "text") == wire.exchange(one, b"a", "text") == b"A"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_restart_at_once(start, number):
    """Fails without SO_REUSEADDR: connections that the old server closed are in TIME_WAIT, and
    those that are open outlive a killed one for a while."""
    server = start()
    clients = [wire.connect(server) for _ in range(10)]
    for at, client in enumerate(clients):
        client.send(request("GET", "/hello", *(["Connection: close"] if at % 2 else [])))
        assert client.read_response().status == 200
    server.signal(number)
    server.wait()
    again = start(*(f"--{name}-port={number}" for name, number in server.ports.items()))
    assert again.ports == server.ports  # a later flag wins over the port 0 of the harness
    assert wire.exchange(again, b"a", "text") == b"A"
    for client in clients:
        client.close()


def test_listening_means_listening(start):
    """Fails where the line is printed before the socket accepts: harness.Server returns at once."""
    for _ in range(5):
        server = start()
        for port in ("text", "http"):
            socket.create_connection((server.host, server.ports[port]), timeout=1).close()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"],
                         ids=["stdin", "stdout", "stderr", "all"])
def test_closed_standard_descriptors(stage, closed):
    """Fails where a socket lands on descriptor 1 or 2 and a client gets what is printed there."""
    server = subprocess.Popen(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", harness.binary(stage), "--text-port=0",
         "--http-port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: len(load.listening_ports(server.pid)) >= 2, 20, "two listeners")
        ports = load.listening_ports(server.pid)
        assert not any(os.readlink(f"/proc/{server.pid}/fd/{fd}").startswith("socket:")
                       for fd in range(3) if os.path.exists(f"/proc/{server.pid}/fd/{fd}"))
        answers = []
        for port in ports[:2]:
            with wire.Client(socket.create_connection(("127.0.0.1", port), 10)) as client:
                client.send(request("GET", "/hello"))
                client.shutdown()
                answers.append(client.read_to_eof())
        assert answers[0] == request("GET", "/hello").upper()
        assert answers[1].endswith(b"\r\n\r\nhello, world\n") and answers[1].startswith(b"HTTP/")
        server.terminate()
        assert server.wait(15) == 0
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("option", ["TCP_NODELAY", "TCP_NOTSENT_LOWAT"])
def test_a_kernel_without_the_option(plain, tmp_path, tracing, option):
    """Fails where a nicety that this kernel lacks is a reason not to start. strace takes it
    away."""
    def trace(*flags: str):
        log = tmp_path / "setsockopt"
        server = plain(wrapper=strace.command(log, "setsockopt", "-f", "-qq", *flags))
        return server, log.read_text().splitlines()

    place = next(at for at, line in enumerate(trace()[1], 1) if option in line)
    server, lines = trace("-e", f"inject=setsockopt:error=ENOPROTOOPT:when={place}")
    assert option in lines[place - 1] and "(INJECTED)" in lines[place - 1]
    assert wire.exchange(server, b"abc", "text") == b"ABC"
    assert wire.ask(server, request("GET", "/hello")).status == 200


# ---- system calls --------------------------------------------------------------------------------

REQUESTS = 200


@pytest.fixture
def calls(start, tmp_path, tracing):
    """calls(*flags) -> how often each system call was made for REQUESTS keep-alive requests."""
    def count(*flags: str) -> dict[str, int]:
        log = strace.Log(tmp_path / f"strace{len(list(tmp_path.iterdir()))}")
        server = start(*flags, wrapper=strace.command(log.path, "", "-f"),
                       env=strace.environment())
        with wire.connect(server) as client:
            before = snapshot(server, client, log)
            for _ in range(REQUESTS):
                client.send(request("GET", "/hello"))
                assert client.read_response().status == 200
            after = snapshot(server, client, log)
        return after - before

    def snapshot(server, client, log) -> collections.Counter:
        """Counts up to now: strace has written all of a call before the server goes on."""
        client.send(request("GET", "/hello"))
        assert client.read_response().status == 200
        time.sleep(0.2)  # the calls behind the send
        return collections.Counter(call.parts[1] if call.name == "epoll_ctl" else call.name
                                   for call in log.calls())

    return count


SYSTEM_CALLS = {  # per request; what is not named: none
    ("01_plain_epoll", ()): {"recvfrom": 1, "sendto": 1},
    ("02_epoll_reactor", ()): {"recvfrom": 1, "sendto": 1, "EPOLL_CTL_MOD": 2},
    ("02_epoll_reactor", ("--rearm", "del-add")): {
        "recvfrom": 1, "sendto": 1, "EPOLL_CTL_DEL": 2, "EPOLL_CTL_ADD": 2},
    ("02_epoll_reactor", ("--rearm", "eager")): {"recvfrom": 1, "sendto": 1},
    ("03_libevent_raw", ("--rearm", "eager")): {"recvfrom": 1, "sendto": 1},
}
COUNTED = ("recvfrom", "read", "readv", "sendto", "write", "writev", "EPOLL_CTL_ADD",
           "EPOLL_CTL_MOD", "EPOLL_CTL_DEL", "epoll_wait")


@pytest.mark.calls
@pytest.mark.repository
def test_system_calls_per_request(stage, calls):
    """Fails where a swap of interest costs another call than its stage is about, or a request is
    read or sent in two halves. (epoll_wait: one for each readiness.)"""
    modes = [flags for name, flags in SYSTEM_CALLS if name == stage]
    if not modes:
        pytest.skip("what this stage calls is libevent's choice")
    for flags in modes:
        made = calls(*flags)
        expected = SYSTEM_CALLS[stage, flags]
        per_request = {name: made.get(name, 0) / (REQUESTS + 1) for name in COUNTED}
        waits = per_request.pop("epoll_wait")
        assert per_request == {name: expected.get(name, 0) for name in per_request}, flags
        assert waits <= (1.1 if len(expected) == 2 else 2.1), flags


def no_room_for_stacks() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (96 << 20, 96 << 20))


def test_a_thread_that_cannot_be_started(stage, without_sanitizers):
    """Fails where a loop less is passed over, or the error is an exception that nobody catches.
    (ASan reserves more than all of this for itself.)"""
    started = subprocess.run(
        [harness.binary(stage), "--text-port=0", "--http-port=0", "--threads=64"], timeout=20,
        capture_output=True, text=True, check=False, preexec_fn=no_room_for_stacks)
    assert started.returncode == 1, started
    assert started.stderr.count("\n") == 1 and "thread" in started.stderr
