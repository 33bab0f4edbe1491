"""Histories for the tests of context policies, and checks of the messages that a policy keeps."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import strategies as st

from agent_core.context import ContextPolicy, ContextRequest, ContextResult
from agent_core.context.cut import SUMMARY, split
from agent_core.context.provider_messages import repair
from agent_core.context.token_meter import TokenMeter
from agent_core.testing import ScriptedModel, check_pairing

MODEL = ScriptedModel([])
METER = TokenMeter(MODEL)
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}}

_sizes = st.sampled_from([1, 3, 20, 200, 3_000, 40_000])
_letters = st.sampled_from(["word ", "字", "😀", "\n"])


@st.composite
def _texts(draw: st.DrawFn) -> str:
    size = draw(_sizes)
    return (draw(_letters) * size)[:size] + draw(st.sampled_from(["x", "y", "z"]))


@st.composite
def _people(draw: st.DrawFn) -> dict[str, Any]:
    text = draw(_texts())
    files = [PICTURE] if draw(st.integers(0, 9)) == 0 else []
    return {"role": "user", "content": [{"type": "text", "text": text}, *files] if files else text}


@st.composite
def _steps(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = draw(st.lists(st.sampled_from("abc"), max_size=3))
    arguments = draw(_texts()) if draw(st.integers(0, 9)) == 0 else "{}"
    calls = [
        {"id": name, "type": "function", "function": {"name": "look", "arguments": arguments}}
        for name in names
    ]
    outcomes = [
        {"role": "tool", "tool_call_id": name, "content": draw(_texts())}
        for name in names
        if draw(st.integers(0, 9))  # one call in ten dangles
    ]
    content = draw(_texts()) if not names or draw(st.booleans()) else None
    return [{"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}, *outcomes]


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Generate repaired histories of any shape, as the runner passes them to a policy."""
    system = draw(st.sampled_from([[], [{"role": "system", "content": "Be kind."}]]))
    body: list[dict[str, Any]] = []
    for kind in draw(st.lists(st.sampled_from("uaaas"), max_size=14)):
        if kind == "u":
            body.append(draw(_people()))
        elif kind == "a":
            body += draw(_steps())
        else:
            body.append({"role": "system", "content": "The plan is now pro."})
    return repair([*system, *body])


def apply(
    policy: ContextPolicy, messages: list[dict[str, Any]], note: Any = None, model: Any = MODEL
) -> ContextResult:
    """Apply a policy once."""

    async def ask() -> ContextResult:
        return await policy(ContextRequest(messages, TOOLS, model, {}, note))

    return asyncio.run(ask())


def size(messages: list[dict[str, Any]]) -> int:
    """Return the counted tokens of a request with these messages."""
    return METER.request(messages, TOOLS)


def is_cut_of(sent: list[dict[str, Any]], whole: list[dict[str, Any]]) -> None:
    """Assert that a policy may send `sent` of the history `whole`."""
    check_pairing(sent)
    head, body = split(whole)
    sent_head, sent_body = split(sent)
    assert sent_head[: len(head)] == head
    if sent_body and str(sent_body[0]["content"]).startswith(SUMMARY):
        sent_body = sent_body[1:]
    sent_body = sent_head[len(head) :] + sent_body  # system messages in front of the first kept turn
    kept = body[len(body) - len(sent_body) :]
    assert [_identity(message) for message in sent_body] == [_identity(message) for message in kept]
    people = [message for message in whole if message["role"] == "user"]
    assert not people or people[-1] in sent
    if len(kept) < len(body):
        assert next(message["role"] for message in kept if message["role"] != "system") == "user"


def _identity(message: dict[str, Any]) -> Any:
    """Return the part of a message that a policy must not change."""
    if message["role"] != "tool":
        return message
    return message["tool_call_id"]
