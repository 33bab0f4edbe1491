"""Test that every fault on the installed llmock's own list is tested here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_core.errors import ModelError
from tests.providers import test_llmock
from tests.providers.conftest import NARROW, agent_api, ask, text
from tests.providers.installed import llmock_command
from tests.providers.llmock import DIALECTS, Llmock

pytestmark = pytest.mark.provider

ITS_LIST = """
import dataclasses, json, typing
from llmock import ratelimit, scenarios, simulation
print(json.dumps({
    "behaviors": sorted(kind.__name__ for kind in typing.get_args(scenarios.Behavior)),
    "stream faults": sorted(typing.get_args(scenarios.StreamFaultKind)),
    "tool faults": sorted(typing.get_args(scenarios.ToolFaultKind)),
    "quotas": sorted(field.name for field in dataclasses.fields(ratelimit.LimitSettings)),
    "tool modes": sorted(simulation.SUPPORTED_TOOL_MODES),
}))
"""
LONG = "word " * 1000


def test_every_offered_fault_is_tested() -> None:
    python = Path(llmock_command()[0]).with_name("python")
    its = json.loads(subprocess.run([python, "-c", ITS_LIST], check=True, capture_output=True).stdout)
    kinds = {fault["type"] for fault in test_llmock.FAULTS.values()} | {"reply", "tool_fault"}
    assert its == {
        "behaviors": sorted(kind.title().replace("_", "") for kind in kinds),
        "stream faults": sorted(test_llmock.STREAM_FAULTS),
        "tool faults": sorted(test_llmock.TOOL_FAULTS),
        "quotas": sorted(NARROW),
        "tool modes": ["auto", "off"],  # the other tests use "auto"
    }


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_turn_completes_when_model_calls_no_tool(narrow: Llmock, dialect: str, tmp_path: Path) -> None:
    narrow.will({"type": "reply", "text": "No tool needed."})
    async with agent_api(tmp_path, DIALECTS[dialect][0], max_tokens=100, **narrow.options(dialect)) as api:
        thread, message = await ask(api, "What is the weather in Paris?")
    assert (thread.status, text(message)) == ("completed", "No tool needed.")
    assert [part["type"] for part in message.parts] == ["step-start", "text"]
    assert narrow.findings() == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_request_that_is_too_long_is_sent_once_and_fails(
    narrow: Llmock, dialect: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as caught:
        await test_llmock.events(narrow.model(dialect), question=LONG)
    assert (caught.value.kind, caught.value.retryable) == ("context_window_exceeded", False)
    narrow.reset()
    async with agent_api(tmp_path, DIALECTS[dialect][0], max_tokens=100, **narrow.options(dialect)) as api:
        thread, _ = await ask(api, LONG)
    assert (thread.status, thread.error_kind) == ("failed", "context_window_exceeded")
    assert narrow.attempts() == 1
    assert narrow.findings() == []


def _use(options: dict[str, Any], tokens: int) -> None:
    body = {"model": "m", "max_tokens": tokens, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"authorization": f"Bearer {options['api_key']}"}
    url = f"{options['api_base']}/chat/completions"
    assert httpx.post(url, json=body, headers=headers, trust_env=False).status_code == 200


@pytest.mark.parametrize("quota", ["rpm", "tpm"])
async def test_a_quota_is_waited_for_as_long_as_it_says(narrow: Llmock, quota: str, tmp_path: Path) -> None:
    options = narrow.options("openai") | {"max_tokens": 400}
    used, tokens = {"rpm": (NARROW["rpm"], 1), "tpm": (1, NARROW["tpm"] - 60)}[quota]
    for _ in range(used):
        _use(options, tokens)
    async with agent_api(tmp_path, DIALECTS["openai"][0], **options) as api:
        thread, message = await ask(api, "Say hello")
    assert (thread.status, thread.error) == ("completed", None)
    assert text(message)
    assert narrow.attempts() == used + 2  # refused once, then accepted after the wait
    assert narrow.findings() == []
