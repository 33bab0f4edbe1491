"""Requests to a provider on loopback through the litellm adapter, and their failures."""

from __future__ import annotations

from typing import Any

import pytest

from agent_core.errors import ModelError
from agent_core.llm import LitellmModel, ModelEvent, ModelRequest
from tests.providers.loopback import Answer, Hang, Provider, Stream, provider

QUESTION = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "t", "parameters": {"type": "object", "properties": {}}}}
KEY = "sk-test-1234567890abcdef"


def model(server: Provider, name: str = "openai/gpt-4o-mini", **options: Any) -> LitellmModel:
    """Return the adapter for this server."""
    return LitellmModel(name, **{"api_base": server.url, "api_key": KEY, "timeout": 5, **options})


async def ask(adapter: LitellmModel, **fields: Any) -> list[ModelEvent]:
    """Return every event of the answer."""
    return [event async for event in adapter.stream(ModelRequest(QUESTION, **fields))]


async def failure(*answers: Answer | Stream | Hang, **options: Any) -> ModelError:
    """Return the error with which a request ends, after checking that it does not contain the key."""
    async with provider(*answers) as server:
        with pytest.raises(ModelError) as caught:
            await ask(model(server, **options))
    assert KEY not in str(caught.value)
    return caught.value


def error(message: str, **fields: Any) -> dict[str, Any]:
    """Return the body of an error in the OpenAI dialect."""
    return {"error": {"message": message, **fields}}
