"""Pages of a new chat and of a thread: the top bar and the column of messages."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.agent_choice.choices import Choices
from chat_app.agent_choice.new_chat_defaults import NewChatDefaults
from chat_app.agent_choice.picker import picker
from chat_app.composer.composer_bar import composer_bar, greeting, outbox
from chat_app.conversation.turn_footer import notice, turn_state
from chat_app.extensions import Content, register_page
from chat_app.i18n import say, tell
from chat_app.inbox.inbox import Inbox
from chat_app.messages.message import message_row, queued_message
from chat_app.scripts import react_component
from chat_app.thread.open_thread import OpenThread, OpenThreadText
from chat_app.thread.views import MessageView
from chat_app.thread_list.list_view import MENU_EVENTS, menu_events
from chat_app.thread_list.thread_list import ThreadList
from chat_app.timeline.timeline import Timeline, run_drawer, run_toggle
from chat_app.ui.controls import button, keyed, thread_name
from chat_app.ui.page_column import thread_note
from chat_app.ui.styles import NAME

_ON_LOAD = [
    OpenThreadText.open,
    ThreadList.open,
    Choices.open,
    NewChatDefaults.open,
    Inbox.open,
    Timeline.open,
]
"""Events of reload, navigation and reconnection, the thread's first: show known state, follow by cursor."""

_viewport = react_component(
    "conversation/viewport.jsx",
    "Viewport",
    thread=str,
    anchor=str,
    sent=str,
    running=bool,
    on_seek=(str,),
)
"""Render the scrolling column of messages, which follows new text while it is scrolled to the end.

`on_seek` takes the id of the message in the address if that message is not among the rows.
"""

_tab_title = react_component("conversation/tab_title.jsx", "TabTitle", words=str, name=str)
"""Set the browser tab's title to `words` followed by the app's `name`, or to `name` if `words` is empty."""

_title = react_component(
    "conversation/title.jsx", "ThreadTitle", thread=str, title=str, words=str, on_rename=(str, str)
)
"""Render the title of the open thread, or the field in which it is renamed; `words` are shown while it has none."""

_thread_menu = react_component(
    "conversation/thread_menu.jsx",
    "ThreadMenu",
    thread=str,
    title=str,
    pinned=bool,
    archived=bool,
    token=str,
    **MENU_EVENTS,
)
"""Render the menu of the open thread, the same as in its row.

`token` is that of its link ("" if there is none); the events are those of the thread list.
"""


@register_page("/", NAME, on_load=_ON_LOAD)
def new_chat() -> Content:
    """Render `/`: an empty page, whose first message creates a thread."""
    return Content(greeting(), notice(), bar=_topbar())


@register_page("/chat/[thread_id]", NAME, on_load=_ON_LOAD)
def thread() -> Content:
    """Render `/chat/[thread_id]`: a thread, or a note if there is none."""
    return Content(
        rx.match(
            OpenThread.phase,
            ("missing", thread_note(say("page.no_chat"), say("page.no_chat_why"))),
            ("deleted", thread_note(say("page.deleted"), say("page.deleted_why"))),
            ("error", thread_note(say("page.error"), tell(OpenThread.notice, OpenThread.notice_info))),
            rx.fragment(_messages(), composer_bar()),
        ),
        bar=_topbar(),
        drawer=run_drawer(),
    )


def _topbar() -> rx.Component:
    """Render the top bar: title, status, choice of agent and model, and the thread's menu."""
    shown = (OpenThread.phase == "ready") | (OpenThread.phase == "loading")
    return rx.fragment(
        _tab_title(words=thread_name(OpenThread.title), name=NAME),
        _title(
            thread=OpenThread.open_id,
            title=OpenThread.title,
            words=thread_name(OpenThread.title),
            on_rename=ThreadList.rename,
        ),
        rx.cond(OpenThread.is_running, _status()),
        rx.cond(shown, _tools()),
    )


def _tools() -> rx.Component:
    return rx.fragment(
        picker(),
        rx.cond(
            OpenThread.open_id != "",
            rx.fragment(
                run_toggle(),
                _thread_menu(
                    thread=OpenThread.open_id,
                    title=OpenThread.title,
                    pinned=OpenThread.pinned,
                    archived=OpenThread.archived,
                    token=OpenThread.share,
                    **menu_events(ThreadList),
                ),
            ),
        ),
    )


def _status() -> rx.Component:
    at_work = rx.cond(OpenThread.is_paused, say("turn.paused"), say("topbar.at_work"))
    tone = rx.cond(OpenThread.needs_person, "waiting", rx.cond(OpenThread.is_paused, "paused", "running"))
    words = rx.cond(OpenThread.needs_person, say("topbar.waits"), at_work)
    return rx.el.span(
        rx.el.span(class_name="dot", custom_attrs={"data-tone": tone}),
        rx.el.span(words, class_name="words"),
        class_name="status",
    )


def _messages() -> rx.Component:
    """Render history, the current turn and its status, queued messages, and the outbox."""
    return _viewport(
        rx.cond(
            OpenThread.earlier,
            _more_button(say("message.earlier"), on_click=OpenThread.show_earlier, name="earlier"),
        ),
        rx.foreach(OpenThread.history + OpenThread.turn, _row),
        turn_state(),
        rx.foreach(OpenThread.queued, lambda message: keyed(message.id, queued_message(message=message))),
        outbox(thread=OpenThread.open_id, stored=OpenThread.stored_prompts),
        thread=OpenThread.open_id,
        anchor=OpenThread.anchor,
        sent=OpenThread.sent,
        running=OpenThread.is_running,
        on_seek=OpenThread.seek,
    )


def _row(message: rx.Var[MessageView], place: rx.Var[int]) -> rx.Component:
    """Render a row of history and turn in one list, so that a message that enters history keeps its place."""
    start = OpenThread.history.length()
    return keyed(
        message.id,
        rx.fragment(rx.cond(place == start, _left_out()), message_row(message=message, now=place >= start)),
    )


def _left_out() -> rx.Component:
    """Render the button that shows the messages between those around a link's target and the current turn."""
    return rx.cond(
        OpenThread.left_out > 0,
        _more_button(
            say("message.left_out", count=OpenThread.left_out),
            on_click=OpenThread.show_left_out,
            name="left-out",
        ),
    )


def _more_button(words: rx.Var[str], on_click: rx.event.EventCallback, name: str) -> rx.Component:
    return rx.el.div(button(words, on_click=on_click, test_id=name), class_name="earlier")
