"""Test the run drawer's state: it reads only while open, and kills the server only in the demo."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent_core import action_tool, async_tool
from agent_core.domain.end_reasons import PROCESS_ENDED
from agent_core.domain.spans import Span
from agent_core.testing import ToolUse, eventually
from chat_app.timeline.span_views import MAX_ROWS, turn_views
from chat_app.timeline.timeline import TURNS_PER_PAGE, Timeline
from tests.chat_app.support import Serve, Tab

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def span(kind: Any, status: Any, began: float, ended: float | None, **more: Any) -> Span:
    name = f"{kind}:{began}:{more.get('tool_call_id', '')}"
    given = {"id": name, "message_id": "m", "seq": 1} | more
    return Span(
        kind=kind, status=status, started_at=at(began), ended_at=None if ended is None else at(ended), **given
    )


def rows(*spans: Span, outside: set[str] | None = None) -> list[tuple[str, str]]:
    (turn,) = turn_views([span("turn", "running", 0, None), *spans], outside or set())
    return [(row.kind, row.status) for row in turn.rows]


def test_row_between_two_processes_says_who_ended_and_who_took_over() -> None:
    lost = span("model", "lost", 0, 2, worker="1-a", attempt=1, error=PROCESS_ENDED.text)
    heir = span("model", "ok", 2.6, 3, worker="2-b", attempt=1, recovered=True)
    (turn,) = turn_views([span("turn", "ok", 0, 3), lost, heir])
    first, between, second = turn.rows
    assert (first.process, second.process) == ("1-a", "2-b")
    assert (between.kind, between.before, between.process) == ("recovery", "1-a", "2-b")
    assert between.end - between.start == pytest.approx(0.6)
    assert (turn.start, turn.end) == (NOW.timestamp(), at(3).timestamp())


def test_each_tool_of_a_step_is_taken_over_by_itself() -> None:
    call = {"attempt": 1, "error": PROCESS_ENDED.text, "worker": "1-a"}
    again = {"attempt": 2, "recovered": True, "worker": "2-b"}
    assert rows(
        span("tool", "lost", 0, 2, tool_call_id="a", **call),
        span("tool", "lost", 0, 2, tool_call_id="b", **call),
        span("tool", "ok", 2, 3, tool_call_id="a", **again),
        span("tool", "in doubt", 2.1, 3, tool_call_id="b", **again),
    ) == [
        ("tool", "lost"),
        ("tool", "lost"),
        ("recovery", "lost"),
        ("tool", "ok"),
        ("recovery", "lost"),
        ("tool", "in doubt"),
    ]


def test_waiting_rows_say_what_they_wait_for() -> None:
    assert rows(
        span("queued", "ok", 0, 1, id="queued:msg_1", seq=0),
        span("queued", "ok", 1, 2, id="queued:7", seq=0),
        span("queued", "waiting", 2, None, id="queued:next", seq=0),
        span("wait", "waiting", 2, None),
        span("approval", "waiting", 2, None, name="mail", tool_call_id="c"),
        span("tool", "waiting", 2, None, name="ask", tool_call_id="d", attempt=1),
        outside={"ask"},
    ) == [
        ("turn", "ok"),
        ("worker", "ok"),
        ("worker", "waiting"),
        ("retry", "waiting"),
        ("person", "waiting"),
        ("outside", "waiting"),
    ]


def test_row_before_the_first_step_of_a_changed_agent_says_so() -> None:
    """In a turn, and from one turn to the next; a step under way, or of an older version, has no fingerprint."""
    prints = {1: None, 2: "a", 3: "a", 4: "b", 5: None, 6: "b", 7: "c"}
    steps = [
        span("model", "ok", n, n + 1, seq=n, attempt=1, message_id="m1" if n < 7 else "m2", fingerprint=made)
        for n, made in prints.items()
    ]
    heads = [span("turn", "ok", 0, 7, message_id=name) for name in ("m1", "m2")]
    newest, oldest = turn_views([heads[0], *steps[:6], heads[1], *steps[6:]])
    assert [row.kind for row in oldest.rows] == [*["model"] * 3, "agent", *["model"] * 3]
    assert [(row.kind, row.start, row.end) for row in newest.rows] == [
        ("agent", at(7).timestamp(), at(7).timestamp()),
        ("model", at(7).timestamp(), at(8).timestamp()),
    ]


def test_the_newest_turn_comes_first_and_is_not_endless() -> None:
    many = [span("tool", "ok", n, n + 1, tool_call_id=f"c{n}", message_id="b") for n in range(500)]
    waiting = span("queued", "waiting", 600, None, id="queued:msg_2", message_id=None, seq=0)
    old, new = (span("turn", "ok", n, 9, message_id=name, id=name) for n, name in enumerate("ab"))
    newest, oldest = turn_views([old, new, *many, waiting])
    assert (newest.id, oldest.id) == ("b", "a")
    assert (len(newest.rows), newest.hidden) == (MAX_ROWS + 1, 500 - MAX_ROWS)
    assert newest.rows[-1].kind == "turn"
    assert oldest.rows == []


def test_text_from_outside_can_be_shown() -> None:
    (turn,) = turn_views([span("turn", "ok", 0, 1), span("model", "failed", 0, 1, error="\0x\ud800" * 500)])
    assert len(turn.rows[0].error) <= 400
    turn.rows[0].error.encode()


# State


@asynccontextmanager
async def following(tab: Tab) -> AsyncIterator[Timeline]:
    """Follow the open thread as the page's on_load does."""
    timeline = await tab.thread.get_state(Timeline)
    await timeline.open()
    task = asyncio.create_task(timeline._follow_open())
    try:
        yield timeline
        assert not task.done() or task.exception() is None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def kinds(timeline: Timeline) -> list[tuple[str, str]]:
    """Return the spans' kinds and states, without waits for a free worker, which depend on the machine."""
    return [(row.kind, row.status) for row in timeline.turn.rows if row.kind not in ("worker", "turn")]


async def test_timeline_shows_a_turn_as_it_runs_and_who_works_on_it(serve: Serve, tab: Tab) -> None:
    go = asyncio.Event()

    @action_tool
    async def look() -> str:
        """Look."""
        await go.wait()
        return "seen"

    @async_tool
    def ask() -> None:
        """Ask somebody."""

    turns = [[ToolUse("look", {}, "c1")], [ToolUse("ask", {}, "c2")], ["Well."], ["Again."]]
    async with serve(turns, {"look": look, "ask": ask}) as shared:
        await tab.thread.send("Hi", "msg_1", [])
        async with following(tab) as timeline:
            timeline.show(True)
            await eventually(lambda: kinds(timeline) == [("model", "ok"), ("tool", "running")])
            worker = shared.api.store.process
            assert (timeline.durability.owner, timeline.durability.server) == (worker, worker)
            assert (timeline.durability.committed, timeline.durability.running) == (1, 1)
            assert timeline.durability.beat > 0
            assert timeline.turn.end == 0
            go.set()
            await eventually(lambda: kinds(timeline)[-1] == ("outside", "waiting"))
            assert timeline.durability.owner == ""
            await shared.api.add_tool_result("c2", "Rome")
            await eventually(lambda: timeline.turn.status == "ok")
            first = timeline.turn
            await tab.thread.send("More", "msg_2", [])
            await eventually(lambda: timeline.earlier == [first])
            assert not timeline.demo


async def test_closed_timeline_reads_nothing_and_shows_all_when_opened_again(serve: Serve, tab: Tab) -> None:
    async with serve([["One."], ["Two."]]) as shared:
        await tab.thread.send("Hi", "msg_1", [])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        async with following(tab) as timeline:
            for number in (1, 2):
                timeline.show(True)
                await eventually(
                    lambda number=number: len(timeline.earlier) == number - 1 and timeline.turn.id
                )
                timeline.show(False)
                seen = timeline.at
                if number == 1:
                    # A read may be under way; none follows it.
                    feeds = shared.api.store.feeds._feeds  # pyright: ignore[reportPrivateUsage]
                    await eventually(lambda feeds=feeds: tab.thread.open_id not in feeds)
                    await tab.thread.send("More", "msg_2", [])
                    await shared.api.wait_until_idle(tab.thread.open_id, 20)
                    assert timeline.at == seen
                    assert timeline.earlier == []


async def test_earlier_turns_come_when_they_are_asked_for(serve: Serve, tab: Tab) -> None:
    async with serve(lambda _messages: ["Yes."]) as shared:
        await tab.thread.send("0", "msg_0", [])
        for number in range(1, TURNS_PER_PAGE + 2):
            await shared.api.wait_until_idle(tab.thread.open_id, 20)
            await tab.thread.send(f"{number}", f"msg_{number}", [])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        async with following(tab) as timeline:
            timeline.show(True)
            await eventually(lambda: timeline.more)
            assert len(timeline.earlier) == TURNS_PER_PAGE - 1
            timeline.show_earlier()
            await eventually(lambda: len(timeline.earlier) == TURNS_PER_PAGE + 1)
            assert not timeline.more


async def test_a_thread_that_is_deleted_leaves_nothing(serve: Serve, tab: Tab) -> None:
    async with serve([["One."]]) as shared:
        await tab.thread.send("Hi", "msg_1", [])
        async with following(tab) as timeline:
            timeline.show(True)
            await eventually(lambda: timeline.turn.id)
            await shared.api.delete_thread(tab.thread.open_id)
            await eventually(lambda: not timeline.turn.id)


@pytest.mark.parametrize("demo", [False, True])
async def test_the_server_is_killed_from_the_page_only_in_the_demo(
    serve: Serve, tab: Tab, monkeypatch: pytest.MonkeyPatch, demo: bool
) -> None:
    killed: list[tuple[int, int]] = []
    # A real SIGKILL would kill the test run.
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    async with serve([], demo=demo):
        timeline = await tab.thread.get_state(Timeline)
        await timeline.open()
        assert timeline.demo == demo
        timeline.crash()
    assert killed == ([(os.getpid(), signal.SIGKILL)] if demo else [])
