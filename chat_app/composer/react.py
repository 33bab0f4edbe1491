"""Python wrappers of the text field and of the messages on their way."""

from typing import Any

import reflex as rx

from chat_app.scripts import script


def _sent(
    text: rx.Var[str], message_id: rx.Var[str], files: rx.Var[list[dict[str, str]]], thread: rx.Var[str]
) -> list[rx.Var]:
    return [text, message_id, files, thread]


class Composer(rx.Component):
    """The text field with Send and Stop; the draft stays in the browser.

    `thread` is the one that is shown; on a page whose address names one, it writes to that. `on_send`
    gets the text, the id of the new message, the parts of its files and the thread, which a new one's
    first message names (`begun_by`); it may get the same message again until `sent` is its id or `known` of the outbox has it. Set
    `rejected` to the id to give text and files back when the message could not be sent, and `returned`
    (a `ReturnedView`) for one that was sent and taken back. `max_bytes` is how large a file may be,
    `max_files` how many there may be.
    """

    library = script("composer/composer.jsx")
    tag = "Composer"
    thread: rx.Var[str]
    running: rx.Var[bool]
    rejected: rx.Var[str]
    returned: rx.Var[Any]
    sent: rx.Var[str]
    placeholder: rx.Var[str]
    max_bytes: rx.Var[int]
    max_files: rx.Var[int]
    on_send: rx.EventHandler[_sent]
    on_stop: rx.EventHandler[rx.event.no_args_event_spec]


class Outbox(rx.Component):
    """Messages on their way to the server; `known` lists the ids that have arrived."""

    library = script("composer/outbox.jsx")
    tag = "Outbox"
    thread: rx.Var[str]
    known: rx.Var[list[str]]


composer = Composer.create
outbox = Outbox.create
