"""An agent in ten lines. Set OPENAI_API_KEY, or name another model of litellm's."""

import asyncio
import sys

from agent_core import Agent, Runtime, action_tool, define_agent_api


@action_tool
async def get_weather(location: str) -> str:
    """Get today's weather."""
    return f"21 °C in {location}"


async def main() -> None:
    """Ask one question; a kill -9 in the middle of it costs nothing but the wait."""
    async with Runtime() as runtime:
        api = define_agent_api(runtime, Agent("assistant", "openai/gpt-5-mini", tools=[get_weather]))
        thread = await api.create_thread("What is the weather in Rome?")
        await api.wait_until_idle(thread.id)
        sys.stdout.write((await api.list_messages(thread.id))[-1].text + "\n")


if __name__ == "__main__":
    asyncio.run(main())
