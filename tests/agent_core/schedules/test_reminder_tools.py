"""Reminder tools: an agent schedules itself in the thread in which it is asked to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, define_internal_agent_api
from agent_core.api.reminder_tools import MAX_REMINDERS, cancel_reminder, list_reminders, remind_me
from agent_core.testing import FakeClock, ScriptedModel, ToolUse
from tests.support.agents import QUICK, agent_on, finished, texts, tool_parts
from tests.support.schedules import ran

NOON = 1_750_000_000.0  # 2025-06-15 15:06:40 UTC


def reminding(api: AgentApi, turns: Any) -> AgentApi:
    """Return the API of an agent with the three reminder tools."""
    make = (remind_me, list_reminders, cancel_reminder)
    tools = [one(api.store) for one in make]
    return define_internal_agent_api(api.store, Agent("reminding", ScriptedModel(turns), tools=tools))


async def test_a_reminder_comes_after_ten_minutes(path: Path) -> None:
    clock = FakeClock(NOON)
    turns = [
        [ToolUse("remind_me", {"what": "Drink tea.", "in_minutes": 10})],
        ["I will."],
        ["Drink your tea."],
    ]
    async with agent_on(path, [], settings=QUICK, runtime={"clock": clock}) as base:
        api = reminding(base, turns)
        thread = await api.create_thread("Remind me of the tea.")
        await finished(api, thread)
        (part,) = await tool_parts(api, thread)
        made = part["output"]
        assert (made["what"], made["next_at"]) == ("Drink tea.", "2025-06-15T15:16:40+00:00")
        clock.advance(601)
        await ran(api, made["id"], 1)
        await finished(api, thread)
        assert await texts(api, thread) == [
            "Remind me of the tea.",
            "I will.",
            "Reminder: Drink tea.",
            "Drink your tea.",
        ]
        assert (await api.list_messages(thread.id))[2].metadata["schedule"] == made["id"]


USES = {
    "repeat": ({"repeat": "0 9 * * mon-fri", "timezone": "Europe/Berlin"}, "2025-06-16T07:00:00+00:00"),
    "at_time": ({"at_time": "2025-06-16T09:00", "timezone": "Europe/Berlin"}, "2025-06-16T07:00:00+00:00"),
    "offset": ({"at_time": "2025-06-16T09:00:00-04:00"}, "2025-06-16T13:00:00+00:00"),
    "none": ({}, "exactly one"),
    "two": ({"in_minutes": 5, "repeat": "@daily"}, "exactly one"),
    "past": ({"at_time": "2020-01-01T00:00"}, "never comes due"),
    "too soon": ({"in_minutes": 0}, "at least a second"),
    "nonsense": ({"repeat": "every day"}, "is not a cron expression"),
    "nowhere": ({"repeat": "@daily", "timezone": "Atlantis"}, "is not a time zone"),
}


@pytest.mark.parametrize("case", USES)
async def test_reminder_takes_a_delay_or_a_time(path: Path, case: str) -> None:
    args, wanted = USES[case]
    runtime = {"clock": FakeClock(NOON)}
    async with agent_on(path, [], settings=QUICK, runtime=runtime) as base:
        api = reminding(base, [[ToolUse("remind_me", {"what": "Tea.", **args})], ["Well."]])
        thread = await api.create_thread("Remind me.")
        assert (await finished(api, thread)).status == "completed"
        (part,) = await tool_parts(api, thread)
        assert wanted in (part.get("errorText") or part["output"]["next_at"])
        assert len(await api.schedules.list()) == ("output" in part)


async def test_a_reminder_is_listed_and_cancelled_in_its_own_thread_only(path: Path) -> None:
    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        asked = [m["content"] for m in messages if m["role"] == "user"][-1]
        if messages[-1]["role"] == "tool":
            return [messages[-1]["content"]]
        name, _, rest = asked.partition(" ")
        args = {"remind_me": {"what": rest, "in_minutes": 5}, "cancel_reminder": {"reminder_id": rest}}
        return [ToolUse(name, args.get(name, {}))]

    async with agent_on(path, [], settings=QUICK, runtime={"clock": FakeClock(NOON)}) as base:
        api = reminding(base, turn)
        thread, other = await api.create_thread("remind_me Tea."), await api.create_thread("remind_me Milk.")
        await finished(api, thread)
        await finished(api, other)
        (made,) = await api.schedules.list(thread.id)
        (kept,) = await api.schedules.list(other.id)
        for prompt, words in (
            ("list_reminders", "2025-06-15T15:06:40"),
            (f"cancel_reminder {kept.id}", "no reminder"),
            (f"cancel_reminder {made.id}", "cancelled"),
            ("list_reminders", '"reminders": []'),
        ):
            await api.send_message(thread.id, prompt)
            await finished(api, thread)
            assert words in (await texts(api, thread))[-1]
        assert [found.id for found in await api.schedules.list()] == [kept.id]


async def test_a_model_that_loops_fills_no_database(path: Path) -> None:
    uses = [ToolUse("remind_me", {"what": str(n), "in_minutes": 5}) for n in range(MAX_REMINDERS)]
    turns = [uses, [ToolUse("remind_me", {"what": "more", "in_minutes": 5})], ["Well."]]
    async with agent_on(path, [], settings=QUICK, runtime={"clock": FakeClock(NOON)}) as base:
        api = reminding(base, turns)
        thread = await api.create_thread("Remind me.")
        await finished(api, thread)
        parts = await tool_parts(api, thread)
        assert "cancel one first" in parts[-1]["errorText"]
        assert len(await api.schedules.list()) == MAX_REMINDERS
