"""The items that a response answers, for OpenAI's own client: pages of them, in every branch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from agent_core.testing import Reasoning, ScriptedModel, ToolUse
from tests.agent_core.http.openai.test_chat_completions import PIXEL
from tests.agent_core.http.openai.test_responses import ask, echo
from tests.support.servers.openai_server import serving_openai


def described(items: list[Any]) -> list[str]:
    """Return each item in a word or two."""
    return [
        item.content[0].text
        if item.type == "message" and item.content[0].type != "input_image"
        else item.type
        for item in items
    ]


async def test_items_are_those_of_the_request_and_of_the_turns_before(tmp_path: Path) -> None:
    turns = [[Reasoning("why"), "Look.", ToolUse("look", {"n": 1})], ["Well."], ["Second."]]
    picture: Any = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    linked: Any = {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"}
    file: Any = {"type": "input_file", "file_data": "data:text/plain,words", "filename": "a.txt"}
    given: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Add."},
        {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"n": 1}'},
        {"type": "function_call_output", "call_id": "c", "output": "2"},
        {"role": "user", "content": [picture, linked, file, {"type": "input_text", "text": "And this?"}]},
    ]
    async with serving_openai(tmp_path / "a.db", ScriptedModel(turns)) as (ai, _, _client):
        first = await ask(ai, given)
        second = await ask(ai, "Two", previous_response_id=first.id)
        listed = await ai.responses.input_items.list(second.id, order="asc", limit=100)
        items: list[Any] = listed.data
        assert described(items) == [
            *("Be brief.", "Add.", "mcp_call", "message"),
            *("reasoning", "Look.", "mcp_call", "Well.", "Two"),
        ]
        assert [item.role for item in items if item.type == "message"] == [
            *("system", "user", "user", "assistant", "assistant", "user")
        ]
        assert (items[2].name, items[2].arguments, items[2].output) == ("add", '{"n": 1}', "2")
        content = items[3].content
        assert [part.type for part in content] == ["input_image", "input_image", "input_file", "input_text"]
        assert [part.image_url for part in content[:2]] == [None, "https://example.org/a.png"]
        assert content[2].filename == "a.txt"
        assert (await ai.responses.input_items.list(first.id, order="asc")).data == items[:4]


async def test_pages_have_every_item_once_also_in_a_branch_that_was_put_aside(path: Path) -> None:
    async with serving_openai(path, echo) as (ai, _, _client):
        first = await ask(ai, "One")
        second = await ask(ai, "Two", previous_response_id=first.id)
        other = await ask(ai, "Other", previous_response_id=first.id)
        for response, last in ((second, "Two"), (other, "Other")):
            whole = [item async for item in ai.responses.input_items.list(response.id, limit=1)]
            assert described(whole) == [last, "1: One", "One"]
            assert len({item.id for item in whole}) == 3
        for wrong in ({"limit": 0}, {"limit": 101}, {"after": "msg_none"}, {"order": "up"}):
            with pytest.raises(openai.BadRequestError):
                await ai.responses.input_items.list(first.id, **wrong)  # type: ignore[arg-type]
        with pytest.raises(openai.NotFoundError):
            await ai.responses.input_items.list("resp_none")
