"""Test the usage page: every day has a bar, and the figures come from the library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import reflex as rx

from agent_core import Budget
from agent_core.domain.usage import Tally, UsageSummary
from agent_core.llm import Usage
from chat_app.settings.budgets import OwnBudgets
from chat_app.settings.page import UsageReport, report
from tests.chat_app.support import Serve

FIRST = datetime(2026, 2, 27, tzinfo=UTC)


def test_a_day_without_requests_has_a_bar_too() -> None:
    tally = Tally(requests=2, metered=1, total_tokens=30, cost=0.5)
    day = (FIRST + timedelta(days=2)).date()
    found = report(UsageSummary(tally, {day: tally}, {"m": tally}, {"a": tally}), FIRST, 7)
    assert [each["day"] for each in found["by_day"]][:3] == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert [each["total_tokens"] for each in found["by_day"]] == [0, 0, 30, 0, 0, 0, 0]
    assert found["by_model"] == [{"name": "m"} | tally.to_dict()]
    assert found["total"]["cost"] == 0.5


async def test_requests_are_counted_and_another_span_is_read(serve: Serve) -> None:
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    page = await root.get_state(UsageReport)
    async with serve([["Hello."]]) as shared:
        await page.open()
        assert (page.report["total"]["requests"], len(page.report["by_day"])) == (0, 30)
        thread = await shared.api.create_thread("Hi")
        await shared.api.wait_until_idle(thread.id, 20)
        await page.choose("7")
        assert (page.report["total"]["requests"], len(page.report["by_day"])) == (1, 7)
        # The newest day, or the one before if a new day has just begun.
        assert sum(day["requests"] for day in page.report["by_day"][-2:]) == 1
        assert [row["name"] for row in page.report["by_agent"]] == ["assistant"]
        await page.choose("100000")
        assert page.days == "7"


async def test_a_person_sees_the_budgets_that_apply_and_their_use(serve: Serve) -> None:
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    page = await root.get_state(OwnBudgets)
    async with serve([["Hello.", Usage(10, 5, 15, cost=0.5)]]) as shared:
        await page.open()
        assert page.rows == []
        await shared.api.limits.set_budget(Budget(usd=2.0, tokens=100), user_id="*")
        await shared.api.limits.set_budget(Budget(tokens=50, per="turn"), user_id="")
        await shared.api.limits.set_budget(Budget(tokens=7), user_id="somebody else")
        thread = await shared.api.create_thread("Hi")
        await shared.api.wait_until_idle(thread.id, 20)
        await page.open()
        day, turn = page.rows
        assert (day["per"], day["usd"], day["used_usd"], day["used_tokens"]) == ("day", 2.0, 0.5, 15)
        assert (turn["per"], turn["tokens"], turn["resets_at"]) == ("turn", 50, None)
