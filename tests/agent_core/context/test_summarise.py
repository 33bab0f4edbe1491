"""Summaries: made once, stored with their step, extended later, and never a reason for a turn to fail."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core import Agent, Runtime, define_internal_agent_api
from agent_core.context import SummariseOldest, TrimOldest
from agent_core.context.cut import SUMMARY
from agent_core.context.summary import INSTRUCTIONS
from agent_core.context.token_meter import at_most
from agent_core.domain.messages import Message
from agent_core.errors import ModelError
from agent_core.llm import Finish, ModelRequest, TextDelta, Usage
from agent_core.support import faults
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.agent_core.context.test_threads import notes, old_messages
from tests.support.agents import agent_on, finished, prepare
from tests.support.contexts import TOOLS, apply, histories, is_cut_of, size
from tests.support.processes.children import FORKED

WINDOW = 8_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


def policy(model: Any = None, **options: Any) -> SummariseOldest:
    return SummariseOldest(model, **{"max_tokens": WINDOW, **options})


def is_summary(messages: list[dict[str, Any]]) -> bool:
    return messages[0]["content"] == INSTRUCTIONS


def one_model(*summaries: str | Exception | float) -> ScriptedModel:
    """Return a model that gives these summaries when asked for one, and otherwise answers."""
    left = list(summaries)
    return ScriptedModel(lambda messages: [left.pop(0)] if is_summary(messages) else ["Well. " * 30])


def asked(model: ScriptedModel, summary: bool) -> list[list[dict[str, Any]]]:
    return [request for request in model.requests if is_summary(request) == summary]


def talk(turns: int) -> list[dict[str, Any]]:
    return [
        message
        for number in range(turns)
        for message in (
            {"role": "user", "content": f"{number} " + "word " * 60},
            {"role": "assistant", "content": "so " * 60},
        )
    ]


async def test_a_summary_is_made_once_and_the_next_one_is_built_on_it(path: Path):
    model = one_model("They like tea.", "They like tea, and green.")
    async with agent_on(path, model, context=policy(), system="Be kind.") as api:
        thread = await api.create_thread("tea?", messages=old_messages(100))
        await finished(api, thread)
        (request,) = asked(model, summary=True)
        assert "Person: 0 word" in request[1]["content"]
        assert asked(model, summary=False)[0][:2] == [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": SUMMARY + "They like tea."},
        ]
        (note,) = notes(await api.list_messages(thread.id))
        assert (note["summarised"], note["summary"]) == (True, "They like tea.")
        assert note["dropped_messages"] == 100 - (note["kept"] - 1)
        await api.send_message(thread.id, "Green?")
        await finished(api, thread)
        assert len(asked(model, summary=True)) == 1, "used until the cut moves"
    async with agent_on(path, model, context=policy(), system="Be kind.") as api:
        for number in range(6):
            await api.send_message(thread.id, f"{number} " + "word " * 600)
            await finished(api, thread)
        second = asked(model, summary=True)[1]
        assert second[1]["content"].startswith("The summary so far:\n\nThey like tea.\n\nWhat followed:")
        assert "Person: 0 word" not in second[1]["content"].split("What followed:")[1][:200]
        assert [note["summary"] for note in notes(await api.list_messages(thread.id))] == [
            "They like tea.",
            "They like tea, and green.",
        ]
    assert asked(model, summary=False)[-1][1]["content"] == SUMMARY + "They like tea, and green."


async def test_the_steps_of_a_turn_share_a_summary_and_its_cost_is_counted(path: Path):
    @action_tool
    async def look() -> str:
        """Look."""
        return "There."

    used: list[Usage] = []

    def answer(messages: list[dict[str, Any]]) -> list[Any]:
        if is_summary(messages):
            return ["Short.", Usage(100, 10, 110, 0.5)]
        step = [ToolUse("look")] if messages[-1]["role"] == "user" else ["Done."]
        return [*step, Usage(20, 2, 22, 0.25)]

    model = ScriptedModel(answer)
    hook = lambda _thread, _message, usage: used.append(usage)  # noqa: E731
    async with agent_on(path, model, tools=[look], context=policy(), on_message_complete=hook) as api:
        thread = await api.create_thread("Look", messages=old_messages(100))
        await finished(api, thread)
        await eventually(lambda: len(used) == 2)
    assert used == [Usage(120, 12, 132, 0.75), Usage(20, 2, 22, 0.25)]
    assert len(asked(model, summary=True)) == 1
    assert asked(model, summary=False)[1][:3] == asked(model, summary=False)[0][:3]


@pytest.mark.sqlite  # the rows of any turn
@pytest.mark.parametrize("failure", [ModelError("busy", retryable=True), OSError("gone"), " ", 60.0])
async def test_turns_are_left_out_even_without_a_summary(path: Path, failure: Any):
    model = one_model(failure)
    async with agent_on(path, model, context=policy(timeout=0.2)) as api:
        thread = await api.create_thread("last", messages=old_messages(100))
        assert (await finished(api, thread)).status == "completed"
        (note,) = notes(await api.list_messages(thread.id))
    assert note["summarised"] is False
    assert "summary" not in note
    assert len(model.requests) == 2, "and nothing is asked twice"


async def test_a_summary_that_fails_leaves_the_one_before(path: Path):
    model = one_model("They like tea.", OSError("gone"))
    async with agent_on(path, model, context=policy()) as api:
        thread = await api.create_thread("tea?", messages=old_messages(100))
        await finished(api, thread)
        for _ in range(6):
            await api.send_message(thread.id, "word " * 600)
            await finished(api, thread)
        found = notes(await api.list_messages(thread.id))
    assert [(note["summarised"], note["summary"]) for note in found] == [
        (True, "They like tea."),
        (False, "They like tea."),
    ]


async def test_an_attempt_that_is_made_again_does_not_sum_up_again(path: Path):
    busy = ModelError("busy", retryable=True)
    answers: list[Any] = [[busy], [busy], ["There.", Usage(1, 1, 2)]]
    summary = ["Short.", Usage(100, 10, 110)]
    model = ScriptedModel(lambda messages: summary if is_summary(messages) else answers.pop(0))
    used: list[Usage] = []
    hook = lambda _thread, _message, usage: used.append(usage)  # noqa: E731
    async with agent_on(path, model, context=policy(), on_message_complete=hook) as api:
        thread = await api.create_thread("last", messages=old_messages(100))
        assert (await finished(api, thread)).status == "completed"
        await eventually(lambda: used == [Usage(101, 11, 112)])
    assert len(asked(model, summary=True)) == 1
    assert len(asked(model, summary=False)) == 3


async def test_a_stop_ends_the_summary(path: Path):
    reached, closed = asyncio.Event(), asyncio.Event()

    class Slow:
        name = "slow"

        async def stream(self, request: ModelRequest) -> Any:
            try:
                yield TextDelta("The")
                reached.set()
                await asyncio.sleep(3600)
                yield Finish("stop")
            finally:
                closed.set()

    async with agent_on(path, [["Never."]], context=policy(Slow())) as api:
        thread = await api.create_thread("last", messages=old_messages(100))
        await asyncio.wait_for(reached.wait(), 20)
        await api.stop_thread(thread.id)
        await asyncio.wait_for(closed.wait(), 20)
        assert (await finished(api, thread)).status == "stopped"
        assert notes(await api.list_messages(thread.id)) == []


def _dying(database: str) -> None:
    """Summarise and answer, and be killed just before the step is committed."""
    faults.install("commit.before", lambda: os.kill(os.getpid(), signal.SIGKILL))
    asyncio.run(_work(database, "first"))


async def _work(database: str, summary: str) -> tuple[bool, list[Message]]:
    async with Runtime(database) as runtime:
        api = define_internal_agent_api(runtime, Agent("assistant", one_model(summary), context=policy()))
        known = await api.get_thread("t") is not None
        if not known:
            await api.create_thread("last", thread_id="t", messages=old_messages(100))
        await finished(api, "t")
        return known, await api.list_messages("t")


async def test_a_process_that_dies_before_the_commit_sums_up_again(database_url: str):
    child = FORKED.Process(target=_dying, args=(database_url,))
    child.start()
    await asyncio.to_thread(child.join, 60)
    assert child.exitcode == -signal.SIGKILL
    known, messages = await _work(database_url, "second")
    assert known, "the thread that the dead process made"
    assert [note["summary"] for note in notes(messages)] == ["second"]


def test_a_very_long_thread_is_summed_up_in_pieces():
    model = one_model(*(f"summary {number}" for number in range(20)))
    history = talk(2_000)
    result = apply(policy(model), history)
    requests = asked(model, summary=True)
    assert len(requests) == 8
    assert max(sum(len(message["content"]) for message in request) for request in requests) < 5 * WINDOW
    assert all(f"summary {number - 1}" in requests[number][1]["content"] for number in range(1, 8))
    assert result.note
    assert result.note["summary"] == "summary 7"
    newest = history[len(history) - result.note["kept"] - 1]["content"].strip()
    assert newest[:40] in requests[-1][1]["content"], "the pieces reach to where the cut is"


def test_a_long_summary_is_clipped_to_its_room():
    result = apply(policy(one_model(*["very " * 5_000] * 2)), talk(60))
    assert result.messages[0]["content"].startswith(SUMMARY + "very very")
    assert size(result.messages) <= WINDOW * 0.5 + 1


def test_a_summary_gives_way_to_a_message_that_needs_all_the_room():
    summing = SummariseOldest(one_model(*["fact " * 900] * 9), max_tokens=4_000)
    summed = apply(summing, talk(60))
    assert summed.note
    long = {"role": "user", "content": "b" * 13_000}
    result = apply(summing, [*talk(60), long], summed.note)
    assert result.messages == [long]
    assert result.note
    assert "summary" not in result.note


def test_trimming_goes_on_from_a_summary():
    history = talk(60)
    summed = apply(policy(one_model(*["They like tea."] * 2)), history)
    trimmed = apply(TrimOldest(max_tokens=WINDOW), [*history, *talk(40)], summed.note)
    assert trimmed.messages[0] == {"role": "user", "content": SUMMARY + "They like tea."}
    assert trimmed.note
    assert trimmed.note["dropped_messages"] > summed.note["dropped_messages"]  # pyright: ignore[reportOptionalSubscript]


def test_calls_and_files_become_plain_text():
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at": "x"}'}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    history = [
        {"role": "user", "content": [{"type": "text", "text": "See:"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "y" * 9_000},
        *talk(60),
    ]
    model = one_model(*("Short." for _ in range(9)))
    apply(policy(model), history)
    first = model.requests[0][1]["content"]
    assert first.startswith('Person: See: [image_url]\nAssistant calls look({"at": "x"})\nOutcome: yyyy')
    assert "y" * 2_000 not in first
    assert "base64" not in first


@settings(max_examples=100, deadline=None)
@given(histories(), st.integers(40, 20_000), st.sampled_from(["", "Short.", "long " * 3_000, "字" * 4_000]))
def test_request_fits_with_any_summary(history: list[dict[str, Any]], window: int, said: str):
    summing = SummariseOldest(ScriptedModel(lambda _: [said]), max_tokens=window)
    try:
        result = apply(summing, history)
    except ModelError:
        return
    is_cut_of(result.messages, history)
    assert min(size(result.messages), at_most(result.messages, TOOLS)) <= window
    again = apply(summing, history, result.note)
    assert (again.messages, again.note) == (result.messages, None)
