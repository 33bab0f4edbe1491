"""Page of all approvals and questions that wait for the user, and the link to it with their number."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

from typing import Any

import reflex as rx
from reflex_components_core.react_router import link

from chat_app.extensions import Content, register_page
from chat_app.i18n import say
from chat_app.inbox.inbox import Inbox
from chat_app.inbox.inbox_feed import WaitingView
from chat_app.tools.person_cards import approval_card, question
from chat_app.ui.controls import error_note, icon, keyed, testid, thread_name, titled
from chat_app.ui.times import ago


def inbox_link(**props: Any) -> rx.Component:
    """Render the link to the inbox, with the number of waiting calls."""
    return link(
        icon("inbox"),
        rx.cond(
            Inbox.count > 0,
            rx.el.span(Inbox.count, class_name="badge", custom_attrs=testid("inbox-count")),
        ),
        to="/inbox",
        class_name="icon-button inbox-link",
        title=say("inbox.title"),
        custom_attrs=testid("inbox-link") | {"aria-label": say("inbox.link", count=Inbox.count)},
        **props,
    )


@register_page("/inbox", titled("inbox.title"))
def inbox() -> Content:
    """Render `/inbox`: the approvals and questions of all threads, with controls to answer them."""
    return Content(_inbox_list(), bar=rx.el.h1(say("inbox.title"), custom_attrs=testid("title")))


def _inbox_list() -> rx.Component:
    """Render the waiting calls, or a note that there are none."""
    return rx.el.div(
        rx.el.div(
            error_note(Inbox.notice, Inbox.notice_info, class_name="callout"),
            rx.cond(
                Inbox.loaded & (Inbox.count == 0),
                rx.el.p(say("inbox.empty"), class_name="nothing", custom_attrs=testid("inbox-empty")),
            ),
            rx.foreach(
                Inbox.items, lambda item: keyed(item.thread_id + item.tool.id, _inbox_item(item=item))
            ),
            class_name="column",
        ),
        class_name="viewport-scroll inbox",
        custom_attrs=testid("inbox"),
    )


@rx.memo
def _inbox_item(item: rx.Var[WaitingView]) -> rx.Component:
    """Render a waiting call: the link to its thread, and the card that answers it."""
    return rx.el.article(
        rx.el.header(
            link(
                thread_name(item.title),
                to="/chat/" + item.thread_id.to(str),
                custom_attrs=testid("inbox-thread"),
            ),
            ago(at=item.at),
        ),
        rx.el.h2(item.tool.title),
        rx.match(
            item.tool.state,
            (
                "approval",
                approval_card(
                    call_id=item.tool.id,
                    arguments_text=item.tool.arguments,
                    on_approve=lambda call_id, edited: Inbox.approve(item.thread_id, call_id, edited),
                    on_deny=lambda call_id, reason: Inbox.deny(item.thread_id, call_id, reason),
                ),
            ),
            question(item.tool, Inbox.answer, item.thread_id),
        ),
        class_name="inbox-item",
        custom_attrs=testid("inbox-item", tool_call_id=item.tool.id, state=item.tool.state),
    )
