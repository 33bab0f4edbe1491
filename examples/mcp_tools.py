"""Give an agent the tools of an MCP server, which the program starts itself. Needs no key.

It prints `{'price': 12.5} The blue one costs 12.50.`
"""

import asyncio
import sys

from agent_core import Agent, Runtime, define_agent_api, mcp_tools
from agent_core.testing import ScriptedModel, ToolUse

# A real server would be a separate file, or a package that npx or uvx runs.
SHOP = """
from mcp.server import MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("shop")

@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def price_of(colour: str) -> dict[str, float]:
    "Look up the price of a colour."
    return {"price": 12.5}

server.run("stdio")
"""

# Stands in for a model; use a litellm model name instead, such as "openai/gpt-5-mini".
MODEL = ScriptedModel([[ToolUse("price_of", {"colour": "blue"})], ["The blue one costs 12.50."]])


async def main() -> None:
    """Ask the agent a question that needs the server's tool."""
    async with mcp_tools([sys.executable, "-c", SHOP]) as shop, Runtime("sqlite://") as runtime:
        api = define_agent_api(runtime, Agent("assistant", MODEL, tools=[*shop.tools]))
        thread = await api.create_thread("What does the blue one cost?")
        await api.wait_until_idle(thread.id, timeout=30)
        _, answer = await api.list_messages(thread.id)
        call = next(part for part in answer.parts if part["type"] == "tool-price_of")
        print(call["output"], answer.text)


if __name__ == "__main__":
    asyncio.run(main())
