"""The programs of notes/next/: outside the four stages, but the same text service.

    programs.py uring     plays the conversations that it passes, and shows the calls of a message

The conversations are those of the steps (tests/steps). To tls they are spoken through TLS, with a
certificate that is made for the occasion.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import pathlib
import re
import shlex
import ssl
import subprocess
import sys
import tempfile

from tests import harness
from tests.compare import conversation as conv
from tests.compare import show
from tests.lib import strace
from tests.steps import steps

FOLDER = harness.ROOT / "notes" / "next"
PASSES = {"uring": range(1, 7), "coroutine": range(1, 5), "tls": range(1, 4)}
PACKAGE = {"uring": "liburing-dev", "tls": "libssl-dev"}
TRACED = "read,write,readv,writev,%network,?epoll_wait,epoll_pwait,epoll_ctl,io_uring_enter"
WAITS = re.compile(rb"(epoll_p?wait|io_uring_enter)\(")
OPENSSL = ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
           " -subj /CN=lab -addext subjectAltName=IP:127.0.0.1")
IO_URING_SETUP = 425  # on every architecture


def source(name: str) -> pathlib.Path:
    return FOLDER / f"{name}.cc"


# ---- what other machines lack --------------------------------------------------------------------

def why_no_uring() -> str:
    """Empty where the kernel would make a ring; it is asked for an impossible one."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(IO_URING_SETUP, 1, None)
    error = ctypes.get_errno()
    return "" if error == errno.EFAULT else f"the kernel forbids io_uring: {os.strerror(error)}"


def why_not(name: str) -> str:
    """Empty where the program can run; else one line that says what is missing."""
    if not harness.binary(f"next/{name}").exists():
        return f"next/{name} is not built: make next installs {PACKAGE.get(name, 'what it needs')}"
    return why_no_uring() if name == "uring" else ""


# ---- TLS -----------------------------------------------------------------------------------------

@functools.cache
def certificate() -> tempfile.NamedTemporaryFile:
    """A key, and a certificate that it has signed itself."""
    file = tempfile.NamedTemporaryFile(prefix="tls-", suffix=".pem")
    subprocess.run([*shlex.split(OPENSSL), "-keyout", file.name, "-out", file.name], check=True,
                   capture_output=True)
    return file


class TlsSocket(ssl.SSLSocket):
    """Has the errors of a plain socket. An end that nobody has announced is none of them."""

    def send(self, data, flags=0):
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def recv(self, buflen=1024, flags=0):
        """One record after the other: to compare each with megabytes would take long."""
        got = b""
        try:
            while len(got) < buflen and (piece := super().recv(buflen - len(got), flags)):
                got += piece
        except ssl.SSLZeroReturnError:  # the server has said close_notify, too
            pass
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if not got:
                raise BlockingIOError from None
        return got

    def shutdown(self, how):
        try:
            self.unwrap()  # says close_notify, and would wait for that of the server
        except ssl.SSLWantReadError:
            pass


class TlsServer(harness.Server):
    """Its clients believe its certificate, and no other."""

    def __init__(self, path, *flags, **options):
        pem = certificate().name
        super().__init__(path, "--pem", pem, *flags, **options)
        self.context = ssl.create_default_context(cafile=pem)
        self.context.sslsocket_class = TlsSocket
        self.context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF

    def connect(self, port="text", timeout=10.0):
        return self.context.wrap_socket(super().connect(port, timeout), server_hostname=self.host,
                                        suppress_ragged_eofs=False)


# ---- what a program does -------------------------------------------------------------------------

def starter(name: str):
    return TlsServer if name == "tls" else harness.Server


def play(name: str, number: int, suffix: str = "", patience: float = conv.PATIENCE
         ) -> list[conv.Observation]:
    """What is not as the conversation says, in order."""
    path = str(harness.binary(f"next/{name}{suffix}"))
    return steps.play(path, number, patience=patience, start=starter(name))


def message(path: str, start=harness.Server) -> list[str]:
    """What strace says while a client sends a line and gets its answer: from the waiting call that
    ends then, up to the one that waits for the next line."""
    with tempfile.NamedTemporaryFile(prefix="strace-") as file:
        log = strace.Log(file.name, WAITS)
        cuts = []
        with start(path, ports=("text",), wrapper=strace.command(file.name, TRACED),
                   env=strace.environment()) as server, server.connect("text") as client:
            for text in (b"the first one\n", b"hello\n"):
                client.sendall(text)
                if client.recv(len(text)) != text.upper():
                    raise strace.NotUnderstood("the server does not answer")
                log.settle()
                if not log.resting():
                    raise strace.NotUnderstood("strace does not say that the server waits")
                cuts.append(log.cut)
        return [re.sub(r"data=(\{[^}]*\}|\w+)", "data=...", " ".join(line.split()))
                for line in log.part(*cuts)]


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in PASSES:
        print(f"make next X=NAME: {' '.join(PASSES)}", file=sys.stderr)
        return 2
    (name,) = arguments
    path = source(name)
    print(show.paint(f"{name}: {steps.title_of(path)} ({path.relative_to(harness.ROOT)}, "
                     f"{steps.size_of(path)} lines)\n", "bold"))
    if why := why_not(name):
        print(f"skipped: {why}")
        return 0
    failed = 0
    for number in PASSES[name]:
        seen = play(name, number)
        failed += bool(seen)
        print(f"{'fails' if seen else 'passes'} {number}: {steps.title_of_conversation(number)}")
        if seen:
            print("\n".join(conv.difference(seen[0], steps.conversation(number))))
    if why := harness.why_no_tracing():
        print(f"\nno system calls: {why}")
    else:
        print('\nA client says "hello". The calls, up to the one that waits for the next line:\n')
        print("\n".join(message(str(harness.binary(f"next/{name}")), starter(name))))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(show.guarded(main, sys.argv[1:]))
