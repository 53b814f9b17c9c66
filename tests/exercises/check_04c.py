"""GET /count streamed by our own session, at all stages."""

import concurrent.futures

from tests import harness
from tests.exercises import counting
from tests.exercises.clients import (
    ONE_IN_EACH_LOOP, Unmet, ask, connection, four_loops, require)
from tests.exercises.kept import OF_A_STAGE, OF_HTTP, stays

BINARIES = [*harness.STAGES, "evhttp_server"]
TSAN = harness.STAGES[:1]


def on_every_stage(conversation, *flags):
    """At the same time: most of it is waiting."""
    def on_one(stage):
        with harness.Server(stage, *flags) as server:
            try:
                conversation(server)
            except Unmet as error:
                raise Unmet(f"{stage}: {error}") from None

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for _ in pool.map(on_one, harness.STAGES):
            pass


def check_small():
    """GET /count?n=5 answers 1 to 5, a line each, with Transfer-Encoding: chunked, at every
    stage."""
    on_every_stage(counting.small)


def check_large():
    """n=300000 is exact, and the connection serves the next request."""
    on_every_stage(counting.large)


def check_none():
    """n=0 is an empty body: the last chunk alone."""
    on_every_stage(counting.none)


def check_refused():
    """No n, or one that is no number of 64 bits, gets 400."""
    on_every_stage(counting.refused)


def check_any():
    """n is any number: 5,000,000,000 begins like all others."""
    on_every_stage(counting.any_number)


def check_head():
    """HEAD gets the head alone, and the connection serves the next request."""
    on_every_stage(counting.head_only)


def check_order():
    """The next request waits until the last chunk is out; with Connection: close, closing does."""
    on_every_stage(counting.in_order)


def check_bounded():
    """80 MB cost less than 1 MiB of memory and delay nobody where the client, by HTTP/1.1 or 1.0,
    does not read, and where it sends all the time. When it reads, the server goes on."""
    on_every_stage(counting.bounded)


def check_together():
    """Three clients of one loop at the same time get each its own numbers."""
    on_every_stage(counting.together)


def check_patient():
    """An answer may take longer than --idle-timeout, as long as its client reads; one that does not
    read is let go. Behind the answer the time is what it was, and ends with 408 or silently."""
    on_every_stage(counting.patient, "--idle-timeout", "1")


def check_leaving():
    """60 clients that leave in the middle harm nobody, and neither sockets nor memory stay."""
    on_every_stage(counting.left_alone)


def check_old():
    """An HTTP/1.0 client gets no chunks: the body ends with the connection, even where it asked to
    keep that."""
    on_every_stage(counting.old)


def check_drained():
    """In a drain, too, the request behind it in the same packet is answered."""
    on_every_stage(counting.drained)


def check_half_closed():
    """A client that ends its side behind the request gets all of n=1000000."""
    on_every_stage(counting.half_closed)


def check_completed():
    """With SIGTERM in the middle, n=1000000 is exact all the same; then the server ends. It waits
    for nobody who has had his answer."""
    on_every_stage(counting.completed, "--grace", "30")
    on_every_stage(counting.completed_in_four_loops, "--grace", "30", *ONE_IN_EACH_LOOP)


def check_auth():
    """With --auth it wants credentials like every route but /hello."""
    on_every_stage(counting.guarded, "--auth", "a:b")


def check_threads():
    """With four loops that count at the same time no memory is shared: ThreadSanitizer looks."""
    with four_loops(harness.STAGES[0]) as clients:
        for client in clients:
            client.send(counting.get(50_000))
        for client in clients:
            got = client.read_until(b"\r\n0\r\n\r\n")
            require(got.endswith(b"\n50000\n\r\n0\r\n\r\n"), f"n=50000 ended with {got[-20:]!r}")


def check_evhttp():
    """evhttp_server, which has the same routes, says 404 as before, or counts as well: no answer
    that is not true. With --auth it wants credentials first."""
    with harness.Server("evhttp_server", ports=("http",)) as server:
        client = connection(server)
        for path in ("/count?n=3", "/%63ount?n=3"):
            answer, body = ask(client, "GET", path)
            require(answer.status == 404 or (answer.status == 200 and body == b"1\n2\n3\n"),
                    f"evhttp_server: GET {path} gets {answer.status}, {body[:40]!r}")
            head, _ = ask(client, "HEAD", path)
            require(head.status == answer.status,
                    f"evhttp_server: HEAD {path} gets {head.status}, and GET {answer.status}")
        client.close()
    with harness.Server("evhttp_server", "--auth", "a:b", ports=("http",)) as server:
        client = connection(server)
        answer, _ = ask(client, "GET", "/count?n=3")
        require(answer.status == 401, f"--auth, and evhttp_server says {answer.status}")
        client.close()


def check_the_rest():
    """What was true stays true: other routes, drains, limits, time-outs, four loops (black-box
    tests)."""
    stays(harness.STAGES[3], OF_A_STAGE | OF_HTTP)
