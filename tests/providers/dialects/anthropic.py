"""Anthropic's dialect: events by block, and signed thinking that must come back first in its turn.

https://platform.claude.com/docs/en/build-with-claude/streaming
https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks
"""

from __future__ import annotations

import json
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
from tests.providers.dialects.script import Item, Json, Ran, Reply, Thought, Use, thoughts_of, uses_of
from tests.providers.loopback import Answer
from tests.support.providers.pairing import check_blocks

COUNTED = {"input_tokens": 500, "cache_read_input_tokens": 400, "cache_creation_input_tokens": 60}


class Anthropic(Dialect):
    """Anthropic's Messages API."""

    model = "anthropic/claude-sonnet-5"
    below = ""
    id_form = "toolu_{:08}"
    names = r"[a-zA-Z0-9_-]{1,128}"

    def stream(self, items: Reply) -> list[bytes]:
        return stream_of([each for item in items for each in _streamed(item)], _stop_reason(items))

    def whole(self, items: Reply) -> Json:
        return {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": blocks_of(items),
            "stop_reason": _stop_reason(items),
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
                found += _check_hosted(message["content"], said, is_last=message is messages[-1])
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
        elif thinking[-len(thoughts_of(writer)) :] != [block(thought) for thought in thoughts_of(writer)]:
            yield (
                f"{where}.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot "
                "be modified. These blocks must remain as they were in the original response."
            )


def stream_of(blocks: Sequence[tuple[Json, list[Json]]], stop_reason: str = "end_turn") -> list[bytes]:
    """Return the events of a message; each block is a pair of its start and its deltas."""
    head = {"id": "m1", "type": "message", "role": "assistant", "model": "claude", "content": []}
    events = [_event("message_start", message=head | {"usage": COUNTED | {"output_tokens": 1}})]
    for index, (start, deltas) in enumerate(blocks):
        events.append(_event("content_block_start", index=index, content_block=start))
        events += [_event("content_block_delta", index=index, delta=each) for each in deltas]
        events.append(_event("content_block_stop", index=index))
    end = {"stop_reason": stop_reason, "stop_sequence": None}
    events.append(_event("message_delta", delta=end, usage=COUNTED | {"output_tokens": 90}))
    return [*events, _event("message_stop")]


def _stop_reason(items: Reply) -> str:
    paused = any(isinstance(item, Ran) and item.half == "call" for item in items)
    return "tool_use" if uses_of(items) else "pause_turn" if paused else "end_turn"


def _check_hosted(content: list[Json], said: Sequence[Reply], is_last: bool) -> Iterator[str]:
    """Yield complaints about blocks of Anthropic's own tools that were changed, omitted or reordered."""
    sent = [{k: v for k, v in one.items() if k != "cache_control"} for one in content]
    calls = {one["id"]: one["name"] for one in sent if one["type"] == "server_tool_use"}
    answered = {one["tool_use_id"] for one in sent if one["type"].endswith("_tool_result")}
    for id in calls.keys() - answered if not is_last else ():
        yield f"`{calls[id]}` tool use with id `{id}` was found without a corresponding `{calls[id]}_tool_result` block"
    for id in answered - calls.keys():
        if id.startswith("srvtoolu_"):
            yield f"unexpected `tool_use_id` found in `{id}`: each result must have a corresponding `server_tool_use`"
    whole = [one for reply in said for one in blocks_of(reply)]
    mine = [one for one in sent if one in whole]
    if calls and len(mine) < len(sent):
        yield f"messages: these blocks were changed: {[one for one in sent if one not in whole]}"
    if calls and [whole.index(one) for one in mine] != sorted(whole.index(one) for one in mine):
        yield "messages: the blocks were put into another order"
    kept = [blocks_of(reply) for reply in said if any(isinstance(item, Ran) for item in reply)]
    wanted = [one for blocks in kept for one in blocks if any(other in sent for other in blocks)]
    told = {one.get("tool_use_id") for one in whole}
    needed = [one for one in wanted if one["type"] != "server_tool_use" or one["id"] in told]
    if calls and any(one not in sent for one in needed):
        yield "messages: blocks were left out"


def blocks_of(items: Reply) -> list[Json]:
    """Return a reply's blocks in the form of a message."""
    return [
        one for item in items for one in (_hosted_blocks(item) if isinstance(item, Ran) else [block(item)])
    ]


def _hosted_blocks(item: Ran) -> list[Json]:
    call = {"type": "server_tool_use", "id": item.id, "name": item.name, "input": item.arguments}
    result = {"type": f"{item.name}_tool_result", "tool_use_id": item.id, "content": item.result}
    return [one for one, half in ((call, "call"), (result, "result")) if item.half in ("", half)]


def block(item: str | Thought | Use) -> Json:
    """Return a block in the form of a message."""
    if isinstance(item, Thought):
        if item.hidden:
            return {"type": "redacted_thinking", "data": item.text}
        return {"type": "thinking", "thinking": item.text, "signature": item.signature}
    if isinstance(item, Use):
        return {"type": "tool_use", "id": item.id, "name": item.name, "input": item.arguments}
    return {"type": "text", "text": item}


def _streamed(item: Item) -> list[tuple[Json, list[Json]]]:
    """Return the start and the deltas of each block of an item."""
    if not isinstance(item, Ran):
        return [_streamed_block(item)]
    deltas = [{"type": "input_json_delta", "partial_json": one} for one in pieces(json.dumps(item.arguments))]
    return [
        (one | {"input": {}}, deltas) if one["type"] == "server_tool_use" else (one, [])
        for one in _hosted_blocks(item)
    ]


def _streamed_block(item: str | Thought | Use) -> tuple[Json, list[Json]]:
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
