"""One tool call: a row with icon, name, status and time; opened, what went in and what came out."""

import reflex as rx

from chat_app.components.controls import button, icon, testid
from chat_app.react import copy_button, elapsed
from chat_app.state import OpenThread
from chat_app.state.view import ToolView

ToolVar = rx.Var[ToolView]


@rx.memo
def tool_row(tool: rx.Var[ToolView]) -> rx.Component:
    """Closed by default; open when it failed or when it needs a person."""
    return rx.el.details(
        rx.el.summary(
            _icon(tool),
            rx.el.span(tool.title, class_name="name"),
            rx.el.span(
                rx.cond(tool.progress != "", tool.progress, tool.brief),
                class_name="brief",
                dir="auto",
                custom_attrs=testid("tool-brief"),
            ),
            rx.el.span(_status(tool), class_name="tool-status", custom_attrs=testid("tool-status")),
            icon("chevron-right", 14, class_name="chevron"),
            _progress(tool),
        ),
        rx.el.div(
            rx.match(tool.state, ("approval", _approval(tool)), ("answer", _question(tool)), rx.fragment()),
            rx.cond(tool.error != "", rx.el.div(tool.error, class_name="tool-error", dir="auto")),
            rx.cond(tool.arguments != "", _field("Arguments", tool.arguments)),
            rx.cond(tool.result != "", _field("Result", tool.result)),
            class_name="tool-body",
        ),
        open=tool.opened,
        class_name="tool",
        custom_attrs=testid("tool", state=tool.state, tool_name=tool.name, tool_call_id=tool.id),
    )


def _icon(tool: ToolVar) -> rx.Component:
    return rx.match(
        tool.icon,
        ("clock", icon("clock")),
        ("calculator", icon("calculator")),
        ("search", icon("search")),
        ("person", icon("message-circle-question")),
        ("mail", icon("send")),
        icon("wrench"),
    )


def _status(tool: ToolVar) -> rx.Component:
    return rx.match(
        tool.state,
        ("preparing", rx.fragment("Preparing", _spinner())),
        ("running", rx.fragment(_attempt(tool), _since(tool), _spinner())),
        ("approval", rx.fragment("Needs your approval")),
        ("answer", rx.fragment("Waits for your answer")),
        ("done", rx.fragment(tool.took, icon("check", 14))),
        ("failed", rx.fragment(tool.took, "Failed")),
        ("stopped", rx.fragment("Stopped")),
        ("denied", rx.fragment("Rejected")),
        rx.fragment(),
    )


def _spinner() -> rx.Component:
    return icon("loader-circle", 14, class_name="spin")


def _attempt(tool: ToolVar) -> rx.Component:
    return rx.cond(tool.attempt > 1, rx.el.span("Attempt ", tool.attempt.to_string()))


def _since(tool: ToolVar) -> rx.Component:
    return rx.cond(tool.since > 0, elapsed(since=tool.since), rx.el.span("Running"))


def _progress(tool: ToolVar) -> rx.Component:
    return rx.cond(
        tool.percent >= 0,
        rx.el.progress(
            value=tool.percent, max=100, aria_label="Progress", custom_attrs=testid("tool-progress")
        ),
    )


def _field(label: str, text: rx.Var[str]) -> rx.Component:
    return rx.el.section(
        rx.el.header(rx.el.span(label), copy_button(text=text, label=f"Copy {label.lower()}")),
        rx.el.pre(text, tab_index=0, dir="auto", aria_label=label, role="region"),
        class_name="tool-field",
        custom_attrs=testid(f"tool-{label.lower()}"),
    )


def _approval(tool: ToolVar) -> rx.Component:
    return rx.el.div(
        rx.el.p("The agent wants to do this, with exactly these arguments. May it?"),
        rx.el.div(
            button(
                "Approve",
                kind="primary",
                icon_name="check",
                on_click=OpenThread.approve(tool.id),
                custom_attrs=testid("approve"),
            ),
            button("Reject", icon_name="x", on_click=OpenThread.deny(tool.id), custom_attrs=testid("reject")),
            class_name="choices",
        ),
        class_name="ask",
        custom_attrs=testid("approval-card"),
    )


def _question(tool: ToolVar) -> rx.Component:
    return rx.el.form(
        rx.cond(tool.question != "", rx.el.p(tool.question, dir="auto")),
        rx.cond(
            tool.options.length() > 0,
            rx.el.div(
                rx.foreach(
                    tool.options,
                    lambda option: button(
                        option,
                        on_click=OpenThread.answer({"call_id": tool.id, "answer": option}),
                        custom_attrs=testid("answer-option"),
                    ),
                ),
                class_name="choices",
            ),
        ),
        rx.el.input(type="hidden", name="call_id", value=tool.id, read_only=True),
        rx.el.textarea(
            name="answer",
            rows="1",
            dir="auto",
            aria_label="Your answer",
            placeholder="Your answer",
            required=True,
            custom_attrs=testid("answer"),
        ),
        rx.el.div(
            button("Answer", kind="primary", type="submit", custom_attrs=testid("answer-send")),
            class_name="choices",
        ),
        on_submit=OpenThread.answer,
        class_name="ask",
        custom_attrs=testid("answer-card"),
    )
