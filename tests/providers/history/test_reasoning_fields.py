"""Test that reasoning returns in the field it came in, whatever the server and the model are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent_core import Runtime, define_internal_agent_api
from tests.providers.dialects import DIALECTS, DialectServer, Item, Reply, Thought, Use, serving
from tests.providers.dialects.compatible import Vllm
from tests.providers.dialects.dialect import event, pieces
from tests.providers.dialects.openai import Openai, chunk
from tests.providers.dialects.responses import output_item
from tests.providers.dialects.script import Json, thoughts_of
from tests.providers.history.test_signatures import STEP, agent_for, settled
from tests.providers.loopback import Answer, Stream
from tests.support.databases import prepared

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
    url = prepared(path / "agents.db")
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


CALLED: Json = {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "clock", "arguments": "{}"}}]}
GOOGLE: Json = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
TEXT: Json = {"type": "reasoning.text", "index": 0}
DETAILS = [{"reasoning_details": [TEXT | half]} for half in ({"text": "Hm."}, {"signature": "c2ln"})]
LATE: dict[str, tuple[str, list[Json], Json]] = {
    "behind the text": (
        "openrouter",
        [DETAILS[0], {"content": "So."}, DETAILS[1], CALLED],
        {"reasoning_details": [TEXT | {"text": "Hm.", "signature": "c2ln"}]},
    ),
    "behind the call": (
        "openrouter",
        [DETAILS[0], CALLED, DETAILS[1]],
        {"reasoning_details": [TEXT | {"text": "Hm.", "signature": "c2ln"}]},
    ),
    "of a text": ("gemini-openai", [{"content": "So."}, {"content": "", **GOOGLE}, CALLED], GOOGLE),
    "beside a call": ("gemini-openai", [CALLED | GOOGLE], GOOGLE),
}


@pytest.mark.parametrize(("name", "deltas", "returned"), LATE.values(), ids=LATE)
async def test_signature_of_a_message_returns_wherever_it_stood(
    name: str, deltas: list[Json], returned: Json, tmp_path: Path
) -> None:
    called = Stream([event(chunk(each)) for each in deltas] + [event(chunk({}, "tool_calls"))])
    async with serving(DIALECTS[name], called, ["Noon."], ["Yes."]) as server:
        await ask_twice(server, tmp_path)
    sent = [request["messages"][1] for request in server.requests[1:]]
    assert all(returned.items() <= message.items() for message in sent)


@pytest.mark.parametrize(
    "items",
    [
        [Thought("One."), Use("clock"), Thought("Two."), Use("clock", {"zone": "CET"}), Use("clock")],
        [Thought("One."), "I look.", Thought("Two.", hidden=True), Use("clock")],
        ["I look.", Thought("One."), Thought("Two."), Use("clock")],
    ],
)
async def test_items_of_openai_return_in_their_order(items: list[Item], tmp_path: Path) -> None:
    async with serving(DIALECTS["responses"], items, ["Noon."], ["Yes."]) as server:
        await ask_twice(server, tmp_path)
    kept = ("type", "encrypted_content", "call_id")
    said = [{key: one.get(key) for key in kept} for one in map(output_item, range(9), server.said[0])]
    for request in server.requests[1:]:
        sent = [{key: one.get(key) for key in kept} for one in request["input"][1:]]
        assert sent[: len(said)] == said


async def test_phase_of_a_text_of_openai_returns_and_texts_stay_apart(tmp_path: Path) -> None:
    first, second = (output_item(place, words) for place, words in enumerate(["I look.", "It is noon."]))
    done = [first | {"phase": "commentary"}, second]
    events = [
        event({"type": "response.output_item.done", "output_index": place, "item": item})
        for place, item in enumerate([*done, output_item(2, "Or so.")])
    ]
    ended = event({"type": "response.completed", "response": {"id": "r", "object": "response"}})
    async with serving(DIALECTS["responses"], Stream([*events, ended]), ["Yes."]) as server:
        await ask_twice(server, tmp_path)
    said = server.requests[-1]["input"][1]
    assert (said["content"][0]["text"], said["phase"]) == ("I look.\n\nIt is noon.\n\nOr so.", "commentary")
