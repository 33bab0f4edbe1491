"""A view of one's own for one tool: the calculator's calls as a line of arithmetic.

Serve it with `CHAT_EXTENSIONS=examples.custom_tool_view make run` and ask for 19 * 23.
"""

from typing import Any

import reflex as rx

from chat_app.extensions import register_tool_view


def sum_line(tool: Any) -> rx.Component:
    """`19 * 23 = 437`; while it is computed, the result is an ellipsis."""
    return rx.el.p(
        rx.el.code(tool.input["expression"]),
        " = ",
        rx.cond(tool.state == "done", rx.el.strong(tool.output["result"].to_string()), "…"),
    )


register_tool_view("calculator", sum_line)
