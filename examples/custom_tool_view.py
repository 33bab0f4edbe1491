"""Replace the view of one tool: show the calculator's calls as a line of arithmetic.

Serve it with `CHAT_EXTENSIONS=examples.custom_tool_view make run` and ask for 19 * 23.
"""

from typing import Any

import reflex as rx

from chat_app.extensions import register_tool_view


def sum_line(tool: Any) -> rx.Component:
    """Show `19 * 23 = 437`, with an ellipsis for the result while the call runs."""
    return rx.el.p(
        rx.el.code(tool.input["expression"]),
        " = ",
        rx.cond(tool.state == "done", rx.el.strong(tool.output["result"].to_string()), "…"),
    )


register_tool_view("calculator", sum_line)
