"""Test that reasoning returns in the field it came in, whatever the server and the model are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent_core import Runtime, define_internal_agent_api
from tests.providers.dialects import DialectServer, Item, Reply, Thought, serving
from tests.providers.dialects.compatible import Vllm
from tests.providers.dialects.dialect import pieces
from tests.providers.dialects.openai import Openai
from tests.providers.dialects.script import Json, thoughts_of
from tests.providers.history.test_signatures import STEP, agent_for, settled
from tests.providers.loopback import Answer

FIELDS = {
    ("hosted_vllm/some-model", "reasoning"),
    ("openai/some-model", "reasoning_text"),
    ("openai/some-model", "thinking"),
    ("hosted_vllm/some-model", "thoughts"),
    ("openai/gpt-4o-mini", "reasoning_content"),
    ("openai/deepseek-v3.2", "reasoning"),
    ("openai/kimi-k2-thinking", "reasoning"),
    ("openai/grok-4", "reasoning"),
    ("openai/devstral-small", "reasoning_content"),
}
"""Models on servers of other people, which have their own field for reasoning."""


class LitellmProxy(Openai):
    """Claude behind litellm's proxy: signed blocks beside the text of the reasoning, or in place of it.

    https://docs.litellm.ai/docs/reasoning_content#thinking_blocks
    """

    model = "openai/claude"
    names = r"[a-zA-Z0-9_-]{1,64}"

    def __init__(self, field: str) -> None:
        self.field = field

    def words(self, item: str | Thought) -> list[Json]:
        if isinstance(item, str):
            return super().words(item)
        signed = {"type": "thinking", "thinking": "", "signature": item.signature}
        said = [
            {self.field: piece}
            if self.field
            else {"thinking_blocks": [signed | {"thinking": piece, "signature": ""}]}
            for piece in pieces(item.text)
        ]
        return [*said, {"thinking_blocks": [signed]}]

    def message(self, items: Reply) -> Json:
        text = "".join(one.text for one in thoughts_of(items))
        beside = {self.field: text} if self.field else {}
        return super().message(items) | beside | {"thinking_blocks": blocks(items)}

    def check_returned(self, place: int, message: Json, writer: list[Item]) -> Iterator[str]:
        if message.get("thinking_blocks") != blocks(writer):
            yield f"messages.{place}.content.0.type: Expected `thinking`, but found {message!r}."


def blocks(items: Sequence[Item]) -> list[Json]:
    return [
        {"type": "thinking", "thinking": one.text, "signature": one.signature} for one in thoughts_of(items)
    ]


async def ask_twice(server: DialectServer, path: Path) -> None:
    """Ask, and after a restart ask again; the last reply of the server is to the second message."""
    url = f"sqlite:///{path}/agents.db"
    async with Runtime(url) as runtime:
        api = define_internal_agent_api(runtime, agent_for(server))
        thread = await settled(api, await api.create_thread("What time is it?"))
    async with Runtime(url) as runtime:
        api = define_internal_agent_api(runtime, agent_for(server))
        await api.send_message(thread.id, "Sure?")
        await settled(api, thread)
    assert server.violations == []


@pytest.mark.parametrize(("model", "field"), sorted(FIELDS))
async def test_reasoning_returns_in_the_field_it_came_in(model: str, field: str, tmp_path: Path) -> None:
    dialect = type("Somewhere", (Vllm,), {"model": model, "thinks": field})()
    async with serving(dialect, STEP, ["At noon."], ["Yes."]) as server:
        await ask_twice(server, tmp_path)


@pytest.mark.parametrize("field", ["reasoning_content", ""])
async def test_signed_blocks_return_to_a_proxy(field: str, tmp_path: Path) -> None:
    dialect = LitellmProxy(field)
    async with serving(dialect, STEP) as server:
        whole = dialect.prepared([Thought("One."), Thought("Two."), *STEP], 1)
        server.then(Answer(200, dialect.whole(whole)), ["At noon."], ["Yes."])
        server.said += [[], whole]
        await ask_twice(server, tmp_path)
