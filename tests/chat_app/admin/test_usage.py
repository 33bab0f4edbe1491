"""Test the sections of usage, budgets, schedules and storage: what they show, change and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from agent_core import Budget, CallContext, every
from agent_core.llm import Usage
from chat_app.admin.budgets import Budgets
from chat_app.admin.schedules import AllSchedules
from chat_app.admin.storage import Storage
from chat_app.admin.usage import PeopleUsage
from tests.chat_app.admin.conftest import DENIED, OpenState
from tests.chat_app.support import Serve

BOB = CallContext("bob")


async def test_usage_is_shown_by_person_for_today_and_this_month(serve: Serve, state: OpenState) -> None:
    page = await state(PeopleUsage)
    async with serve([["Yes.", Usage(10, 5, 15, cost=0.5)]]) as shared:
        await page.open()
        assert (page.report["people"], page.report["total"]["cost"]) == ([], None)
        thread = await shared.api.create_thread("Hi", ctx=BOB)
        await shared.api.wait_until_idle(thread.id, 20, ctx=BOB)
        for period in ("month", "day"):
            await page.choose(period)
            (bob,) = page.report["people"]
            assert (bob["user"], bob["cost"], bob["tokens"], bob["estimated"]) == ("bob", 0.5, 15, 0)
            assert page.report["period"] == period
        await page.choose("century")
        assert page.report["period"] == "day"


async def test_budgets_are_set_raised_and_removed(serve: Serve, state: OpenState) -> None:
    page = await state(Budgets)
    async with serve([]) as shared:
        await page.set_budget("user", " bob ", "day", "1.5", "")
        await page.set_budget("user", "bob", "day", "3", "1000")
        await page.set_budget("agent", "*", "turn", "", "5")
        (agent, bob) = sorted(page.rows, key=lambda row: row["kind"])
        assert (agent["name"], agent["per"], agent["usd"], agent["tokens"]) == ("*", "turn", None, 5)
        assert (bob["name"], bob["usd"], bob["tokens"], bob["used_usd"]) == ("bob", 3.0, 1000, 0)
        (use,) = await shared.api.limits.list_budgets(user_id="bob")
        assert use.budget == Budget(usd=3.0, tokens=1000)
        for _ in range(2):
            await page.remove_budget("user", "bob", "day")
            assert [row["kind"] for row in page.rows] == ["agent"]


@pytest.mark.parametrize(
    ("usd", "tokens"),
    [("", ""), (" ", ""), ("-1", ""), ("nan", ""), ("inf", "5"), ("1e99", ""), ("x", "1"), ("", "9" * 400)],
)
async def test_an_amount_that_is_none_is_refused_in_a_sentence(
    serve: Serve, state: OpenState, usd: str, tokens: str
) -> None:
    page = await state(Budgets)
    async with serve([]) as shared:
        await page.set_budget("user", "bob", "day", usd, tokens)
        assert (page.problem, page.notice) == ("amount", "")
        for wrong in (("planet", "bob", "day"), ("user", "bob", "year")):
            await page.set_budget(*wrong, "1", "")
            await page.remove_budget(*wrong)
        assert await shared.api.limits.list_budgets() == []


async def test_the_name_of_no_thread_is_refused_in_a_sentence(serve: Serve, state: OpenState) -> None:
    page = await state(Budgets)
    async with serve([]):
        await page.set_budget("thread", "none", "turn", "1", "")
        assert page.notice_info["code"] == "thread_not_found"
        await page.set_budget("user", "\x00" * 10, "day", "1", "")
        assert "cannot be a name" in page.notice
        assert page.rows == []


async def test_schedules_of_all_people_are_paused_resumed_and_deleted(serve: Serve, state: OpenState) -> None:
    page = await state(AllSchedules)
    async with serve(lambda _: ["Yes."]) as shared:
        await shared.api.schedules.create(None, "Hi", every(hours=1), schedule_id="s", ctx=BOB)
        run = await shared.api.schedules.run_now("s", ctx=BOB)
        await shared.api.wait_until_idle(run.last_thread_id or "", 20, ctx=BOB)
        await page.open()
        (row,) = page.schedules
        assert (row["user"], row["status"], row["last_status"], row["error"]) == (
            "bob",
            "active",
            "completed",
            "",
        )
        await page.pause("s")
        assert (page.schedules[0]["status"], page.has_more) == ("paused", False)
        await page.resume("s")
        assert page.schedules[0]["status"] == "active"
        for _ in range(2):
            await page.delete("s")
            assert (page.schedules, page.notice) == ([], "")


async def test_storage_is_read_when_it_is_opened(serve: Serve, state: OpenState) -> None:
    page = await state(Storage)
    async with serve([]) as shared:
        await shared.api.create_thread("Hi")
        await page.open()
        assert page.report["size"] > 0
        await shared.keys.create("k", "read", None, None)
        await page.refresh()
        stored = {kind["kind"]: kind for kind in page.report["kinds"]}
        assert [stored[name]["rows"] for name in ("threads", "keys", "people", "sessions")] == [1, 1, 0, 0]
        assert all(stored[name]["size"] for name in ("keys", "people", "sessions"))
        assert page.report["expiries"] == [{"agent": "assistant", "keep": None, "due": 0, "soon": 0}]


@pytest.mark.parametrize("name", ["bob", ""])
async def test_those_who_may_not_see_and_change_nothing(
    people: None, serve: Serve, state: OpenState, name: str
) -> None:
    events: dict[Any, list[tuple[Any, ...]]] = {
        PeopleUsage: [("open",), ("refresh",)],
        Budgets: [
            ("open",),
            ("set_budget", "user", "bob", "day", "9", ""),
            ("remove_budget", "user", "*", "day"),
        ],
        AllSchedules: [("open",), ("more",), ("pause", "s"), ("resume", "s"), ("delete", "s")],
        Storage: [("open",), ("refresh",)],
    }
    async with serve([]) as shared:
        internal = CallContext("ann")
        await shared.api.limits.set_budget(Budget(usd=1), user_id="*", ctx=internal)
        await shared.api.schedules.create(None, "Hi", every(hours=1), schedule_id="s", ctx=BOB)
        for kind, calls in events.items():
            page = await state(kind, name)
            for method, *arguments in calls:
                page.notice = ""
                await getattr(page, method)(*arguments)
                assert page.notice == (
                    DENIED if name else "You are not signed in. Sign in, then reload the page."
                )
                assert not page.loaded
        (budget,) = await shared.api.limits.list_budgets(ctx=internal)
        assert budget.budget == Budget(usd=1)
        found = await shared.api.schedules.get("s", ctx=BOB)
        assert found is not None
        assert found.status == "active"
