"""Ask on the terminal for approval of an e-mail before it is sent. Needs no key.

Name a database (`sqlite:///email.db`), kill the program while it asks, and start it again: it asks again.
"""

import asyncio
import sys
from typing import Any

from agent_core import Agent, AgentApi, Runtime, action_tool, define_agent_api
from agent_core.testing import ScriptedModel, ToolUse


@action_tool(needs_approval=True)
async def send_email(to: str, text: str) -> str:
    """Send an e-mail."""
    return f"sent to {to}"


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    """Stand in for a model; use a litellm model name instead."""
    last = messages[-1]
    if last["role"] == "tool":
        return [f"The e-mail: {last['content']}"]
    return [ToolUse("send_email", {"to": "ann@example.com", "text": "I am late."})]


async def ask(api: AgentApi, thread_id: str) -> None:
    """Ask the person about each pending call."""
    for message in await api.list_messages(thread_id):
        for part in message.parts:
            if part.get("state") != "approval-requested":
                continue
            to, text = part["input"]["to"], part["input"]["text"]
            said = await asyncio.to_thread(input, f"Send {text!r} to {to}? [y/n, or another text] ")
            if said.lower() in ("n", "no", ""):
                await api.deny_tool_calls(thread_id, [part["toolCallId"]], "Not now.")
            elif said.lower() in ("y", "yes"):
                await api.approve_tool_calls(thread_id, [part["toolCallId"]])
            else:
                edited = {part["toolCallId"]: {"to": to, "text": said}}
                await api.approve_tool_calls(thread_id, [part["toolCallId"]], args=edited)


async def main(url: str) -> None:
    """Follow one thread to its end, and ask for each approval on the way."""
    async with Runtime(url) as runtime:
        api = define_agent_api(runtime, Agent("assistant", ScriptedModel(answer), tools=[send_email]))
        thread = await api.get_thread("late")
        if thread is None:
            thread = await api.create_thread("Tell Ann that I am late.", thread_id="late")
        async for _ in api.subscribe(thread.id):
            await ask(api, thread.id)
            thread = await api.get_thread(thread.id)
            if thread is None or thread.status not in ("streaming", "awaiting_tool_results"):
                break
        print((await api.list_messages("late"))[-1].text)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite://"))
