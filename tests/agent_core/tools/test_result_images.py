"""Pictures in tool results: kept as files, sent to models that see, and described to the others."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, Runtime, define_internal_agent_api
from agent_core.errors import ModelError
from agent_core.store.database.sql import FILE
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool, async_tool, take_pictures
from agent_core.tools.result import MAX_PICTURE_BYTES, MAX_PICTURES
from tests.providers.dialects import DIALECTS, Use, serving
from tests.support.agents import AT_ONCE, agent_on, finished, tool_parts
from tests.support.databases import prepared, select_all

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DATA = base64.b64encode(PNG).decode()


def image(data: str | bytes = DATA, kind: str = "image/png") -> dict[str, Any]:
    return {"type": "image", "data": data, "mimeType": kind}


@action_tool
async def draw() -> list[dict[str, Any]]:
    """Draw a chart."""
    return [{"type": "text", "text": "A chart."}, image()]


def test_pictures_are_taken_out_of_every_place_they_may_stand_in():
    for result in (image(), [image()], {"structured": 1, "content": [image()]}, image(PNG)):
        taken, pictures = take_pictures(result)
        assert [picture.data for picture in pictures] == [PNG]
        assert DATA not in json.dumps(taken)
        assert f"attachment:{pictures[0].id}" in json.dumps(taken)


@pytest.mark.parametrize(
    "result",
    [
        None,
        "x",
        1,
        {"type": "image"},
        {"image": DATA},
        [1, None],
        {"type": "image", "url": "http://x"},
        {"content": 1},
    ],
)
def test_other_results_stay_as_they_are(result: Any):
    taken, pictures = take_pictures(result)
    assert (taken, pictures) == (result, [])


@pytest.mark.parametrize(
    "block",
    [
        image("no base64!"),
        image(""),
        image(b"<svg/>", "image/svg+xml"),
        image(b"<html>", "text/html"),
        image(b"BM\0\0", "image/bmp"),
        image("QUJD" * (MAX_PICTURE_BYTES // 3 + 1)),
        image("QUJD" * MAX_PICTURE_BYTES),
    ],
    ids=["broken", "empty", "svg", "html", "bmp", "large", "huge"],
)
def test_a_block_that_is_no_picture_or_too_large_is_left_out_in_words(block: dict[str, Any]):
    taken, pictures = take_pictures([block])
    assert pictures == []
    assert taken[0]["leftOut"]
    assert "data" not in taken[0]


BEGINNINGS = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\0\0\0\0WEBP",
}


@pytest.mark.parametrize(
    "named", ["image/png", "image/jpg", "IMAGE/JPEG; q=1", "application/octet-stream", ""]
)
@pytest.mark.parametrize("kind", BEGINNINGS)
def test_the_type_of_a_picture_is_that_of_its_bytes(kind: str, named: str):
    taken, pictures = take_pictures([image(BEGINNINGS[kind], named)])
    assert [picture.media_type for picture in pictures] == [kind]
    assert taken[0]["mimeType"] == kind


@pytest.mark.parametrize(
    "data", [f"data:image/png;base64,{DATA}", DATA.rstrip("="), f"{DATA[:40]}\n{DATA[40:]}"]
)
def test_base64_of_a_picture_is_read_in_every_form(data: str):
    assert [picture.data for picture in take_pictures(image(data))[1]] == [PNG]
    urlsafe = base64.urlsafe_b64encode(b"\xff\xd8\xff\xfb\xef\xbe").decode()
    assert [picture.data for picture in take_pictures(image(urlsafe))[1]] == [b"\xff\xd8\xff\xfb\xef\xbe"]


def test_only_so_many_pictures_of_one_outcome_are_kept():
    taken, pictures = take_pictures(
        [image(base64.b64encode(PNG + bytes([n])).decode()) for n in range(MAX_PICTURES + 2)]
    )
    assert len(pictures) == MAX_PICTURES
    assert ["leftOut" in block for block in taken] == [False] * MAX_PICTURES + [True] * 2


async def test_model_gets_the_picture_and_the_row_stays_small(path: Path) -> None:
    model = ScriptedModel([[ToolUse("draw")], ["A fine chart."], ["Yes."]])
    async with agent_on(path, model, tools=[draw]) as api:
        thread = await finished(api, await api.create_thread("Draw"))
        (part,) = await tool_parts(api, thread)
        assert DATA not in json.dumps(part)
        outcome = model.requests[1][-1]
        assert outcome["content"][0]["type"] == "text"
        assert "A chart." in outcome["content"][0]["text"]
        assert outcome["content"][1]["image_url"]["url"] == f"data:image/png;base64,{DATA}"
        await api.send_message(thread.id, "Still there?")
        await finished(api, thread)
        assert model.requests[2][1:3] == model.requests[1][1:3]
        fork = await api.fork_thread(thread.id, (await api.list_messages(thread.id))[1].id)
        for each in (thread, fork):
            assert await api.read_file(each.id, part["output"][1]["url"].removeprefix("attachment:"))
            await api.delete_thread(each.id)
    assert select_all(path, [FILE])["agent_file"] == []


async def test_result_from_outside_may_have_a_picture(path: Path) -> None:
    @async_tool
    async def photograph() -> None:
        """Ask a person for a photograph."""

    model = ScriptedModel([[ToolUse("photograph", id="p")], ["Nice."]])
    async with agent_on(path, model, tools=[photograph]) as api:
        thread = await api.create_thread("Go")
        await eventually(lambda: _waits(api, thread.id))
        await api.add_tool_result("p", image(), thread_id=thread.id)
        await finished(api, thread)
    assert DATA in json.dumps(model.requests[1])


async def _waits(api: AgentApi, thread_id: str) -> bool:
    thread = await api.get_thread(thread_id)
    return thread is not None and thread.status == "awaiting_tool_results"


async def test_refused_picture_of_a_tool_is_left_out_and_the_turn_goes_on(path: Path) -> None:
    refusal = ModelError("some-model is not a multimodal model", kind="invalid_request", status=400)

    def blind(messages: list[dict[str, Any]]) -> list[Any]:
        if messages[-1]["role"] == "user":
            return [ToolUse("draw")]
        return [refusal] if '"image_url": {' in json.dumps(messages) else ["I cannot see it."]

    model = ScriptedModel(blind)
    async with agent_on(path, model, tools=[draw]) as api:
        thread = await finished(api, await api.create_thread("Draw"))
        assert (thread.status, thread.error) == ("completed", None)
    assert len(model.requests) == 3
    assert "left out" in json.dumps(model.requests[-1])


async def test_picture_of_another_thread_is_not_shown(path: Path) -> None:
    model = ScriptedModel([[ToolUse("draw")], ["Fine."], [ToolUse("steal")], ["Hm."]])
    stolen: dict[str, Any] = {}

    @action_tool
    async def steal() -> dict[str, Any]:
        """Name a file of another thread."""
        return stolen

    async with agent_on(path, model, tools=[draw, steal]) as api:
        first = await finished(api, await api.create_thread("Draw"))
        (part,) = await tool_parts(api, first)
        stolen.update(part["output"][1])
        second = await finished(api, await api.create_thread("Steal"))
        assert second.status == "completed"
    assert DATA not in json.dumps(model.requests[-1])


SEEING = {
    "anthropic": "tool_result",
    "gemini-2.5": "functionResponse",
    "openai": "user",
    "mistral": "user",
}


@pytest.mark.parametrize("name", SEEING)
async def test_picture_stands_where_the_provider_takes_it(tmp_path: Path, name: str) -> None:
    model = "mistral/mistral-large-latest" if name == "mistral" else DIALECTS[name].model
    async with (
        serving(DIALECTS[name], [Use("draw")], ["A chart."]) as server,
        Runtime(prepared(tmp_path / "agents.db")) as runtime,
    ):
        agent = Agent("a", model, tools=[draw], retry=AT_ONCE, **server.options)
        api = define_internal_agent_api(runtime, agent)
        thread = await finished(api, await api.create_thread("Draw"))
        assert (thread.error, server.violations) == (None, [])
    assert DATA in json.dumps(server.requests[1])
    body = server.requests[1]
    last = body["messages" if "messages" in body else "contents"][-1]
    assert last["role"] == "user"
    if name == "anthropic":
        assert DATA in json.dumps(last["content"][0]["content"])


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("openai", "openai/gpt-3.5-turbo"),
        ("deepseek", "deepseek/deepseek-reasoner"),
        ("cerebras", "cerebras/gpt-oss-120b"),
    ],
)
async def test_model_that_does_not_see_is_told_of_the_picture_in_words(
    tmp_path: Path, name: str, model: str
) -> None:
    async with (
        serving(DIALECTS[name], [Use("draw")], ["I cannot see it."]) as server,
        Runtime(prepared(tmp_path / "agents.db")) as runtime,
    ):
        agent = Agent("a", model, tools=[draw], retry=AT_ONCE, **server.options)
        api = define_internal_agent_api(runtime, agent)
        thread = await finished(api, await api.create_thread("Draw"))
        assert (thread.error, server.violations) == (None, [])
    sent = json.dumps(server.requests[1])
    assert DATA not in sent
    assert "A chart." in sent
    assert "left out" in sent
