"""Odd model output and errors in an agent's code: the turn ends with a clear text, the thread continues.

Unknown tools, arguments that are not JSON, odd results, stops and timeouts are covered by test_tool_calls,
test_tools, test_loop and test_steps.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, RetryPolicy, Runtime, define_internal_agent_api
from agent_core.domain.model_adapter import Finish, ModelEvent, ModelRequest, TextDelta, ToolCallDelta
from agent_core.errors import MAX_WORDS, ModelError
from agent_core.testing import Reasoning, ScriptedModel, ToolUse, eventually
from tests.support.agents import AT_ONCE, agent_on, finished, rows, texts, tool_parts
from tests.support.odd_errors import RAISED, add, goes_on

DEEP = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"


# Kind of answer -> (the model's turns until the thread is idle, part of the call's error, end of the text)
MODEL: dict[str, tuple[list[list[Any]], str, str]] = {
    "arguments that break off": (
        [[ToolUse("add", '{"a": 1, "b'), Finish("length")], ["Oh."]],
        "not JSON",
        "Oh.",
    ),
    "arguments of 3 MB": ([[ToolUse("add", {"a": "x" * 3_000_000})], ["Oh."]], "a", "Oh."),
    "arguments nested without end": ([[ToolUse("add", DEEP)], ["Oh."]], "", "Oh."),
    "a call without a name": ([[ToolUse("", {"a": 1})], ["Oh."]], "no tool 'unnamed_tool'", "Oh."),
    "a call with an odd name": ([[ToolUse("a\0/ü:b", {})], ["Oh."]], "There is no tool", "Oh."),
    "a call with an odd id": ([[ToolUse("add", {"a": 1}, id=":\0/ü" * 90)], ["Oh."]], "", "Oh."),
    "a tool of the provider's own": (
        [["Searching. ", ToolUse("web_search", {"q": "x"}), "Found it."], ["Oh."]],
        "There is no tool 'web_search'",
        "Oh.",
    ),
    "300 calls at once": ([[ToolUse("add", {"a": n}) for n in range(300)], ["Oh."]], "", "Oh."),
    "the same call for ever": ([[ToolUse("add", {"a": 1}, id="same")]] * 20 + [["Oh."]], "", "Oh."),
    **{
        f"the reason {reason!r}": ([["So", Finish(reason)]], "", "So")
        for reason in ("length", "content_filter", "tool_calls", "error", "", "\0", "x" * 5000)
    },
    "an answer of 3 MB": ([["long " * 600_000]], "", "long " * 600_000),
}


@pytest.mark.parametrize("case", MODEL)
async def test_answer_of_any_form_ends_its_turn(path: Path, case: str) -> None:
    turns, words, answer = MODEL[case]
    async with agent_on(path, [*turns, ["Yes."]], tools=[add]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        assert (thread.status, thread.error) == ("completed", None)
        parts = await tool_parts(api, thread)
        assert all(part["state"] in ("output-available", "output-error") for part in parts)
        assert words in (parts[0].get("errorText") or "" if parts else "")
        assert (await texts(api, thread))[-1].endswith(answer)
        await goes_on(api, thread)


# Step without text, call, file or refusal -> (the model's turn, part of the error after the last attempt)
SILENT: dict[str, tuple[list[Any], str]] = {
    "nothing": ([], "gave no answer"),
    "nothing but thoughts": ([Reasoning("Hm.")], "gave no answer"),
    "nothing but space": ([" \n "], "gave no answer"),
    "calls that are announced and not made": ([Finish("tool-calls")], "there is no call in it"),
    **{
        f"nothing, with the reason {reason!r}": ([Finish(reason)], repr(reason))
        for reason in ("content_filter", "function_call", "stop")
    },
}


@pytest.mark.sqlite  # decided by the loop, which does not use the database
@pytest.mark.parametrize("case", SILENT)
async def test_a_silent_model_is_asked_again_until_the_thread_fails(path: Path, case: str) -> None:
    silence, words = SILENT[case]
    model = ScriptedModel([silence, ["Oh."], *[silence] * AT_ONCE.max_attempts, ["Yes."]])
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        assert (thread.status, thread.error) == ("completed", None)
        assert (await api.list_messages(thread.id))[-1].parts == [
            {"type": "step-start"},
            {"type": "text", "text": "Oh.", "state": "done"},
        ]
        await api.send_message(thread.id, "Well?")
        failed = await finished(api, thread)
        assert (failed.status, failed.error_kind) == ("failed", "truncated")
        assert words in (failed.error or "")
        assert len(model.requests) == 2 + AT_ONCE.max_attempts
        await goes_on(api, thread)


@pytest.mark.sqlite  # the rows of any turn
@pytest.mark.parametrize("reason", ["length", "content-filter"])
@pytest.mark.parametrize("turn", [[], [Reasoning("Hm")]], ids=["nothing", "thoughts"])
async def test_an_answer_cut_before_its_first_word_says_so(path: Path, turn: list[Any], reason: str) -> None:
    async with agent_on(path, [[*turn, Finish(reason)], ["Yes."]]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        assert (thread.status, thread.error) == ("completed", None)
        cut = (await api.list_messages(thread.id))[-1].parts[-1]
        assert cut == {"type": "data-finish", "data": {"reason": reason}}
        await goes_on(api, thread)


class Wild:
    """Model adapter that raises, before or after its first word."""

    name = "wild"

    def __init__(self, error: BaseException, word: str) -> None:
        self.error, self.word = error, word
        self.asked = 0

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.asked += 1
        if request.messages[-1]["content"] == "Still there?":
            yield TextDelta("Yes.")
            yield Finish("stop")
            return
        if self.word:
            yield TextDelta(self.word)
            yield ToolCallDelta(0, "c", "add", '{"a": ')
        raise self.error


@pytest.mark.parametrize("word", ["", "Well"])
@pytest.mark.parametrize("case", RAISED)
async def test_error_of_any_adapter_ends_the_turn(database_url: str, case: str, word: str) -> None:
    error, words = RAISED[case]
    async with Runtime(database_url) as runtime:
        model = Wild(error, word)
        api = define_internal_agent_api(runtime, Agent("wild", model, retry=AT_ONCE))
        thread = await finished(api, await api.create_thread("Hi"))
        assert thread.status == "failed"
        assert words in (thread.error or "")
        assert len(thread.error or "") < MAX_WORDS + 100
        assert model.asked <= 3
        await goes_on(api, thread)


@pytest.mark.sqlite  # the adapter's errors above write the same texts to PostgreSQL
@pytest.mark.parametrize("place", ["transform_messages", "factory"])
@pytest.mark.parametrize("case", RAISED)
async def test_error_in_code_of_the_agent_ends_the_turn(database_url: str, case: str, place: str) -> None:
    error, words = RAISED[case]
    model = ScriptedModel([["Yes."]])
    wild = True

    def transform(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if wild:
            raise error
        return messages

    def make(_ctx: Any, _thread_id: str) -> Agent:
        if wild:
            raise error
        return Agent("wild", model)

    agent: Any = Agent("wild", model, transform_messages=transform)
    if place == "factory":
        agent = Agent.factory(make, name="wild")
    async with Runtime(database_url) as runtime:
        api = define_internal_agent_api(runtime, agent)
        thread = await finished(api, await api.create_thread("Hi"))
        assert thread.status == "failed"
        assert words in (thread.error or "")
        wild = False
        await goes_on(api, thread)


async def test_a_step_that_fails_while_it_writes_arguments_is_asked_again(path: Path) -> None:
    broken = [ToolUse("add", '{"a":'), ModelError("Gone.", kind="network", retryable=True)]
    async with agent_on(path, [broken, broken, ["Oh."], ["Yes."]], tools=[add]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        assert (thread.status, await tool_parts(api, thread)) == ("completed", [])
        await goes_on(api, thread)


@pytest.mark.sqlite
async def test_a_very_long_answer_takes_few_rows_and_little_memory(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chunks share rows, memory grows with the text only, and the deltas are deleted two turns later."""
    chunks = 20_000

    def turn(messages: list[dict[str, Any]]) -> Any:
        if messages[-1]["content"] != "Hi":
            return ["Yes."]
        return (
            item for n in range(chunks) for item in ((f"word{n} ", 0.0) if n % 4 == 0 else (f"word{n} ",))
        )

    async with agent_on(path, ScriptedModel(turn), retry=RetryPolicy(max_attempts=1)) as api:
        tracemalloc.start()
        thread = await finished(api, await api.create_thread("Hi"), 40)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        text = (await texts(api, thread))[-1]
        assert text == "".join(f"word{n} " for n in range(chunks))
        deltas = len(rows(path)["agent_delta"])
        with capsys.disabled():
            print(f"\n{chunks} chunks, {len(text)} B: {deltas} rows, {peak / 1e6:.1f} MB at the most")
        assert deltas < chunks / 4
        assert peak < 60 * len(text)
        for _ in range(2):
            await goes_on(api, thread)
        assert len(rows(path)["agent_delta"]) < 20


@pytest.mark.parametrize("state", ["output-available", "output-error", "input-available", "input-streaming"])
async def test_calls_that_a_provider_ran_go_back_in_pairs(path: Path, state: str) -> None:
    """A client's history may contain calls that a provider ran itself, with or without an outcome."""
    part = {
        "type": "tool-web_search",
        "toolCallId": "s",
        "state": state,
        "providerExecuted": True,
        "input": {},
    }
    outcome = {"output-available": {"output": "found"}, "output-error": {"errorText": "no"}}.get(state, {})
    said = {"role": "assistant", "parts": [part | outcome, {"type": "text", "text": "So."}]}
    async with agent_on(path, [["Oh."], ["Yes."]]) as api:
        asked = {"role": "user", "content": "Look"}
        thread = await finished(api, await api.create_thread("Hi", messages=[asked, said]))
        assert (thread.status, (await texts(api, thread))[-1]) == ("completed", "Oh.")
        await goes_on(api, thread)


@pytest.mark.sqlite  # the rows of any turn
@pytest.mark.parametrize("case", ["an exit", "no Exception", "its own cancellation", "no words"])
async def test_error_in_a_hook_strands_no_turn(
    path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    def wild(*_: Any) -> None:
        raise RAISED[case][0]

    hooks: dict[str, Any] = {"on_message_complete": wild, "on_turn_complete": wild}
    async with agent_on(path, [["Oh."], ["Yes."]], **hooks) as api:
        define_internal_agent_api(api.store, api.agent, on_status_change=wild)
        thread = await finished(api, await api.create_thread("Hi"))
        assert thread.status == "completed"
        await goes_on(api, thread)
        await eventually(lambda: caplog.text.count("The hook 'wild' failed") == 8)
