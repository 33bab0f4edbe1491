"""The search dialog, which Ctrl+K opens on every page."""

import reflex as rx

from chat_app.i18n import say
from chat_app.search.react import palette
from chat_app.search.search import Search


def search() -> rx.Component:
    """The dialog: what can be done from anywhere, and a search in titles and messages."""
    return palette(
        commands=commands(),
        query=Search.query,
        hits=Search.hits,
        trouble=Search.trouble,
        trouble_info=Search.trouble_info,
        on_query=Search.find,
        on_theme=rx.toggle_color_mode,
    )


def commands() -> list[dict[str, rx.Var[str] | str]]:
    """What can be done from anywhere; one more is one more line here."""
    return [
        {"name": "new", "icon": "new", "label": say("sidebar.new_chat"), "to": "/"},
        {"name": "inbox", "icon": "inbox", "label": say("inbox.title"), "to": "/inbox"},
        {"name": "archive", "icon": "archive", "label": say("sidebar.archived"), "to": "/archive"},
        {"name": "schedules", "icon": "schedules", "label": say("schedules.title"), "to": "/schedules"},
        {"name": "usage", "icon": "usage", "label": say("usage.title"), "to": "/usage"},
        {"name": "settings", "icon": "settings", "label": say("settings.title"), "to": "/settings"},
        {"name": "theme", "icon": "theme", "label": say("sidebar.theme"), "to": ""},
    ]
