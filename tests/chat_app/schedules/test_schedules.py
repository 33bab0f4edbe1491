"""Test the page of schedules on the real runtime: the form and the buttons."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import reflex as rx

from agent_core import Agent, at, cron, every
from agent_core.testing import ScriptedModel, eventually
from chat_app.agent_choice.choices import Option
from chat_app.extensions import OFFERED
from chat_app.schedules.schedule_fields import (
    INITIAL_FORM,
    MAX_UPCOMING,
    FieldError,
    describe_trigger,
    next_runs,
    trigger_of,
)
from chat_app.schedules.schedules import Schedules
from chat_app.session.service import Service
from chat_app.thread_list.list_feed import THREADS
from chat_app.thread_list.list_patch import ListWindow
from tests.chat_app.support import Serve

NOON = 1_750_000_000.0  # 2025-06-15 15:06:40 UTC, a Sunday
ZONE = "Europe/Berlin"


@pytest.fixture
async def page() -> Schedules:
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    return await root.get_state(Schedules)


@pytest.fixture
async def shared(serve: Serve) -> AsyncIterator[Service]:
    async with serve(lambda messages: ["Well."]) as service:
        yield service


FORMS = {
    "daily": ({"time": "09:05"}, cron("5 9 * * *", ZONE)),
    "weekdays": ({"time": "23:59:00"}, cron("59 23 * * mon-fri", ZONE)),
    "weekly": ({"day": "sun", "time": "7:00"}, cron("0 7 * * sun", ZONE)),
    "every": ({"amount": "1,5", "unit": "hours"}, every(minutes=90)),
    "once": ({"moment": "2030-01-31T09:00"}, at("2030-01-31T09:00", ZONE)),
    "cron": ({"cron": " @weekly "}, cron("@weekly", ZONE)),
}


@pytest.mark.parametrize("kind", FORMS)
def test_form_of_a_schedule_becomes_its_trigger(kind: str) -> None:
    fields, trigger = FORMS[kind]
    assert trigger_of(INITIAL_FORM | {"kind": kind} | fields, ZONE) == trigger


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"kind": "daily", "time": ""}, "time", "time"),
        ({"kind": "daily", "time": "24:00"}, "time", "time"),
        ({"kind": "daily", "time": "٠٩:٠٠"}, "time", "time"),
        ({"kind": "every", "amount": "-1"}, "amount", "amount"),
        ({"kind": "every", "amount": "inf"}, "amount", "amount"),
        ({"kind": "every", "amount": "0.001", "unit": "minutes"}, "amount", "at least a second"),
        ({"kind": "every", "amount": "99999", "unit": "days"}, "amount", "ten years"),
        ({"kind": "once", "moment": "soon"}, "moment", "moment"),
        ({"kind": "cron", "cron": "61 * * * *"}, "cron", "61"),
        ({"kind": "cron", "cron": ""}, "cron", ""),
    ],
)
def test_unusable_value_is_reported_at_its_field(fields: dict[str, str], field: str, words: str) -> None:
    with pytest.raises(FieldError) as wrong:
        trigger_of(INITIAL_FORM | fields, ZONE)
    assert wrong.value.field == field
    assert words in wrong.value.words


def test_next_runs_are_shown_by_the_persons_own_clock() -> None:
    runs = next_runs(cron("0 9 * * *", ZONE), NOON)
    assert len(runs) == MAX_UPCOMING
    assert runs[0] == at("2025-06-16T09:00", ZONE).moment
    assert next_runs(every(hours=1), NOON) == [NOON + 3600 * n for n in range(1, MAX_UPCOMING + 1)]
    assert next_runs(at("2020-01-01T00:00Z"), NOON) == []


@pytest.mark.parametrize(
    ("expression", "kind", "words"),
    [
        ("5 9 * * *", "daily", "09:05 (UTC)"),
        ("0 17 * * mon-fri", "weekdays", "17:00 (UTC)"),
        ("30 7 * * sun", "weekly", "07:30 (UTC)"),
        ("30 7 1 * *", "cron", "30 7 1 * * (UTC)"),
        ("*/5 7 * * *", "cron", "*/5 7 * * * (UTC)"),
        ("0 9 * * mon,sun", "cron", "0 9 * * mon,sun (UTC)"),
    ],
)
def test_trigger_of_the_form_is_described_in_its_words(expression: str, kind: str, words: str) -> None:
    found = describe_trigger(cron(expression))
    assert (found["kind"], found["words"]) == (kind, words)
    assert found.get("day", "") == (expression.split()[-1] if kind != "cron" else "")


def test_a_trigger_is_described_by_its_largest_whole_unit() -> None:
    triggers = (every(days=2), every(minutes=90), every(seconds=5), every(hours=3), cron("@daily"))
    assert [(d["kind"], d["words"]) for d in map(describe_trigger, triggers)] == [
        ("days", "2"),
        ("minutes", "90"),
        ("seconds", "5"),
        ("hours", "3"),
        ("cron", "@daily (UTC)"),
    ]


async def test_a_schedule_is_made_run_paused_resumed_and_deleted(shared: Service, page: Schedules) -> None:
    page.set_zone(ZONE)
    page.set_field("prompt", "What is new?")
    page.set_field("title", "News")
    page.set_field("time", "08:30")
    assert len(page.upcoming) == MAX_UPCOMING
    await page.create()
    (item,) = page.items
    assert (item.title, item.prompt, item.words, item.status) == (
        "News",
        "What is new?",
        f"08:30 ({ZONE})",
        "active",
    )
    assert (page.form, page.resets) == (INITIAL_FORM, 1)

    await page.run_now(item.id)
    await page.toggle_history(item.id)
    (run,) = page.history
    assert page.items[0].runs == 1
    await shared.api.wait_until_idle(run.thread_id, 20)
    assert [message.text for message in await shared.api.list_messages(run.thread_id)] == [
        "What is new?",
        "Well.",
    ]

    await page.pause(item.id)
    assert page.items[0].status == "paused"
    await page.resume(item.id)
    assert page.items[0].status == "active"
    page.ask_delete(item.id)
    await page.delete(item.id)
    assert (page.items, page.confirming, page.history_of) == ([], "", "")
    await page.delete(item.id)  # another tab has already deleted the schedule
    assert page.notice == ""
    assert len(await shared.api.list_threads()) == 1, "what it has sent stays"


async def test_wrong_form_makes_nothing_and_keeps_its_values(shared: Service, page: Schedules) -> None:
    await page.create()
    assert (page.error_field, page.error) == ("prompt", "blank")
    page.set_field("prompt", "Tea!")
    page.set_field("kind", "once")
    await page.create()
    assert (page.error_field, page.error) == ("moment", "moment")
    page.set_field("moment", "2020-01-01T09:00")
    assert page.error_field == ""
    await page.create()
    assert (page.error_field, page.error, page.form["prompt"]) == ("moment", "past", "Tea!")
    page.set_field("kind", "cron")
    page.set_field("cron", "0 0 31 2 *")
    await page.create()
    assert page.error_field == "cron"
    page.set_field("nothing", "x")
    assert "nothing" not in page.form
    assert await shared.api.schedules.list() == []


async def test_a_time_zone_that_nobody_knows_is_utc(page: Schedules) -> None:
    page.set_zone("Mars/Olympus")
    assert page.zone == "UTC"
    page.set_zone("Asia/Tokyo")
    assert page.zone == "Asia/Tokyo"


async def test_a_schedule_writes_to_the_chosen_thread_or_begins_threads_with_the_chosen_agent(
    shared: Service, page: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OFFERED, "poet", "The poet")
    shared.api.store.agents.add(Agent("poet", ScriptedModel(lambda _: ["A poem."])))
    thread = await shared.api.create_thread("Hi")
    await shared.api.wait_until_idle(thread.id, 20)

    async def offered() -> list[Option]:
        await page._lists()[THREADS].read_for(ListWindow())  # reads the changes reported so far
        page._update_options()
        return page.threads

    assert [(one.value, one.label) for one in await eventually(offered)] == [(thread.id, "Hi")]
    assert [one.value for one in page.agents] == ["assistant", "poet"]
    for field, value in {"prompt": "Write", "agent": "poet"}.items():
        page.set_field(field, value)
    await page.create()
    assert (page.notice, page.form, page.items[0].agent) == ("", INITIAL_FORM, "The poet")
    await page.run_now(page.items[0].id)
    made = next(one for one in await shared.api.list_threads() if one.id != thread.id)
    await shared.api.wait_until_idle(made.id, 20)
    assert (made.agent, (await shared.api.list_messages(made.id))[-1].text) == ("poet", "A poem.")
    for field, value in {"prompt": "Go on", "agent": "poet", "thread": thread.id}.items():
        page.set_field(field, value)
    await page.create()
    (item,) = [item for item in page.items if item.thread]
    await page.run_now(item.id)
    await shared.api.wait_until_idle(thread.id, 20)
    said = [message.text for message in await shared.api.list_messages(thread.id)]
    assert (item.thread, item.agent, said) == (thread.id, "", ["Hi", "Well.", "Go on", "Well."])
    page.set_field("prompt", "Lost")
    page.set_field("thread", "thread_gone")
    await page.create()
    assert "thread_gone" in page.notice
    page.set_field("thread", "")
    page.set_field("agent", "nobody")
    await page.create()
    assert "no agent" in page.notice
