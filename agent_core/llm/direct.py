"""An answer read past litellm's stream wrapper, where the form of the provider's stream is known.

litellm names, configures and asks the model; what it hands back is a wrapper around the provider's
own stream. The wrapper makes four or five pydantic objects of each chunk, which costs many times what
reading it costs. So, for the forms listed here, the stream behind it is read: OpenAI's as the JSON
that arrives, the others through litellm's own decoder of their dialect. Anything else, and anything
that wants to hear of each answer inside litellm (callbacks, its cache, its rules, its budget), takes
the wrapper. See docs/decisions/0006-streams-are-read-directly.md.
"""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Protocol, cast

from agent_core.llm.base import ModelEvent
from agent_core.llm.lines import refuse_broken
from agent_core.llm.reading import JsonReader, ObjectReader
from agent_core.llm.sse import EventStream

DECODERS = frozenset(
    f"litellm.llms.{name}"
    for name in (
        "anthropic.chat.handler.ModelResponseIterator",
        "fireworks_ai.chat.transformation.FireworksAIChatCompletionStreamingHandler",
        "groq.chat.transformation.GroqChatCompletionStreamingHandler",
        "mistral.chat.transformation.MistralChatResponseIterator",
        "ollama.chat.transformation.OllamaChatCompletionResponseIterator",
        "openai.chat.gpt_transformation.OpenAIChatCompletionStreamingHandler",
        "openrouter.chat.transformation.OpenRouterChatCompletionStreamingHandler",
        "vertex_ai.gemini.vertex_and_google_ai_studio_gemini.ModelResponseIterator",
        "xai.chat.transformation.XAIChatCompletionStreamingHandler",
    )
)
"""litellm's decoders whose chunks mean the same with and without the wrapper; tests compare them."""

_NEEDED = ("completion_stream", "custom_llm_provider", "fetch_stream", "messages", "model")
_LISTENERS = (
    *("callbacks", "success_callback", "failure_callback", "_async_success_callback"),
    *("_async_failure_callback", "post_call_rules", "cache", "max_budget"),
)
_OWN_LISTENERS = (
    *("dynamic_success_callbacks", "dynamic_async_success_callbacks"),
    *("dynamic_failure_callbacks", "dynamic_async_failure_callbacks"),
)


class Reading(Protocol):
    """An answer being read."""

    @property
    def finish(self) -> str | None:
        """The finish reason that the provider gave; None: it gave none, so the answer was cut."""
        ...

    @property
    def usage(self) -> Any:
        """The usage, as litellm's object; None: the provider reported none."""
        ...

    def events(self) -> AsyncGenerator[ModelEvent]:
        """Yield the events of what arrives; raises what litellm's wrapper raises."""
        ...


async def direct(litellm: Any, answer: Any) -> Reading | None:
    """Return how to read `answer` past its wrapper; None: it is to be read through it."""
    if not _may_be_passed(litellm, answer):
        return None
    stream = await _fetched(answer)
    if _is_openai(stream):
        return _Openai(litellm, answer)
    if _is_decoder(stream):
        refuse_broken(stream)
        return _Decoded(litellm, answer)
    return None


async def refuse_holes(answer: Any) -> None:
    """Let an answer that is read through its wrapper break where an event is broken, if its form is known."""
    if all(hasattr(answer, name) for name in _NEEDED) and _is_decoder(stream := await _fetched(answer)):
        refuse_broken(stream)


async def _fetched(answer: Any) -> object:
    if answer.completion_stream is None:  # some providers are asked only now
        try:
            await answer.fetch_stream()
        except Exception as error:
            raise _as_the_wrapper_says(answer, error) from error
    return answer.completion_stream


def _may_be_passed(litellm: Any, answer: Any) -> bool:
    """Tell whether nothing that only the wrapper does is needed, and all that reading needs is there."""
    if type(answer) is not litellm.CustomStreamWrapper or not all(hasattr(answer, name) for name in _NEEDED):
        return False
    if any(_is_set(getattr(litellm, name, None)) for name in _LISTENERS):
        return False
    if any(getattr(getattr(answer, "logging_obj", None), name, None) for name in _OWN_LISTENERS):
        return False
    if getattr(litellm.constants, "LITELLM_MAX_STREAMING_DURATION_SECONDS", None) is not None:
        return False
    return not getattr(answer, "merge_reasoning_content_in_choices", False)


def _is_set(setting: Any) -> bool:
    # A request to Gemini leaves the callback "cache" behind; without a cache it does nothing.
    return (
        any(each != "cache" for each in cast("list[Any]", setting))
        if isinstance(setting, list)
        else bool(setting)
    )


def _is_decoder(stream: object) -> bool:
    kind = type(stream)
    return f"{kind.__module__}.{kind.__qualname__}" in DECODERS


def _is_openai(stream: object) -> bool:
    kind = type(stream)
    return (
        kind.__module__.partition(".")[0] == "openai"
        and kind.__qualname__ == "AsyncStream"
        and getattr(getattr(stream, "_cast_to", None), "__name__", "") == "ChatCompletionChunk"
        and hasattr(getattr(stream, "response", None), "aiter_bytes")
    )


class _Openai:
    """OpenAI's dialect, from the bytes of the response."""

    def __init__(self, litellm: Any, answer: Any) -> None:
        self._litellm = litellm
        self._answer = answer
        self._reader = JsonReader()
        self._decoder = EventStream()
        self._done = False

    @property
    def finish(self) -> str | None:
        """As litellm names it."""
        reason = self._reader.finish
        types = self._litellm.types.utils
        return types.StreamingChoices(finish_reason=reason).finish_reason if reason else None

    @property
    def usage(self) -> Any:
        """The newest of each count; some providers report with every chunk."""
        return _merged(self._litellm, self._reader.usages)

    async def events(self) -> AsyncGenerator[ModelEvent]:
        """Yield the events of the response."""
        response = self._answer.completion_stream.response
        try:
            async with contextlib.aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    for event in self._said(piece):
                        yield event
                    if self._done:
                        break
        except Exception as error:
            if not _is_whole(self._reader.finish, error):
                raise _as_the_wrapper_says(self._answer, error) from error

    def _said(self, piece: bytes) -> Iterator[ModelEvent]:
        for data in self._decoder.feed(piece):
            if data.startswith(b"[DONE]"):
                self._done = True
                return
            yield from self._reader.read(self._checked(json.loads(data.decode())))
            if self._reader.finish == "error":
                raise RuntimeError("The provider ended its answer with an error and no words for it.")

    def _checked(self, chunk: Any) -> dict[str, Any]:
        if not isinstance(chunk, dict):
            raise TypeError(f"The provider sent an event that is no object: {chunk!r:.200}")
        fields = cast("dict[str, Any]", chunk)
        if error := fields.get("error"):
            message = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else None
            request = self._answer.completion_stream.response.request
            raise importlib.import_module("openai").APIError(
                message or "An error occurred during streaming", request=request, body=error
            )
        return fields


class _Decoded:
    """Another dialect, or OpenAI's with a provider's own ways, through litellm's decoder of it."""

    def __init__(self, litellm: Any, answer: Any) -> None:
        self._litellm = litellm
        self._answer = answer
        self._reader = ObjectReader()
        self._counted: list[Any] = []

    @property
    def finish(self) -> str | None:
        """As litellm names it."""
        return self._reader.finish

    @property
    def usage(self) -> Any:
        """Added up by litellm, which knows what the dialect reports when."""
        if not self._counted:
            return None
        try:
            whole = self._litellm.stream_chunk_builder(self._counted, messages=self._answer.messages)
            return whole.usage
        except Exception:  # it takes no chunk without choices, such as the one that brings usage alone
            return _merged(self._litellm, [chunk.usage.model_dump() for chunk in self._counted])

    async def events(self) -> AsyncGenerator[ModelEvent]:
        """Yield the events of each chunk."""
        reader = self._reader
        try:
            async for chunk in self._answer.completion_stream:
                if chunk is None:  # half an event
                    continue
                if isinstance(chunk, dict):  # no event of the dialect: a blank line, or [DONE]
                    if reader.finish is not None:
                        break
                    line = cast("dict[str, Any]", chunk)
                    reader.finish = line.get("finish_reason") if line.get("is_finished") else None
                    continue
                if getattr(chunk, "usage", None) is not None:
                    self._counted.append(chunk)
                for event in reader.read(chunk):
                    yield event
        except Exception as error:
            if not _is_whole(reader.finish, error):
                raise _as_the_wrapper_says(self._answer, error) from error


def _merged(litellm: Any, usages: list[dict[str, Any]]) -> Any:
    newest = {key: value for usage in usages for key, value in usage.items() if value is not None}
    if not newest:
        return None
    total = (newest.get("prompt_tokens") or 0) + (newest.get("completion_tokens") or 0)
    return litellm.Usage(**newest | {"total_tokens": total})


def _is_whole(finish: str | None, error: Exception) -> bool:
    """Tell whether a connection dropped only after the answer was there."""
    return finish is not None and type(error).__name__ in ("ReadError", "RemoteProtocolError")


def _as_the_wrapper_says(answer: Any, error: Exception) -> Exception:
    """Return the exception that litellm's wrapper raises for `error`, with its status and its class."""
    tell = getattr(answer, "_handle_stream_fallback_error", None)
    if tell is None:
        return error
    try:
        tell(error)
    except Exception as told:
        return told
    return error
