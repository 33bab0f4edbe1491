"""Test OpenAI's own clients (PyPI and npm) against a server process, also while it is killed in mid-answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from pydantic import BaseModel

from agent_core.testing import eventually
from tests.providers.installed import openai_command
from tests.support.servers.openai_server import WORDS, ServerProcess

pytestmark = [pytest.mark.provider, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

SCRIPT = Path(__file__).with_name("openai_client.mjs")
PIXEL = "data:image/png;base64,iVBORw0KGgo="


class _Number(BaseModel):
    n: int


Client = Callable[[str, str], Coroutine[Any, Any, dict[str, Any]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("openai") / "agents.db")
    await process.start()
    yield process
    process.kill()


async def npm(url: str, step: str) -> dict[str, Any]:
    command = await asyncio.to_thread(openai_command, SCRIPT)
    child = await asyncio.create_subprocess_exec(*command, url, step, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    assert child.returncode == 0
    return json.loads(out)


async def python(url: str, step: str) -> dict[str, Any]:
    async with openai.AsyncOpenAI(base_url=url, api_key="key", max_retries=30) as client:
        return await (_calls if step == "calls" else _survive)(client)


async def _threads(server: ServerProcess) -> list[str]:
    async with httpx.AsyncClient(trust_env=False) as client:
        listed = (await client.get(f"{server.api}/threads")).json()["threads"]
    return [thread["id"] for thread in listed]


async def _has_text(server: ServerProcess, thread_id: str) -> bool:
    """Whether a word in the middle of the answer is stored."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return WORDS[3] in (await client.get(f"{server.api}/threads/{thread_id}/updates")).text


CLIENTS: Mapping[str, Client] = {"npm": npm, "python": python}


async def _chat(client: Any, content: Any, **more: Any) -> Any:
    messages = [{"role": "user", "content": content}]
    return await client.chat.completions.create(model="assistant", messages=messages, **more)


async def _text(client: Any, content: Any, **more: Any) -> Any:
    return (await _chat(client, content, **more)).choices[0].message.content


async def _loop(client: Any, outcome: str) -> Any:
    """Let the model ask for the weather, say what it is, and return the answer."""
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    asked = (await _chat(client, "weather", tools=tools)).choices[0].message
    said = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": outcome}
    messages = [{"role": "user", "content": "weather"}, asked.to_dict(), said]
    done = await client.chat.completions.create(model="assistant", messages=messages, tools=tools)
    return done.choices[0].message.content


async def _calls(client: openai.AsyncOpenAI) -> dict[str, Any]:
    stream = await _chat(client, "Hi", stream=True)
    streamed = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    with pytest.raises(openai.BadRequestError) as caught:
        await _chat(client, "Hi", tools=[{"type": "web_search"}])
    parsed: Any = await client.chat.completions.parse(
        model="assistant", messages=[{"role": "user", "content": '{"n": 5}'}], response_format=_Number
    )
    key = {"extra_headers": {"Idempotency-Key": "python"}}
    same = [await _chat(client, "Hi", **key) for _ in range(2)]
    ask = client.responses.create
    first = await ask(model="assistant", input="One")
    second = await ask(model="assistant", input="Two", previous_response_id=first.id)
    again = await client.responses.retrieve(second.id)
    return {
        "models": [model.id async for model in client.models.list()],
        "text": await _text(client, "Hi"),
        "streamed": streamed,
        "tool": await _text(client, "look"),
        "image": await _text(
            client, [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
        ),
        "loop": await _loop(client, "sunny"),
        "json": parsed.choices[0].message.parsed.model_dump(),
        "error": [caught.value.status_code, caught.value.code, caught.value.param],
        "once": same[0].id == same[1].id,
        "responses": [response.output_text for response in (first, second, again)],
        "events": [event.type async for event in await ask(model="assistant", input="look", stream=True)],
    }


async def _survive(client: openai.AsyncOpenAI) -> dict[str, Any]:
    """Make two requests during which the server is killed.

    The client retries the one with the outcome of a tool, and the other is resumed here.
    """
    answer = asyncio.create_task(_loop(client, "slow"))
    told: list[Any] = []

    async def follow(stream: Any) -> Any:
        async for event in stream:  # each is kept, also if the stream breaks off
            told.append(event)  # noqa: PERF401
        return told[-1].response.output_text

    try:
        whole, broke = (
            await follow(await client.responses.create(model="assistant", input="slow", stream=True)),
            False,
        )
    except (httpx.HTTPError, openai.APIError):
        whole, broke = None, True
    while whole is None:
        number, name = told[-1].sequence_number, told[0].response.id
        try:
            whole = await follow(await client.responses.retrieve(name, stream=True, starting_after=number))
        except (httpx.HTTPError, openai.APIError):
            continue
    text = "".join(event.delta for event in told if event.type == "response.output_text.delta")
    return {"answer": await answer, "broke": broke, "text": text, "whole": whole}


@pytest.mark.parametrize("name", CLIENTS)
async def test_client_gets_answers_streams_tools_pictures_and_errors(
    server: ServerProcess, name: str
) -> None:
    got = await CLIENTS[name](server.url, "calls")
    events = got.pop("events")
    assert (events[0], events[-1]) == ("response.created", "response.completed")
    assert {"response.output_text.delta", "response.mcp_call.completed"} <= set(events)
    assert got == {
        "models": ["assistant"],
        "text": '1: "Hi"',
        "streamed": '1: "Hi"',
        "tool": "Wait. \n\nIt has seen 1.",
        "image": "1 picture, data:image/png;base64,",
        "loop": "It has sunny.",
        "json": {"n": 5},
        "error": [400, "unsupported_value", "tools[0]"],
        "once": True,
        "responses": ['1: "One"', '2: "Two"', '2: "Two"'],
    }


@pytest.mark.parametrize("name", CLIENTS)
async def test_client_gets_the_whole_answer_once_although_its_server_is_killed(
    server: ServerProcess, name: str
) -> None:
    before = await _threads(server)
    asking = asyncio.create_task(CLIENTS[name](server.url, "survive"))

    async def both_begun() -> bool:
        begun = [thread for thread in await _threads(server) if thread not in before]
        return len(begun) == 2 and all([await _has_text(server, thread) for thread in begun])

    await eventually(both_begun, 60)
    server.kill()
    await server.start()
    got = await asking
    whole = "".join(WORDS)
    assert got == {"answer": whole, "broke": True, "text": whole, "whole": whole}
    assert len(await _threads(server)) == len(before) + 2
