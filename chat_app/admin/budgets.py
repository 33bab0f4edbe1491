"""Budgets of people, agents and chats, in the section of usage: set, raise and remove."""

from __future__ import annotations

import math
from typing import Any, cast

import reflex as rx

from agent_core import Budget, BudgetUse
from chat_app.admin.admin_state import AdminState, error, refresh
from chat_app.scripts import react_component

_WHOSE = {"user": "user_id", "agent": "agent", "thread": "thread_id"}
_PERIODS = ("turn", "day", "month")

_budgets = react_component(
    "admin/views/budgets.jsx",
    "Budgets",
    budgets=list[dict[str, Any]],
    problem=str,
    on_set=(str, str, str, str, str),
    on_remove=(str, str, str),
)
"""Table of all budgets, and the form that sets one."""


class Budgets(AdminState, rx.State):
    """State of the budgets.

    Attributes:
        rows: all budgets, with what is used of each.
        problem: why the form was not accepted: "amount", or "" if it was.
    """

    rows: list[dict[str, Any]] = []
    problem: str = ""

    async def _read(self) -> dict[str, Any]:
        found = await self._api().limits.list_budgets()
        return {"rows": [_row(use) for use in found]}

    @rx.event
    async def set_budget(self, kind: str, name: str, per: str, usd: str, tokens: str):
        """Set a budget in place of an earlier one for the same period; blank amounts are not limited."""
        if kind not in _WHOSE or per not in _PERIODS:
            return
        try:
            amounts = _number(usd), _number(tokens)
        except ValueError:
            amounts = None, None
        self.problem = "" if any(amount is not None for amount in amounts) else "amount"
        if not self.problem:
            dollars, count = amounts
            budget = Budget(dollars, None if count is None else int(count), cast(Any, per))
            await self._change("limits.set_budget", budget, **{_WHOSE[kind]: name.strip()})

    @rx.event
    async def remove_budget(self, kind: str, name: str, per: str):
        """Remove a budget."""
        if kind in _WHOSE and per in _PERIODS:
            await self._change("limits.remove_budget", per, **{_WHOSE[kind]: name})


def _number(text: str) -> float | None:
    """Return a number from a field; None for a blank one.

    Raises:
        ValueError: it is not a number from 0 to a trillion.
    """
    if not text.strip():
        return None
    number = float(text)
    if not math.isfinite(number) or not 0 <= number <= 10**12:
        raise ValueError("out of range")
    return number


def _row(use: BudgetUse) -> dict[str, Any]:
    return {
        "kind": use.kind,
        "name": use.name,
        **use.budget.to_dict(),
        "used_usd": use.usd,
        "used_tokens": use.tokens,
        "resets_at": use.resets_at,
    }


def budgets() -> list[rx.Component]:
    """Render the table of budgets and the form."""
    return [
        error(Budgets),
        refresh(reads=Budgets.reads, on_due=Budgets.refresh),
        rx.cond(
            Budgets.loaded,
            _budgets(
                budgets=Budgets.rows,
                problem=Budgets.problem,
                on_set=Budgets.set_budget,
                on_remove=Budgets.remove_budget,
            ),
        ),
    ]
