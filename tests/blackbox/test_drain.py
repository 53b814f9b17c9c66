"""SIGTERM: nothing that was asked is left unanswered, and then the process is gone.

SIGSTOP holds a server still while the clients send; SIGTERM then finds all of it in the kernel's
queues, whatever the machine is busy with."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.blackbox import load
from tests.blackbox.conftest import comes_to_rest, eventually
from tests.lib import wire

GRACE = 3.0
MIB = 1 << 20


def stop_while_asleep(server, send, number: int = signal.SIGTERM) -> None:
    """The server wakes up to the signal, and to what send() left in its sockets. The signal is
    there first: it must not be what was looked at before the signal that is answered."""
    server.signal(signal.SIGSTOP)
    server.signal(number)
    send()
    server.signal(signal.SIGCONT)


def refused(server, port: str) -> bool:
    try:
        server.connect(port, timeout=2).close()
        return False
    except OSError:
        return True


@pytest.mark.threads
@pytest.mark.parametrize("threads", ["1", "3"])
def test_1000_requests_in_flight(start, threads):
    """Fails on a server that closes its listeners before it has emptied the accept queue, or that
    does not look into its clients' sockets: half of the 1,000 clients are not even accepted."""
    server = start("--threads", threads)
    early = load.Crowd(server, [load.Guest(b"", fin=False) for _ in range(500)])
    with early, early.selector:
        early.send_all()
        eventually(lambda: server.descriptors() > 500, what="500 are accepted")
        late = load.Crowd(server, [])

        def ask():
            for guest in early.guests:
                guest.sock.send(load.HELLO)
            late.__init__(server, [load.Guest(load.HELLO, fin=False) for _ in range(500)])
            late.send_all()
        with late:
            stop_while_asleep(server, ask)
            late.run()
            early.run()
        guests = early.guests + late.guests
    assert server.wait() == 0
    assert {repr(g.error) for g in guests} == {"None"}
    answers = [wire.responses(bytes(g.got)) for g in guests]
    assert all(len(a) == 1 and a[0].status == 200 for a in answers)


def test_pipelined_requests_and_only_the_last_answer_closes(server):
    """Fails where only the request at hand is answered, where each answer says close (a client
    would drop what follows the first), or where none does. 5,000 requests: more than one read."""
    count = 5000
    with wire.connect(server) as client:
        client.send(load.HELLO)
        client.read_response()
        stop_while_asleep(server, lambda: client.send(load.HELLO * count))
        answers = wire.responses(client.read_to_eof())
    assert len(answers) == count
    assert [a.closes for a in answers] == [False] * (count - 1) + [True]
    assert server.wait() == 0


@pytest.mark.parametrize("port", ["text", "http"])
def test_idle_connections_close_at_once_and_newcomers_are_refused(start, port):
    """Fails on a server that waits for --grace, or for clients who have nothing to say. A partial
    request holds the drain open meanwhile."""
    server = start("--grace", "20")
    with wire.connect(server) as partial, wire.connect(server, port) as idle:
        partial.send(load.HELLO[:-2])
        data = b"t" if port == "text" else load.HELLO
        idle.send(data)
        idle.read_exactly(1) if port == "text" else idle.read_response()
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        idle.expect_eof()
        idle.close()
        eventually(lambda: refused(server, "text") and refused(server, "http"), 5, "refusal")
        assert server.process.poll() is None
        partial.send(b"\r\n")
        answer = partial.read_response()
        assert answer.status == 200 and answer.closes
        partial.close()
        assert server.wait() == 0
        assert time.monotonic() - begin < 15


def test_a_partial_request_gets_until_grace(start):
    """Fails on a server that waits longer than --grace, less, or exits with an error then."""
    server = start("--grace", "1")
    with wire.connect(server) as client:
        client.send(load.HELLO[:-2])
        comes_to_rest(server)
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert 0.95 <= time.monotonic() - begin < 4


@pytest.mark.threads
@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_second_signal_ends_it(start, threads):
    """Fails where the second signal is ignored, starts another drain, or kills with a status."""
    server = start("--grace", "60", "--threads", threads)
    clients = [wire.connect(server) for _ in range(8)]
    for client in clients:
        client.send(b"GET /hello")
    comes_to_rest(server)
    server.signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    begin = time.monotonic()
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert time.monotonic() - begin < 1.0 + 2.0
    for client in clients:
        client.close()


@pytest.mark.threads
@pytest.mark.parametrize("threads", ["1", "3"])
def test_two_signals_at_once_end_it(start_http, threads):
    """Fails where signals that are pending together count as one: whoever pressed Ctrl-C at a
    server that init was ending, too, waits for --grace."""
    server = start_http("--grace", "60", "--threads", threads)
    with wire.connect(server) as client:
        client.send(load.HELLO[:-2])  # holds a drain open
        eventually(lambda: wire.stats(server)["connections_open"] == 2, what="it is accepted")
        server.signal(signal.SIGSTOP)
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGINT)
        server.signal(signal.SIGCONT)
        assert server.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_text_that_has_arrived_is_answered(server, number):
    """Fails where an open text stream is cut with bytes in it; on either signal."""
    data = b"still to be answered " * 2_000  # fits into a socket buffer: it has arrived
    with wire.connect(server, "text") as client:
        client.send(b"a")
        client.read_exactly(1)
        stop_while_asleep(server, lambda: client.send(data), number)
        assert client.read_to_eof() == data.upper()
    assert server.wait() == 0


def test_a_stalled_reader_gets_all_of_it(start):
    """Fails where the drain drops output that the kernel would not take at once."""
    server = start("--grace", "30", "--max-body", str(16 * MIB))
    body = b"d" * (16 * MIB)
    with wire.connect(server) as client:
        client.sock.sendall(wire.request("POST", "/upper", body=body) + load.HELLO)
        comes_to_rest(server)
        server.signal(signal.SIGTERM)
        time.sleep(0.5)
        answers = wire.responses(client.read_to_eof())
    assert [a.body for a in answers] == [body.upper(), b"hello, world\n"]
    assert [a.closes for a in answers] == [False, True]
    assert server.wait() == 0


def test_what_the_client_still_says_does_not_cut_the_answer(start):
    """Fails on a server that closes as soon as the kernel has the last bytes: its client knows
    nothing of a drain, sends its next request, and the reset for it overtakes those bytes."""
    server = start("--max-body", str(4 * MIB))
    body = b"d" * (4 * MIB)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)  # the tail waits at the server
    sock.settimeout(20)
    sock.connect((server.host, server.http_port))
    sock.sendall(wire.request("POST", "/upper", body=body))
    comes_to_rest(server)
    server.signal(signal.SIGTERM)
    with wire.Client(sock) as client:
        head = client.read_until(b"\r\n\r\n")
        got = client.read_exactly(len(body) - 48 * 1024)
        time.sleep(0.3)  # it closes, if it is one that does
        sock.sendall(load.HELLO)
        got += client.read_exactly(len(body) - len(got))
    assert head.startswith(b"HTTP/1.1 200 ") and got == body.upper()
    assert server.wait() == 0


def test_over_the_limit_is_answered_too(start):
    """Fails where --max-connections leaves clients in the accept queue, who have asked, unanswered
    when the listeners close."""
    server = start("--max-connections", "2", "--threads", "1")
    holders = [wire.connect(server) for _ in range(2)]
    for client in holders:
        client.send(load.HELLO)
        client.read_response()
    waiting = [load.Guest(load.HELLO, fin=False) for _ in range(20)]
    with load.Crowd(server, waiting) as crowd:
        crowd.send_all()
        server.signal(signal.SIGTERM)
        crowd.run()
    assert crowd.summary() == "20 of 20 served; errors: none"
    assert all(g.got.endswith(b"hello, world\n") for g in waiting)
    for client in holders:
        client.expect_eof()
        client.close()
    assert server.wait() == 0


def test_linger_does_not_keep_it_alive(start):
    """Fails on a server that waits for --grace because a client does not close its side."""
    server = start("--grace", "30")
    with wire.connect(server) as client:
        client.send(b"nonsense\r\n\r\n")
        assert client.read_response().status == 400
        server.signal(signal.SIGTERM)
        assert server.wait(10) == 0
