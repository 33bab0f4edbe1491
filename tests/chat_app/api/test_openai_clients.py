"""OpenAI's own client against the real server process, with a key: helpers, refusals, and a kill in mid-answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import litellm
import openai
import pytest
import pytest_asyncio
from litellm.exceptions import NotFoundError
from pydantic import BaseModel

from agent_core.testing import eventually
from tests.support.servers.app_server import AppServer, app_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORDS = " ".join(f"word{number}" for number in range(400))
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
HI: list[Any] = [{"role": "user", "content": "echo: Hello there."}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[AppServer]:
    async with app_server(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ai(server: AppServer) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as web:
        key = (await web.post("/keys", json={"name": "a client", "scope": "write"})).json()["secret"]
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as client:
        yield client


async def test_helpers_of_the_client_get_the_answer(ai: openai.AsyncOpenAI) -> None:
    async with ai.chat.completions.stream(model="assistant", messages=HI) as chat:
        kinds = {event.type async for event in chat}
        completion = await chat.get_final_completion()
    assert kinds == {"chunk", "content.delta", "content.done"}
    assert completion.choices[0].message.content == "Hello there."
    async with ai.responses.stream(model="assistant", input="echo: Hello there.") as told:
        names = [event.type async for event in told]
        response = await told.get_final_response()
    assert (names[0], names[-1]) == ("response.created", "response.completed")
    assert response.output_text == "Hello there."
    async with ai.responses.stream(response_id=response.id) as again:
        assert [event.type async for event in again][-1] == "response.completed"
    items = (await ai.responses.input_items.list(response.id)).data
    assert [item.type for item in items] == ["message"]
    raw = await ai.chat.completions.with_raw_response.create(model="assistant", messages=HI)
    assert raw.headers["x-thread-id"] == raw.parse().thread_id  # type: ignore[attr-defined]
    seen: Any = [{"type": "text", "text": "echo: It."}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    asked = await ai.chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": seen}], temperature=0.1, max_tokens=9
    )
    assert (asked.choices[0].message.content or "").startswith("It.")


@pytest.mark.filterwarnings("ignore:.* is using the `ReadOnly` qualifier:UserWarning")  # in litellm's types
async def test_litellm_asks_both_ways(server: AppServer, ai: openai.AsyncOpenAI) -> None:
    given: Any = {"model": "openai/assistant", "api_base": f"{server.url}/v1", "api_key": ai.api_key}
    pieces: Any = await litellm.acompletion(messages=HI, stream=True, temperature=0, **given)
    texts = [piece.choices[0].delta.content or "" async for piece in pieces]
    assert "".join(texts) == "Hello there."
    sums: Any = [{"role": "user", "content": "What is 12.5 * (3 + 4)?"}]
    whole: Any = await litellm.acompletion(messages=sums, **given)
    assert "87.5" in whole.choices[0].message.content
    assert whole.choices[0].message.tool_calls is None, "the agent has run its tool"
    response: Any = await litellm.aresponses(input="echo: Hello there.", **given)
    assert response.output[0].content[0].text == "Hello there."
    with pytest.raises(NotFoundError):
        await litellm.acompletion(messages=HI, **given | {"model": "openai/none"})


class Answer(BaseModel):
    n: int


async def test_parse_of_the_client_gets_an_object(ai: openai.AsyncOpenAI) -> None:
    words: list[Any] = [{"role": "user", "content": 'echo: {"n": 5}'}]
    parsed = await ai.chat.completions.parse(model="assistant", messages=words, response_format=Answer)
    response = await ai.responses.parse(model="assistant", input='echo: {"n": 5}', text_format=Answer)
    assert parsed.choices[0].message.parsed == response.output_parsed == Answer(n=5)


async def test_unsupported_parameters_are_refused_with_their_names(ai: openai.AsyncOpenAI) -> None:
    create, ask = ai.chat.completions.create, ai.responses.create
    file: Any = [{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]
    tool: Any = {"type": "web_search"}
    for refused, param in (
        (create(model="assistant", messages=HI, tools=[tool]), "tools[0]"),
        (create(model="assistant", messages=HI, n=2), "n"),
        (ask(model="assistant", input=file), "input[0].content[0]"),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            await refused
        assert (caught.value.type, caught.value.param) == ("invalid_request_error", param)


async def test_a_refusal_arrives_while_the_body_is_still_sent(ai: openai.AsyncOpenAI) -> None:
    """The client writes the body after the headers, and the server needs nothing of it to refuse."""
    for _ in range(3):
        with pytest.raises(openai.NotFoundError) as unknown:
            await ai.files.create(file=("a.txt", b"words"), purpose="user_data")
        assert unknown.value.code == "unknown_url"
    wrong = ai.with_options(api_key="rda_wrong")
    with pytest.raises(openai.AuthenticationError) as denied:
        await wrong.responses.create(model="assistant", input="x" * 1_000_000)
    assert denied.value.code == "invalid_api_key"
    with pytest.raises(openai.APIStatusError) as long:
        await ai.responses.create(model="assistant", input="x" * (33 << 20))
    assert (long.value.status_code, long.value.code) == (413, "request_too_large")


async def test_requests_with_one_idempotency_key_get_one_answer_although_the_server_is_killed(
    server: AppServer, ai: openai.AsyncOpenAI
) -> None:
    patient = ai.with_options(max_retries=30)
    once = {"Idempotency-Key": "once"}
    words: list[Any] = [{"role": "user", "content": f"echo: {WORDS}"}]
    calls = [
        patient.chat.completions.create(model="assistant", messages=words, extra_headers=once)
        for _ in range(2)
    ]
    asking = [asyncio.create_task(call) for call in calls]
    async with httpx.AsyncClient(base_url=f"{server.url}/api", trust_env=False, timeout=30) as web:

        async def threads() -> list[str]:
            return [one["id"] for one in (await web.get("/threads")).json()["threads"]]

        before = len(await threads())

        async def is_under_way() -> bool:
            newest = (await threads())[0]
            return "word9 " in (await web.get(f"/threads/{newest}/updates")).text

        await eventually(is_under_way, 60)
        assert not any(task.done() for task in asking)
        server.kill()
        await server.start()
        answers = await asyncio.gather(*asking)
        assert [answer.choices[0].message.content for answer in answers] == [WORDS] * 2
        assert answers[0].id == answers[1].id
        assert len(await threads()) <= before + 1
