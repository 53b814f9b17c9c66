"""The table's own checks notice what they are for."""

from __future__ import annotations


import pytest

from tests.api import api
from tests.lib import cpp

WORDS = api.WORDS.read_text()


@pytest.mark.parametrize("name", ["event_add", "evhttp_new", "EVRPC_REGISTER", "evdns_base_new"])
def test_a_missing_function_is_noticed(name):
    """Fails where completeness is not checked: a function that is used loses its entry."""
    less = "".join(line for line in WORDS.splitlines(True) if not line.startswith(name + " |"))
    assert less != WORDS
    with pytest.raises(api.ApiError, match=rf"used but not in api.txt: {name}\b"):
        api.table(api.words(less))


def test_a_superfluous_entry_is_noticed():
    """Fails where a function that nobody calls any more stays in the table."""
    with pytest.raises(api.ApiError, match="not used: evutil_nothing"):
        api.table(api.words(WORDS + "evutil_nothing | a | b | c\n"))


def test_every_link_leads_to_the_function():
    """Fails where a line in the table is not one that names the function."""
    for name, places in api.used(api.declared()).items():
        path, line = places[0]
        assert name in (api.ROOT / path).read_text().splitlines()[line - 1]


def test_comments_and_strings_are_no_use():
    """Fails where a name in a comment counts as a call."""
    code = '// event_add\n/* event_del\n*/ x("event_new");\ny();'
    assert "event" not in cpp.blanked(code)
    assert cpp.blanked(code).count("\n") == 3
