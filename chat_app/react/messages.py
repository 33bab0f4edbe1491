"""Python wrappers of what stands on and below a message."""

from typing import Any

import reflex as rx

from chat_app.scripts import script


def _two(first: rx.Var[str], second: rx.Var[str]) -> list[rx.Var]:
    return [first, second]


def _edited(call_id: rx.Var[str], edited: rx.Var[dict[str, Any] | None]) -> list[rx.Var]:
    return [call_id, edited]


def _export(names: rx.Var[dict[str, str]]) -> list[rx.Var]:
    return [names]


def _id(message_id: rx.Var[str]) -> list[rx.Var]:
    return [message_id]


class Ago(rx.Component):
    """When `at` (seconds since the epoch) was, in a word or two."""

    library = script("react/ago.jsx")
    tag = "Ago"
    at: rx.Var[float]


class Bubble(rx.Component):
    """A person's words, and the field to write them anew; `on_save` gets the message's id and the words."""

    library = script("react/bubble.jsx")
    tag = "Bubble"
    message_id: rx.Var[str]
    text: rx.Var[str]
    has_files: rx.Var[bool]
    on_save: rx.EventHandler[_two]


class MessageActions(rx.Component):
    """The row of what can be done with a message.

    `whole` is whether `text` is all of a person's words; `place`, `count`, `previous` and `next` are
    its versions; `vote` is up, down or "". Every handler gets the id of a message: this one, or of the
    version to turn to; `on_vote` gets what it shall be, too.
    """

    library = script("react/actions.jsx")
    tag = "MessageActions"
    message_id: rx.Var[str]
    role: rx.Var[str]
    text: rx.Var[str]
    parts: rx.Var[list[Any]]
    whole: rx.Var[bool]
    place: rx.Var[int]
    count: rx.Var[int]
    previous: rx.Var[str]
    next: rx.Var[str]
    on_regenerate: rx.EventHandler[_id]
    on_select: rx.EventHandler[_id]
    vote: rx.Var[str]
    on_fork: rx.EventHandler[_id]
    on_vote: rx.EventHandler[_two]


class ApprovalCard(rx.Component):
    """The question whether a tool may run, with its arguments as fields.

    `arguments_text` is their JSON. `on_approve` gets the call's id and the arguments as they were
    changed, None if they were not; `on_deny` the id and a reason, or "".
    """

    library = script("react/approval.jsx")
    tag = "ApprovalCard"
    call_id: rx.Var[str]
    arguments_text: rx.Var[str]
    on_approve: rx.EventHandler[_edited]
    on_deny: rx.EventHandler[_two]


class Files(rx.Component):
    """The files of a message, as `FileView`s."""

    library = script("react/files.jsx")
    tag = "Files"
    files: rx.Var[list[Any]]


class ThreadMenu(rx.Component):
    """Export and share; `thread` is its id, and `token` that of the link, "" while there is none.

    `on_export`, for Markdown, gets what to call each role in the person's language.
    """

    library = script("react/thread_menu.jsx")
    tag = "ThreadMenu"
    thread: rx.Var[str]
    token: rx.Var[str]
    on_export: rx.EventHandler[_export]
    on_share: rx.EventHandler[rx.event.no_args_event_spec]
    on_unshare: rx.EventHandler[rx.event.no_args_event_spec]


ago = Ago.create
approval_card = ApprovalCard.create
bubble = Bubble.create
file_list = Files.create
message_actions = MessageActions.create
thread_menu = ThreadMenu.create
