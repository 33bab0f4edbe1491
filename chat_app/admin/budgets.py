"""Budgets of people, agents and chats, in the section of usage: set, raise and remove."""

from __future__ import annotations

import math
from typing import Any, cast

import reflex as rx

from agent_core import Budget, BudgetUse
from agent_core.errors import AgentCoreError, words_of
from chat_app.accounts.accounts import accounts
from chat_app.admin.admin_state import AdminState, error, names_of, refresh
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
        names = await names_of(use.name for use in found if use.kind == "user")
        return {"rows": [_row(use, names.get(use.name, use.name)) for use in found]}

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
        if self.problem or not self._is_admin():
            return
        dollars, count = amounts
        budget = Budget(dollars, None if count is None else int(count), cast(Any, per))
        try:
            whose = await _id_of(kind, name.strip())
        except AgentCoreError as error:
            self.notice = words_of(error)
            return
        await self._change("limits.set_budget", budget, **{_WHOSE[kind]: whose})

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


async def _id_of(kind: str, name: str) -> str:
    """Return the id under which a budget is kept: that of the person with a name, if the app has accounts.

    Raises:
        ValidationError: nobody has the name, or several have.
    """
    known = accounts()
    return name if kind != "user" or name in ("", "*") or known is None else await known.id_of(name)


def _row(use: BudgetUse, label: str) -> dict[str, Any]:
    return {
        "kind": use.kind,
        "name": use.name,
        "label": label,
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
