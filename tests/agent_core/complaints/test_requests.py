"""Complaints about requests to a provider: rows 02, 03, 11, 12 and 13, and the error text of row 17."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, RetryPolicy, Runtime, define_internal_agent_api, errors
from agent_core.llm import Finish, LitellmModel
from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import ToolContext, action_tool
from tests.providers.loopback import Answer, Provider, Stream, delta, provider
from tests.support.agents import AT_ONCE, Follower, agent_on, finished, texts, tool_parts
from tests.support.databases import prepared

MANY = RetryPolicy(max_attempts=20, initial_delay=0, jitter=0)


@contextlib.asynccontextmanager
async def asking(path: Path, server: Provider, retry: RetryPolicy = MANY) -> AsyncGenerator[AgentApi]:
    """Run an agent whose model is served by `server`."""
    async with Runtime(prepared(path)) as runtime:
        model = LitellmModel("openai/gpt-4o-mini", api_base=server.url, api_key="sk-test")
        yield define_internal_agent_api(runtime, Agent("assistant", model, retry=retry))


async def test_02_a_retry_repeats_no_earlier_step(path: Path) -> None:
    """A retry repeats the model request but no tool of an earlier step."""
    mails: list[str] = []

    @action_tool
    async def mail() -> str:
        """Send the mail of the day."""
        mails.append("mail")
        return "sent"

    busy = errors.ModelError("Busy.", kind="rate_limited", retryable=True)
    model = ScriptedModel([[ToolUse("mail")], [busy], ["Oh", busy], ["Done."]])
    async with agent_on(path, model, tools=[mail]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert (thread.status, mails, len(model.requests)) == ("completed", ["mail"], 4)


async def test_03_a_call_that_was_stopped_is_sent_with_an_outcome(path: Path) -> None:
    """A stop during a tool gives its call an outcome, so that the provider accepts the next request."""
    entered = asyncio.Event()

    @action_tool
    async def wait() -> None:
        """Wait."""
        entered.set()
        await asyncio.Event().wait()

    model = ScriptedModel([[ToolUse("wait", id="c")], ["Hello."]])
    async with agent_on(path, model, tools=[wait]) as api:
        thread = await api.create_thread("Go")
        await entered.wait()
        await api.stop_thread(thread.id)
        await api.send_message(thread.id, "And now?")
        done = await finished(api, thread)
        assert (done.status, (await texts(api, thread))[-1]) == ("completed", "Hello.")


async def test_03_an_outcome_without_its_call_is_not_sent(path: Path) -> None:
    """An outcome whose call was removed by `transform_messages` is not sent."""

    @action_tool
    async def ping() -> str:
        """Answer."""
        return "pong"

    newest: Any = lambda messages: messages[-3:]  # noqa: E731
    model = ScriptedModel([[ToolUse("ping", id="c")], ["Done."], ["Hello."]])
    async with agent_on(path, model, tools=[ping], transform_messages=newest) as api:
        thread = await finished(api, await api.create_thread("Go"))
        await api.send_message(thread.id, "And now?")
        assert (await finished(api, thread)).status == "completed"
        assert [message["role"] for message in model.requests[-1]] == ["assistant", "user"]


async def test_11_a_context_overflow_is_not_tried_again(path: Path) -> None:
    """A request that is too long is sent once and fails with the provider's error, without a retry."""
    words = "This model's maximum context length is 8192 tokens."
    overflow = Answer(400, {"error": {"message": words, "code": "context_length_exceeded"}})
    async with provider(overflow) as server:
        async with asking(path, server) as api:
            failed = await finished(api, await api.create_thread("Hi"))
            assert (failed.status, failed.error_kind) == ("failed", "context_window_exceeded")
            assert words in (failed.error or "")
        assert len(server.requests) == 1


async def test_12_a_truncated_stream_is_no_answer(path: Path) -> None:
    """A truncated answer fails the turn, and resuming the thread replaces the partial text."""
    cut, whole = Stream([delta("Half a sen")], end="eof"), Stream([delta("Whole."), delta(finish="stop")])
    async with provider(cut) as server, asking(path, server, AT_ONCE) as api:
        failed = await finished(api, await api.create_thread("Hi"))
        assert (failed.status, failed.error_kind) == ("failed", "truncated")
        assert await texts(api, failed) == ["Hi", "Half a sen"]
        server.answers[:] = [cut, whole]
        await api.resume_thread(failed.id)
        assert (await finished(api, failed)).status == "completed"
        assert await texts(api, failed) == ["Hi", "Whole."]


@pytest.mark.sqlite  # decided by the loop, which does not use the database
@pytest.mark.parametrize("reason", ["tool_calls", "stop", "length", "content_filter", "nonsense"])
@pytest.mark.parametrize("what", ["no call", "an unknown tool", "one id twice", "arguments that are cut off"])
async def test_13_an_odd_end_of_a_step_strands_no_thread(path: Path, reason: str, what: str) -> None:
    """Each call gets an outcome and the thread completes, whatever finish_reason comes with odd calls."""

    @action_tool
    async def ping(ctx: ToolContext) -> str:
        """Answer."""
        return "pong"

    uses = {
        "no call": [],
        "an unknown tool": [ToolUse("web_search", {"query": "x"})],  # like a tool that the provider runs
        "one id twice": [ToolUse("ping", id="c"), ToolUse("ping", id="c")],
        "arguments that are cut off": [ToolUse("ping", '{"a": "')],
    }[what]
    model = ScriptedModel([["Well. ", *uses, Finish(reason)], ["Done."]])
    async with agent_on(path, model, tools=[ping], retry=AT_ONCE) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert (thread.status, thread.error) == ("completed", None)
        parts = await tool_parts(api, thread)
        assert len(parts) == len(uses)
        assert {part["state"] for part in parts} <= {"output-available", "output-error"}
        assert len(model.requests) == (2 if uses else 1)


async def test_17_the_providers_own_words_reach_the_page(path: Path) -> None:
    """The page shows the provider's error text, not only that something went wrong."""
    words = "Your organisation must be verified to stream this model."

    refused = Answer(403, {"error": {"message": words}})
    async with provider(refused) as server, asking(path, server) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as page:
            failed = await finished(api, thread)
            await page.agrees()
            assert words in page.view.thread["error"] == failed.error
