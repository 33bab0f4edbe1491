"""Log lines of steps, retries, takeovers and tools: each is found by its thread's id."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, RetryPolicy, Runtime, create_action_tool, define_internal_agent_api
from agent_core.errors import ModelError
from agent_core.testing import ScriptedModel, ToolUse
from tests.support.agents import AT_ONCE, agent_on, finished
from tests.support.databases import prepared

SECRET_WORDS = "the person's own words"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def lines(log: pytest.LogCaptureFixture, thread_id: str, level: str) -> list[str]:
    return [r.getMessage() for r in log.records if r.levelname == level and thread_id in r.getMessage()]


def broken() -> None:
    {}["key"]


def tool(name: str, handler: Any, **options: Any) -> Any:
    return replace(create_action_tool(description=name, args=None, handler=handler, **options), name=name)


async def test_a_step_is_one_line_without_what_was_said(path: Path, log: pytest.LogCaptureFixture) -> None:
    model = ScriptedModel([[ToolUse("ok", {"text": SECRET_WORDS})], [SECRET_WORDS]])

    def ok(text: str) -> str:
        return text

    async with agent_on(path, model, tools=[tool("ok", ok)]) as api:
        thread = await finished(api, await api.create_thread(SECRET_WORDS))
    found = lines(log, thread.id, "INFO")
    assert len(found) == 2
    assert "1 tool calls follow" in found[0]
    assert "the turn has its answer" in found[1]
    assert not lines(log, thread.id, "WARNING")
    assert SECRET_WORDS not in log.text


async def test_a_retry_says_why_and_when(path: Path, log: pytest.LogCaptureFixture) -> None:
    down = ModelError("The server is busy.", kind="rate_limited", retryable=True)
    async with agent_on(path, [[down], ["ok"]]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
    retry, _ = lines(log, thread.id, "INFO")
    assert "attempt 1 of 3" in retry
    assert "rate_limited" in retry
    assert retry.endswith("The server is busy.")


@pytest.mark.parametrize("retryable", [True, False])
async def test_a_failed_turn_is_one_warning(
    path: Path, log: pytest.LogCaptureFixture, retryable: bool
) -> None:
    down = ModelError("The server is busy.", kind="network", retryable=retryable)
    async with agent_on(path, [[down]] * 3) as api:
        thread = await finished(api, await api.create_thread("Hi"))
    (warning,) = [record for record in log.records if record.levelno >= logging.WARNING]
    assert thread.id in warning.getMessage()
    assert "The server is busy." in warning.getMessage()
    assert "network" in warning.getMessage()


async def test_an_adapter_that_raises_is_one_warning_with_its_traceback(
    path: Path, log: pytest.LogCaptureFixture
) -> None:
    async with agent_on(path, [[KeyError("choices")]]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
    (warning,) = [record for record in log.records if record.levelno >= logging.WARNING]
    assert thread.id in warning.getMessage()
    assert warning.exc_info
    assert "KeyError: 'choices'" in str(warning.exc_text)
    assert "testing.py" in str(warning.exc_text)


async def test_code_of_the_agent_that_raises_is_one_warning_with_its_traceback(
    path: Path, log: pytest.LogCaptureFixture
) -> None:
    async with agent_on(path, [["never"]], transform_messages=lambda _: broken()) as api:
        thread = await finished(api, await api.create_thread("Hi"))
    (warning,) = [record for record in log.records if record.levelno >= logging.WARNING]
    assert thread.id in warning.getMessage()
    assert "in broken" in str(warning.exc_text)


async def test_a_tool_that_raises_is_a_warning_with_its_traceback(
    path: Path, log: pytest.LogCaptureFixture
) -> None:
    async with agent_on(path, [[ToolUse("broken", {})], ["ok"]], tools=[tool("broken", broken)]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
    (warning,) = [record for record in log.records if record.levelno >= logging.WARNING]
    assert thread.id in warning.getMessage()
    assert "KeyError: 'key'" in warning.getMessage()
    assert "in broken" in str(warning.exc_text)


async def test_a_tool_that_is_retried_says_so(path: Path, log: pytest.LogCaptureFixture) -> None:
    flaky = tool("broken", broken, retry=RetryPolicy(max_attempts=2, initial_delay=0, jitter=0))
    async with agent_on(path, [[ToolUse("broken", {})], ["ok"]], tools=[flaky]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
    assert [line for line in lines(log, thread.id, "INFO") if "runs again in 0.0 s" in line]
    assert len(lines(log, thread.id, "WARNING")) == 1


_DIES = """
import asyncio, os, signal, sys
from agent_core import Agent, Runtime, define_internal_agent_api
from agent_core.testing import ScriptedModel

def turn(messages):
    print("ready", flush=True)
    return ["a", 60.0]

async def main():
    async with Runtime(sys.argv[1]) as runtime:
        api = define_internal_agent_api(runtime, Agent("assistant", ScriptedModel(turn)))
        await api.create_thread("Hi", thread_id="t")
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.sqlite  # another process leaves the same rows on either database
async def test_a_takeover_is_found_by_the_thread(path: Path, log: pytest.LogCaptureFixture) -> None:
    url = prepared(path)
    child = subprocess.Popen([sys.executable, "-c", _DIES, url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert await asyncio.to_thread(child.stdout.readline) == "ready\n"
    os.kill(child.pid, signal.SIGKILL)
    await asyncio.to_thread(child.wait)
    child.stdout.close()
    async with Runtime(url) as runtime:
        agent = Agent("assistant", ScriptedModel([["ok"]]), retry=AT_ONCE)
        api = define_internal_agent_api(runtime, agent)
        await finished(api, "t")
    assert [line for line in lines(log, "t", "INFO") if "its worker" in line and "is gone" in line]


async def test_a_runtime_at_rest_says_nothing_at_info(path: Path, log: pytest.LogCaptureFixture) -> None:
    """APScheduler logs each run of a job, eleven a second, unless its level is set."""
    async with agent_on(path, [["ok"]]) as api:
        await finished(api, await api.create_thread("Hi"))
        log.clear()
        await asyncio.sleep(0.6)
        assert log.records == []


def test_the_library_configures_nothing() -> None:
    code = (
        "import logging, agent_core, agent_core.runtime, agent_core.http\n"
        "assert not logging.root.handlers and logging.root.level == logging.WARNING\n"
        "ours = [logging.getLogger(n) for n in logging.root.manager.loggerDict if n.startswith('agent_core')]\n"
        "assert ours and not [one for one in ours if one.handlers or one.level]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
