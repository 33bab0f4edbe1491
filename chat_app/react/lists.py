"""Python wrappers of the lists of threads, of the search dialog, and of the word about what was deleted."""

from typing import Any

import reflex as rx

from chat_app.scripts import script
from chat_app.state.view import HitView, ThreadPatch


def _count(shown: rx.Var[int]) -> list[rx.Var]:
    return [shown]


def _row(thread_id: rx.Var[str]) -> list[rx.Var]:
    return [thread_id]


def _row_and_words(thread_id: rx.Var[str], words: rx.Var[str]) -> list[rx.Var]:
    return [thread_id, words]


def _row_and_flag(thread_id: rx.Var[str], flag: rx.Var[bool]) -> list[rx.Var]:
    return [thread_id, flag]


class Threads(rx.Component):
    """A list of threads in groups by date; its rows stand in the browser, and patches change them.

    `list` names the rows: "main", or "archive". `on_more` gets how many rows there are, `on_keep` how many
    there were before the connection was lost, `on_restore` whether the thread is to be opened again;
    `on_gap` asks for everything.
    """

    library = script("react/threads.jsx")
    tag = "Threads"
    list: rx.Var[str]
    patch: rx.Var[ThreadPatch]
    active_id: rx.Var[str]
    empty: rx.Var[str]
    on_gap: rx.EventHandler[rx.event.no_args_event_spec]
    on_more: rx.EventHandler[_count]
    on_keep: rx.EventHandler[_count]
    on_rename: rx.EventHandler[_row_and_words]
    on_pin: rx.EventHandler[_row_and_flag]
    on_archive: rx.EventHandler[_row_and_flag]
    on_delete: rx.EventHandler[_row]
    on_restore: rx.EventHandler[_row_and_flag]


class Palette(rx.Component):
    """The dialog of Ctrl+K: what can be done, the newest threads, and what a search finds.

    `commands` are {"name", "label", "icon" ("new", "archive", "settings", "theme"), "to" (a path, or "")}; one
    without a path calls `on_command` with its name. `hits` are those of `query`.
    """

    library = script("react/palette.jsx")
    tag = "Palette"
    commands: rx.Var[list[dict[str, Any]]]
    query: rx.Var[str]
    hits: rx.Var[list[HitView]]
    trouble: rx.Var[str]
    trouble_info: rx.Var[dict[str, Any]]
    on_query: rx.EventHandler[_row]
    on_theme: rx.EventHandler[rx.event.no_args_event_spec]


class Toast(rx.Component):
    """What was deleted, and Undo, for `seconds`; one per page."""

    library = script("react/toast.jsx")
    tag = "Toast"
    seconds: rx.Var[int]


palette = Palette.create
threads = Threads.create
toast = Toast.create
