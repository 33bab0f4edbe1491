"""The pages for how things look and behave, and for what was used."""

import reflex as rx

from chat_app.components.controls import testid
from chat_app.components.defaults import defaults_form
from chat_app.components.places import tabs
from chat_app.components.sheet import section, sheet
from chat_app.components.shell import shell
from chat_app.react.beside import import_thread, preferences
from chat_app.react.beside import usage as usage_report
from chat_app.state.defaults import Defaults
from chat_app.state.inbox import Inbox
from chat_app.state.offers import Offers
from chat_app.state.open_thread import Stream
from chat_app.state.threads import ThreadList
from chat_app.state.usage import SPANS, Usage
from chat_app.words import LANGUAGES, say

BESIDE = [Stream.leave, ThreadList.open, Inbox.open]
"""What every page beside the threads does first: it shows none of them, and the list."""
ON_SETTINGS = [*BESIDE, Offers.open, Defaults.open]
ON_USAGE = [*BESIDE, Usage.open]


def settings() -> rx.Component:
    """`/settings`: how it looks, how new chats are answered, and a chat from a file."""
    return shell(
        sheet(
            tabs("/settings"),
            section(
                say("settings.looks"),
                preferences(languages=[list(pair) for pair in LANGUAGES.items()]),
                rx.el.p(say("settings.where"), class_name="field-note"),
                name="looks",
            ),
            section(
                say("settings.answers"),
                defaults_form(),
                name="new-chats",
            ),
            section(
                say("settings.data"),
                import_thread(),
                rx.el.p(say("settings.data_where"), class_name="field-note"),
                name="data",
            ),
        ),
        bar=rx.el.h1(say("settings.title")),
    )


def usage() -> rx.Component:
    """`/usage`: requests, tokens and cost, by day, model and agent."""
    return shell(
        sheet(
            tabs("/usage"),
            rx.el.label(
                say("usage.span"),
                rx.el.select(
                    *(rx.el.option(say("usage.last_days", days=days), value=str(days)) for days in SPANS),
                    value=Usage.days,
                    on_change=Usage.choose,
                    custom_attrs=testid("usage-span"),
                ),
                class_name="field short",
            ),
            usage_report(report=Usage.report),
        ),
        bar=rx.el.h1(say("usage.title")),
    )
