"""GET /count streamed by evhttp."""

from tests import harness
from tests.exercises import counting

BINARIES = ["evhttp_server"]


def with_evhttp(conversation, *flags):
    with harness.Server("evhttp_server", *flags, ports=("http",)) as server:
        conversation(server)


def check_small():
    """GET /count?n=5 answers 1 to 5, a line each, with Transfer-Encoding: chunked."""
    with_evhttp(counting.small)


def check_large():
    """n=300000 is exact, and the connection serves the next request."""
    with_evhttp(counting.large)


def check_none():
    """n=0 is an empty body: the last chunk alone."""
    with_evhttp(counting.none)


def check_refused():
    """No n, or one that is no number, gets 400."""
    with_evhttp(counting.refused)


def check_bounded():
    """80 MB for a client that does not read cost less than 8 MiB of memory and delay nobody; when
    it reads, it goes on; when it leaves, nothing happens."""
    with_evhttp(counting.bounded)


def check_auth():
    """With --auth it wants credentials like every route but /hello."""
    with_evhttp(counting.guarded, "--auth", "a:b")
