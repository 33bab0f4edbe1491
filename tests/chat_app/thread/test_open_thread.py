"""Test the open thread's handlers, called directly, on the real runtime with a scripted model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import reflex as rx

from agent_core import Budget
from agent_core.errors import AccessDeniedError, ModelError
from agent_core.llm import Usage
from agent_core.store.threads.messages import NewMessage
from agent_core.store.turns import turns
from agent_core.testing import ToolUse
from chat_app import extensions
from chat_app.conversation.turn_footer import HINTS
from chat_app.demo.tools import demo_tools
from chat_app.session.service import service
from chat_app.thread.open_thread import OpenThread
from chat_app.thread.thread_state import ThreadState
from chat_app.thread.turn_status import doubled_budget
from chat_app.thread_list.thread_views import thread_item
from tests.chat_app.support import Serve, Tab


async def send(tab: Tab, text: str, message_id: str = "msg_1") -> str:
    """Send a message from the page of a new chat; return the thread's id."""
    event = await tab.thread.send(text, message_id, [])
    assert isinstance(event, rx.event.EventSpec)
    return tab.thread.open_id


async def test_the_first_message_begins_a_thread_and_turns_to_it(serve: Serve, tab: Tab) -> None:
    async with serve([["Hello ", "there."]]) as shared:
        thread_id = await send(tab, "Hi")
        assert (tab.thread.phase, tab.thread.sent) == ("loading", "msg_1")
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert tab.thread.turn[0].id == "msg_1"
        assert tab.thread.turn[-1].parts[-1].text == "Hello there."
        assert (tab.thread.phase, tab.thread.title, tab.thread.is_running) == ("ready", "Hi", False)
        assert [thread.id for thread in await shared.api.list_threads()] == [thread_id]


@pytest.mark.parametrize("blank", ["", "   ", "\n\t"])
async def test_a_blank_prompt_is_not_sent(serve: Serve, tab: Tab, blank: str) -> None:
    async with serve([]) as shared:
        assert await tab.thread.send(blank, "msg_1", []) is None
        assert await shared.api.list_threads() == []


async def test_a_draft_comes_back_when_sending_fails(serve: Serve, tab: Tab) -> None:
    async with serve([]):
        tab.thread._open("thread_gone")
        await tab.thread.send("Hi", "msg_1", [])
        assert tab.thread.rejected == "msg_1"
        assert "thread_gone" in tab.thread.notice


async def test_message_sent_before_the_tab_has_turned_reaches_the_right_thread(
    serve: Serve, tab: Tab
) -> None:
    async with serve(lambda messages: ["Yes."]) as shared:

        async def said(thread_id: str) -> list[str]:
            await shared.api.wait_until_idle(thread_id, 20)
            return [message.text for message in await shared.api.list_messages(thread_id)]

        old = await send(tab, "Old")
        tab.thread._open(old)  # the page then shows a new chat, of which this tab does not know yet
        await tab.thread.send_to("New", "msg_2", [], "")
        new = tab.thread.open_id
        await tab.thread.send_to("Newer", "msg_3", [], "")  # the page does not have the new address yet
        assert (await said(old), await said(new)) == (["Old", "Yes."], ["New", "Yes.", "Newer", "Yes."])

        tab.thread._open(new)
        await tab.thread.send_to("To the old one", "msg_4", [], old)  # the page still shows the old one
        assert tab.thread.open_id == new
        assert (await said(old))[2:] == ["To the old one", "Yes."]
        await tab.thread.send_to("Another", "msg_5", [], "")
        assert tab.thread.open_id not in (old, new)
        assert len(await said(new)) == 4


async def test_the_same_message_twice_is_one(serve: Serve, tab: Tab) -> None:
    async with serve([["One."], ["Two."]]) as shared:
        await send(tab, "Hi")
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        for _ in range(2):
            await tab.thread.send("Again", "msg_2", [])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        assert [message.text for message in await shared.api.list_messages(tab.thread.open_id)] == [
            "Hi",
            "One.",
            "Again",
            "Two.",
        ]


async def test_a_follow_up_waits_for_its_turn(serve: Serve, tab: Tab) -> None:
    async with serve([["First", 0.3, "."], ["Second."]]) as shared:
        await send(tab, "Hi")
        await tab.thread.send("And then?", "msg_2", [])
        assert tab.thread.notice == ""
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert [row.role for row in tab.thread.history + tab.thread.turn] == ["user", "assistant"] * 2


async def test_stop_keeps_the_text_and_continue_finishes_it(serve: Serve, tab: Tab) -> None:
    async with serve([["Half a ", 60.0], ["A whole sentence."]]) as shared:
        await send(tab, "Hi")
        await tab.read(shared, lambda: tab.follower.next_slice() is not None)
        await tab.thread.stop()
        await tab.read(shared, lambda: tab.thread.status == "stopped")
        assert tab.thread.turn[-1].parts[-1].text.strip() == "Half a"
        await tab.thread.resume()
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert tab.thread.turn[-1].parts[-1].text == "A whole sentence."


async def test_a_failure_is_shown_in_the_providers_words_with_a_way_out(serve: Serve, tab: Tab) -> None:
    refusal = ModelError("Incorrect API key provided.", kind="auth", retryable=False)
    async with serve([[refusal], ["Better."]]) as shared:
        await send(tab, "Hi")
        await tab.read(shared, lambda: tab.thread.status == "failed")
        assert tab.thread.error == "Incorrect API key provided."
        assert tab.thread.error_kind in HINTS
        await tab.thread.resume()
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert (tab.thread.error, tab.thread.error_kind) == ("", "")


async def test_a_retry_that_waits_says_which_attempt_comes_when(serve: Serve, tab: Tab) -> None:
    busy = ModelError("Slow down.", kind="rate_limited", retryable=True, retry_after=30.0)
    async with serve([[busy]]) as shared:
        await send(tab, "Hi")
        await tab.read(shared, lambda: tab.thread.retry.attempt > 0)
        retry = tab.thread.retry
        assert (retry.attempt, retry.max_attempts, retry.error) == (2, 3, "Slow down.")
        assert 0 < retry.seconds <= 31
        await tab.thread.stop()
        await tab.read(shared, lambda: tab.thread.status == "stopped")
        assert tab.thread.retry.attempt == 0


async def test_an_agent_that_nobody_defines_is_named_with_the_ways_out(serve: Serve, tab: Tab) -> None:
    async with serve([]) as shared:
        given: dict[str, Any] = {"title": None, "user_id": None, "metadata": {}, "agent": "renamed"}
        first = NewMessage("m", "user", [{"type": "text", "text": "Hi"}], {})
        await shared.api.store.writer.run(turns.create, "t", messages=[first], run=True, **given)
        tab.thread._open("t")
        await tab.read(shared, lambda: tab.thread.retry.kind == "unknown_agent")
        assert "'renamed'" in tab.thread.retry.error
        assert tab.thread.status == "streaming"
        await tab.thread.stop()
        await tab.read(shared, lambda: tab.thread.status == "stopped")
        assert tab.thread.retry.kind == ""


async def test_a_person_approves_rejects_and_answers(serve: Serve, tab: Tab, tmp_path: Path) -> None:
    mail = {"to": "ada@example.org", "subject": "Hi", "body": "Hello"}
    turns = [
        [ToolUse("send_email", mail, "c1"), ToolUse("send_email", mail, "c2")],
        [ToolUse("ask_human", {"question": "Which?"}, "c3")],
        ["Done."],
    ]

    async with serve(turns, demo_tools(tmp_path)) as shared:
        await send(tab, "Hi")
        await tab.read(shared, lambda: tab.thread.needs_person)
        assert states(tab) == {"c1": "approval", "c2": "approval"}
        await tab.thread.deny("c1", "")
        await tab.thread.approve("c2", None)
        await tab.read(shared, lambda: states(tab).get("c3") == "answer")
        assert states(tab) == {"c1": "denied", "c2": "done", "c3": "answer"}
        await tab.thread.answer({"call_id": "c3", "answer": "  "})
        await tab.thread.answer({"call_id": "c3", "answer": "Blue"})
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert not tab.thread.needs_person
        await tab.thread.answer({"call_id": "c3", "answer": "Red"})
        assert tab.thread.notice


def states(tab: Tab) -> dict[str, str]:
    """Return the states of the tool rows on the page, by call id."""
    parts = [part for row in tab.thread.turn for part in row.parts if part.kind == "tool"]
    return {part.tool.id: part.tool.state for part in parts}


async def test_a_tab_that_shows_a_deleted_thread_says_so(serve: Serve, tab: Tab) -> None:
    async with serve([["Half", 60.0]]) as shared:
        await send(tab, "Hi")
        await tab.read(shared, lambda: tab.thread.status == "streaming")
        await shared.api.delete_thread(tab.thread.open_id)
        tab.follower = type(tab.follower)()
        with pytest.raises(Exception, match=tab.thread.open_id) as missing:
            await tab.read(shared, lambda: False)
        tab.thread._show_error(missing.value)  # type: ignore[arg-type]
        assert tab.thread.phase == "missing"
        assert tab.thread.turn == []


async def test_switching_threads_shows_nothing_of_the_previous_one(serve: Serve, tab: Tab) -> None:
    async with serve([["Hello."]]) as shared:
        await send(tab, "Hi")
        await tab.read(shared, lambda: tab.thread.status == "completed")
        tab.thread._open("thread_other")
        assert (tab.thread.turn, tab.thread.title, tab.thread.phase) == ([], "", "loading")


async def test_service_is_refused_without_a_running_app() -> None:
    with pytest.raises(RuntimeError, match="lifespan"):
        service()


def test_a_browser_cannot_call_any_method_of_the_api() -> None:
    """Reflex turns every public method of a state into an event that a browser may send."""
    assert "send" in OpenThread.event_handlers
    assert "_do" in vars(ThreadState)
    assert not [name for name in OpenThread.event_handlers if name.startswith("_") or name == "do"]


async def test_a_user_doubles_the_budget_that_pauses_a_thread(serve: Serve, tab: Tab) -> None:
    usage = Usage(10, 5, 15, cost=0.5)
    async with serve(lambda messages: ["Yes.", usage]) as shared:
        await shared.api.limits.set_budget(Budget(usd=0.5, per="turn"), thread_id="*")
        await shared.api.limits.set_budget(Budget(usd=0.5), agent="*")
        await shared.api.wait_until_idle((await shared.api.create_thread("Hi")).id)
        await send(tab, "And now?")
        await tab.read(shared, lambda: tab.thread.retry.kind == "budget")
        retry = tab.thread.retry
        assert (retry.attempt, retry.may_raise, retry.next_at > 0) == (0, True, True)
        assert "$0.50" in retry.error
        assert retry.error_info["code"] == "budget_spent_day"
        assert tab.thread.is_paused
        (row,) = [one for one in await shared.api.list_threads() if one.retry_state]
        assert thread_item(row).tone == "paused"
        await tab.thread.double_budget()
        assert tab.thread.notice == ""
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert tab.thread.retry.kind == ""
        (use,) = await shared.api.limits.list_budgets(agent="assistant")
        assert (use.budget.usd, use.usd) == (1.0, 1.0)


async def test_a_user_who_may_not_raise_budgets_gets_no_button(
    serve: Serve, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(ctx: Any) -> None:
        raise AccessDeniedError("Ask Ann.")

    async with serve(lambda messages: ["Yes."]) as shared:
        await shared.api.limits.set_budget(Budget(tokens=0), agent="*")
        monkeypatch.setattr(extensions, "LIMITS", [nobody])
        await send(tab, "Hi")
        await tab.read(shared, lambda: tab.thread.retry.kind == "budget")
        assert not tab.thread.retry.may_raise
        monkeypatch.setattr(extensions, "LIMITS", [])
        await shared.api.limits.set_budget(Budget(tokens=1), agent="*")
        await tab.read(shared, lambda: tab.thread.status == "completed")


@pytest.mark.parametrize(
    ("state", "doubled"),
    [
        ({}, None),
        ({"kind": "rate_limited", "attempt": 1}, None),
        ({"scope": {"kind": "model", "name": "m"}, "budget": None}, None),
        ({"scope": {"kind": "user", "name": "a"}, "budget": {"usd": 0, "tokens": None, "per": "day"}}, None),
        (
            {"scope": {"kind": "thread", "name": "t"}, "budget": {"usd": 2, "tokens": 5, "per": "turn"}},
            (Budget(usd=4, tokens=10, per="turn"), {"thread_id": "t"}),
        ),
    ],
    ids=["nothing", "a retry", "a limit", "nothing allowed", "a budget"],
)
def test_doubled_budget_has_the_period_and_scope_of_the_old_one(state: dict[str, Any], doubled: Any) -> None:
    assert doubled_budget(state) == doubled
