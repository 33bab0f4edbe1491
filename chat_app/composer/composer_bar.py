"""Composer bar: the text field with Send and Stop, its notes and suggestions, and the outbox."""

from typing import Any

import reflex as rx

from chat_app.files.file_types import MAX_BYTES, MAX_FILES
from chat_app.i18n import say
from chat_app.scripts import react_component
from chat_app.thread.open_thread import OpenThread
from chat_app.thread_list.thread_list import ThreadList
from chat_app.ui.controls import icon, testid

SUGGESTIONS = {
    "clock": "composer.suggest_clock",
    "book-open": "composer.suggest_docs",
    "hourglass": "composer.suggest_slow",
    "message-circle-question": "composer.suggest_ask",
}
"""Suggested messages on the page of a new chat: keys of their texts, by icon."""

_composer = react_component(
    "composer/composer.jsx",
    "Composer",
    thread=str,
    running=bool,
    rejected=str,
    returned=Any,
    sent=str,
    placeholder=str,
    max_bytes=int,
    max_files=int,
    on_send=(str, str, list[dict[str, str]], str),
    on_stop=(),
)
"""Render the text field with Send and Stop; the draft stays in the browser.

`thread` is the id of the shown thread; if the page's address names a thread, the composer sends to that one.
`on_send` takes the text, the id of the new message, the parts of its files and the thread; the first message
of a new thread determines the thread's id (`created_thread_id`). `on_send` may receive the same message again until
`sent` is its id or the outbox's `stored` contains it. To restore text and files, set `rejected` to the id of a
message that could not be sent, or `returned` (a `ReturnedView`) for a message that was withdrawn. `max_bytes`
limits the size of a file, `max_files` the number of files.
"""

outbox = react_component("composer/outbox.jsx", "Outbox", thread=str, stored=list[str])
"""Render the messages on their way to the server; `stored` lists the ids of messages that have arrived."""


def composer_bar(thread: rx.Var[str] | str = OpenThread.open_id) -> rx.Component:
    """Render the composer below `thread`, with the draft of that thread."""
    return rx.el.div(
        _composer(
            thread=thread,
            running=OpenThread.is_running,
            rejected=OpenThread.rejected,
            returned=OpenThread.returned,
            sent=OpenThread.sent,
            placeholder=say("composer.placeholder"),
            max_bytes=MAX_BYTES,
            max_files=MAX_FILES,
            on_send=OpenThread.send_to,
            on_stop=OpenThread.stop,
        ),
        _fineprint(),
        class_name="composer-bar",
    )


def _fineprint() -> rx.Component:
    """Render notes on a configured server without models, and on the demo model and how to replace it."""
    return rx.el.p(
        rx.cond(
            ThreadList.unavailable_url != "",
            rx.fragment(say("composer.no_models", url=ThreadList.unavailable_url), " "),
        ),
        rx.cond(ThreadList.demo, rx.fragment(say("composer.demo"))),
        class_name="fineprint",
        custom_attrs=testid("model-note"),
    )


def greeting() -> rx.Component:
    """Render the page of a new chat: greeting, composer and suggested messages."""
    suggestions = (_suggestion(name, say(key)) for name, key in SUGGESTIONS.items())
    return rx.el.div(
        rx.el.div(
            rx.el.h1(say("composer.greeting")),
            composer_bar(thread=""),  # not the state's id: typed text must not go to the previous thread
            rx.el.div(*suggestions, class_name="suggestions"),
        ),
        class_name="empty",
    )


def _suggestion(icon_name: str, words: rx.Var[str]) -> rx.Component:
    """Render a suggested message, which a click sends."""
    return rx.el.button(
        icon(icon_name),
        rx.el.span(words),
        type="button",
        class_name="suggestion",
        custom_attrs=testid("suggestion", suggestion=words),
    )
