"""Components that render a message of a `Chat`: its text while it grows, and its tool calls."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import reflex as rx

from chat_app.hooks.chat import Chat
from chat_app.i18n import say
from chat_app.text.react import stream_markdown
from chat_app.thread.views import MessageView, PartView, ToolCallView
from chat_app.tools.person_cards import question
from chat_app.tools.registered_view import with_registered_view
from chat_app.ui.controls import button, icon, keyed, testid

_DrawTool = Callable[[Any], rx.Component]


def message_text(
    chat: type[Chat], message: rx.Var[MessageView], *, tool: _DrawTool | None = None
) -> rx.Component:
    """Render one of `chat.messages`: a user's text, or an answer as markdown, word by word.

    Args:
        chat: the state class, from `use_agent_chat`.
        message: a row, from `rx.foreach(chat.messages, …)`.
        tool: renders a tool call from the Var of its `ToolCallView`; the default is the view that was registered for
            the tool, or a line, with buttons if the call waits for a user.
    """

    def part(part: rx.Var[PartView]) -> rx.Component:
        return rx.match(
            part.kind,
            ("text", _growing(chat, part)),
            ("tool", tool(part.tool) if tool else _tool_call(chat, part.tool)),
            rx.fragment(),
        )

    return rx.cond(
        message.role == "assistant",
        rx.fragment(rx.foreach(message.parts, lambda each: keyed(each.key, part(each)))),
        rx.el.span(message.text, dir="auto"),
    )


def _growing(chat: type[Chat], part: rx.Var[PartView]) -> rx.Component:
    return stream_markdown(
        name=part.key,
        run=part.run,
        text=part.text,
        live=part.live,
        source=chat.live.get_full_name(),
        on_gap=chat.live.resend,
    )


def _tool_call(chat: type[Chat], tool: rx.Var[ToolCallView]) -> rx.Component:
    return with_registered_view(tool, _tool_line(chat, tool))


def _tool_line(chat: type[Chat], tool: rx.Var[ToolCallView]) -> rx.Component:
    """Render a tool call as one line: its title, its status, and buttons if it waits for a user."""
    return rx.el.div(
        icon("wrench", 14),
        rx.el.span(tool.title),
        rx.el.span(tool.brief, class_name="brief"),
        rx.match(
            tool.state,
            (
                "approval",
                rx.fragment(
                    button(say("tool.approve"), kind="primary", on_click=lambda: chat.approve(tool.id)),
                    button(say("tool.reject"), on_click=lambda: chat.deny(tool.id)),
                ),
            ),
            ("answer", question(tool, chat.answer)),
            ("failed", rx.el.span(tool.error, class_name="tool-error")),
            rx.fragment(),
        ),
        class_name="tool-line",
        custom_attrs=testid("tool-line", state=tool.state, tool_name=tool.name),
    )
