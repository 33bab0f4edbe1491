"""Response bodies: their JSON is found in any framing and wherever the body is cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core.errors import ModelError
from agent_core.llm.streams.response_body import Body

A, B = {"a": 1}, {"b": 'x\u2028y\u2029z\x85 🌙 \\ " \u0000 \ud800'}

BODIES: dict[str, tuple[bytes, list[Any]]] = {
    "events": (b'data: {"a": 1}\n\ndata: [DONE]\n\n', [A]),
    "CRLF": (b'data: {"a": 1}\r\n\r\ndata: {"a": 1}\r\n\r\n', [A, A]),
    "CR": (b'data: {"a": 1}\r\rdata: {"a": 1}\r\r', [A, A]),
    "mixed ends": (b'data: {"a": 1}\r\n\ndata: {"a": 1}\n\r\r\ndata: {"a": 1}\r\r', [A, A, A]),
    "byte order mark": (b'\xef\xbb\xbfdata: {"a": 1}\n\n', [A]),
    "comments": (b': hello\n\n:\n: ping\ndata: {"a": 1}\n: x\n\n', [A]),
    "data in several lines": (b'data: {"a":\ndata: 1\ndata:}\n\n', [A]),
    "no blank after the colon": (b'data:{"a": 1}\n\n', [A]),
    "other fields": (b'event: x\nid: 7\nretry: 10\nunknown: y\nnothing\ndata: {"a": 1}\n\n', [A]),
    "data without a colon": (b'data\n\ndata: {"a": 1}\n\n', [A]),
    "no last blank line": (b'data: {"a": 1}\n\ndata: {"a": 1}\n', [A, A]),
    "no last line end": (b'data: {"a": 1}\n\ndata: {"a": 1}', [A, A]),
    "cut off": (b'data: {"a": 1}\n\ndata: {"a"', [A]),
    "no blank lines at all": (b'data: {"a": 1}\ndata: {"a": 1}\ndata: [DONE]\n\n', [A, A]),
    "leading blank lines": (b'\n\r\n data\n\ndata: {"a": 1}\n\n', [A]),
    "every character": (b"data: " + json.dumps(B, ensure_ascii=True).encode() + b"\n\n", [B]),
    "characters unescaped": (
        "data: {}\n\n".replace("{}", json.dumps({"b": "x\u2028y\u2029z\x85🌙"}, ensure_ascii=False)).encode(),
        [{"b": "x\u2028y\u2029z\x85🌙"}],
    ),
    "an object": (b'{"a": 1}', [A]),
    "a pretty object": (json.dumps({"a": {"b": [1, {}]}}, indent=2).encode(), [{"a": {"b": [1, {}]}}]),
    "an object a line": (b'{"a": 1}\n{"a": 1}\r\n\n{"a": 1}', [A, A, A]),
    "an array": (b'[{"a": 1}\n,\r\n{"a": 1}]\n', [A, A]),
    "an object after a byte order mark": (b'\xef\xbb\xbf{"a": 1}\n', [A]),
    "blanks before the data": (b'data:  {"a": 1}\n\ndata: \t[DONE] \n\n', [A]),
    "bytes that are no UTF-8": (b'data: {"a": "x\xff\xfey\xe4"}\n\n', [{"a": "x\ufffd\ufffdy\ufffd"}]),
    "control characters": (b'data: {"a": "x\ty\x01"}\n\n', [{"a": "x\ty\x01"}]),
    "nothing": (b"", []),
    "blank": (b"\n\n ", []),
    "comments alone": (b": ping\n\n: ping\n\n", []),
}


def values(pieces: list[bytes]) -> list[Any]:
    body = Body("m")
    return [value for piece in pieces for value in body.feed(piece)] + list(body.end())


@pytest.mark.parametrize(("raw", "expected"), BODIES.values(), ids=BODIES)
def test_body_gives_its_values_wherever_it_is_cut(raw: bytes, expected: list[Any]) -> None:
    assert values([raw]) == expected
    assert values([raw[n : n + 1] for n in range(len(raw))]) == expected
    for place in range(len(raw)):
        assert values([raw[:place], raw[place:]]) == expected


@settings(max_examples=100)
@given(
    st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=8), max_size=3), max_size=4),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 300), max_size=6),
)
def test_body_reads_events_with_any_line_end_and_cut(
    given: list[dict[str, str]], end: str, cuts: list[int]
) -> None:
    text = "".join(f"data: {json.dumps(value, ensure_ascii=False)}{end}{end}" for value in given)
    raw = text.encode("utf-8", "replace")
    places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    expected = [json.loads(json.dumps(v, ensure_ascii=False).encode("utf-8", "replace")) for v in given]
    assert values([raw[a:b] for a, b in pairwise(places)]) == expected


FOREIGN = {
    "a web page": (b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>", "Sign in"),
    "a page after blanks": (b"\n\n  <html><title>Sign in</title></html>", "Sign in"),
    "XML": (b"<?xml version='1.0'?><error>Denied</error>", "Denied"),
    "words": (b"Unauthorized", "Unauthorized"),
    "words with a colon": (b"Error: no such tenant\n", "no such tenant"),
}


@pytest.mark.parametrize(("raw", "words"), FOREIGN.values(), ids=FOREIGN)
def test_body_that_is_neither_stream_nor_json_is_refused_in_its_words(raw: bytes, words: str) -> None:
    for pieces in ([raw], [raw[n : n + 1] for n in range(len(raw))]):
        with pytest.raises(ModelError, match="does not speak the protocol") as caught:
            values(pieces)
        assert words in str(caught.value)
        assert (caught.value.kind, caught.value.retryable) == ("invalid_request", False)


BROKEN = [
    b'data: {"a"\n\n',
    b'{"a": 1}\n{"a"\n{"a": 1}\n',
    b'{"a": ',
    b'data: {"a": 1}\n\ndata: [{"a"\n\n',
]


@pytest.mark.parametrize("raw", BROKEN)
def test_body_with_broken_json_is_an_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"line \d+ column \d+"):
        values([raw])


def test_body_of_lines_notices_a_broken_one_at_the_next() -> None:
    body = Body()
    assert list(body.feed(b'{"a": 1}\n{"a"\n')) == [A]
    with pytest.raises(ValueError, match="line"):
        list(body.feed(b'{"a": 1}\n'))


@pytest.mark.parametrize(
    ("raw", "words", "retryable"),
    [
        (b'data: {"a": 1}\n\nevent: error\ndata: upstream died\n\n', "upstream died", True),
        (b"data: [ERROR] out of memory\n\n", "[ERROR] out of memory", True),
        (
            b"data: <html><title>Sign in</title></html>\n\n",
            "does not speak the protocol of a model: Sign in",
            False,
        ),
    ],
)
def test_event_in_words_is_an_error_in_these_words(raw: bytes, words: str, retryable: bool) -> None:
    with pytest.raises(ModelError) as caught:
        values([raw])
    assert words in str(caught.value)
    assert caught.value.retryable is retryable
