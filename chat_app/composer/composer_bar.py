"""The composer and what stands around it."""

import reflex as rx

from chat_app.composer.react import composer
from chat_app.files.file_types import MAX_BYTES, MAX_FILES
from chat_app.i18n import say
from chat_app.i18n.suggestions import SUGGESTIONS
from chat_app.thread.open_thread import OpenThread
from chat_app.thread_list.thread_list import ThreadList
from chat_app.ui.controls import icon, testid


def dock(thread: rx.Var[str] | str = OpenThread.open_id) -> rx.Component:
    """The composer at the foot of `thread`, whose draft it keeps."""
    return rx.el.div(
        composer(
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
        rx.cond(
            ThreadList.demo,
            rx.fragment(say("composer.demo")),
        ),
        class_name="fineprint",
        custom_attrs=testid("model-note"),
    )


def greeting() -> rx.Component:
    """The page of a new chat: a greeting, the composer, four suggestions."""
    return rx.el.div(
        rx.el.div(
            rx.el.h1(say("composer.greeting")),
            dock(thread=""),  # from the first moment: what is typed must not go to the thread that was left
            rx.el.div(
                *(suggestion(name, say(key)) for name, key in SUGGESTIONS.items()), class_name="suggestions"
            ),
        ),
        class_name="empty",
    )


def suggestion(icon_name: str, words: rx.Var[str]) -> rx.Component:
    """A message to send with one click."""
    return rx.el.button(
        icon(icon_name),
        rx.el.span(words),
        type="button",
        class_name="suggestion",
        custom_attrs=testid("suggestion", suggestion=words),
    )
