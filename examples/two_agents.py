"""Let an assistant hand questions to a researcher, which answers in a separate thread. Needs no key.

The assistant's tool is an async tool: it opens the thread and returns, and no worker waits. When the
researcher's thread is idle, its answer becomes the call's outcome. Kill the program at any point and start it
again with the same database: nothing is asked or answered twice, and nothing is lost.

It prints `The researcher says: Mont Blanc is 4,806 m high.`
"""

import asyncio
import contextlib
import sys
import uuid
from typing import Any

from agent_core import Agent, AgentApi, Runtime, Tool, ToolContext, async_tool, define_agent_api
from agent_core.errors import ToolCallFinishedError, ToolCallNotFoundError
from agent_core.testing import ScriptedModel, ToolUse

RUNNING = ("streaming", "awaiting_tool_results")


def assist(messages: list[dict[str, Any]]) -> list[Any]:
    """Stand in for the assistant's model; use a litellm model name instead."""
    last = messages[-1]
    if last["role"] == "tool":
        return ["The researcher says: ", last["content"].strip('"')]
    return [ToolUse("ask_researcher", {"question": last["content"]})]


def research(messages: list[dict[str, Any]]) -> list[Any]:
    """Stand in for the researcher's model."""
    return ["Mont Blanc is ", 0.2, "4,806 m high."]


def asking(researchers: AgentApi) -> Tool:
    """Make the assistant's tool, which may run again after a crash: it opens one thread per call."""

    @async_tool(rerun_on_interrupt=True, timeout=3600)
    async def ask_researcher(question: str, ctx: ToolContext) -> None:
        """Ask the researcher, who looks things up."""
        thread_id = uuid.uuid5(uuid.NAMESPACE_OID, ctx.idempotency_key).hex  # the same id in each attempt
        if await researchers.get_thread(thread_id) is None:
            asked_by = {"thread_id": ctx.thread_id, "tool_call_id": ctx.tool_call_id}
            await researchers.create_thread(question, thread_id=thread_id, metadata={"asked_by": asked_by})

    return ask_researcher


async def main(url: str) -> None:
    """Ask the assistant one question, or continue where the database already has it."""
    async with Runtime(url) as runtime:

        async def deliver(thread_id: str, status: str, previous: str = "") -> None:
            """Deliver the result of a researcher's thread to its call; repetition changes nothing."""
            thread = None if status in RUNNING else await researchers.get_thread(thread_id)
            if thread is None or "asked_by" not in thread.metadata:
                return
            asked_by = thread.metadata["asked_by"]
            call, asker = asked_by["tool_call_id"], asked_by["thread_id"]
            with contextlib.suppress(ToolCallFinishedError, ToolCallNotFoundError):
                if status == "completed":
                    answer = (await researchers.list_messages(thread_id))[-1].text
                    await assistants.add_tool_result(call, answer, thread_id=asker)
                else:
                    await assistants.add_tool_error(call, thread.error or "It was stopped.", thread_id=asker)

        researcher = Agent("researcher", ScriptedModel(research))
        researchers = define_agent_api(runtime, researcher, on_status_change=deliver)
        assistant = Agent("assistant", ScriptedModel(assist), tools=[asking(researchers)])
        assistants = define_agent_api(runtime, assistant)

        # A hook runs once and is lost if the process dies right then, so check all threads.
        for thread in await researchers.list_threads():
            await deliver(thread.id, thread.status)

        thread = await assistants.get_thread("question")
        if thread is None:
            thread = await assistants.create_thread("How high is Mont Blanc?", thread_id="question")
        await assistants.wait_until_idle(thread.id, timeout=30)
        print((await assistants.list_messages(thread.id))[-1].text)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite://"))
