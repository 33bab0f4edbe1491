"""Any model that litellm can reach, as a model adapter."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, cast

from agent_core.checks import check_arguments
from agent_core.errors import ValidationError
from agent_core.llm.adapter import check_adapter
from agent_core.llm.base import Finish, ModelAdapter, ModelEvent, ModelRequest, Usage
from agent_core.llm.direct import Reading, direct, refuse_holes
from agent_core.llm.errors import to_model_error
from agent_core.llm.finishes import finish_reason
from agent_core.llm.library import litellm_module, loaded
from agent_core.llm.options import check_options
from agent_core.llm.outgoing import Outgoing, outgoing, refused_tools
from agent_core.llm.reading import JsonReader
from agent_core.llm.rules import Rules, rules_for
from agent_core.llm.table import provider_of, sees_pictures
from agent_core.llm.tokens import context_window, count_tokens
from agent_core.redaction import secret_values

READ_TIMEOUT = 300.0
"""Seconds a provider may stay silent between two reads; litellm's own default is 6,000."""

_OURS: dict[str, Any] = {
    "stream": True,
    "stream_options": {"include_usage": True},
    # One place retries, and it is not here: see agent_core.retry.
    "max_retries": 0,
    "num_retries": 0,
}


class LitellmModel:
    """A model named in litellm's way, such as "openai/gpt-5-mini" or "ollama_chat/qwen3".

    Args:
        name: provider/model.
        **options: passed on with every request: temperature, max_tokens, timeout (seconds of silence
            between two reads), api_base, api_key, … OpenAI's options that a model does not take are left
            out; what only one provider knows goes into `extra_body`.

    Raises:
        ValidationError: an option is unknown to litellm, or has a value that cannot be meant.
    """

    direct = True
    """Whether streams of known forms are read past litellm's wrapper; see `agent_core.llm.direct`."""

    def __init__(self, name: str, **options: Any) -> None:
        check_arguments(LitellmModel.__init__, (), {"name": name}, who="LitellmModel")
        if not name or any(letter.isspace() for letter in name):
            raise ValidationError(
                f"{name!r} cannot be the name of a model; write it as provider/model, such as openai/gpt-5-mini."
            )
        check_options("LitellmModel", options)
        self.name = name
        self.options = options

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the answer's events; see `ModelAdapter.stream`."""
        litellm = await litellm_module()
        sent = self._outgoing(litellm, request)
        try:
            answer = await litellm.acompletion(**self._arguments(request, sent))
        except Exception as error:
            raise self._translate(error, request) from error
        try:
            reading = await self._reading(litellm, answer)
            async with contextlib.aclosing(reading.events()) as events:
                async for event in events:
                    yield sent.named(event)
        except Exception as error:
            raise self._translate(error, request) from error
        finally:
            # Left to the garbage collector, the provider would go on generating.
            await answer.aclose()
        if (usage := reading.usage) is not None:
            yield _usage(litellm, self.name, usage)
        if (finish := reading.finish) is not None:
            yield finish

    async def _reading(self, litellm: Any, answer: Any) -> Reading:
        mocked = "mock_response" in self.options
        if self.direct and not mocked and (past := await direct(litellm, answer)):
            return past
        await refuse_holes(answer)
        return _Wrapped(litellm, answer, trusted=mocked)

    async def context_window(self, options: Mapping[str, Any]) -> int | None:
        """Return the tokens a request may have; see `SizedModel.context_window`."""
        try:
            litellm = await litellm_module()
        except ImportError:
            return None  # the request itself will say so, in a sentence
        return await context_window(litellm, self.name, {**self.options, **options})

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has, once `context_window` was asked; see `SizedModel`."""
        return count_tokens(loaded(), self.name, text)

    def refused_tools(self, tools: Sequence[dict[str, Any]]) -> dict[str, str]:
        """Return which of some tools, in OpenAI's form, this model cannot be offered, by name, and why."""
        return refused_tools(tools, self._rules(loaded(), self.options))

    def _rules(self, litellm: Any, options: Mapping[str, Any]) -> Rules:
        provider, model = provider_of(litellm, self.name, options)
        address = options.get("api_base") or options.get("base_url")
        return rules_for(provider, model, address, thinks=_is_told_to_think(options))

    def _outgoing(self, litellm: Any, request: ModelRequest) -> Outgoing:
        options = {**self.options, **request.options}
        return outgoing(
            request,
            self._rules(litellm, options),
            model=self.name,
            sees=sees_pictures(litellm, self.name),
            choice=options.get("tool_choice"),
        )

    def _arguments(self, request: ModelRequest, sent: Outgoing) -> dict[str, Any]:
        return {
            "timeout": READ_TIMEOUT,
            "drop_params": True,
            **self.options,
            **request.options,
            **sent.options,
            **({"tools": tools} if (tools := [*sent.tools, *request.provider_tools]) else {}),
            **_OURS,
            "model": self.name,
            "messages": [_with_hosted(message) for message in sent.messages],
        }

    def _translate(self, error: Exception, request: ModelRequest) -> Exception:
        secrets = secret_values({**self.options, **request.options})
        return to_model_error(error, model=self.name, secrets=secrets)


def _with_hosted(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message in which calls that its provider ran stand as litellm reads them.

    litellm makes `server_tool_use` of a call with such an id, and puts the result of that id behind it.
    """
    hosted = cast("list[dict[str, Any]]", message.get("hosted_calls"))
    if not hosted:
        return message
    calls = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["input"])},
        }
        for call in (each["call"] for each in hosted)
    ]
    rest = {key: value for key, value in message.items() if key != "hosted_calls"}
    results = {"tool_results": [each["result"] for each in hosted]}
    return rest | {
        "tool_calls": [*calls, *(message.get("tool_calls") or [])],
        "provider_specific_fields": results,
    }


def _is_told_to_think(options: Mapping[str, Any]) -> bool:
    thinking: Any = options.get("thinking")
    asked = isinstance(thinking, Mapping) and cast("Mapping[str, Any]", thinking).get("type") == "enabled"
    return asked or options.get("reasoning_effort") not in (None, "none")


def adapter_of(model: str | ModelAdapter | None, who: str) -> ModelAdapter | None:
    """Return the adapter that an optional model means.

    Raises:
        ValidationError: it is neither None nor a model.
    """
    if model is None or isinstance(model, str):
        return LitellmModel(model) if isinstance(model, str) else None
    check_adapter(model, who)
    return model


class _Wrapped:
    """An answer read through litellm's own stream wrapper."""

    def __init__(self, litellm: Any, answer: Any, trusted: bool) -> None:
        self._litellm = litellm
        self._answer = answer
        self._trusted = trusted
        self._reader = JsonReader()
        self._usage: Any = None
        _keep_only_usage(answer)

    @property
    def finish(self) -> Finish | None:
        if not self._trusted and _was_cut(self._answer):
            return None
        # The wrapper says "tool_calls" where the provider has said "stop".
        reason = getattr(self._answer, "received_finish_reason", None) or self._reader.finish
        if not reason:
            return None
        about = {**self._reader.about, "finish_reason": reason}
        provider = str(getattr(self._answer, "custom_llm_provider", None) or "provider")
        return Finish(finish_reason(self._litellm, reason), metadata={provider: about})

    @property
    def usage(self) -> Any:
        return self._usage

    async def events(self) -> AsyncGenerator[ModelEvent]:
        async for chunk in _until_cut(self._answer):
            if (usage := getattr(chunk, "usage", None)) is not None:
                self._usage = usage
            for event in self._reader.read(chunk.model_dump(exclude={"usage"})):
                yield event
        for event in self._reader.end():
            yield event


async def _until_cut(answer: Any) -> AsyncGenerator[Any]:
    """Yield the wrapper's chunks; a stream that ended without a finish reason is cut, not broken."""
    try:
        async for chunk in answer:
            yield chunk
    except Exception as error:
        if "ended before a finish_reason" not in str(error):
            raise


def _was_cut(answer: Any) -> bool:
    """Tell whether a stream ended without the provider having said so.

    litellm then invents a finish_reason "stop" (BerriAI/litellm#40260); what the provider really
    sent stands in these two attributes of its stream wrapper.
    """
    return (
        getattr(answer, "received_finish_reason", "unknown") is None
        and getattr(answer, "intermittent_finish_reason", "unknown") is None
    )


class _UsageOnly(list[Any]):
    """A list that keeps only the chunks that report usage.

    litellm collects every chunk and rebuilds the whole answer from them at the end, twice, on the
    event loop: 0.2 s for 3,000 chunks. We have the answer already; of that only usage is wanted.
    """

    def append(self, chunk: Any) -> None:
        if getattr(chunk, "usage", None) is not None:
            super().append(chunk)


def _keep_only_usage(answer: Any) -> None:
    if isinstance(getattr(answer, "chunks", None), list):
        answer.chunks = _UsageOnly()


def _usage(litellm: Any, model: str, usage: Any) -> Usage:
    prompt_details = getattr(usage, "prompt_tokens_details", None)
    completion_details = getattr(usage, "completion_tokens_details", None)
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        total_tokens=usage.total_tokens or 0,
        cost=_cost(litellm, model, usage),
        cached_tokens=getattr(prompt_details, "cached_tokens", None) or 0,
        reasoning_tokens=getattr(completion_details, "reasoning_tokens", None) or 0,
        cache_write_tokens=_cache_writes(usage, prompt_details),
    )


def _cache_writes(usage: Any, details: Any) -> int:
    """Return the tokens that were written to the provider's cache, wherever it says so."""
    told = getattr(usage, "cache_creation_input_tokens", None)
    for name in ("cache_creation_tokens", "cache_write_tokens"):
        told = told or getattr(details, name, None)
    return told if isinstance(told, int) else 0


def _cost(litellm: Any, model: str, usage: Any) -> float | None:
    """Return the request's price in US dollars: the provider's own, else by litellm's local table."""
    told = getattr(usage, "cost", None)
    if isinstance(told, int | float) and not isinstance(told, bool):
        return float(told)
    try:
        return float(sum(litellm.cost_per_token(model=model, usage_object=usage)))
    except Exception:  # it raises a different class for each way of not knowing a price
        return None
