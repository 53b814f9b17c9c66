"""Where a student's code is compiled and run: it sees little, and reaches less.

    box = sandbox.find()                      Bubblewrap, OtherUser, or Refused is raised
    box.run(["make"], folder, BUILD)          exit status and output; may write in that folder
    box.launcher(program)                     a script that runs it, for the checks to start

Bubblewrap gives it namespaces of its own: it sees /usr and its folder, no other process, and an
empty /tmp. Where a container forbids namespaces and we are root, OtherUser gives it a user who owns
nothing; it then sees what everybody may read, and the network. As root we do both.

Memory is bounded for the compiler and by AddressSanitizer; what is neither (a file in memory) only
by the machine or container that the grader runs on.
"""

from __future__ import annotations

import dataclasses
import fcntl
import functools
import os
import pathlib
import shlex
import signal
import socket
import stat
import struct
import subprocess
import tempfile

from tests import harness

MIB = 1 << 20
LARGEST = 256 << 10  # bytes of one file that is handed in
OUTPUT = 1 * MIB  # bytes that are read of what a compiler says
# What a program that is checked may be told by its environment.
TOLD = ("UBSAN_OPTIONS", "TSAN_OPTIONS", "EVENT_NOEPOLL", "EVENT_NOPOLL", "EVENT_SHOW_METHOD")
BWRAP = ("bwrap", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000",
         "--cap-drop", "ALL", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
         "--unshare-cgroup-try", "--die-with-parent", "--new-session",
         "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev")


class Refused(Exception):
    """What is missing for a grading that may do no harm, in one line."""


@dataclasses.dataclass(frozen=True)
class Limits:
    cpu: int  # seconds of each process
    file: int  # bytes of each file
    memory: int = 0  # bytes of each process; none where a sanitizer maps terabytes
    processes: int = 64
    scratch: int = 16 * MIB  # bytes of /tmp

    @property
    def words(self) -> list[str]:
        memory = [f"--as={self.memory}"] if self.memory else []
        return ["prlimit", f"--cpu={self.cpu}", f"--fsize={self.file}", "--core=0",
                f"--nproc={self.processes}", *memory, "--"]


BUILD = Limits(cpu=300, file=64 * MIB, memory=3072 * MIB, scratch=256 * MIB)
RUN = Limits(cpu=120, file=16 * MIB)
RESIDENT = 400  # MiB of a program with AddressSanitizer


# ---- the ways ------------------------------------------------------------------------------------

def as_user(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs",
            "--inh-caps=-all", "--bounding-set=-all"] if uid else []


def environment(**more: str) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **more}


@dataclasses.dataclass(frozen=True)
class Box:
    """No walls at all: what --unsafe asks for. The others are made from it."""

    uid: int = 0  # who runs it; 0 for whoever we are

    name = "none"

    def command(self, limits: Limits, folder: pathlib.Path, writable: bool) -> list[str]:
        """What stands before a command that uses this folder."""
        return limits.words

    def why_not(self) -> str:
        """Empty if it works here."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            try:
                status, output = self.run(["true"], pathlib.Path(folder), RUN)
            except OSError as error:
                return str(error)
        return output.strip().rpartition("\n")[2] if status else ""

    def own(self, path: pathlib.Path) -> None:
        """Lets it write there."""
        if self.uid:
            for name in (path, *path.rglob("*")):
                os.chown(name, self.uid, self.uid, follow_symlinks=False)

    def run(self, command: list[str], folder: pathlib.Path, limits: Limits,
            timeout: float = 600) -> tuple[int, str]:
        """In that folder, which it may write. Nothing of it is left afterwards."""
        with tempfile.TemporaryFile() as output:
            with subprocess.Popen([*self.command(limits, folder, True), *command], cwd=folder,
                                  stdin=subprocess.DEVNULL, stdout=output, env=environment(),
                                  stderr=subprocess.STDOUT, start_new_session=True) as process:
                try:
                    status = process.wait(timeout)
                except subprocess.TimeoutExpired:
                    status = -signal.SIGKILL
                finally:
                    self.end(process)
            output.seek(0)
            return status, output.read(OUTPUT).decode(errors="replace")

    def end(self, process: subprocess.Popen | None = None) -> None:
        """Kills what runs yet: this process and its group, and all of that user."""
        if process:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.uid:  # by himself: he may signal his own, and in one call none escapes
            subprocess.run([*as_user(self.uid), "sh", "-c", "kill -KILL -1"], check=False,
                           stderr=subprocess.DEVNULL)

    def launcher(self, program: pathlib.Path) -> str:
        """It finds what it is told by the environment, and nothing else."""
        told = " ".join(f'${{{name}+{name}="${name}"}}' for name in TOLD)  # if it is there at all
        fixed = shlex.join(f"{name}={value}" for name, value in environment().items())
        words = shlex.join([*self.command(RUN, program.parent, False), str(program)])
        return (f'#!/bin/sh\nexec env -i {fixed} {told} \\\n'
                f'  ASAN_OPTIONS="${{ASAN_OPTIONS-}}:hard_rss_limit_mb={RESIDENT}" \\\n'
                f'  {words} "$@"\n')


class OtherUser(Box):
    name = "user"

    def command(self, limits: Limits, folder: pathlib.Path, writable: bool) -> list[str]:
        return [*as_user(self.uid), *limits.words]

    def why_not(self) -> str:
        why = super().why_not()
        if not why and subprocess.run([*as_user(self.uid), "test", "-r", __file__],
                                      check=False).returncode == 0:
            return f"anyone may read the tests: chmod go-rwx {harness.ROOT}"
        return why


class Bubblewrap(Box):
    name = "bwrap"

    def command(self, limits: Limits, folder: pathlib.Path, writable: bool) -> list[str]:
        bind = "--bind" if writable else "--ro-bind"
        return [*as_user(self.uid), *BWRAP, *system(), "--size", str(limits.scratch),
                "--tmpfs", "/tmp", bind, str(folder), str(folder), "--chdir", str(folder),
                "--remount-ro", "/", "--", *limits.words]  # in there nobody else is counted


@functools.cache
def system() -> tuple[str, ...]:
    """The folders of the system as they are here: /bin may be a link into /usr."""
    words = ["--ro-bind", "/usr", "/usr"]
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if os.path.islink(name):
            words += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            words += ["--ro-bind", name, name]
    for name in ("/etc/alternatives", "/etc/hosts", "/etc/ld.so.cache", "/etc/nsswitch.conf"):
        words += ["--ro-bind-try", name, name]
    return tuple(words)


WAYS: dict[str, type[Box]] = {way.name: way for way in (Bubblewrap, OtherUser, Box)}


def find() -> Box:
    """The best that works here."""
    # No account, no service: a range that systemd gives to services for as long as they run.
    nobody = 61184 + os.getpid() % 4096
    tried = [Bubblewrap(nobody), OtherUser(nobody)] if os.geteuid() == 0 else [Bubblewrap()]
    whys = {}
    for box in tried:
        if not (why := box.why_not()):
            return box
        whys[box.name] = why
    said = "; ".join(f"{name}: {why}" for name, why in whys.items())
    raise Refused(f"a student's code cannot be kept apart here ({said}). UNSAFE=1 grades as if it "
                  "were yours")


# ---- the room around all of them -----------------------------------------------------------------

def room() -> list[str]:
    """What stands before the whole grading: processes of its own, which end with it, and a network
    in which there is nobody else. Empty where that may not be made."""
    words = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net", "--pid",
             "--fork", "--kill-child", "--mount-proc"]
    try:
        made = subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        made = False
    return words if made else []


def loopback_up() -> None:
    """In a new network it is there, and down."""
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(sock, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


# ---- what is taken in ----------------------------------------------------------------------------

def read_plain(folder: pathlib.Path, name: str) -> bytes:
    """A file of what was handed in: OSError if it is none, Refused if it is a link or the like.
    Each part of its name is opened by itself, so that no folder on the way is a link either."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    parts = pathlib.PurePath(name).parts
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for depth, part in enumerate(parts, 1):
            kind = os.stat(part, dir_fd=at, follow_symlinks=False).st_mode
            if not (stat.S_ISREG(kind) if depth == len(parts) else stat.S_ISDIR(kind)):
                raise Refused(f"{name} is no plain file")
            following = os.open(part, flags, dir_fd=at)
            os.close(at)
            at = following
        contents = os.read(at, LARGEST + 1)
    finally:
        os.close(at)
    if len(contents) > LARGEST:
        raise Refused(f"{name} has more than {LARGEST >> 10} KiB")
    return contents


def may_write(uid: int, path: pathlib.Path) -> bool:
    return subprocess.run([*as_user(uid), "test", "-w", path], check=False).returncode == 0
