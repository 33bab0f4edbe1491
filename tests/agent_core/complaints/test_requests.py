"""What people complain about between an agent and its provider: rows 02, 03, 11, 12, 13 and an error's words of 17."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import openai
import pytest
import tenacity

from agent_core import Agent, AgentApi, RetryPolicy, Runtime, define_internal_agent_api, errors
from agent_core.llm import Finish, LitellmModel
from agent_core.llm.litellm_import import litellm_module
from agent_core.testing import ScriptedModel, ToolUse, check_pairing
from agent_core.tools import ToolContext, action_tool
from tests.providers.loopback import Answer, Provider, Stream, delta, provider
from tests.support.agents import AT_ONCE, Follower, agent_on, finished, texts, tool_parts
from tests.support.databases import prepare, url

MANY = RetryPolicy(max_attempts=20, initial_delay=0, jitter=0)


@contextlib.asynccontextmanager
async def asking(path: Path, server: Provider, retry: RetryPolicy = MANY) -> AsyncGenerator[AgentApi]:
    """Run an agent that asks a provider."""
    async with Runtime(url(prepare(path))) as runtime:
        model = LitellmModel("openai/gpt-4o-mini", api_base=server.url, api_key="sk-test")
        yield define_internal_agent_api(runtime, Agent("assistant", model, retry=retry))


async def naive_ask(server: Provider) -> Any:
    """Ask with plain litellm, as its page of examples does; return all chunks."""
    litellm = await litellm_module()
    answer = await litellm.acompletion(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        api_base=server.url,
        api_key="sk-test",
        max_retries=0,
    )
    return [chunk async for chunk in answer]


async def naive_read(server: Provider) -> str:
    """Read a stream with OpenAI's own client until it ends; litellm itself did so until 1.110."""
    async with openai.AsyncOpenAI(base_url=server.url, api_key="sk-test", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "Hi"}]
        answer = await client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in answer])


async def test_02_the_whole_agent_inside_one_retried_step(path: Path) -> None:
    """The whole agent inside one retried step: each retry sends the e-mail again."""
    mails: list[str] = []

    def agent(attempt: int) -> None:
        mails.append("mail")
        if attempt < 3:
            raise OSError("Busy.")

    for attempt in (1, 2, 3):
        try:
            agent(attempt)
        except OSError:
            continue
    assert len(mails) == 3

    mails.clear()

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


async def test_03_a_call_without_its_result(path: Path) -> None:
    """A tool call without its result makes the provider answer 400 for ever."""
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
        naive = [*model.requests[0], {"role": "assistant", "tool_calls": [{"id": "c"}]}]
        for question in ("And now?", "Hello?"):
            naive.append({"role": "user", "content": question})
            with pytest.raises(AssertionError, match="before the outcome"):
                check_pairing(naive)  # as a strict provider does
        await api.send_message(thread.id, "And now?")
        done = await finished(api, thread)
        assert (done.status, (await texts(api, thread))[-1]) == ("completed", "Hello.")


async def test_03_a_result_without_its_call(path: Path) -> None:
    """The reverse: whoever sends only the newest messages cuts a call off its result."""

    @action_tool
    async def ping() -> str:
        """Answer."""
        return "pong"

    newest: Any = lambda messages: messages[-3:]  # noqa: E731
    model = ScriptedModel([[ToolUse("ping", id="c")], ["Done."], ["Hello."]])
    async with agent_on(path, model, tools=[ping], transform_messages=newest) as api:
        thread = await finished(api, await api.create_thread("Go"))
        naive = newest([*model.requests[-1], {"role": "assistant", "content": "Done."}, {"role": "user"}])
        with pytest.raises(AssertionError, match="not open"):
            check_pairing(naive)
        await api.send_message(thread.id, "And now?")
        assert (await finished(api, thread)).status == "completed"
        assert [message["role"] for message in model.requests[-1]] == ["assistant", "user"]


async def test_11_a_context_overflow_retried_in_a_loop(path: Path) -> None:
    """A context overflow retried in a loop: no number of attempts makes the request shorter."""
    words = "This model's maximum context length is 8192 tokens."
    overflow = Answer(400, {"error": {"message": words, "code": "context_length_exceeded"}})
    async with provider(overflow) as server:
        with pytest.raises(tenacity.RetryError):
            await tenacity.retry(stop=tenacity.stop_after_attempt(20))(naive_ask)(server)
        assert len(server.requests) == 20

        server.requests.clear()
        async with asking(path, server) as api:
            failed = await finished(api, await api.create_thread("Hi"))
            assert (failed.status, failed.error_kind) == ("failed", "context_window_exceeded")
            assert words in (failed.error or "")
        assert len(server.requests) == 1


async def test_12_a_truncated_stream_taken_as_complete(path: Path) -> None:
    """A truncated stream taken as complete: the provider's own client raises nothing when it breaks off."""
    cut, whole = Stream([delta("Half a sen")], end="eof"), Stream([delta("Whole."), delta(finish="stop")])
    async with provider(cut) as server:
        assert await naive_read(server) == "Half a sen"

        async with asking(path, server, AT_ONCE) as api:
            failed = await finished(api, await api.create_thread("Hi"))
            assert (failed.status, failed.error_kind) == ("failed", "truncated")
            assert await texts(api, failed) == ["Hi", "Half a sen"]
            server.answers[:] = [cut, whole]
            await api.resume_thread(failed.id)
            assert (await finished(api, failed)).status == "completed"
            assert await texts(api, failed) == ["Hi", "Whole."]


def naive_loop(uses: list[ToolUse], reason: str, tools: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the calls of a step if its finish_reason says so; return the next request."""
    calls = [{"id": use.id or "c", "name": use.name} for use in uses]
    outcomes = {}
    if reason == "tool_calls":
        for use in uses:
            arguments = json.loads(use.args) if isinstance(use.args, str) else use.args
            outcomes[use.id] = tools[use.name](**arguments)
    results = [{"role": "tool", "tool_call_id": id, "content": text} for id, text in outcomes.items()]
    return [{"role": "assistant", "tool_calls": calls}, *results, {"role": "user", "content": "Well?"}]


@pytest.mark.sqlite  # the loop decides, which knows no database
@pytest.mark.parametrize("reason", ["tool_calls", "stop", "length", "content_filter"])
@pytest.mark.parametrize("what", ["no call", "an unknown tool", "one id twice", "arguments that are cut off"])
async def test_13_odd_ends_of_a_step(path: Path, reason: str, what: str) -> None:
    """Tool calls that arrive with an odd finish_reason, unknown names, repeated ids: none strands a thread."""

    @action_tool
    async def ping(ctx: ToolContext) -> str:
        """Answer."""
        return "pong"

    uses = {
        "no call": [],
        "an unknown tool": [ToolUse("web_search", {"query": "x"})],  # as one that the provider runs itself
        "one id twice": [ToolUse("ping", id="c"), ToolUse("ping", id="c")],
        "arguments that are cut off": [ToolUse("ping", '{"a": "')],
    }[what]
    tools = {"ping": lambda: "pong"}
    check_pairing(naive_loop([ToolUse("ping", id="c")], "tool_calls", tools))  # where all is as it should be
    if uses:
        with pytest.raises((AssertionError, KeyError, json.JSONDecodeError)):
            check_pairing(naive_loop(uses, reason, tools))

    model = ScriptedModel([["Well. ", *uses, Finish(reason)], ["Done."]])
    async with agent_on(path, model, tools=[ping], retry=AT_ONCE) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert (thread.status, thread.error) == ("completed", None)
        parts = await tool_parts(api, thread)
        assert len(parts) == len(uses)
        assert {part["state"] for part in parts} <= {"output-available", "output-error"}
        assert len(model.requests) == (2 if uses else 1)


async def test_17_the_real_error_swallowed(path: Path) -> None:
    """The real error text swallowed: who could mend it is told that something went wrong."""
    words = "Your organisation must be verified to stream this model."

    async def naive_turn(server: Provider) -> str:
        try:
            return str(await naive_ask(server))
        except Exception:
            return "Something went wrong."

    async with provider(Answer(403, {"error": {"message": words}})) as server:
        assert words not in await naive_turn(server)

        async with asking(path, server) as api:
            thread = await api.create_thread("Hi")
            async with Follower(api, thread.id) as page:
                failed = await finished(api, thread)
                await page.agrees()
                assert words in page.view.thread["error"] == failed.error
