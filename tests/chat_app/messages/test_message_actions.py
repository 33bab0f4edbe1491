"""Test actions on messages, called directly, on the real runtime with a scripted model."""

from __future__ import annotations

from pathlib import Path

import reflex as rx

from agent_core import RetryPolicy, action_tool
from agent_core.testing import ToolUse
from chat_app.demo.tools import demo_tools
from chat_app.messages.message_actions import Actions
from chat_app.session.service import Service
from chat_app.thread.views import MessageView, ToolCallView
from tests.chat_app.support import Serve, Tab


async def begin(tab: Tab, shared: Service, text: str = "Hi") -> tuple[MessageView, MessageView]:
    """Send a message from the page of a new chat, and return the prompt and its answer."""
    await tab.thread.send(text, "msg_1", [])
    return await shown(tab, shared)


async def shown(tab: Tab, shared: Service) -> tuple[MessageView, MessageView]:
    """Wait until the thread is idle, and return the newest prompt and its answer."""
    await shared.api.wait_until_idle(tab.thread.open_id, 20)
    await tab.read(shared, lambda: tab.thread.status == "completed")
    return tab.thread.turn[0], tab.thread.turn[-1]


def words(row: MessageView) -> str:
    return " ".join(part.text for part in row.parts if part.kind == "text")


async def test_an_edited_message_is_answered_again_and_both_versions_stay(serve: Serve, tab: Tab) -> None:
    async with serve([["Rome?"], ["Oslo."]]) as shared:
        actions = await tab.thread.get_state(Actions)
        first, _ = await begin(tab, shared, "Where to?")
        await actions.edit(first.id, "Where to in the north?")
        edited, answer = await shown(tab, shared)
        assert (edited.text, words(answer)) == ("Where to in the north?", "Oslo.")
        assert (edited.place, edited.count, edited.previous, edited.next) == (2, 2, first.id, "")
        assert tab.thread.sent == edited.id
        await actions.select(edited.previous)
        again, old_answer = await shown(tab, shared)
        assert (again.text, words(old_answer), again.place, again.next) == (
            "Where to?",
            "Rome?",
            1,
            edited.id,
        )


async def test_another_answer_is_kept_beside_the_first(serve: Serve, tab: Tab) -> None:
    async with serve([["One."], ["Two."]]) as shared:
        actions = await tab.thread.get_state(Actions)
        _, one = await begin(tab, shared)
        await actions.regenerate(one.id)
        _, two = await shown(tab, shared)
        assert (words(two), two.place, two.count, two.previous) == ("Two.", 2, 2, one.id)


async def test_a_fork_turns_to_a_thread_of_its_own(serve: Serve, tab: Tab) -> None:
    async with serve([["One."]]) as shared:
        actions = await tab.thread.get_state(Actions)
        _, answer = await begin(tab, shared)
        turned = await actions.fork(answer.id)
        assert isinstance(turned, rx.event.EventSpec)
        threads = await shared.api.list_threads()
        copy = next(thread for thread in threads if thread.id != tab.thread.open_id)
        assert copy.id in str(turned.args)
        assert [message.text for message in await shared.api.list_messages(copy.id)] == ["Hi", "One."]


async def test_refused_action_is_reported_and_changes_nothing(serve: Serve, tab: Tab) -> None:
    async with serve([["Half a ", 60.0]]) as shared:
        actions = await tab.thread.get_state(Actions)
        await tab.thread.send("Hi", "msg_1", [])
        await tab.read(shared, lambda: tab.follower.next_slice() is not None)
        await actions.edit("msg_1", "Something else")
        assert "running" in tab.thread.notice
        await actions.fork("msg_gone")
        assert "msg_gone" in tab.thread.notice
        await actions.edit("msg_1", "  ")
        assert "blank" in tab.thread.notice
        assert [message.text for message in await shared.api.list_messages(tab.thread.open_id)] == ["Hi"]


async def test_approved_with_other_arguments_runs_with_those(serve: Serve, tab: Tab, tmp_path: Path) -> None:
    mail = {"to": "ada@example.org", "subject": "Hi", "body": "Hello"}
    turns = [[ToolUse("send_email", mail, "c1"), ToolUse("send_email", mail, "c2")], ["Done."]]
    async with serve(turns, demo_tools(tmp_path)) as shared:
        await tab.thread.send("Hi", "msg_1", [])
        await tab.read(shared, lambda: tab.thread.needs_person)
        await tab.thread.approve("c1", {"to": 7})
        assert "to" in tab.thread.notice, "arguments that do not fit are refused in words"
        assert [call.state for call in calls(tab)] == ["approval", "approval"]
        await tab.thread.approve("c1", {**mail, "to": "bob@example.org"})
        await tab.thread.deny("c2", " One is enough. ")
        await shown(tab, shared)
        sent, refused = calls(tab)
        assert ('"to": "bob@example.org"' in sent.arguments, sent.state) == (True, "done")
        assert (refused.state, refused.error) == ("denied", "One is enough.")
        assert "bob@example.org" in (tmp_path / "outbox.jsonl").read_text()


async def test_attempts_and_durations_are_known_after_a_reload(serve: Serve, tab: Tab) -> None:
    @action_tool(retry=RetryPolicy(initial_delay=60.0, jitter=0.0))
    async def slow_to_retry() -> str:
        """Fail, and wait long."""
        raise OSError("no answer at all")

    once: list[int] = []

    @action_tool(retry=RetryPolicy(initial_delay=0.01, jitter=0.0))
    async def flaky_once() -> str:
        """Fail once."""
        once.append(1)
        if len(once) == 1:
            raise OSError("no answer")
        return "at last"

    turns = [[ToolUse("flaky_once", {}, "c1")], [ToolUse("slow_to_retry", {}, "c2")]]
    async with serve(turns, {"flaky_once": flaky_once, "slow_to_retry": slow_to_retry}) as shared:
        await tab.thread.send("Hi", "msg_1", [])
        await tab.read(shared, lambda: [call.state for call in calls(tab)] == ["done", "retrying"])
        for _ in range(2):  # live, and after a reload
            done, waits = calls(tab)
            assert (done.state, done.attempt) == ("done", 2)
            assert 0 <= done.took < 60
            assert (waits.state, waits.attempt, waits.progress) == ("retrying", 2, "no answer at all")
            assert 20 < waits.wait <= 60
            await tab.read(shared, lambda: len(calls(tab)) == 2)


def calls(tab: Tab) -> list[ToolCallView]:
    return [part.tool for row in tab.thread.turn for part in row.parts if part.kind == "tool"]
