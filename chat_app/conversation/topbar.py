"""The bar above the messages: the thread's title and how it stands."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.agent_choice.picker import picker
from chat_app.conversation.react import tab_title, thread_menu
from chat_app.i18n import say
from chat_app.messages.message_actions import Actions
from chat_app.thread.open_thread import OpenThread
from chat_app.timeline.react import run_toggle
from chat_app.ui.controls import testid, thread_name
from chat_app.ui.styles import NAME


def topbar() -> rx.Component:
    """Title, status, who answers, and what can be done with the whole."""
    return rx.fragment(
        tab_title(words=thread_name(OpenThread.title), name=NAME),
        rx.el.h1(
            thread_name(OpenThread.title),
            dir="auto",
            custom_attrs=testid("title") | {"aria-hidden": OpenThread.title == ""},  # a new chat has another
        ),
        rx.cond(OpenThread.is_running, _status()),
        rx.cond(_is_there(), _tools()),
    )


def _is_there() -> rx.Var[bool]:
    """Of a thread that cannot be shown nothing can be chosen."""
    return (OpenThread.phase == "ready") | (OpenThread.phase == "loading")


def _tools() -> rx.Component:
    return rx.fragment(
        picker(),
        rx.cond(OpenThread.open_id != "", run_toggle()),
        thread_menu(
            thread=OpenThread.open_id,
            token=OpenThread.share,
            on_export=Actions.export,
            on_share=Actions.share,
            on_unshare=Actions.unshare,
        ),
    )


def _status() -> rx.Component:
    tone = rx.cond(OpenThread.needs_person, "waiting", "running")
    return rx.el.span(
        rx.el.span(class_name="dot", custom_attrs={"data-tone": tone}),
        rx.el.span(
            rx.cond(OpenThread.needs_person, say("topbar.waits"), say("topbar.at_work")), class_name="words"
        ),
        class_name="status",
    )
