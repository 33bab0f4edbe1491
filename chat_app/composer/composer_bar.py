"""The composer bar: the text field with Send and Stop, what stands around it, and the messages on their way."""

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
"""What the page of a new chat offers to send: icon -> key of the words."""

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
"""The text field with Send and Stop; the draft stays in the browser.

`thread` is the one that is shown; on a page whose address names one, the composer writes to that. `on_send` gets the
text, the id of the new message, the parts of its files and the thread, which a new one's first message names
(`begun_by`); it may get the same message again until `sent` is its id or `known` of the outbox has it. Set `rejected` to
the id to give text and files back when the message could not be sent, and `returned` (a `ReturnedView`) for one that was
sent and taken back. `max_bytes` is the size limit of a file, `max_files` how many there may be.
"""

outbox = react_component("composer/outbox.jsx", "Outbox", thread=str, known=list[str])
"""Messages on their way to the server; `known` lists the ids that have arrived."""


def dock(thread: rx.Var[str] | str = OpenThread.open_id) -> rx.Component:
    """The composer at the foot of `thread`, whose draft it keeps."""
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
        class_name="dock",
    )


def _fineprint() -> rx.Component:
    """That a server that was named gave no models, that the demo model answers, and how to connect a real one."""
    return rx.el.p(
        rx.cond(
            ThreadList.unanswered != "",
            rx.fragment(say("composer.unanswered", url=ThreadList.unanswered), " "),
        ),
        rx.cond(ThreadList.demo, rx.fragment(say("composer.demo"))),
        class_name="fineprint",
        custom_attrs=testid("model-note"),
    )


def greeting() -> rx.Component:
    """The page of a new chat: a greeting, the composer, four suggestions."""
    suggestions = (_suggestion(name, say(key)) for name, key in SUGGESTIONS.items())
    return rx.el.div(
        rx.el.div(
            rx.el.h1(say("composer.greeting")),
            dock(thread=""),  # from the first moment: what is typed must not go to the thread that was left
            rx.el.div(*suggestions, class_name="suggestions"),
        ),
        class_name="empty",
    )


def _suggestion(icon_name: str, words: rx.Var[str]) -> rx.Component:
    """A message to send with one click."""
    return rx.el.button(
        icon(icon_name),
        rx.el.span(words),
        type="button",
        class_name="suggestion",
        custom_attrs=testid("suggestion", suggestion=words),
    )
