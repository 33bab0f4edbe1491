"""Test that a picture in an answer is stored like an upload, and returns to providers that accept it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from agent_core import Runtime, define_internal_agent_api
from tests.providers.answers.test_provider_tools import agent_for, both_ways, openai_says
from tests.providers.dialects import DIALECTS, serving
from tests.providers.dialects.dialect import event
from tests.providers.dialects.openai import chunk
from tests.providers.loopback import Stream
from tests.support.agents import finished
from tests.support.databases import prepared

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(64))).decode()
URL = f"data:image/png;base64,{PNG}"
GEMINI = {
    "content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]},
    "finishReason": "STOP",
}
IMAGES = {"images": [{"type": "image_url", "image_url": {"url": URL}, "index": 0}]}
DREW = {
    "id": "ig_1",
    "type": "image_generation_call",
    "status": "completed",
    "result": PNG,
    "output_format": "png",
}

DRAWN: dict[str, Stream] = {
    "gemini": Stream([event({"candidates": [GEMINI]})], end="eof"),
    "openrouter": Stream([event(chunk(IMAGES)), event(chunk({}, "stop")), event("[DONE]")], end="eof"),
    "responses": openai_says(DREW),
}


def pictures(value: Any) -> bool:
    return PNG in json.dumps(value)


@pytest.mark.parametrize("name", DRAWN)
async def test_picture_of_a_model_is_a_file_of_the_thread(name: str, tmp_path: Path) -> None:
    path = prepared(tmp_path / "a.db")
    async with serving(DIALECTS[name], DRAWN[name], ["It is a cat."]) as server:
        agent = agent_for(server, tools=[])
        async with Runtime(path) as runtime:
            api = define_internal_agent_api(runtime, agent)
            thread = await finished(api, await api.create_thread("Draw a cat."))
            assert (thread.status, thread.error) == ("completed", None)
        async with Runtime(path) as runtime:
            api = define_internal_agent_api(runtime, agent)
            [file] = [
                part for part in (await api.list_messages(thread.id))[-1].parts if part["type"] == "file"
            ]
            assert file["mediaType"] == "image/png"
            kept = await api.read_file(thread.id, file["url"].removeprefix("attachment:"))
            assert kept is not None
            assert kept.data == base64.b64decode(PNG)
            await api.send_message(thread.id, "What is it?")
            thread = await finished(api, thread)
            assert (thread.status, server.violations) == ("completed", [])
    sent = server.requests[1]
    assert pictures(sent) == (name != "responses")
    assert ("was left out" in json.dumps(sent)) == (name == "responses")


@both_ways
async def test_picture_is_read_with_a_listener_of_litellms_too(tmp_path: Path) -> None:
    async with (
        serving(DIALECTS["gemini"], DRAWN["gemini"]) as server,
        Runtime(prepared(tmp_path / "a.db")) as runtime,
    ):
        api = define_internal_agent_api(runtime, agent_for(server, tools=[]))
        thread = await finished(api, await api.create_thread("Draw a cat."))
        assert [part["type"] for part in (await api.list_messages(thread.id))[-1].parts] == [
            "step-start",
            "file",
        ]


async def test_picture_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    broken = json.loads(json.dumps(IMAGES).replace(PNG, "not base64"))
    answer = Stream([event(chunk(broken)), event(chunk({}, "stop")), event("[DONE]")], end="eof")
    async with (
        serving(DIALECTS["openrouter"], answer, ["No picture, then."]) as server,
        Runtime(prepared(tmp_path / "a.db")) as runtime,
    ):
        api = define_internal_agent_api(runtime, agent_for(server, tools=[]))
        thread = await finished(api, await api.create_thread("Draw a cat."))
        assert (await api.list_messages(thread.id))[-1].text == "No picture, then."
