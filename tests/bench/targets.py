"""What is measured: the stages in all their modes, their floors, and peers where installed."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from tests import harness


@dataclasses.dataclass(frozen=True)
class Target:
    name: str
    program: str
    flags: tuple[str, ...] = ()
    floor: str = ""  # the target whose mechanism this one uses
    quick: bool = False  # measured with --quick, too

    @property
    def is_floor(self) -> bool:
        return self.program.startswith("floor")

    def start(self, wrapper: tuple[str, ...] = (), pipelined: bool = False, cpu: int | None = None,
              flags: tuple[str, ...] = ()):
        """A running server, as a context manager, on the given CPU only."""
        def pin() -> None:
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})
        if self.program in PEERS:
            return Peer(self.program, wrapper, pin)
        ports = ("text", "http") if self.program in harness.STAGES else ("http",)
        more = ("--pipelined",) if pipelined and self.is_floor else ()
        return harness.Server(harness.binary(self.program), *self.flags, *flags, *more, ports=ports,
                              wrapper=wrapper, preexec=pin)

    def missing(self) -> str:
        """Why it cannot be measured here; empty if it can."""
        if self.program in PEERS:
            found = which(self.program)
            return "" if found else f"{self.program} is not installed (make bench-deps)"
        path = harness.binary(self.program)
        if not path.exists():
            return f"{path.name} is not built"
        if "--changelist" in self.flags and not self.is_floor:
            usage = subprocess.run([path, "--help"], capture_output=True, text=True, check=False)
            if "--changelist" not in usage.stdout:
                return f"{path.name} has no --changelist"
        return ""


def stage(name: str, program: str, floor: str, *flags: str, quick: bool = False) -> Target:
    return Target(name, program, flags, floor, quick)


TARGETS = (
    stage("floor 01", "floor_01", "", quick=True),
    stage("01", "01_plain_epoll", "floor 01", quick=True),
    stage("floor 02 mod", "floor_02", "", quick=True),
    stage("02 mod", "02_epoll_reactor", "floor 02 mod", "--rearm=mod", quick=True),
    stage("floor 02 del-add", "floor_02", "", "--rearm=del-add"),
    stage("02 del-add", "02_epoll_reactor", "floor 02 del-add", "--rearm=del-add"),
    stage("02 eager", "02_epoll_reactor", "floor 01", "--rearm=eager"),
    stage("floor 03 swap", "floor_03", "", quick=True),
    stage("03 swap", "03_libevent_raw", "floor 03 swap", "--rearm=swap", quick=True),
    stage("floor 03 changelist", "floor_03", "", "--changelist"),
    stage("03 changelist", "03_libevent_raw", "floor 03 changelist", "--rearm=swap",
          "--changelist"),
    stage("floor 03 eager", "floor_03", "", "--rearm=eager"),
    stage("03 eager", "03_libevent_raw", "floor 03 eager", "--rearm=eager"),
    stage("floor 04", "floor_04", "", quick=True),
    stage("04", "04_bufferevent_http", "floor 04", quick=True),
    stage("floor 04 changelist", "floor_04", "", "--changelist"),
    stage("04 changelist", "04_bufferevent_http", "floor 04 changelist", "--changelist"),
    stage("evhttp", "evhttp_server", ""),
    stage("nginx", "nginx", "", quick=True),
    stage("lighttpd", "lighttpd", ""),
)

NGINX = """
daemon off; master_process off; worker_processes 1; error_log stderr crit;
pid {folder}/pid; worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600; server_tokens off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  default_type "text/plain; charset=utf-8";
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 "hello, world\\n"; }}
  }}
}}
"""
LIGHTTPD = """
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.listen-backlog = 4096
server.max-fds = {files}
server.max-connections = {connections}
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
server.errorlog = "{folder}/log"
mimetype.assign = ( "" => "text/plain; charset=utf-8" )
"""
PEERS = {"nginx": (NGINX, ("-e", "stderr", "-c")), "lighttpd": (LIGHTTPD, ("-D", "-f"))}


def which(program: str) -> str | None:
    """Debian keeps these servers in /usr/sbin, which a user's PATH may lack. With BENCH_NO_PEERS
    set nothing is found: that is how a test sees what happens where nothing is installed."""
    if os.environ.get("BENCH_NO_PEERS"):
        return None
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Peer:
    """nginx or lighttpd: one process, one connection table, answering GET /hello."""

    def __init__(self, program: str, wrapper=(), pin=None, files: int = 12000):
        template, flags = PEERS[program]
        self.name = program
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        folder = pathlib.Path(self._folder.name)
        folder.chmod(0o755)
        self.http_port = free_port()
        files = min(files, harness.descriptor_limit())
        (folder / "hello").write_text("hello, world\n")
        config = folder / "config"
        config.write_text(template.format(folder=folder, port=self.http_port, files=files,
                                          connections=files // 2 + files // 4))
        self.process = subprocess.Popen([*wrapper, which(program), *flags, config], preexec_fn=pin,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        try:
            self._wait_until_it_listens()
        except BaseException:
            self.__exit__()
            raise

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise harness.StartError(f"{self.process.args} does not listen") from None
                time.sleep(0.01)

    @property
    def pid(self) -> int:
        return self.process.pid

    def connect(self, _port: str = "http", timeout: float = 10.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.http_port), timeout=timeout)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_) -> None:
        for _ in range(25):  # one may come between nginx's look at its flag and its epoll_wait
            self.process.terminate()
            try:
                self.process.wait(0.2)
                break
            except subprocess.TimeoutExpired:
                pass
        else:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()


# ---- what the kernel says about a process --------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Cpu:
    """Microseconds. The sum is exact to the nanosecond; the kernel knows the two shares from a
    sample per clock tick only."""
    total: float
    user_share: float
    ticks: tuple[int, int]


def cpu_of(pid: int, before: Cpu | None = None) -> Cpu:
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    total = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000
    ticks = tuple(map(int, harness.stat_of(pid)[11:13]))
    user, system = (now - then for now, then in zip(ticks, before.ticks if before else (0, 0)))
    share = user / (user + system) if user + system else 0.0
    return Cpu(total - (before.total if before else 0), share, ticks)
