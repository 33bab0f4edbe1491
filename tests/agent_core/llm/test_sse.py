"""Server-sent events, and whole answers made of them, however the network splits them."""

from __future__ import annotations

import json
from contextlib import nullcontext
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_core.llm import LitellmModel, ModelRequest
from agent_core.llm.streams.response_body import EventDecoder
from tests.providers.loopback import Stream, call, delta, provider, usage
from tests.support.providers.litellm_paths import through_the_wrapper

_newline = st.sampled_from([b"\n", b"\r\n"])
_text = st.text(max_size=6)
_field = st.sampled_from([b"event: x", b"id: 7", b": a comment", b"retry: 5", b"nonsense"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Generate a stream's bytes and the data of its events."""
    raw, events = b"", list[bytes]()
    for _ in range(draw(st.integers(0, 5))):
        end = draw(_newline)
        lines = [json.dumps(draw(_text)).encode() for _ in range(draw(st.integers(0, 3)))]
        for line in lines:
            raw += b"data:" + draw(st.sampled_from([b"", b" "])) + line + end
            if draw(st.booleans()):
                raw += draw(_field) + end
        raw += end
        events += [b"\n".join(lines)] if lines else []
    return raw, events


@given(streams(), st.lists(st.integers(0, 200), max_size=6))
def test_pieces_do_not_matter(stream: tuple[bytes, list[bytes]], cuts: list[int]):
    raw, events = stream
    places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    decoder = EventDecoder()
    found = [data for a, b in pairwise(places) for data in decoder.feed(raw[a:b])]
    assert found == events


def test_empty_piece_between_cr_and_lf_ends_no_event():
    decoder = EventDecoder()
    pieces = [b"data: a\r", b"", b"\ndata: b\r\n\r", b"", b"\n"]
    assert [data for piece in pieces for data in decoder.feed(piece)] == [b"a\nb"]


def test_only_line_ends_of_the_standard_end_a_line():
    assert EventDecoder().feed("data: a\u2028b\x0bc\x85\n\n".encode()) == ["a\u2028b\x0bc\x85".encode()]


def test_an_event_cut_off_by_the_end_is_dropped():
    assert EventDecoder().feed(b"data: whole\n\ndata: half\n") == [b"whole"]


# Answers in OpenAI's dialect

_words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_chunk: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(delta, _words),
    st.builds(lambda words: delta("", reasoning_content=words), _words),
    st.builds(lambda words: delta(reasoning=words), _words),
    st.builds(lambda words: delta(words, role="assistant", refusal=None), _words),
    st.builds(lambda n, id, args: call(n, "f", args, id=id), st.integers(0, 2), _words, _words),
    st.builds(lambda n, args: call(n, arguments=args), st.integers(0, 2), _words),
    st.just({"choices": [], "prompt_filter_results": []}),
)
_ends = st.sampled_from(["stop", "length", "tool_calls", "content_filter", None])
_counts = st.none() | st.tuples(st.integers(1, 500), st.integers(1, 500), st.integers(0, 1))


@st.composite
def answers(draw: st.DrawFn) -> Stream:
    chunks: list[Any] = draw(st.lists(_chunk, max_size=8))
    if (finish := draw(_ends)) is not None:
        chunks.append(delta(finish=finish))
    if counts := draw(_counts):
        prompt, completion, cached = counts
        chunks.append(usage(prompt, completion, prompt_tokens_details={"cached_tokens": cached}))
    raw = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) or b": nothing\n\n"
    cut = draw(st.integers(1, len(raw)))
    return Stream(
        [piece for piece in (raw[:cut], raw[cut:]) if piece], end=draw(st.sampled_from(["done", "eof"]))
    )


async def test_any_answer_says_the_same_past_litellms_wrapper_and_through_it():
    async with provider(Stream([])) as server:

        async def read(answer: Stream, direct: bool) -> list[Any]:
            server.answers[:] = [answer]
            adapter = LitellmModel("openai/gpt-4o-mini", api_base=server.url, api_key="k", timeout=5)
            question = ModelRequest([{"role": "user", "content": "hello"}])
            with nullcontext() if direct else through_the_wrapper():
                return [event async for event in adapter.stream(question)]

        for answer in _examples(60):
            assert await read(answer, True) == await read(answer, False), answer


def _examples(count: int) -> list[Stream]:
    found: list[Stream] = []

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
    )
    @given(answers())
    def collect(answer: Stream) -> None:
        found.append(answer)

    collect()
    return found
