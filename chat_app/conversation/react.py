"""Python wrappers of the column of messages and of what belongs to its thread."""

import reflex as rx

from chat_app.scripts import script
from chat_app.ui.event_specs import one_text


class Viewport(rx.Component):
    """The scrolling column of messages, which follows its end while the reader is there.

    `on_seek` gets the id of the message in the address when it is not among the rows.
    """

    library = script("conversation/viewport.jsx")
    tag = "Viewport"
    thread: rx.Var[str]
    anchor: rx.Var[str]
    sent: rx.Var[str]
    running: rx.Var[bool]
    on_seek: rx.EventHandler[one_text]


class TabTitle(rx.Component):
    """Calls the browser's tab `words`, with the app's `name` behind them; without words, `name` alone."""

    library = script("conversation/tab_title.jsx")
    tag = "TabTitle"
    words: rx.Var[str]
    name: rx.Var[str]


def _export(names: rx.Var[dict[str, str]]) -> list[rx.Var]:
    return [names]


class ThreadMenu(rx.Component):
    """Export and share; `thread` is its id, and `token` that of the link, "" while there is none.

    `on_export`, for Markdown, gets what to call each role in the person's language.
    """

    library = script("conversation/thread_menu.jsx")
    tag = "ThreadMenu"
    thread: rx.Var[str]
    token: rx.Var[str]
    on_export: rx.EventHandler[_export]
    on_share: rx.EventHandler[rx.event.no_args_event_spec]
    on_unshare: rx.EventHandler[rx.event.no_args_event_spec]


tab_title = TabTitle.create
thread_menu = ThreadMenu.create
viewport = Viewport.create
