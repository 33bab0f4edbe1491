"""Anthropic: events by block, signed thinking that must come back first in its turn.

https://platform.claude.com/docs/en/build-with-claude/streaming
https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.providers.dialects.dialect import (
    Dialect,
    arguments_of,
    asserted,
    event,
    misfits,
    pieces,
    writer_of,
)
from tests.providers.dialects.script import Item, Json, Reply, Thought, Use, thoughts_of, uses_of
from tests.providers.loopback import Answer
from tests.tools.pairing import check_blocks

COUNTED = {"input_tokens": 500, "cache_read_input_tokens": 400, "cache_creation_input_tokens": 60}


class Anthropic(Dialect):
    """Claude."""

    model = "anthropic/claude-sonnet-5"
    below = ""
    id_form = "toolu_{:08}"
    names = r"[a-zA-Z0-9_-]{1,128}"

    def stream(self, items: Reply) -> list[bytes]:
        head = {"id": "m1", "type": "message", "role": "assistant", "model": "claude", "content": []}
        events = [_event("message_start", message=head | {"usage": COUNTED | {"output_tokens": 1}})]
        for index, item in enumerate(items):
            start, deltas = _streamed(item)
            events.append(_event("content_block_start", index=index, content_block=start))
            events += [_event("content_block_delta", index=index, delta=each) for each in deltas]
            events.append(_event("content_block_stop", index=index))
        end = {"stop_reason": "tool_use" if uses_of(items) else "end_turn", "stop_sequence": None}
        return [
            *events,
            _event("message_delta", delta=end, usage=COUNTED | {"output_tokens": 90}),
            _event("message_stop"),
        ]

    def whole(self, items: Reply) -> Json:
        return {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [block(item) for item in items],
            "stop_reason": "tool_use" if uses_of(items) else "end_turn",
            "usage": COUNTED | {"output_tokens": 90},
        }

    def refusal(self, sentence: str) -> Answer:
        error = {"type": "invalid_request_error", "message": sentence}
        return Answer(400, {"type": "error", "error": error, "request_id": "req_1"})

    def check(self, request: Json, said: Sequence[Reply]) -> list[str]:
        messages = request["messages"]
        found = list(asserted(check_blocks, messages))
        tools = [tool["name"] for tool in request.get("tools") or [] if "name" in tool]
        found += [
            f"tools.0.custom.name: String should match pattern '^{self.names}$': {name!r}"
            for name in misfits(self.names, tools)
        ]
        if messages and messages[0]["role"] != "user":
            found.append("messages: first message must use the user role")
        for place, message in enumerate(messages):
            if isinstance(message["content"], list):
                found += self._check_message(f"messages.{place}.content", message, said)
        return found

    def _check_message(self, where: str, message: Json, said: Sequence[Reply]) -> Iterator[str]:
        blocks = message["content"]
        thinking = [one for one in blocks if one["type"] in ("thinking", "redacted_thinking")]
        calls = [one for one in blocks if one["type"] == "tool_use"]
        for name in misfits(self.names, [call["name"] for call in calls]):
            yield f"{where}.0.tool_use.name: String should match pattern '^{self.names}$': {name!r}"
        for id in misfits(r"[a-zA-Z0-9_-]+", [call["id"] for call in calls]):
            yield f"{where}.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$': {id!r}"
        known = [block(thought) for reply in said for thought in thoughts_of(reply)]
        if any(one not in known for one in thinking):
            yield f"{where}.0: Invalid `signature` in `thinking` block"
        writer = writer_of([(call["id"], call["input"]) for call in calls], said)
        if writer is None or not thoughts_of(writer):
            return
        if blocks[0]["type"] not in ("thinking", "redacted_thinking") and isinstance(writer[0], Thought):
            yield (
                f"{where}.0.type: Expected `thinking` or `redacted_thinking`, but found "
                f"`{blocks[0]['type']}`. When `thinking` is enabled, a final `assistant` message must start "
                "with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
            )
        elif thinking != [block(thought) for thought in thoughts_of(writer)]:
            yield (
                f"{where}.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot "
                "be modified. These blocks must remain as they were in the original response."
            )


def block(item: Item) -> Json:
    """Return a block as it stands in a message."""
    if isinstance(item, Thought):
        if item.hidden:
            return {"type": "redacted_thinking", "data": item.text}
        return {"type": "thinking", "thinking": item.text, "signature": item.signature}
    if isinstance(item, Use):
        return {"type": "tool_use", "id": item.id, "name": item.name, "input": item.arguments}
    return {"type": "text", "text": item}


def _streamed(item: Item) -> tuple[Json, list[Json]]:
    """Return how a block begins, and its deltas."""
    if isinstance(item, Thought):
        if item.hidden:
            return block(item), []
        deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(item.text)]
        deltas.append({"type": "signature_delta", "signature": item.signature})
        return {"type": "thinking", "thinking": "", "signature": ""}, deltas
    if isinstance(item, Use):
        start = block(item) | {"input": {}}
        return start, [
            {"type": "input_json_delta", "partial_json": one} for one in pieces(arguments_of(item))
        ]
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(item)]


def _event(kind: str, **fields: object) -> bytes:
    return event({"type": kind, **fields}, kind)
