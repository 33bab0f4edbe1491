"""Provide the adapter for all models that litellm supports."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any, cast

from agent_core.domain.model_adapter import ModelAdapter, ModelEvent, ModelRequest, Usage
from agent_core.errors import ValidationError
from agent_core.llm.adapter_check import check_adapter
from agent_core.llm.errors.model_errors import to_model_error
from agent_core.llm.litellm_import import litellm_module, loaded
from agent_core.llm.options import check_options
from agent_core.llm.requests.provider_request import ProviderRequest, refused_tools, to_provider_request
from agent_core.llm.requests.provider_rules import ITEMS, Rules, rules_for
from agent_core.llm.streams.direct_stream import (
    DirectStream,
    has_listeners,
    open_direct,
    refuse_broken_events,
)
from agent_core.llm.streams.wrapped_stream import WrappedStream
from agent_core.llm.tokens import context_window, count_tokens
from agent_core.support.argument_checks import check_arguments
from agent_core.text.redaction import secret_values

_READ_TIMEOUT = 300.0
"""Seconds a provider may stay silent between two reads; litellm's own default is 6,000."""

_FIXED: dict[str, Any] = {
    "stream": True,
    "stream_options": {"include_usage": True},
    # Retries are made in one place only: see agent_core.support.retry.
    "max_retries": 0,
    "num_retries": 0,
}


class LitellmModel:
    """Adapter of a model by its litellm name, such as "openai/gpt-5-mini" or "ollama_chat/qwen3".

    Args:
        name: provider/model.
        **options: options of every request: temperature, max_tokens, timeout (seconds of silence
            between two reads), api_base, api_key, … OpenAI's options that a model does not support are
            omitted; options of a single provider go into `extra_body`.

    Raises:
        ValidationError: an option is unknown to litellm, or has an invalid value.
    """

    def __init__(self, name: str, **options: Any) -> None:
        check_arguments(LitellmModel.__init__, (), {"name": name}, who="LitellmModel")
        if not name or any(letter.isspace() for letter in name):
            raise ValidationError(
                f"{name!r} cannot be the name of a model; write it as provider/model, such as openai/gpt-5-mini."
            )
        check_options("LitellmModel", options)
        self.name = name
        self.options = options
        self._listed = name.replace("/responses/", "/", 1)  # the name in litellm's table

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the answer's events; see `ModelAdapter.stream`."""
        litellm = await litellm_module()
        sent = self._outgoing(litellm, request)
        try:
            answer = await litellm.acompletion(**self._arguments(litellm, request, sent))
        except Exception as error:
            raise self._translate(error, request) from error
        try:
            stream = await self._open(litellm, answer)
            async with contextlib.aclosing(stream.events()) as events:
                async for event in events:
                    yield sent.named(event)
        except Exception as error:
            raise self._translate(error, request) from error
        finally:
            # Otherwise the provider would continue to generate until garbage collection.
            await answer.aclose()
        if (usage := stream.usage) is not None:
            yield _usage(litellm, self._listed, usage)
        if (finish := stream.finish) is not None:
            yield finish

    async def _open(self, litellm: Any, answer: Any) -> DirectStream | WrappedStream:
        mocked = "mock_response" in self.options
        if not mocked and (stream := await open_direct(litellm, answer)):
            return stream
        await refuse_broken_events(answer)
        return WrappedStream(litellm, answer, trusted=mocked, observed=has_listeners(litellm, answer))

    async def context_window(self, options: Mapping[str, Any]) -> int | None:
        """Return the tokens a request may have; see `SizedModel.context_window`."""
        try:
            litellm = await litellm_module()
        except ImportError:
            return None  # the request itself will raise a readable error
        return await context_window(litellm, self._listed, {**self.options, **options})

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has, once `context_window` was asked; see `SizedModel`."""
        return count_tokens(loaded(), self._listed, text)

    def price_of(self, input_tokens: int, output_tokens: int) -> float | None:
        """Return the price of a request in US dollars by litellm's table; None: it has none, or is not loaded."""
        litellm = loaded()
        try:
            counts = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}
            return float(sum(litellm.cost_per_token(model=self._listed, **counts)))
        except Exception:  # it raises various classes for an unknown price
            return None

    def refused_tools(self, tools: Sequence[dict[str, Any]]) -> dict[str, str]:
        """Return the reason for each tool, in OpenAI's form, that this model does not accept, by name."""
        return refused_tools(tools, self._rules(loaded(), self.options))

    async def takes_format(
        self, answer_format: dict[str, Any], options: Mapping[str, Any], *, has_tools: bool
    ) -> bool:
        """Return whether the provider itself takes a form of the answer; see `FormattingModel`.

        litellm turns the form into a tool for some models, whose answer would be a call of that tool.
        """
        litellm = await litellm_module()
        known = {**self.options, **options}
        rules = self._rules(litellm, known)
        is_schema = answer_format["type"] == "json_schema"
        if (has_tools and not rules.format_with_tools) or (is_schema and not rules.schemas):
            return False
        provider, model = _provider_of(litellm, self.name, known)
        try:
            about: dict[str, Any] = {"model": model, "custom_llm_provider": provider, "drop_params": True}
            plain: dict[str, Any] = litellm.get_optional_params(**about)
            sent = litellm.get_optional_params(**about, response_format=copy.deepcopy(answer_format))
        except Exception:  # it raises various classes for a model that it does not know
            return False
        changed = {name for name, value in sent.items() if plain.get(name) != value}
        return bool(changed - {"json_mode"}) and changed.isdisjoint(("tools", "fake_stream"))

    def _rules(self, litellm: Any, options: Mapping[str, Any]) -> Rules:
        provider, model = _provider_of(litellm, self.name, options)
        address = options.get("api_base") or options.get("base_url")
        return rules_for(provider, model, address, reasons=_enables_reasoning(options))

    def _outgoing(self, litellm: Any, request: ModelRequest) -> ProviderRequest:
        options = {**self.options, **request.options}
        return to_provider_request(
            request,
            self._rules(litellm, options),
            model=self.name,
            has_vision=has_vision(litellm, self._listed),
            choice=options.get("tool_choice"),
        )

    def _arguments(self, litellm: Any, request: ModelRequest, sent: ProviderRequest) -> dict[str, Any]:
        options = {**self.options, **request.options, **sent.options}
        return {
            "timeout": _READ_TIMEOUT,
            "drop_params": True,
            **options,
            **self._without_retries(litellm, options),
            **({"tools": tools} if (tools := [*sent.tools, *request.provider_tools]) else {}),
            **_FIXED,
            "model": _litellm_name(self.name, sent.messages),
            "messages": sent.messages,
        }

    def _without_retries(self, litellm: Any, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the option that keeps `max_retries` if litellm would drop it.

        litellm drops it for some providers (NVIDIA, DeepInfra, SambaNova, Z.ai, …), and the openai package
        then retries twice.
        """
        provider, _ = _provider_of(litellm, self.name, options)
        if provider not in litellm.openai_compatible_providers:
            return {}
        return {"allowed_openai_params": [*(options.get("allowed_openai_params") or ()), "max_retries"]}

    def _translate(self, error: Exception, request: ModelRequest) -> Exception:
        secrets = secret_values({**self.options, **request.options})
        return to_model_error(error, model=self.name, secrets=secrets)


def _litellm_name(name: str, messages: Sequence[dict[str, Any]]) -> str:
    """Return the model's name for litellm.

    litellm sends some OpenAI models to the Responses API for some requests only. Their answers there
    have items that the chat API rejects, so a thread with such items stays on the Responses API.
    """
    provider, _, model = name.partition("/")
    if model.startswith("responses/") or not any(ITEMS & message.keys() for message in messages):
        return name
    return f"{provider}/responses/{model}" if model else f"openai/responses/{name}"


def _enables_reasoning(options: Mapping[str, Any]) -> bool:
    thinking: Any = options.get("thinking")
    asked = isinstance(thinking, Mapping) and cast("Mapping[str, Any]", thinking).get("type") == "enabled"
    return asked or options.get("reasoning_effort") not in (None, "none")


def adapter_of(model: str | ModelAdapter | None, who: str) -> ModelAdapter | None:
    """Return the adapter for an optional model.

    Raises:
        ValidationError: the value is neither None nor a model.
    """
    if model is None or isinstance(model, str):
        return LitellmModel(model) if isinstance(model, str) else None
    check_adapter(model, who)
    return model


def options_without(names: Iterable[str], model: ModelAdapter, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a request to `model` without some; None unsets an option of the adapter."""
    given: dict[str, Any] = {**getattr(model, "options", {}), **options}
    return {**options, **{name: None for name in names if name in given}}


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
    """Return the tokens that were written to the provider's cache, from any known field."""
    tokens = getattr(usage, "cache_creation_input_tokens", None)
    for name in ("cache_creation_tokens", "cache_write_tokens"):
        tokens = tokens or getattr(details, name, None)
    return tokens if isinstance(tokens, int) else 0


def _cost(litellm: Any, model: str, usage: Any) -> float | None:
    """Return the request's price in US dollars: the provider's own, else by litellm's local table."""
    price = getattr(usage, "cost", None)
    if isinstance(price, int | float) and not isinstance(price, bool):
        return float(price)
    try:
        return float(sum(litellm.cost_per_token(model=model, usage_object=usage)))
    except Exception:  # it raises various classes for an unknown price
        return None


def _provider_of(litellm: Any, name: str, options: Mapping[str, Any]) -> tuple[str, str]:
    """Return litellm's name of a model's provider, and the model's name there."""
    provider: str | None = options.get("custom_llm_provider")
    if provider is None:
        provider = _provider(litellm, name)
    return provider, name.removeprefix(f"{provider}/")


@functools.lru_cache(maxsize=1_000)
def _provider(litellm: Any, name: str) -> str:
    head, slash, _ = name.partition("/")
    if slash and head in litellm.provider_list:
        return head
    try:
        return str(litellm.get_llm_provider(name)[1])
    except Exception:  # the request itself will raise a readable error
        return ""


@functools.lru_cache(maxsize=1_000)
def has_vision(litellm: Any, name: str) -> bool | None:
    """Return whether a model supports pictures; None if the table does not say."""
    try:
        info: dict[str, Any] = litellm.model_cost.get(name) or litellm.get_model_info(name)
    except Exception:  # it raises a bare Exception for a model that is not in its table
        return None
    supported = info.get("supports_vision")
    if supported is None and not info.get("max_input_tokens"):
        return None  # the table has only the names of Ollama models
    return bool(supported)
