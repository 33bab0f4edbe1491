"""The state of the usage page: requests, tokens and cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import reflex as rx

from agent_core.domain.usage import Tally, UsageSummary
from agent_core.errors import AccessDeniedError
from chat_app.session.service import ApiCaller

SPANS = (7, 30, 90)
"""Days, today included, to choose from."""


class Usage(ApiCaller, rx.State):
    """A report on the last so many days.

    Attributes:
        days: how many.
        report: total, by_day, by_model and by_agent, as plain JSON; empty until it is read.
    """

    days: str = "30"
    report: dict[str, Any] = {}

    @rx.event
    async def open(self):
        """Read the report."""
        await self._read()

    @rx.event
    async def choose(self, days: str):
        """Read it for other days."""
        if days in map(str, SPANS):
            self.days = days
            await self._read()

    async def _read(self) -> None:
        days = int(self.days)
        first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
            days=days - 1
        )
        try:
            found = await self._api().insight.usage_summary(since=first)
        except AccessDeniedError:
            found = UsageSummary()
        self.report = report(found, first, days)


def report(summary: UsageSummary, first: datetime, days: int) -> dict[str, Any]:
    """Return a summary as the page draws it: every day has its place, also one without a request."""
    every_day = (first.date() + timedelta(days=number) for number in range(days))
    return {
        "total": summary.total.to_dict(),
        "by_day": [
            {"day": day.isoformat()} | summary.by_day.get(day, Tally()).to_dict() for day in every_day
        ],
        "by_model": [{"name": name} | tally.to_dict() for name, tally in summary.by_model.items()],
        "by_agent": [{"name": name} | tally.to_dict() for name, tally in summary.by_agent.items()],
    }
