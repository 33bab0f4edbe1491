"""Row of a tool call: icon, name, status and time; when expanded, arguments and result."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.i18n import say, tell
from chat_app.thread.open_thread import OpenThread
from chat_app.thread.views import ToolCallView
from chat_app.tools.person_cards import approval_card, connect_link, question
from chat_app.tools.registered_view import with_registered_view
from chat_app.ui.controls import copy_button, icon, testid
from chat_app.ui.times import countdown, elapsed, lasted

_ToolVar = rx.Var[ToolCallView]


@rx.memo
def tool_row(tool: rx.Var[ToolCallView]) -> rx.Component:
    """Render the tool's registered view while the call runs and when it is done, otherwise a row."""
    return with_registered_view(tool, _row(tool))


def _row(tool: _ToolVar) -> rx.Component:
    """Render a row, collapsed unless the call failed or needs a person."""
    return rx.el.details(
        rx.el.summary(
            _icon(tool),
            rx.el.span(tool.title, class_name="name"),
            rx.el.span(
                rx.cond(tool.progress != "", tell(tool.progress, tool.progress_info), tool.brief),
                class_name="brief",
                dir="auto",
                custom_attrs=testid("tool-brief"),
            ),
            rx.el.span(_status(tool), class_name="tool-status", custom_attrs=testid("tool-status")),
            icon("chevron-right", 14, class_name="chevron"),
            _progress(tool),
        ),
        rx.el.div(
            rx.match(
                tool.state,
                ("approval", _approval(tool)),
                ("answer", question(tool, OpenThread.answer)),
                rx.fragment(),
            ),
            rx.cond(
                tool.error != "",
                rx.el.div(tell(tool.error, tool.error_info), class_name="tool-error", dir="auto"),
            ),
            rx.cond(
                tool.error_info["code"] == "tool_server_sign_in",
                connect_link(server=tool.error_info["params"].to(dict[str, str])["server"]),
            ),
            rx.cond(
                (tool.arguments != "") & (tool.state != "approval"),
                _field("arguments", say("tool.arguments"), say("tool.copy_arguments"), tool.arguments),
            ),
            rx.cond(
                tool.result != "",
                _field("result", say("tool.result"), say("tool.copy_result"), tool.result),
            ),
            class_name="tool-body",
        ),
        open=tool.opened,
        class_name="tool",
        custom_attrs=testid("tool", state=tool.state, tool_name=tool.name, tool_call_id=tool.id),
    )


def _icon(tool: _ToolVar) -> rx.Component:
    return rx.match(
        tool.icon,
        ("clock", icon("clock")),
        ("calculator", icon("calculator")),
        ("search", icon("search")),
        ("person", icon("message-circle-question")),
        ("mail", icon("send")),
        icon("wrench"),
    )


def _status(tool: _ToolVar) -> rx.Component:
    return rx.match(
        tool.state,
        ("preparing", rx.fragment(say("tool.preparing"), _spinner())),
        ("running", rx.fragment(_attempt(tool), _since(tool), _spinner())),
        ("retrying", rx.fragment(_next_attempt(tool), countdown(seconds=tool.wait), _spinner())),
        ("approval", rx.fragment(say("tool.needs_approval"))),
        ("answer", rx.fragment(say("tool.needs_answer"))),
        ("done", rx.fragment(_attempts(tool), _took(tool), icon("check", 14))),
        ("failed", rx.fragment(_attempts(tool), _took(tool), rx.el.span(say("tool.failed")))),
        ("stopped", rx.fragment(say("tool.stopped"))),
        ("denied", rx.fragment(say("tool.denied"))),
        ("open", rx.fragment(say("tool.running"))),  # this and the next one: to readers of a shared thread
        ("waiting", rx.fragment(say("tool.waits"))),
        rx.fragment(),
    )


def _spinner() -> rx.Component:
    return icon("loader-circle", 14, class_name="spin")


def _attempt(tool: _ToolVar) -> rx.Component:
    return rx.cond(tool.attempt > 1, rx.el.span(say("tool.attempt", attempt=tool.attempt)))


def _next_attempt(tool: _ToolVar) -> rx.Component:
    return rx.el.span(say("tool.next_attempt", attempt=tool.attempt))


def _attempts(tool: _ToolVar) -> rx.Component:
    return rx.cond(tool.attempt > 1, rx.el.span(say("tool.attempts", count=tool.attempt)))


def _took(tool: _ToolVar) -> rx.Component:
    return rx.cond(tool.took >= 0, lasted(seconds=tool.took))


def _since(tool: _ToolVar) -> rx.Component:
    return rx.cond(tool.since > 0, elapsed(since=tool.since), rx.el.span(say("tool.running")))


def _progress(tool: _ToolVar) -> rx.Component:
    return rx.cond(
        tool.percent >= 0,
        rx.el.progress(
            value=tool.percent, max=100, aria_label=say("tool.progress"), custom_attrs=testid("tool-progress")
        ),
    )


def _field(name: str, label: rx.Var[str], copy_label: rx.Var[str], text: rx.Var[str]) -> rx.Component:
    return rx.el.section(
        rx.el.header(rx.el.span(label), copy_button(text=text, label=copy_label)),
        rx.el.pre(text, tab_index=0, dir="auto", aria_label=label, role="region"),
        class_name="tool-field",
        custom_attrs=testid(f"tool-{name}"),
    )


def _approval(tool: _ToolVar) -> rx.Component:
    return approval_card(
        call_id=tool.id,
        arguments_text=tool.arguments,
        on_approve=OpenThread.approve,
        on_deny=OpenThread.deny,
    )
