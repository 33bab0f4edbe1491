"""Registered view of a tool's calls, wherever a call is shown."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportArgumentType=false

import reflex as rx

from chat_app.extensions import TOOL_VIEWS, ToolView
from chat_app.thread.views import ToolCallView
from chat_app.ui.controls import testid


def with_registered_view(tool: rx.Var[ToolCallView], row: rx.Component) -> rx.Component:
    """Render the registered view of a tool while the call runs and when it is done, otherwise `row`."""
    views = [(name, _own_view(view, tool, row)) for name, view in TOOL_VIEWS.items()]
    return rx.match(tool.name, *views, row) if views else row


def _own_view(view: ToolView, tool: rx.Var[ToolCallView], row: rx.Component) -> rx.Component:
    return rx.cond(
        (tool.state == "running") | (tool.state == "done"),
        rx.el.div(view(tool), class_name="tool-view", custom_attrs=testid("tool-view", tool_name=tool.name)),
        row,
    )
