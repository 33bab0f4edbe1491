"""Python wrapper of the search dialog."""

from typing import Any

import reflex as rx

from chat_app.scripts import script
from chat_app.search.search import HitView
from chat_app.ui.event_specs import one_text


class Palette(rx.Component):
    """The dialog of Ctrl+K: what can be done, the newest threads, and what a search finds.

    `commands` are {"name", "label", "icon" ("new", "archive", "settings", "theme"), "to" (a path, or "")}; one
    without a path calls `on_command` with its name. `hits` are those of `query`.
    """

    library = script("search/palette.jsx")
    tag = "Palette"
    commands: rx.Var[list[dict[str, Any]]]
    query: rx.Var[str]
    hits: rx.Var[list[HitView]]
    trouble: rx.Var[str]
    trouble_info: rx.Var[dict[str, Any]]
    on_query: rx.EventHandler[one_text]
    on_theme: rx.EventHandler[rx.event.no_args_event_spec]


palette = Palette.create
