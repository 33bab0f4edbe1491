"""Cards for a tool call that needs a person: the approval and the question."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

from typing import Any

import reflex as rx

from chat_app.i18n import say
from chat_app.scripts import react_component
from chat_app.thread.views import ToolCallView
from chat_app.ui.controls import button, testid

approval_card = react_component(
    "tools/approval.jsx",
    "ApprovalCard",
    call_id=str,
    arguments_text=str,
    on_approve=(str, dict[str, Any] | None),
    on_deny=(str, str),
)
"""Approval card of a tool call, with the arguments as fields.

`arguments_text` has them as JSON. `on_approve` gets the call's id and the edited arguments, None if they are
unchanged; `on_deny` gets the id and a reason, which may be "".
"""

connect_link = react_component("tools/connect_link.jsx", "ConnectLink", server=str, short=bool)
"""Link with which a person signs in at the MCP server with a name; `short` beside that name."""


def question(tool: rx.Var[ToolCallView], on_answer: Any, thread_id: rx.Var[str] | str = "") -> rx.Component:
    """Render a question with its options and a text field.

    `on_answer` gets a dict with call_id, answer and thread_id.
    """
    return rx.el.form(
        rx.cond(tool.question != "", rx.el.p(tool.question, dir="auto")),
        rx.cond(
            tool.options.length() > 0,
            rx.el.div(
                rx.foreach(
                    tool.options,
                    lambda option: button(
                        option,
                        on_click=on_answer({"call_id": tool.id, "answer": option, "thread_id": thread_id}),
                        test_id="answer-option",
                    ),
                ),
                class_name="choices",
            ),
        ),
        rx.el.input(type="hidden", name="call_id", value=tool.id, read_only=True),
        rx.el.input(type="hidden", name="thread_id", value=thread_id, read_only=True),
        rx.el.textarea(
            name="answer",
            rows="1",
            dir="auto",
            aria_label=say("tool.your_answer"),
            placeholder=say("tool.your_answer"),
            required=True,
            custom_attrs=testid("answer"),
        ),
        rx.el.div(
            button(say("tool.answer"), kind="primary", type="submit", test_id="answer-send"),
            class_name="choices",
        ),
        on_submit=on_answer,
        class_name="ask",
        custom_attrs=testid("answer-card"),
    )
