"""Test that litellm's listeners get a copy of an answer and never change it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent_core.llm import Finish, LitellmModel, ModelRequest, TextDelta
from agent_core.testing import eventually
from tests.providers.answers.test_answers import STEP, said, step
from tests.providers.dialects import DIALECTS, serving
from tests.providers.loopback import Answer, Stream, delta, provider, usage
from tests.support.providers.litellm_paths import listening

# With listeners, litellm queries Ollama's server about the model and blocks that server's event loop.
HEARD = [name for name in DIALECTS if name != "ollama"]
REQUEST = ModelRequest([{"role": "user", "content": "hello"}])
REASONING: list[Any] = [[{"type": "text", "text": "Hm."}], {"text": "Hm."}]


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    """Return the list of whole answers that a litellm callback receives."""
    with listening() as answers:
        yield answers


def model(url: str) -> LitellmModel:
    return LitellmModel("openai/gpt-4o-mini", api_base=url, api_key="k" * 12, timeout=5)


@pytest.mark.parametrize("name", HEARD)
async def test_listener_gets_the_answer_that_is_read(name: str, heard: list[Any]) -> None:
    async with serving(DIALECTS[name], STEP) as server:
        read = await step(server)
    await eventually(lambda: len(heard) == 1)
    message = heard[0].choices[0].message
    assert message.content == "".join(part["text"] for part in read.parts if part["type"] == "text")
    # litellm joins the calls of Gemini's OpenAI endpoint, which have no index.
    assert {call.function.name for call in message.tool_calls} == {call.name for call in read.tool_requests}


@pytest.mark.parametrize("name", HEARD)
async def test_whole_body_is_read_whoever_listens(name: str, heard: list[Any]) -> None:
    """litellm's stream wrapper reads nothing from a body that is not a stream."""
    dialect = DIALECTS[name]
    body = json.dumps(dialect.whole(dialect.prepared(STEP, 0))).encode()
    async with serving(dialect, STEP, Answer(200, body)) as server:
        streamed, whole = await step(server), await step(server)
    assert said(whole.parts) == said(streamed.parts)
    assert len(whole.tool_requests) == 2


@pytest.mark.parametrize("reasoning", REASONING, ids=["list", "object"])
async def test_reasoning_of_any_shape_is_read_whoever_listens(reasoning: Any, heard: list[Any]) -> None:
    events = [delta(reasoning_content=reasoning), delta("Yes."), delta(finish="stop"), usage(3, 2)]
    async with provider(Stream(events), Stream(events)) as server:
        found = [event async for event in model(server.url).stream(REQUEST)]
    assert TextDelta("Yes.") in found
    assert isinstance(found[-1], Finish)


async def test_equal_chunks_do_not_fail_an_answer(heard: list[Any]) -> None:
    """litellm's wrapper fails a model that repeats itself, and makes up token counts."""
    async with provider(Stream([*[delta("same ")] * 1000, delta(finish="stop")])) as server:
        found = [event async for event in model(server.url).stream(REQUEST)]
    assert found == [*[TextDelta("same ")] * 1000, Finish("stop")]
    await eventually(lambda: len(heard) == 1)
    assert heard[0].choices[0].message.content == "same " * 1000


async def test_copy_that_litellm_cannot_read_does_not_end_the_answer(heard: list[Any]) -> None:
    """litellm's wrapper closes the response when it fails, while the provider goes on."""
    broken = {"choices": [{"index": 0, "delta": "no object"}]}
    async with provider(Stream([delta("It "), broken, 0.3, delta("works."), delta(finish="stop")])) as server:
        found = [event async for event in model(server.url).stream(REQUEST)]
    assert found == [TextDelta("It "), TextDelta("works."), Finish("stop")]
    assert heard == []


async def test_listener_gets_each_of_two_answers_at_once(heard: list[Any]) -> None:
    async def read(url: str) -> str:
        events = [event async for event in model(url).stream(REQUEST)]
        return "".join(event.text for event in events if isinstance(event, TextDelta))

    says = [Stream([delta(f"{word} "), 0.1, delta("done"), delta(finish="stop")]) for word in ("One", "Two")]
    async with provider(*says) as server:
        read_texts = await asyncio.gather(read(server.url), read(server.url))
    await eventually(lambda: len(heard) == 2)
    assert sorted(read_texts) == ["One done", "Two done"]
    assert sorted(answer.choices[0].message.content for answer in heard) == ["One done", "Two done"]


async def test_stopped_answer_leaves_no_task_behind(heard: list[Any]) -> None:
    async with provider(Stream([delta("half"), 30.0])) as server:
        before = asyncio.all_tasks()
        async with contextlib.aclosing(model(server.url).stream(REQUEST)) as events:
            assert await anext(events) == TextDelta("half")
        await eventually(lambda: asyncio.all_tasks() <= before | {asyncio.current_task()})
    assert heard == []
