"""OpenAI's chat completions, and the base of the providers that speak them with variations.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from agent_core.testing import check_pairing
from tests.providers.dialects.dialect import (
    Dialect,
    arguments_of,
    asserted,
    event,
    misfits,
    pieces,
    writer_of,
)
from tests.providers.dialects.script import (
    Item,
    Json,
    Ran,
    Reply,
    Thought,
    Use,
    text_of,
    thoughts_of,
    uses_of,
)

COUNTED = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 30},
}

OPENAI_LIKE = (
    "openai/gpt-4o-mini",
    "azure/gpt-4o-mini",
    "deepseek/deepseek-chat",
    "fireworks_ai/some-model",
    "groq/some-model",
    "hosted_vllm/some-model",
    "mistral/mistral-small-latest",
    "openrouter/some/model",
    "together_ai/some/model",
    "xai/grok-3",
)
"""Models whose providers speak OpenAI's dialect, some of them with variations."""


class Openai(Dialect):
    """OpenAI's chat completions, which carry no reasoning.

    Attributes:
        thinks: key of the reasoning in a delta and a message; "" if they carry none.
        must_return: whether a step with calls must come back with its reasoning.
        fields: keys that an assistant's message may have; empty allows any.
    """

    model = "openai/gpt-4o-mini"
    thinks: ClassVar[str] = ""
    must_return: ClassVar[bool] = False
    fields: ClassVar[frozenset[str]] = frozenset()
    longest_id: ClassVar[int] = 40

    def stream(self, items: Reply) -> list[bytes]:
        deltas: list[Json] = [{"role": "assistant", "content": ""}]
        index = 0
        for item in items:
            if isinstance(item, Use):
                deltas += self.call_deltas(item, index)
                index += 1
            elif not isinstance(item, Ran):
                deltas += self.words(item)
        finish = "tool_calls" if index else "stop"
        last = chunk({}) | {"choices": [], "usage": COUNTED}
        return [
            *(event(chunk(delta)) for delta in deltas),
            event(chunk({}, finish)),
            event(last),
            event("[DONE]"),
        ]

    def words(self, item: str | Thought) -> list[Json]:
        """Return the deltas of text or reasoning."""
        if isinstance(item, str):
            return [{"content": piece} for piece in pieces(item)]
        return [{self.thinks: piece} for piece in pieces(item.text)] if self.thinks else []

    def call_deltas(self, use: Use, index: int) -> list[Json]:
        """Return the deltas of a call."""
        first = {"index": index, "id": use.id, "type": "function"}
        first["function"] = {"name": use.name, "arguments": ""}
        rest = [{"index": index, "function": {"arguments": piece}} for piece in pieces(arguments_of(use))]
        return [{"tool_calls": [one]} for one in [first, *rest]]

    def whole(self, items: Reply) -> Json:
        message = self.message(items)
        choice = {"index": 0, "message": message}
        choice["finish_reason"] = "tool_calls" if message.get("tool_calls") else "stop"
        return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m"} | {
            "choices": [choice],
            "usage": COUNTED,
        }

    def message(self, items: Reply) -> Json:
        """Return the assistant's message of a whole answer."""
        message: Json = {"role": "assistant", "content": text_of(items) or None}
        if self.thinks and (thoughts := thoughts_of(items)):
            message[self.thinks] = "".join(thought.text for thought in thoughts)
        if uses := uses_of(items):
            message["tool_calls"] = [_call(use) for use in uses]
        return message

    def check(self, request: Json, said: Sequence[Reply]) -> list[str]:
        found = list(asserted(check_pairing, request["messages"]))
        tools = [tool["function"]["name"] for tool in request.get("tools") or [] if "function" in tool]
        found += [
            f"Invalid 'tools[0].function.name': string does not match pattern: {name!r}"
            for name in misfits(self.names, tools)
        ]
        for place, message in enumerate(request["messages"]):
            if message["role"] == "assistant":
                found += self.check_assistant(place, message, said)
        return found

    def check_assistant(self, place: int, message: Json, said: Sequence[Reply]) -> Iterator[str]:
        """Yield the provider's complaints about one assistant message."""
        calls = message.get("tool_calls") or []
        where = f"messages[{place}]"
        for name in misfits(self.names, [call["function"]["name"] for call in calls]):
            yield (
                f"Invalid '{where}.tool_calls[0].function.name': string does not match pattern. Expected a "
                f"string that matches the pattern '^[a-zA-Z0-9_-]+$', at most 64 long: {name!r}"
            )
        for call in calls:
            if len(call["id"]) > self.longest_id:
                yield (
                    f"Invalid '{where}.tool_calls[0].id': string too long. Expected a string with maximum length "
                    f"{self.longest_id}, but got a string with length {len(call['id'])} instead."
                )
            if not isinstance(call["function"]["arguments"], str):
                yield f"Invalid type for '{where}.tool_calls[0].function.arguments': expected a string."
        if self.fields and (unknown := sorted(message.keys() - self.fields)):
            yield self.unsupported(place, unknown[0])
        writer = writer_of([(call["id"], None) for call in calls], said)
        if writer is not None:
            yield from self.check_returned(place, message, writer)

    def unsupported(self, place: int, name: str) -> str:
        """Return the provider's complaint about an unknown key."""
        return f"Unrecognized request argument supplied: messages[{place}].{name}"

    def check_returned(self, place: int, message: Json, writer: list[Item]) -> Iterator[str]:
        """Yield complaints about missing reasoning in a step that this provider wrote."""
        thought = "".join(one.text for one in thoughts_of(writer))
        if self.must_return and thought and message.get(self.thinks) != thought:
            yield self.missing(place)

    def missing(self, place: int) -> str:
        """Return the provider's complaint about missing reasoning."""
        return f"Missing `{self.thinks}` field in the assistant message at message index {place}."


def chunk(delta: Json, finish: str | None = None) -> Json:
    """Return one `chat.completion.chunk`."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def _call(use: Use) -> Json:
    function: dict[str, Any] = {"name": use.name, "arguments": arguments_of(use)}
    return {"id": use.id, "type": "function", "function": function}
