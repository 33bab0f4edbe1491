"""Sources of a model's web search, in each provider's form and as parts of the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.llm import Finish, LitellmModel, ModelEvent, ModelRequest, Source, TextDelta
from agent_core.testing import ToolUse
from tests.providers.dialects.anthropic import stream_of
from tests.providers.loopback import Provider, Stream, delta, provider
from tests.support.agents import agent_on, finished

ROME = Source("https://en.wikipedia.org/wiki/Rome", "Rome")
CITED = {"url": ROME.url, "title": ROME.title, "start_index": 0, "end_index": 5}
ANNOTATION = {"type": "url_citation", "url_citation": CITED}


async def read(server: Provider, name: str, url: str = "") -> list[ModelEvent]:
    adapter = LitellmModel(name, api_base=url or server.url, api_key="k" * 12, timeout=60)
    request = ModelRequest([{"role": "user", "content": "Where is the Forum?"}])
    return [event async for event in adapter.stream(request)]


def sources(events: list[ModelEvent]) -> set[Source]:
    return {event for event in events if isinstance(event, Source)}


@pytest.mark.usefixtures("both_paths")
async def test_openai_names_sources_as_annotations() -> None:
    events = [delta("In Rome."), delta(annotations=[ANNOTATION]), delta(finish="stop")]
    async with provider(Stream(events)) as server:
        said = await read(server, "openai/gpt-4o-mini-search-preview")
    assert said[0] == TextDelta("In Rome.")
    assert sources(said) == {ROME}
    assert said[-1] == Finish("stop")


@pytest.mark.usefixtures("both_paths")
async def test_perplexity_names_sources_beside_each_piece() -> None:
    beside = {"citations": [ROME.url], "search_results": [{"title": "Rome", "url": ROME.url, "date": None}]}
    events = [delta("In ") | beside, delta("Rome.") | beside, delta(finish="stop") | beside]
    async with provider(Stream(events)) as server:
        assert ROME in sources(await read(server, "perplexity/sonar"))


async def test_anthropic_cites_as_it_writes() -> None:
    citation = {"type": "web_search_result_location", "cited_text": "…", "encrypted_index": "x"} | CITED
    deltas = [
        {"type": "text_delta", "text": "In Rome."},
        {"type": "citations_delta", "citation": citation},
    ]
    events = stream_of([({"type": "text", "text": ""}, deltas)])
    async with provider(Stream(events, end="eof")) as server:
        said = await read(server, "anthropic/claude-sonnet-5", server.url.removesuffix("/v1"))
    assert sources(said) == {ROME}


async def test_gemini_grounds_what_it_says() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": ROME.url, "title": ROME.title}}],
        "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 5}, "groundingChunkIndices": [0]}],
    }
    content = {"parts": [{"text": "In Rome."}], "role": "model"}
    candidate = {"content": content, "index": 0, "finishReason": "STOP", "groundingMetadata": grounding}
    event = b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\r\n\r\n"
    async with provider(Stream([event], end="eof")) as server:
        said = await read(server, "gemini/gemini-2.5-flash", server.url.removesuffix("/v1"))
    assert sources(said) == {ROME}


@pytest.mark.parametrize(
    "named", [None, "x", 7, [None, 7, ""], [{"url": None}], [{"url_citation": {"title": "x"}}], {"a": 1}]
)
async def test_citations_that_name_nothing_are_passed_over(named: Any) -> None:
    events = [delta("Yes.", annotations=named) | {"citations": named}, delta(finish="stop")]
    async with provider(Stream(events)) as server:
        said = await read(server, "openai/gpt-4o-mini")
    assert sources(said) in (set(), {Source("x")})


async def test_sources_of_the_web_are_parts_behind_the_text_each_once(tmp_path: Path) -> None:
    turns = [
        ["It is ", Source("javascript:alert(1)", "Bad"), Source(ROME.url), ROME, "in Rome.", ToolUse("look")],
        ["So it is."],
    ]
    async with agent_on(tmp_path / "agents.db", turns) as api:
        thread = await finished(api, await api.create_thread("Where is the Forum?"))
        parts = (await api.list_messages(thread.id))[-1].parts
        texts = [part["text"] for part in parts if part["type"] == "text"]
        found = [part for part in parts if part["type"] == "source-url"]
    assert texts == ["It is in Rome.", "So it is."]
    assert [(part["url"], part["title"]) for part in found] == [(ROME.url, ROME.title)]
    assert found[0]["sourceId"]
