"""Conversations for OpenAI's own Python client: threads that are created, read, continued and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from agent_core import CallContext, errors
from agent_core.testing import ScriptedModel, ToolUse
from tests.support.servers.openai_server import serving_openai

ITEMS: list[Any] = [
    {"type": "message", "role": "developer", "content": "Be brief."},
    {"type": "message", "role": "user", "content": "Hi"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
]


async def ask(ai: openai.AsyncOpenAI, given: Any, conversation: str, **more: Any) -> Any:
    return await ai.responses.create(model="assistant", input=given, conversation=conversation, **more)


async def test_a_conversation_is_created_continued_read_and_deleted(tmp_path: Path) -> None:
    model = ScriptedModel([[ToolUse("look", {"n": 1})], ["One."], ["Two."]])
    async with serving_openai(tmp_path / "a.db", model) as (ai, api, _):
        made = await ai.conversations.create(items=ITEMS, metadata={"mine": "1"})
        assert (await ai.conversations.retrieve(made.id)) == made
        assert (made.object, made.metadata) == ("conversation", {"mine": "1"})
        assert model.requests == [], "nothing runs"
        await ai.conversations.items.create(made.id, items=[{"role": "user", "content": "Look."}])
        assert (await ask(ai, "Now.", made.id)).output_text == "One."
        said = [(message["role"], message["content"]) for message in model.requests[0]]
        assert said == [
            *(("system", "Be brief."), ("user", "Hi"), ("assistant", "Yes?")),
            *(("user", "Look."), ("user", "Now.")),
        ]
        listed: list[Any] = [
            item async for item in ai.conversations.items.list(made.id, order="asc", limit=2)
        ]
        kinds = [(item.type, getattr(item, "role", None)) for item in listed]
        assert kinds == [
            *(("message", "user"), ("message", "assistant"), ("message", "user"), ("message", "user")),
            *(("mcp_call", None), ("message", "assistant")),
        ]
        one: Any = await ai.conversations.items.retrieve(listed[-1].id, conversation_id=made.id)
        assert one == listed[-1]
        changed = await ai.conversations.update(made.id, metadata={"mine": "2"})
        assert changed.metadata == {"mine": "2"}
        assert (await ai.conversations.delete(made.id)).deleted
        assert await api.list_threads() == []
        for missing in (ai.conversations.retrieve(made.id), ask(ai, "Hi", made.id)):
            with pytest.raises(openai.NotFoundError) as caught:
                await missing
            assert caught.value.code == "conversation_not_found"


async def test_an_empty_conversation_begins_with_the_instructions_of_its_first_response(
    tmp_path: Path,
) -> None:
    model = ScriptedModel([["One."], ["Two."]])
    async with serving_openai(tmp_path / "a.db", model) as (ai, _, _client):
        made = await ai.conversations.create()
        two = [{"role": "user", "content": "First"}, {"role": "user", "content": "Second"}]
        for given in (two, "Third"):
            await ask(
                ai, given, made.id, instructions="Be brief.", extra_headers={"Idempotency-Key": str(given)}
            )
        assert [message["content"] for message in model.requests[-1]] == [
            *("Be brief.", "First", "Second", "One.", "Third"),
        ]
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(ai, "Fourth", made.id, instructions="Be long.")
        assert caught.value.param == "instructions"


async def test_request_sent_again_with_its_key_creates_one_conversation_and_one_item_of_its_owner(
    tmp_path: Path,
) -> None:
    def own(ctx: Any, _: str, thread: Any) -> None:
        if thread is not None and thread.user_id != ctx.user_id:
            raise errors.AccessDeniedError("This thread is somebody else's.")

    def who(request: Any) -> CallContext:
        return CallContext(request.headers["authorization"].removeprefix("Bearer "))

    model, key = ScriptedModel([]), {"Idempotency-Key": "k"}
    async with serving_openai(tmp_path / "a.db", model, authorize=own, context=who) as (ai, _, client):
        ann, bob = ai.with_options(api_key="ann"), ai.with_options(api_key="bob")
        made = [await ann.conversations.create(items=ITEMS, extra_headers=key) for _ in range(2)]
        assert made[0] == made[1]
        assert (await bob.conversations.create(items=ITEMS, extra_headers=key)).id != made[0].id
        with pytest.raises(openai.BadRequestError) as caught:
            await ann.conversations.create(extra_headers=key)
        assert caught.value.code == "idempotency_key_reused"
        more: list[Any] = [{"role": "user", "content": "More"}]
        added = [
            await ann.conversations.items.create(made[0].id, items=more, extra_headers=key) for _ in range(2)
        ]
        assert added[0] == added[1]
        items = (await ann.conversations.items.list(made[0].id)).data
        assert len(items) == 3
        for call in (
            bob.conversations.retrieve(made[0].id),
            bob.conversations.update(made[0].id, metadata={}),
            bob.conversations.delete(made[0].id),
            bob.conversations.items.create(made[0].id, items=more),
            bob.conversations.items.retrieve(str(items[0].id), conversation_id=made[0].id),
        ):
            with pytest.raises(openai.NotFoundError):
                await call
        for body, param in (
            ({"items": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "items"),
            ({"items": ITEMS * 7}, "items"),
            ({"items": [{"type": "weather"}]}, "items[0]"),
            ({"metadata": {"a": 1}}, "metadata"),
            ({"title": "x"}, "title"),
        ):
            refused = await client.post("/conversations", json=body, headers={"authorization": "Bearer ann"})
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
