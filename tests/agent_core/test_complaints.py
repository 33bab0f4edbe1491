"""The rows of what people complain about that no other test had shown whole: the naive design fails.

Each test is named after its row; `test_complaint_proofs` says which tests prove which row. Where it is
cheap the naive design stands beside ours in the same test.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, errors
from agent_core.llm import Finish
from agent_core.testing import ScriptedModel, ToolUse, check_pairing, eventually
from agent_core.tools import ToolContext, action_tool
from tests.agent_core.databases import prepare
from tests.agent_core.support import AT_ONCE, agent_on, finished, texts, tool_parts
from tests.chaos.worker import Plan, spawn


async def is_idle(api: AgentApi) -> bool:
    thread = await api.get_thread("t")
    return thread is not None and thread.status == "completed"


class Death(BaseException):
    """The naive design's process ends here."""


def naive_loop(steps: list[Callable[[], Any]], done: list[Any]) -> None:
    """Run the steps that have no checkpoint yet, and write one after each."""
    while len(done) < len(steps):
        done.append(steps[len(done)]())


def test_01_a_side_effect_repeated_on_resume(tmp_path: Path) -> None:
    """A side effect repeated on resume: the process died after the e-mail and before its checkpoint."""
    mails: list[str] = []

    def mail_and_die() -> None:
        mails.append("mail")
        if len(mails) == 1:
            raise Death

    done: list[Any] = []
    with pytest.raises(Death):
        naive_loop([mail_and_die], done)
    naive_loop([mail_and_die], done)
    assert len(mails) == 2

    prepare(tmp_path / "agents.db")
    for die_at in (("tool.ran", 1), None):
        child = spawn(Plan(tmp_path, pace=0.005, send=("first",), die_at=die_at))
        child.join(30)
        assert child.exitcode == (0 if die_at is None else -9)
    charges = {line: n for line, n in Plan(tmp_path).effects.count().items() if line.startswith("charge")}
    assert charges
    assert set(charges.values()) == {1}


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
        naive = [*model.requests[0], {"role": "assistant", "tool_calls": [{"id": "c"}]}, {"role": "user"}]
        with pytest.raises(AssertionError, match="before the outcome"):
            check_pairing(naive)  # as a strict provider does
        await api.send_message(thread.id, "And now?")
        done = await finished(api, thread)
        assert (done.status, (await texts(api, thread))[-1]) == ("completed", "Hello.")


async def test_05_fifty_six_approvals(path: Path) -> None:
    """A pending approval lost on restart, or consumed twice or by the wrong call; 56 in one step."""
    paid: list[int] = []

    @action_tool(needs_approval=True)
    async def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return f"paid {amount}"

    uses = [ToolUse("pay", {"amount": n}, id=f"c{n}") for n in range(56)]
    turns: Any = lambda m: ["Well."] if m[-1]["role"] == "tool" else uses  # noqa: E731

    async def waiting(api: Any) -> bool:
        parts = await tool_parts(api, "t")
        return [part["state"] for part in parts] == ["approval-requested"] * 56

    async with agent_on(path, turns, tools=[pay]) as api:
        await api.create_thread("Go", thread_id="t")
        await eventually(lambda: waiting(api))
    async with agent_on(path, turns, tools=[pay]) as one, agent_on(path, turns, tools=[pay]) as two:
        assert await waiting(one)
        yes, no = [f"c{n}" for n in range(50)], [f"c{n}" for n in range(49, 56)]
        ends = await asyncio.gather(
            one.approve_tool_calls("t", yes), two.approve_tool_calls("t", yes), return_exceptions=True
        )
        assert sorted(type(end).__name__ for end in ends) == ["NoneType", "ToolCallFinishedError"]
        with pytest.raises(errors.ToolCallFinishedError):
            await one.deny_tool_calls("t", no)  # one of them is decided, so none of them is
        await one.deny_tool_calls("t", no[1:])
        await eventually(lambda: is_idle(one), 20)
        outputs = [part.get("output") for part in await tool_parts(one, "t")]
        assert outputs == [f"paid {n}" for n in range(50)] + [None] * 6
    assert sorted(paid) == list(range(50))


async def test_07_stop_ignored_on_a_resumed_stream(path: Path) -> None:
    """Stop ignored on a resumed stream: who stops is another process than the one that runs it."""
    asked: list[int] = []

    def turn(_: Any) -> list[Any]:
        asked.append(1)
        return [item for n in range(400) for item in (f"{n} ", 0.02)]

    async with agent_on(path, turn) as worker:
        thread = await worker.create_thread("Count")
        for round in range(3):  # stopped, resumed, stopped again, by whoever has just joined
            await eventually(lambda round=round: len(asked) > round)
            async with agent_on(path, [], runtime={"work": False}) as tab:
                async for update in tab.subscribe(thread.id):
                    if any(chunk["type"] == "text-delta" for chunk in update.chunks):
                        break
                stopped = await tab.stop_thread(thread.id)
                assert stopped.status == "stopped"
                await eventually(lambda: not worker.runtime.workpool.busy, 3)
                said = await texts(tab, thread)
                await asyncio.sleep(0.1)
                assert await texts(tab, thread) == said
                await tab.resume_thread(thread.id)
        await worker.stop_thread(thread.id)


async def test_07_a_closed_tab_is_not_a_stop(path: Path) -> None:
    """A closed tab is not a stop: an answer that is bound to its reader ends with it."""
    written: list[str] = []

    async def bound_to_its_reader() -> AsyncGenerator[str]:
        for word in ("A ", "B ", "C"):
            written.append(word)
            yield word
            await asyncio.sleep(0)

    reader = bound_to_its_reader()
    await anext(reader)
    await reader.aclose()
    assert written == ["A "]

    async with agent_on(path, [["A ", 0.1, "B ", 0.1, "C"]]) as api:
        thread = await api.create_thread("Hi")
        async for update in api.subscribe(thread.id):
            if any(chunk["type"] == "text-delta" for chunk in update.chunks):
                break  # the tab is closed
        done = await finished(api, thread)
        assert (done.status, (await texts(api, thread))[-1]) == ("completed", "A B C")


async def test_08_follow_ups_lost_under_concurrent_sends(path: Path) -> None:
    """Follow-ups lost, replayed or overwritten: a blob that two tabs read, change and write back."""
    blob: list[str] = []

    async def naive_send(text: str) -> None:
        nonlocal blob
        read = list(blob)
        await asyncio.sleep(0)
        blob = [*read, text]

    await asyncio.gather(*(naive_send(f"{n}") for n in range(20)))
    assert len(blob) < 20

    answer: Any = lambda m: [f"To {m[-1]['content']}"]  # noqa: E731
    async with agent_on(path, answer) as one, agent_on(path, answer) as two:
        await one.create_thread(thread_id="t")
        tabs = [(one, two)[n % 2] for n in range(20)]
        sends = [
            tab.send_message("t", f"{n}", message_id=f"m{n}", when_busy="queue") for n, tab in enumerate(tabs)
        ]
        again = [one.send_message("t", f"{n}", message_id=f"m{n}", when_busy="queue") for n in range(20)]
        await asyncio.gather(*sends, *again)
        await eventually(lambda: is_idle(one), 20)
        said = await texts(one, "t")
    asked, answers = said[::2], said[1::2]
    assert sorted(asked, key=int) == [f"{n}" for n in range(20)]
    assert answers == [f"To {text}" for text in asked]


@pytest.mark.sqlite  # it is SQLite's own complaint
async def test_10_database_is_locked(tmp_path: Path) -> None:
    """SQLite "database is locked": two transactions that read first and then want to write."""
    file = prepare(tmp_path / "agents.db")
    with sqlite3.connect(file, isolation_level=None) as a, sqlite3.connect(file, isolation_level=None) as b:
        for connection in (a, b):
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM agent_thread").fetchone()
        a.execute("UPDATE agent_thread SET title = 'a'")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            b.execute("UPDATE agent_thread SET title = 'b'")
        for connection in (a, b):
            connection.execute("ROLLBACK")
    a.close()
    b.close()

    async with agent_on(file, []) as one, agent_on(file, []) as two:
        await one.create_thread(thread_id="t")
        tabs = (one, two)
        await asyncio.gather(*(tabs[n % 2].update_thread("t", metadata={"n": n}) for n in range(200)))


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
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
    model = ScriptedModel([["Well. ", *uses, Finish(reason)], ["Done."]])
    async with agent_on(path, model, tools=[ping], retry=AT_ONCE) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert (thread.status, thread.error) == ("completed", None)
        parts = await tool_parts(api, thread)
        assert len(parts) == len(uses)
        assert {part["state"] for part in parts} <= {"output-available", "output-error"}
        assert len(model.requests) == (2 if uses else 1)
