"""Run a schedule that creates threads, and an agent that reminds itself. Needs no key; takes a few seconds.

With a database (`sqlite:///news.db`), runs that came due while the program was stopped are made up for.

It prints `The news ran 2 times.
user: Remind me of my tea in a second.
assistant: I will remind you.
user: Reminder: Drink your tea.
assistant: You asked for it: Reminder: Drink your tea.`
"""

import asyncio
import sys
from typing import Any

from agent_core import Agent, Runtime, define_agent_api, every, remind_me
from agent_core.testing import ScriptedModel, ToolUse, eventually


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    """Stand in for a model, so that the example runs anywhere; use a litellm model name instead."""
    last = messages[-1]
    if last["role"] == "tool":
        return ["I will remind you."]
    if "Remind me" in last["content"]:
        return [ToolUse("remind_me", {"what": "Drink your tea.", "in_minutes": 0.02})]
    return [f"You asked for it: {last['content']}"]


async def main(url: str) -> None:
    """Run the schedule and the agent until both have answered."""
    async with Runtime(url) as runtime:
        agent = Agent("assistant", ScriptedModel(answer), tools=[remind_me(runtime)])
        api = define_agent_api(runtime, agent)
        news = await api.schedules.create(None, "What is new?", every(seconds=1), title="News", max_runs=2)
        tea = await api.create_thread("Remind me of my tea in a second.")

        async def over() -> bool:
            return all(schedule.status == "over" for schedule in await api.schedules.list())

        await eventually(over, timeout=30)
        await api.wait_until_idle(tea.id)
        done = await api.schedules.get(news.id)
        assert done is not None
        sys.stdout.write(f"The news ran {done.runs} times.\n")
        for message in await api.list_messages(tea.id):
            sys.stdout.write(f"{message.role}: {message.text}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite://"))
