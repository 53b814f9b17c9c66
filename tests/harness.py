"""Starting and stopping a stage: the one piece that every tool and test in tests/ shares.

    with Server("02_epoll_reactor", "--idle-timeout", "1") as server:
        sock = server.connect("http")

Standard library only. Nothing outlives the `with` block: the server is ended by its process id.
Whoever imports this is ready for machines that encode text otherwise or forbid to trace; other
programs get the same by `-m tests.harness PROGRAM ARGUMENTS...`.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import io
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
STAGES = ("01_plain_epoll", "02_epoll_reactor", "03_libevent_raw", "04_bufferevent_http")
MOST_PRINTED = 1 << 18  # bytes that are looked at: it may print without end
LISTENING = re.compile(r"^listening on (?P<host>.+):(?P<port>\d+) \((?P<name>text|http)\)$")


def binary(name: str) -> pathlib.Path:
    """The path of a stage's binary; LAB_BIN names another build's folder (make asan sets it)."""
    return ROOT / os.environ.get("LAB_BIN", "build") / name


# ---- what other machines lack --------------------------------------------------------------------

PLAIN = {"✓": "v", "✗": "x", "→": ">", "…": "~", "─": "-", "–": "-", "−": "-"}


def in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    """For what a terminal's encoding lacks (codecs.register_error): one character for each, so that
    columns stay where they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(c, "?") for c in error.object[error.start:error.end]), error.end


def why_no_tracing() -> str:
    """Empty where strace may trace a server; else one line that says what is missing."""
    if os.environ.get("LAB_SANDBOX"):
        return "what runs in a sandbox is not traced"
    return why_no_ptrace()


@functools.cache
def why_no_ptrace() -> str:
    """The same for any process, as a sanitizer does it that looks for leaks."""
    with tempfile.NamedTemporaryFile(prefix="strace-") as log:
        try:
            run = subprocess.run(["strace", "-D", "-o", log.name, "true"], capture_output=True,
                                 encoding="utf-8", errors="replace", timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as why:
            return f"strace does not run here: {why}"
        if log.read():  # the exit status is that of `true`, even where nothing could be traced
            return ""
    return f"strace may not trace here: {run.stderr.strip().rpartition(': ')[2] or 'it is silent'}"


def why_no_attaching() -> str:
    """Empty where a process that runs already may be traced, too."""
    yama = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")
    if os.geteuid() != 0 and yama.exists() and yama.read_text(encoding="ascii").strip() != "0":
        return f"only root may attach to a process here: {yama} is not 0"
    return why_no_tracing()


def why_no_descriptors(count: int) -> str:
    """Empty where a process may have that many; else one line that says how many it may."""
    hard = descriptor_limit()
    return "" if hard >= count else f"{count} descriptors are needed, ulimit -Hn is {hard}"


def descriptor_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def raise_descriptor_limit() -> None:
    """The clients of one test need more descriptors than most shells allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def prepare() -> None:
    """For this process and those it starts."""
    codecs.register_error("plain", in_plain_characters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")
    if why_no_ptrace():  # LeakSanitizer is a tracer as well, and ends the process with an error
        given = os.environ.get("ASAN_OPTIONS", "")
        os.environ["ASAN_OPTIONS"] = f"{given}:detect_leaks=0".lstrip(":")


prepare()


# ---- servers -------------------------------------------------------------------------------------

def stat_of(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat behind the program's name: its state, its parent and so on. Of a
    thread: PID/task/THREAD."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        return stat.read().rsplit(")", 1)[1].split()


def resident_of(pid: int) -> int:
    """Resident memory in bytes. From smaps_rollup, if there is one: statm lags behind by some
    dozens of pages per CPU."""
    folder = pathlib.Path(f"/proc/{pid}")
    try:
        text = (folder / "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        pages = (folder / "statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize()
    return int(re.search(r"^Rss:\s+(\d+) kB", text, re.M)[1]) * 1024


class Boxed(subprocess.Popen):
    """A program that bubblewrap keeps apart (make lab-grade sets LAB_SANDBOX): the process that we
    start waits for it. Signals go to the program, and that one killed it is seen as such."""

    @functools.cached_property
    def program(self) -> int:
        """In there the first process collects those that are left behind, the second one is it."""
        for first in children_of(self.pid):
            for pid in children_of(first):
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
                    if re.search(r"^NSpid:.*\t2$", status.read(), re.M):
                        return pid
        raise ProcessLookupError(f"{self.args}: nobody runs behind {self.pid}")

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                os.kill(self.program, sig)

    def kill(self) -> None:
        """All that is in there."""
        super().send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        return self._signed(super().poll())

    def wait(self, timeout: float | None = None) -> int:
        return self._signed(super().wait(timeout))

    def _signed(self, status):
        """As subprocess has it; bubblewrap says it as a shell does."""
        if status is not None and 128 < status <= 128 + signal.SIGSYS:
            self.returncode = 128 - status
        return self.returncode


def children_of(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [int(child) for child in children.read().split()]


class StartError(Exception):
    """The server did not get as far as listening."""

    def __init__(self, text: str, printed: str = "", stderr: str = "", status: int | None = None):
        super().__init__(text)
        self.printed = printed
        self.stderr = stderr
        self.status = status  # None: it still ran


class Server:
    """A running stage on ports of its own choosing.

    `name` is a stage, a path to any program that prints the same two lines, or a tuple: a whole
    command line, which chooses its ports by itself. `ports` are the listeners it announces.
    `wrapper` is put in front of the command line (strace, valgrind).
    """

    def __init__(self, name, *flags, ports=("text", "http"), wrapper=(), env=None, preexec=None,
                 start_timeout=20.0):
        if isinstance(name, tuple):
            self.name, program = name[0], [*name]
        else:
            self.name = str(name)
            path = name if os.sep in str(name) else binary(str(name))
            program = [str(path), *(part for port in ports for part in (f"--{port}-port", "0"))]
        self.command = [*map(str, wrapper), *program, *map(str, flags)]
        self.ports = {}
        self.host = "127.0.0.1"
        self._stderr = tempfile.TemporaryFile()
        start = Boxed if os.environ.get("LAB_SANDBOX") == "bwrap" else subprocess.Popen
        self.process = start(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr,
            env={**os.environ, **(env or {})}, preexec_fn=preexec)
        try:
            self._read_ports(ports, time.monotonic() + start_timeout)
        except BaseException:
            self.kill()
            raise

    def _read_ports(self, expected, deadline):
        os.set_blocking(self.process.stdout.fileno(), False)
        seen = b""
        while not set(expected) <= set(self.ports):
            chunk = self.process.stdout.raw.read(1 << 16)
            if chunk == b"" or time.monotonic() > deadline or len(seen) > MOST_PRINTED:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.5 if chunk == b"" else 0)  # its descriptors close first
                raise StartError(f"{self.command}: printed {seen!r}; stderr: {self.stderr()!r}",
                                 seen.decode(errors="replace"), self.stderr(),
                                 self.process.returncode)
            if chunk is None:
                time.sleep(0.002)
                continue
            seen += chunk
            for line in seen.decode(errors="replace").splitlines():
                if match := LISTENING.match(line):
                    self.ports[match["name"]] = int(match["port"])
                    self.host = match["host"].strip("[]")

    @property
    def pid(self) -> int:
        return getattr(self.process, "program", self.process.pid)

    @property
    def text_port(self) -> int:
        return self.ports["text"]

    @property
    def http_port(self) -> int:
        return self.ports["http"]

    def connect(self, port: str = "http", timeout: float = 10.0) -> socket.socket:
        """A client's connection to that port; sends at once (TCP_NODELAY)."""
        sock = socket.create_connection((self.host, self.ports[port]), timeout=timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def stderr(self) -> str:
        """What the server has printed on stderr so far; the end of it, if that is very much."""
        self._stderr.seek(-min(self._stderr.seek(0, os.SEEK_END), MOST_PRINTED), os.SEEK_END)
        return self._stderr.read().decode(errors="replace")

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = 15.0) -> int:
        """The exit status, once the server has ended by itself."""
        return self.process.wait(timeout)

    def stop(self, timeout: float = 15.0) -> int:
        """SIGTERM, then the exit status. A server that does not drain in time is killed: -9."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_):
        self.signal_twice_and_wait()
        self.process.stdout.close()
        self._stderr.close()

    def signal_twice_and_wait(self) -> None:
        """The second signal cuts the drain short; only a server that ignores both is killed."""
        for _ in range(2):
            if self.process.poll() is not None:
                return
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(1.5)
                return
            except subprocess.TimeoutExpired:
                continue
        self.kill()

    # ---- what the kernel says about the process --------------------------------------------------

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def sockets(self) -> int:
        """How many of its descriptors are sockets."""
        folder, count = f"/proc/{self.pid}/fd", 0
        for name in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
            except FileNotFoundError:
                continue  # closed meanwhile
        return count

    def resident(self) -> int:
        return resident_of(self.pid)

    def cpu_seconds(self) -> float:
        return sum(map(int, stat_of(self.pid)[11:13])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    if why_no_tracing():
        print(f"leaks are not looked for: {why_no_tracing()}", file=sys.stderr)
    os.execvp(sys.argv[1], sys.argv[1:])
