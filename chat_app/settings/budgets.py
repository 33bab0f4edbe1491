"""A person's own budgets, and what of them is used."""

from typing import Any

import reflex as rx

from agent_core import BudgetUse
from agent_core.errors import AgentCoreError
from chat_app.i18n import say
from chat_app.scripts import react_component
from chat_app.session.service import ApiCaller
from chat_app.ui.page_column import section

_table = react_component("settings/budgets.jsx", "OwnBudgets", budgets=list[dict[str, Any]])
"""Table of budgets: the period, what is used, and when it resets."""


class OwnBudgets(ApiCaller, rx.State):
    """State of the budgets in the settings.

    Attributes:
        rows: the budgets that apply to the person; without users, those for threads without one.
    """

    rows: list[dict[str, Any]] = []

    @rx.event
    async def open(self):
        """Read the budgets."""
        try:
            ctx = self._ctx()
            mine = "" if ctx is None or ctx.user_id is None else ctx.user_id
            self.rows = [_row(use) for use in await self._api().limits.list_budgets(user_id=mine)]
        except AgentCoreError:  # nobody is signed in, or no budgets are for this person to see
            self.rows = []


def _row(use: BudgetUse) -> dict[str, Any]:
    used = {"used_usd": use.usd, "used_tokens": use.tokens, "resets_at": use.resets_at}
    return use.budget.to_dict() | used


def budgets_section() -> rx.Component:
    """Render the section, if there is any budget."""
    return rx.cond(
        OwnBudgets.rows.length() > 0,  # pyright: ignore[reportAttributeAccessIssue]
        section(say("budgets.title"), _table(budgets=OwnBudgets.rows), name="budgets"),
    )
