"""Providers that speak OpenAI's dialect, each with its own form of reasoning and its own refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.providers.dialects.dialect import arguments_of, pieces
from tests.providers.dialects.gemini import is_skip
from tests.providers.dialects.openai import Openai
from tests.providers.dialects.script import Item, Json, Reply, Thought, Use, thoughts_of, uses_of

_PLAIN = frozenset({"role", "content", "tool_calls", "name"})


class Deepseek(Openai):
    """https://api-docs.deepseek.com/guides/thinking_mode#tool-calls"""

    model = "deepseek/deepseek-reasoner"
    thinks = "reasoning_content"
    must_return = True


class Vllm(Openai):
    """https://docs.vllm.ai/en/latest/features/reasoning_outputs.html"""

    model = "hosted_vllm/some-model"
    thinks = "reasoning_content"
    must_return = True


class Xai(Openai):
    """https://docs.x.ai/docs/guides/reasoning"""

    model = "xai/grok-3"
    thinks = "reasoning_content"


class Moonshot(Openai):
    """https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model"""

    model = "moonshot/kimi-k2-thinking"
    id_form = "clock:{}"
    thinks = "reasoning_content"
    must_return = True

    def missing(self, place: int) -> str:
        return f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {place}"


class Groq(Openai):
    """https://console.groq.com/docs/reasoning"""

    model = "groq/some-model"
    thinks = "reasoning"
    fields = _PLAIN | {"reasoning"}

    def unsupported(self, place: int, name: str) -> str:
        return (
            f"'messages.{place}' : for 'role:assistant' the following must be satisfied"
            f"[('messages.{place}' : property '{name}' is unsupported)]"
        )


class Cerebras(Openai):
    """https://inference-docs.cerebras.ai/capabilities/reasoning"""

    model = "cerebras/some-model"
    thinks = "reasoning"
    fields = _PLAIN | {"reasoning"}

    def unsupported(self, place: int, name: str) -> str:
        return f"body.messages.{place}.assistant.{name}: property '{name}' is unsupported"


class Mistral(Openai):
    """Reasoning in parts of the content, nine-letter ids. https://docs.mistral.ai/capabilities/reasoning/"""

    model = "mistral/magistral-medium-latest"
    id_form = "m{:08}"
    longest_id = 9
    fields = _PLAIN | {"prefix"}

    def words(self, item: str | Thought) -> list[Json]:
        if isinstance(item, str):
            return super().words(item)
        return [{"content": [_thinking(piece)]} for piece in pieces(item.text)]

    def message(self, items: Reply) -> Json:
        thoughts = [_thinking(thought.text) for thought in thoughts_of(items)]
        message = super().message(items)
        if thoughts:
            message["content"] = [*thoughts, {"type": "text", "text": message["content"] or ""}]
        return message

    def check(self, request: Json, said: Sequence[Reply]) -> list[str]:
        found = super().check(request, said)
        before = ""
        for message in request["messages"]:
            if message["role"] == "user" and before == "tool":
                found.append("Unexpected role 'user' after role 'tool'")
            before = message["role"]
        if before == "assistant" and not request["messages"][-1].get("prefix"):
            found.append(
                "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant"
            )
        return found

    def check_assistant(self, place: int, message: Json, said: Sequence[Reply]) -> Iterator[str]:
        for call in message.get("tool_calls") or []:
            if len(call["id"]) != 9 or not call["id"].isalnum():
                yield (f"Tool call id was {call['id']} but must be a-z, A-Z, 0-9, with a length of 9.")
        yield from super().check_assistant(place, message, said)

    def unsupported(self, place: int, name: str) -> str:
        return f"messages.{place}.assistant.{name}: Extra inputs are not permitted"


class Openrouter(Openai):
    """Reasoning in typed details, by index. https://openrouter.ai/docs/use-cases/reasoning-tokens"""

    model = "openrouter/google/gemini-3-pro-preview"
    thinks = "reasoning"
    must_return = True

    def words(self, item: str | Thought) -> list[Json]:
        if isinstance(item, str):
            return super().words(item)
        if item.hidden:
            return [{"content": "", "reasoning_details": [_encrypted(item, 0)]}]
        return [
            {"content": "", "reasoning": piece, "reasoning_details": [_detail(piece)]}
            for piece in pieces(item.text)
        ]

    def call_deltas(self, use: Use, index: int) -> list[Json]:
        first, *rest = super().call_deltas(use, index)
        return [first | {"reasoning_details": [_encrypted(use, index + 1)]}, *rest]

    def message(self, items: Reply) -> Json:
        message = super().message(items)
        message["reasoning_details"] = details(items)
        return message

    def check_returned(self, place: int, message: Json, writer: list[Item]) -> Iterator[str]:
        if message.get("reasoning_details") != details(writer):
            yield (
                f"Function call is missing a thought_signature in functionCall parts (messages.{place}): "
                "reasoning_details must be preserved as they were received."
            )


class GeminiOpenai(Openai):
    """Gemini's compatible endpoint: whole calls without `index`, the first one signed.

    https://ai.google.dev/gemini-api/docs/thought-signatures#openai
    """

    model = "openai/gemini-3-flash-preview"
    names = r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}"
    below = "/v1beta/openai"

    def call_deltas(self, use: Use, index: int) -> list[Json]:
        call: dict[str, Any] = {"id": use.id, "type": "function"}
        call["function"] = {"name": use.name, "arguments": arguments_of(use)}
        signed = {} if index else {"extra_content": {"google": {"thought_signature": use.signature}}}
        return [{"role": "assistant", "tool_calls": [call | signed]}]

    def check_assistant(self, place: int, message: Json, said: Sequence[Reply]) -> Iterator[str]:
        yield from super().check_assistant(place, message, said)
        calls = message.get("tool_calls") or []
        if not calls:
            return
        own = {use.id: use.signature for reply in said for use in uses_of(reply)}
        google = (calls[0].get("extra_content") or {}).get("google") or {}
        signature = google.get("thought_signature")
        if not signature:
            yield (
                "Function call is missing a thought_signature in functionCall parts. This is required for tools "
                f"to work correctly. Additional data, function call `default_api:{calls[0]['function']['name']}`."
            )
        elif signature not in own.values() and (calls[0]["id"] in own or not is_skip(signature)):
            yield "Corrupted thought signature."


def details(items: Reply) -> list[Json]:
    """Return a reply's complete reasoning details for OpenRouter: texts merged, other items unchanged."""
    texts = [_detail("".join(one.text for one in thoughts_of(items) if not one.hidden))]
    hidden = [_encrypted(one, 0) for one in thoughts_of(items) if one.hidden]
    calls = [_encrypted(use, n + 1) for n, use in enumerate(uses_of(items))]
    return [one for one in texts if one["text"]] + hidden + calls


def _detail(text: str) -> Json:
    return {"type": "reasoning.text", "text": text, "format": "google-gemini-v1", "index": 0}


def _encrypted(item: Thought | Use, index: int) -> Json:
    head = {"id": item.id} if isinstance(item, Use) else {}
    return {
        **head,
        "type": "reasoning.encrypted",
        "data": item.signature,
        "format": "google-gemini-v1",
        "index": index,
    }


def _thinking(text: str) -> Json:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
