"""Pages of settings and usage."""

from datetime import UTC, datetime, timedelta
from typing import Any

import reflex as rx

from agent_core.domain.usage import Tally, UsageSummary
from agent_core.errors import AccessDeniedError
from chat_app.agent_choice.choices import Choices
from chat_app.agent_choice.new_chat_defaults import NewChatDefaults
from chat_app.agent_choice.picker import defaults_form
from chat_app.extensions import Content, register_page
from chat_app.i18n import LANGUAGES, say
from chat_app.scripts import react_component
from chat_app.session.administrator import Administrator
from chat_app.session.service import ApiCaller
from chat_app.settings.account import OwnAccount, account_section
from chat_app.settings.api_keys import api_keys_section
from chat_app.settings.budgets import OwnBudgets, budgets_section
from chat_app.settings.connections import Connections, connection_notice, connections_section
from chat_app.settings.settings_tabs import tabs
from chat_app.ui.controls import testid, titled
from chat_app.ui.page_column import column, section

_preferences = react_component("settings/preferences.jsx", "Preferences", languages=list[list[str]])
"""Controls for theme, density, send key and language; `languages` are pairs of code and native name."""

_import_thread = react_component("settings/import_thread.jsx", "ImportThread")
"""Button that imports the file of an exported thread, and opens the imported thread."""

_usage_report = react_component("settings/usage.jsx", "Usage", report=dict[str, Any])
"""Totals, a bar chart of the days, and tables of a report with total, by_day, by_model and by_agent."""

_DAY_COUNTS = (7, 30, 90)
"""Numbers of days to choose from, today included."""


class UsageReport(ApiCaller, rx.State):
    """State of the usage page: a report on the last days.

    Attributes:
        days: number of days, as the value of the page's select.
        report: total, by_day, by_model and by_agent, as plain JSON; empty until the report is read.
    """

    days: str = "30"
    report: dict[str, Any] = {}

    @rx.event
    async def open(self):
        """Read the report."""
        await self._read()

    @rx.event
    async def choose(self, days: str):
        """Read the report for another number of days."""
        if days in map(str, _DAY_COUNTS):
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
    """Return a summary in the form that the page renders, with every day, even one without requests."""
    every_day = (first.date() + timedelta(days=number) for number in range(days))
    return {
        "total": summary.total.to_dict(),
        "by_day": [
            {"day": day.isoformat()} | summary.by_day.get(day, Tally()).to_dict() for day in every_day
        ],
        "by_model": [{"name": name} | tally.to_dict() for name, tally in summary.by_model.items()],
        "by_agent": [{"name": name} | tally.to_dict() for name, tally in summary.by_agent.items()],
    }


@register_page(
    "/settings",
    titled("settings.title"),
    on_load=[
        Choices.open,
        NewChatDefaults.open,
        OwnBudgets.open,
        OwnAccount.open,
        Connections.open,
        Administrator.look,
    ],
)
def settings() -> Content:
    """Render the page `/settings`: appearance, defaults of new chats, own budgets and account, and import of a chat."""
    return Content(
        column(
            tabs("/settings"),
            connection_notice(),
            section(
                say("settings.looks"),
                _preferences(languages=[list(pair) for pair in LANGUAGES.items()]),
                rx.el.p(say("settings.where"), class_name="field-note"),
                name="looks",
            ),
            section(say("settings.answers"), defaults_form(), name="new-chats"),
            budgets_section(),
            account_section(),
            connections_section(),
            api_keys_section(),
            section(
                say("settings.data"),
                _import_thread(),
                rx.el.p(say("settings.data_where"), class_name="field-note"),
                name="data",
            ),
        ),
        bar=rx.el.h1(say("settings.title")),
    )


@register_page("/usage", titled("usage.title"), on_load=[UsageReport.open, Administrator.look])
def usage() -> Content:
    """Render the page `/usage`: requests, tokens and cost, by day, model and agent."""
    return Content(
        column(
            tabs("/usage"),
            rx.el.label(
                say("usage.span"),
                rx.el.select(
                    *(
                        rx.el.option(say("usage.last_days", days=days), value=str(days))
                        for days in _DAY_COUNTS
                    ),
                    value=UsageReport.days,
                    on_change=UsageReport.choose,
                    custom_attrs=testid("usage-span"),
                ),
                class_name="field short",
            ),
            _usage_report(report=UsageReport.report),
        ),
        bar=rx.el.h1(say("usage.title")),
    )
