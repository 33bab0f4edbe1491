"""Section of usage: tokens and cost of everybody by person, and budgets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import reflex as rx

from agent_core.domain.usage import Tally
from chat_app.admin.admin_state import AdminState, error, names_of, refresh
from chat_app.admin.budgets import Budgets, budgets
from chat_app.admin.sections import register_section
from chat_app.scripts import react_component

_PERIODS = ("day", "month")
_MAX_PEOPLE = 200

_usage = react_component("admin/views/usage.jsx", "PeopleUsage", report=dict[str, Any], on_period=(str,))
"""Figures of everybody's usage, and the table of the people who have cost most."""


class PeopleUsage(AdminState, rx.State):
    """State of the section.

    Attributes:
        report: the period, the usage of everybody, and that of the people who have cost most.
    """

    report: dict[str, Any] = {}
    _period: str = "month"

    async def _read(self) -> dict[str, Any]:
        first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self._period == "month":
            first = first.replace(day=1)
        found = await self._api().admin.usage(since=first, limit=_MAX_PEOPLE)
        names = await names_of(found.by_user)
        people = [
            {"user": user, "name": names[user]} | _shown(tally) for user, tally in found.by_user.items()
        ]
        return {"report": {"period": self._period, "total": _shown(found.total), "people": people}}

    @rx.event
    async def choose(self, period: str):
        """Show today's usage or that of this month."""
        if period in _PERIODS:
            self._period = period
            await self.refresh()


def _shown(tally: Tally) -> dict[str, Any]:
    return {
        "requests": tally.requests,
        "tokens": tally.total_tokens,
        "cost": tally.cost,
        "estimated": tally.estimated,
        "unmetered": tally.requests - tally.metered - tally.estimated,
    }


@register_section("usage", "admin.usage", on_load=[PeopleUsage.open, Budgets.open], place=30)
def usage() -> list[rx.Component]:
    """Render the section `/admin/usage`."""
    return [
        error(PeopleUsage),
        refresh(reads=PeopleUsage.reads, on_due=PeopleUsage.refresh),
        rx.cond(PeopleUsage.loaded, _usage(report=PeopleUsage.report, on_period=PeopleUsage.choose)),
        *budgets(),
    ]
