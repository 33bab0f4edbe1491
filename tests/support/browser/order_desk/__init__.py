"""An extension as its author would write it from docs/how-to/extending.md and translate.md alone.

It has an order desk with an agent and a list of its own, a chart of a tool's results, an agent with the tools of an MCP
server, a theme, and a French file, which is not complete.
"""

import sys
from pathlib import Path
from typing import Any

import reflex as rx

from agent_core import Agent, CallContext, action_tool, mcp_tools
from chat_app.extensions import (
    Content,
    register_agent,
    register_mcp,
    register_page,
    register_tool_view,
)
from chat_app.hooks import agent_api, get_message_key, message_text, use_agent_chat, use_thread_list
from chat_app.i18n import register_language
from chat_app.ui import column, section, styles

HERE = Path(__file__).parent
MODEL = "openai/scripted"

# A tool, and its view.


@action_tool
async def orders_by_month(year: int) -> dict[str, Any]:
    """Return the number of orders of each month."""
    return {"months": [{"name": "January", "orders": 12}, {"name": "February", "orders": 30}]}


@action_tool(needs_approval=True)
async def cancel_order(number: int) -> str:
    """Cancel an order."""
    return f"Order {number} is cancelled."


def chart(tool: Any) -> rx.Component:
    """Show a bar for each month; nothing while the call runs, as there is no output yet."""
    months = tool.output["months"].to(list[dict[str, Any]])
    return rx.el.figure(
        rx.el.figcaption("Orders in ", tool.input["year"].to_string()),
        rx.cond(
            tool.state == "done",
            rx.foreach(
                months,
                lambda month: rx.el.p(
                    month["name"], " ", rx.el.meter(value=month["orders"].to(int), min=0, max=40)
                ),
            ),
            rx.el.p("Counting …"),
        ),
        custom_attrs={"data-testid": "chart"},
    )


register_tool_view("orders_by_month", chart)

# The order desk: an agent of its own, a page of one thread, and the list of its threads.

clerk = agent_api(
    Agent("clerk", MODEL, system="You are the order desk.", tools=[orders_by_month, cancel_order])
)
Desk = use_agent_chat(clerk, route="/orders/[thread_id]", title="Orders")
Orders = use_thread_list(clerk)


@register_page("/orders", title="Order desk", on_load=[Desk.load, Orders.load], nav=True)
@register_page("/orders/[thread_id]", title="Order desk", on_load=[Desk.load, Orders.load])
def order_desk() -> Content:
    """Show the messages, an input line and the list."""
    said = rx.foreach(
        Desk.messages,
        lambda message: rx.el.article(message_text(Desk, message), key=get_message_key(message)),
    )
    line = rx.el.input(name="question", placeholder="Which order?", auto_complete="off")
    ask = rx.el.form(line, on_submit=Desk.send_message, reset_on_submit=True, class_name="field")
    return Content(column(said, ask, section("Orders", _orders())), bar=rx.el.h1("Order desk"))


def _orders() -> rx.Component:
    return rx.el.ul(
        rx.foreach(
            Orders.threads,
            lambda thread: rx.el.li(
                rx.el.a(thread.title, href="/orders/" + thread.id),
                rx.el.button("Delete", on_click=Orders.delete(thread.id), class_name="button"),
                key=thread.id,
            ),
        ),
        custom_attrs={"data-testid": "orders"},
    )


# An agent with the tools of an MCP server, which this process starts.

shop = register_mcp(
    mcp_tools([sys.executable, str(HERE / "shop.py")], name="shop", prefix="shop", required=False),
    assistant=False,
)


def buyer(ctx: CallContext, thread_id: str) -> Agent:
    """Build the agent before each step, with the tools that the shop has now."""
    return Agent("buyer", MODEL, system="You buy.", tools=[*shop.tools])


register_agent(Agent.factory(buyer, name="buyer"), title="Buyer")

# A theme, and a language.

styles.LIGHT["accent"] = "#0a7d5c"
styles.DARK["accent"] = "#5fd3ac"
register_language(HERE / "fr.json")
