"""Test the labels of turns: the prompt's first words, and the model's name before its step is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from agent_core import Message, action_tool
from agent_core.testing import ToolUse, eventually
from chat_app.timeline.span_views import SpanView, TurnView, with_labels
from chat_app.timeline.timeline import MAX_CAPTION, Timeline, TurnLabels, first_words
from tests.chat_app.support import Serve, Tab


def message(name: str, role: Any, text: str = "", **metadata: Any) -> Message:
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else [{"type": "file"}]
    return Message(name, "thread", role, parts, datetime(2026, 1, 1, tzinfo=UTC), metadata)


def test_a_reply_is_captioned_by_the_prompt_before_it() -> None:
    found = first_words(
        [
            message("u1", "user", "Hi\n  there"),
            message("a1", "assistant", "Yes?"),
            message("u2", "user"),
            message("a2", "assistant", "A picture."),
            message("u3", "user", "long " * 500 + "\0\ud800"),
            message("u4", "user", "later", queued=True),
        ]
    )
    assert (found["a1"], found["a2"]) == ("Hi there", "")
    assert found[""].startswith("long long")
    assert len(found[""]) <= MAX_CAPTION
    found[""].encode()
    assert first_words([]) == {"": ""}


def test_a_name_that_is_written_down_stays() -> None:
    row = SpanView("model:1", "model", "ok", 0, name="written")
    named = with_labels(
        [TurnView("m", rows=[row, SpanView("model:2", "model", "running", 1)])],
        {"m": "Hi"},
        {"model:1": "x", "model:2": "seen"},
    )
    assert named[0].prompt == "Hi"
    assert [row.name for row in named[0].rows] == ["written", "seen"]


async def test_known_captions_are_not_asked_for_again(serve: Serve, tab: Tab) -> None:
    go = asyncio.Event()

    @action_tool
    async def look() -> str:
        """Look."""
        await go.wait()
        return "seen"

    async with serve([[ToolUse("look", {}, "c1")], ["Well."]], {"look": look}) as shared:
        await tab.thread.send("What do you see?", "msg_1", [])
        asked = Counting(shared.api)
        labels = TurnLabels(asked, tab.thread.open_id)  # pyright: ignore[reportArgumentType]

        async def learned() -> Sequence[str]:
            await labels.read(await shared.api.timeline(tab.thread.open_id))
            return list(labels.prompts.values())

        await eventually(learned)
        assert await learned() == ["What do you see?"]
        assert asked.lists == 1
        go.set()


class Counting:
    """An API that counts the calls of `list_messages`."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.lists = 0

    def __getattr__(self, name: str) -> Any:
        self.lists += name == "list_messages"
        return getattr(self.api, name)


async def test_a_model_at_work_has_its_name_at_once(serve: Serve, tab: Tab) -> None:
    async with serve([["Once upon ", 60.0, "a time."]]) as shared:
        await tab.thread.send("A story", "msg_1", [])
        timeline = await tab.thread.get_state(Timeline)
        await timeline.open()
        timeline.show(True)
        task = asyncio.create_task(timeline._follow_open())
        try:
            await eventually(
                lambda: [row.status for row in timeline.turn.rows if row.kind == "model"] == ["running"]
            )
            assert timeline.turn.prompt == "A story"
            (row,) = (row for row in timeline.turn.rows if row.kind == "model")
            agent = await shared.api.agent.resolve(None, tab.thread.open_id)
            assert row.name == agent.model.name != ""
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await shared.api.stop_thread(tab.thread.open_id)
