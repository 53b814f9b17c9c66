"""Fixtures: every test that takes `start` or `server` runs once per stage; one that takes
`start_http`, with evhttp_server, too.

    --stage 02     only the stages whose name begins so (repeatable; or LAB_STAGES="01 03")
    --threads N    start every server with --threads N

A failing test shows what went over the wire and what its servers printed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import pytest

from tests import harness
from tests.lib import wire

pytest.register_assert_rewrite("tests.blackbox.load")  # else PYTHONOPTIMIZE leaves its asserts out

# What a sanitizer prints. Its exit status alone would be lost where a test kills the server.
REPORTS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:")

for name, value in {
        "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
                        ":check_initialization_order=1:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:exitcode=66",
}.items():
    os.environ[name] = f"{value}:{os.environ.get(name, '')}"  # what is said last holds


def pytest_addoption(parser):
    parser.addoption("--stage", action="append", default=[], help="only these stages: 01, 02 ...")
    parser.addoption("--threads", type=int, default=1, help="--threads of every server")


def pytest_configure():
    if why := harness.why_no_descriptors(1024):
        pytest.exit(why, returncode=2)
    harness.raise_descriptor_limit()


def chosen_stages(config) -> list[str]:
    """The stages to test, in order."""
    wanted = config.getoption("--stage") or os.environ.get("LAB_STAGES", "").split()
    return [s for s in harness.STAGES if not wanted or any(s.startswith(w) for w in wanted)]


def pytest_generate_tests(metafunc):
    if "stage" in metafunc.fixturenames:
        metafunc.parametrize("stage", chosen_stages(metafunc.config), scope="session")
    if "engine" in metafunc.fixturenames:
        stages = chosen_stages(metafunc.config)
        alone = len(stages) < len(harness.STAGES)  # what others do is not asked
        metafunc.parametrize("engine", stages + ([] if alone else ["evhttp_server"]),
                             scope="session")


def pytest_collection_modifyitems(config, items):
    """What others do is not asked, either, where a test names the programs that it is for."""
    others = {*harness.STAGES, "evhttp_server"} - set(chosen_stages(config))
    if len(others) > 1:
        items[:] = [item for item in items if getattr(item, "callspec", None) is None
                    or item.callspec.params.get("name") not in others]


class TestedServer(harness.Server):
    """A server that knows whether the test meant it to end."""

    meant_to_end = False

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.meant_to_end |= number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
        super().signal(number)

    def kill(self) -> None:
        self.meant_to_end = True
        super().kill()

    def finish(self) -> list[str]:
        """Ends the server. What was wrong with it, if anything."""
        faults = []
        if self.process.poll() is not None and not self.meant_to_end:
            faults.append(f"died unasked, status {self.process.returncode}")
        elif self.process.poll() is None:
            faults += self._end()
        if self.process.returncode not in (0, -signal.SIGKILL) and not faults:
            faults.append(f"ended with status {self.process.returncode}")
        stderr = self.stderr()
        faults += [f"printed a {report} report" for report in REPORTS if report in stderr]
        return faults

    def _end(self) -> list[str]:
        """A drain cut short by a second signal: partly received requests would take until --grace.
        The pause keeps the kernel from merging the two signals into one."""
        self.process.send_signal(signal.SIGCONT)
        for patience in (0.3, 15):
            self.signal(signal.SIGTERM)
            try:
                self.wait(patience)
                return []
            except subprocess.TimeoutExpired:
                pass
        self.kill()
        return ["did not end after two SIGTERM"]

    def shut(self) -> None:
        self.process.stdout.close()
        self._stderr.close()


@pytest.fixture
def launch(request):
    """launch(name, *flags, **kwargs) -> harness.Server: a stage or evhttp_server, ended and checked
    after the test."""
    servers: list[TestedServer] = []
    request.node.servers = servers

    def factory(name: str, *flags, **kwargs) -> TestedServer:
        ports = ("http",) if name == "evhttp_server" else ("text", "http")
        servers.append(TestedServer(name, *flags, ports=ports, **kwargs))
        return servers[-1]

    yield factory
    faults = []
    request.node.printed = []
    for server in servers:
        faults += [f"{server.name} {fault}" for fault in server.finish()]
        request.node.printed.append(server.stderr())
        server.shut()
    if faults:
        pytest.fail("\n".join([*faults, *request.node.printed]), pytrace=False)


def starter(name: str, launch, config):
    """factory(*flags, **kwargs) -> harness.Server: that one, by launch."""
    def factory(*flags, **kwargs) -> TestedServer:
        threads = config.getoption("--threads")
        if threads > 1 and "--threads" not in flags:
            flags = (*flags, "--threads", str(threads))
        return launch(name, *flags, **kwargs)

    return factory


@pytest.fixture
def start(stage, launch, request):
    """start(*flags, **kwargs) -> harness.Server: the stage whose turn it is."""
    return starter(stage, launch, request.config)


@pytest.fixture
def start_http(engine, launch, request):
    """The same for what both of them promise, stages and evhttp_server: by the HTTP port alone."""
    return starter(engine, launch, request.config)


@pytest.fixture
def server(start):
    """This stage with its default flags."""
    return start()


@pytest.fixture
def without_sanitizers(monkeypatch):
    """For measurements (sanitizers' allocators keep what was freed), for strace and valgrind (which
    do not go together with them), and where no descriptor is left (UBSan wants one to look at an
    object)."""
    folder = harness.binary("")
    if folder.name.startswith("bin-"):
        monkeypatch.setenv("LAB_BIN", str(folder.parent))


@pytest.fixture
def tracing():
    """For what strace observes or injects: skips where it may not trace."""
    if why := harness.why_no_tracing():
        pytest.skip(why)


@pytest.fixture
def ipv6():
    """For what listens at, or connects to, an IPv6 address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


@pytest.fixture
def plain(start, without_sanitizers):
    """`start`, but with the build that has no sanitizers."""
    return start


@pytest.fixture(autouse=True)
def fresh_wire_log():
    wire.LOG.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    if wire.LOG:
        report.sections.append(("what went over the wire", "\n".join(wire.LOG)))
    for server in getattr(item, "servers", ()):
        if not server._stderr.closed:
            text = f"{' '.join(server.command)}\n{server.stderr()}"
            report.sections.append(("server's stderr", text))


def pytest_terminal_summary(terminalreporter):
    if "address" in harness.binary("").name and (why := harness.why_no_ptrace()):
        terminalreporter.write_line(f"leaks are not looked for: {why}")


def needs_descriptors(count: int) -> None:
    """Skips a test that opens more of them than this shell may ever."""
    if why := harness.why_no_descriptors(count):
        pytest.skip(why)


def comes_to_rest(server, timeout: float = 20.0) -> None:
    """Waits until the server has hardly used the processor for half a second, and wants none; fails
    when it goes on and on. How long it still has to do depends on what else the machine does: there
    may be hardly any processor left for one that spins."""
    deadline = time.monotonic() + timeout
    while True:
        before = server.cpu_seconds()
        time.sleep(0.5)
        if server.cpu_seconds() - before <= 0.05 and not any(
                harness.stat_of(f"{server.pid}/task/{thread}")[0] == "R"
                for thread in os.listdir(f"/proc/{server.pid}/task")):
            return
        if time.monotonic() > deadline:
            pytest.fail(f"busy although nothing can be done, for {timeout} s")


def eventually(condition, timeout: float = 10.0, what: str = "condition"):
    """Waits until condition() is true, and returns what it said; fails when it never becomes so."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {timeout} s")
        time.sleep(0.01)
    return found
