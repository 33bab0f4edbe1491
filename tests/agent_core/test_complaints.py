"""What users of durable agents complain about, row by row: the naive design fails, this one does not.

`PROOFS` says which tests prove a row; one of this module is named after each row that no other test had
shown whole. Where it is cheap the naive design stands beside ours in the same test.
"""

from __future__ import annotations

import ast
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

ROOT = Path(__file__).resolve().parents[2]
HERE = "agent_core/test_complaints"
PROOFS: dict[int, tuple[str, ...]] = {
    1: (
        f"{HERE}::test_01_a_side_effect_repeated_on_resume",
        "agent_core/test_runtime::test_a_tool_whose_process_died",
    ),
    2: (f"{HERE}::test_02_the_whole_agent_inside_one_retried_step",),
    3: (
        f"{HERE}::test_03_a_call_without_its_result",
        "agent_core/test_history::test_any_history_can_be_repaired_once_and_for_all",
    ),
    4: (
        "chaos/test_chaos::test_what_the_harness_can_see",
        "agent_core/test_runtime::test_a_killed_process_is_taken_over_at_once",
    ),
    5: (
        f"{HERE}::test_05_fifty_six_approvals",
        "agent_core/test_tool_calls::test_an_approval_survives_a_restart",
    ),
    6: ("agent_core/test_subscribe::test_history_does_not_grow_the_database_quadratically",),
    7: (
        f"{HERE}::test_07_stop_ignored_on_a_resumed_stream",
        f"{HERE}::test_07_a_closed_tab_is_not_a_stop",
        "agent_core/test_turns::test_stop_in_retry_wait",
        "agent_core/test_turns::test_stop_while_a_tool_runs_ends_the_tool",
    ),
    8: (
        f"{HERE}::test_08_follow_ups_lost_under_concurrent_sends",
        "agent_core/test_turns::test_sent_many_times_at_once_it_is_one_message",
    ),
    9: (
        "agent_core/test_fences::test_only_one_of_two_workers_claims",
        "agent_core/test_fences::test_a_late_step_writes_nothing",
    ),
    10: (f"{HERE}::test_10_database_is_locked", "agent_core/test_store::test_many_writers_of_many_runtimes"),
    11: ("agent_core/test_steps::test_what_cannot_help_is_not_tried_again",),
    12: (
        "agent_core/test_llm::test_a_stream_that_ends_without_a_finish_is_truncated",
        "agent_core/test_steps::test_a_truncated_stream_is_an_error",
    ),
    13: (
        f"{HERE}::test_13_odd_ends_of_a_step",
        "agent_core/test_steps::test_calls_decide_not_the_reason",
        "agent_core/test_tool_calls::test_the_same_id_twice_and_again_in_a_later_step",
    ),
    14: (
        "agent_core/test_subscribe::test_from_another_process_exactly_once_and_in_order",
        "browser/test_page::test_a_reload_in_the_middle_loses_and_repeats_nothing",
    ),
    15: (
        "chat_app/test_follower::test_another_piece_of_text_changes_no_row",
        "soak/test_soak::test_a_short_soak_is_steady",
    ),
    16: (
        "chaos/test_chaos::test_three_workers_on_one_database",
        "chaos/test_chaos::test_what_the_harness_can_see",
    ),
    17: (
        "agent_core/test_subscribe::test_over_many_subscriptions_with_a_cursor",
        "agent_core/test_turns::test_stop_keeps_what_was_said_and_ends_the_request",
        "agent_core/test_steps::test_after_the_last_attempt_text_and_words_are_kept",
    ),
    18: ("agent_core/test_runtime::test_a_step_that_kills_its_process_is_sealed",),
}


def test_every_row_has_its_proof() -> None:
    assert list(PROOFS) == list(range(1, 19))
    for proofs in PROOFS.values():
        for proof in proofs:
            module, _, name = proof.partition("::")
            tree = ast.parse((ROOT / "tests" / f"{module}.py").read_text())
            functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
            assert name in functions, proof


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
