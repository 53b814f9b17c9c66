"""The tables' own checks notice what they are for."""

from __future__ import annotations

import re

import pytest

from tests.api import api
from tests.lib import cpp

WORDS = api.WORDS.read_text(encoding="utf-8")
# What the texts name that Chinese students come from.
EXPECTED = """
event_base_new event_base_new_with_config event_new event_assign event_add event_del
event_base_dispatch event_base_loop event_base_free evsignal_new evtimer_new evtimer_add evtimer_del
bufferevent_socket_new bufferevent_setcb bufferevent_enable bufferevent_disable bufferevent_read
bufferevent_write evthread_use_pthreads event_set_mem_functions event_enable_debug_mode
evhttp_new evhttp_set_gencb evhttp_bind_socket_with_handle evhttp_connection_base_new
evhttp_request_new evhttp_request_get_output_headers evhttp_request_get_output_buffer
evhttp_add_header evhttp_make_request evhttp_connection_free evdns_base_new
EVRPC_HEADER EVRPC_GENERATE EVRPC_REGISTER EVRPC_MAKE_REQUEST evrpc_init evrpc_free evrpc_pool_new
evrpc_pool_add_connection evrpc_pool_free
""".split()


def without(name: str, lines: int = 2) -> str:
    found = re.search(rf"^{name} .*\n= .*\n", WORDS, re.M)[0].splitlines(True)
    return WORDS.replace("".join(found), "".join(found[:-lines]))


@pytest.mark.parametrize("name", ["event_add", "evhttp_new", "EVRPC_REGISTER", "evdns_base_new"])
def test_a_missing_function_is_noticed(name):
    """Fails where completeness is not checked: a function that is used loses its entry."""
    with pytest.raises(api.ApiError, match=rf"used but not in api.txt: {name}\b"):
        api.tables(api.words(without(name)), api.ENGLISH)


@pytest.mark.parametrize("line, complaint", [
    ("evutil_nothing | a | `b` | own\n= c\n", "but not used: evutil_nothing"),
    ("evutil_none > | a | `b` | own | c\n= d | e | f\n", "in no header: evutil_none"),
    ("evsignal_add > evsignal_new | a | b | own | c\n= d | e | f\n", "place of evsignal_add"),
])
def test_a_wrong_entry_is_noticed(line, complaint):
    """Fails where the table names what nobody calls, what libevent has not, or nothing better."""
    with pytest.raises(api.ApiError, match=complaint):
        api.tables(api.words(f"{WORDS}{line}"), api.ENGLISH)


@pytest.mark.parametrize("text", [
    without("event_add", lines=1), re.sub(r"^(evrpc_init .*\n)= ", r"\1", WORDS, flags=re.M),
    re.sub(r"^(evtimer_new .*\n= [^|]*) \|.*", r"\1", WORDS, flags=re.M)])
def test_words_without_chinese_ones_are_noticed(text):
    """Fails where an entry is written in one language and forgotten in the other."""
    assert text != WORDS
    with pytest.raises(api.ApiError, match="Chinese"):
        api.words(text)


@pytest.mark.parametrize("language", api.LANGUAGES, ids=lambda language: language.note)
def test_every_example_stands_where_its_link_leads(language):
    """Fails where a page shows a call that the source does not make, or not on that line."""
    text = (api.ROOT / language.note).read_text(encoding="utf-8")
    rows = re.findall(r"`([^`]+)` \[([^]:]+):(\d+)\]\((?:\.\./)+\2#L\3\)", text)
    assert len(rows) > 100
    for example, path, line in rows:
        there = (api.ROOT / path).read_text(encoding="utf-8").splitlines()[int(line) - 1:][:4]
        assert example.split("(")[0] in there[0]
        assert example.endswith(")") and example.count("(") == example.count(")")
        assert example.replace("\\|", "|") in api.flat("\n".join(there))


@pytest.mark.parametrize("language", api.LANGUAGES, ids=lambda language: language.note)
def test_what_readers_look_for_is_there(language):
    """Fails where a function that other courses teach has no row, because it is not used here."""
    text = (api.ROOT / language.note).read_text(encoding="utf-8")
    missing = [name for name in EXPECTED if not re.search(rf"^\| `[^`]*\b{name}\(", text, re.M)]
    assert not missing


def test_comments_and_strings_are_no_use():
    """Fails where a name in a comment counts as a call."""
    code = '// event_add\n/* event_del\n*/ x("event_new");\ny();'
    assert "event" not in cpp.blanked(code)
    assert cpp.blanked(code).count("\n") == 3
