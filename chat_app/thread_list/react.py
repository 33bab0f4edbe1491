"""Python wrappers of the lists of threads, of the search dialog, and of the word about what was deleted."""

import reflex as rx

from chat_app.scripts import script
from chat_app.thread_list.thread_views import ThreadPatch
from chat_app.ui.event_specs import one_text, two_texts


def _count(shown: rx.Var[int]) -> list[rx.Var]:
    return [shown]


def _row_and_flag(thread_id: rx.Var[str], flag: rx.Var[bool]) -> list[rx.Var]:
    return [thread_id, flag]


class Threads(rx.Component):
    """A list of threads in groups by date; its rows stand in the browser, and patches change them.

    `list` names the rows: "main", or "archive". `on_more` gets how many rows there are, `on_keep` how many
    there were before the connection was lost, `on_restore` whether the thread is to be opened again;
    `on_gap` asks for everything.
    """

    library = script("thread_list/threads.jsx")
    tag = "Threads"
    list: rx.Var[str]
    patch: rx.Var[ThreadPatch]
    active_id: rx.Var[str]
    empty: rx.Var[str]
    on_gap: rx.EventHandler[rx.event.no_args_event_spec]
    on_more: rx.EventHandler[_count]
    on_keep: rx.EventHandler[_count]
    on_rename: rx.EventHandler[two_texts]
    on_pin: rx.EventHandler[_row_and_flag]
    on_archive: rx.EventHandler[_row_and_flag]
    on_delete: rx.EventHandler[one_text]
    on_restore: rx.EventHandler[_row_and_flag]


class Toast(rx.Component):
    """What was deleted, and Undo, for `seconds`; one per page."""

    library = script("thread_list/toast.jsx")
    tag = "Toast"
    seconds: rx.Var[int]


threads = Threads.create
toast = Toast.create
