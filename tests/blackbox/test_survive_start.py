"""Start: a port that is taken is an error, and a restart is not."""

from __future__ import annotations

import signal
import socket
import subprocess

import pytest

import lab
import load
import wire


def start_once(stage: str, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run([lab.binary(stage), *flags], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=20, check=False)


@pytest.mark.parametrize("taken", ["text", "http"])
@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_second_instance_is_an_error(start, stage, taken, threads):
    """Fails with SO_REUSEPORT, which lets two servers share a port and hides the mistake."""
    server = start("--threads", threads)
    ports = {"text": "0", "http": "0"} | {taken: str(server.ports[taken])}
    second = start_once(stage, "--text-port", ports["text"], "--http-port", ports["http"],
                        "--threads", threads)
    assert second.returncode == 1
    assert len(second.stderr.splitlines()) == 1
    assert f"127.0.0.1:{server.ports[taken]}" in second.stderr


def test_a_name_that_does_not_resolve(stage):
    """Fails where the error is silent, several lines long, or not an error."""
    failed = start_once(stage, "--host", "no.such.host.invalid", "--text-port", "0")
    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1
    assert "no.such.host.invalid" in failed.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_restart_at_once(start, number):
    """Fails without SO_REUSEADDR: connections that the old server closed are in TIME_WAIT, and
    those that are open outlive a killed one for a while."""
    server = start()
    clients = [wire.connect(server) for _ in range(10)]
    for client in clients:
        client.send(load.HELLO.replace(b"lab\r\n", b"lab\r\nConnection: close\r\n"))
        client.read_response()
    server.signal(number)
    server.wait()
    again = start("--text-port", str(server.text_port), "--http-port", str(server.http_port))
    assert (again.text_port, again.http_port) == (server.text_port, server.http_port)
    assert wire.exchange(again, b"back", "text") == b"BACK"
    for client in clients:
        client.close()


def test_listening_means_listening(start):
    """Fails where the line is printed before the socket accepts: lab.Server connects at once."""
    for _ in range(5):
        server = start()
        for port in ("text", "http"):
            socket.create_connection((server.host, server.ports[port]), timeout=1).close()
