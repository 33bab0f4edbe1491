"""Stories: what a person does with one thread, and what must be true of the thread afterwards.

Stories run in the one process that is never killed, so each remembers which of its calls succeeded.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from agent_core import AgentApi, errors
from agent_core.domain.end_reasons import IN_DOUBT
from agent_core.domain.messages import Message, Thread
from agent_core.testing import eventually
from tests.chaos.verdict import Verdict
from tests.chaos.world import Effects

LATE = "No outcome came in time."
PATIENCE = 300.0  # seconds that a story waits for an event; the harness gives up earlier


class Story:
    """Send two prompts of work, the second one queued behind the first."""

    name: ClassVar[str] = "work"
    ends: ClassVar[tuple[str, ...]] = ("completed",)

    def __init__(self, api: AgentApi, effects: Effects, thread_id: str, dice: random.Random) -> None:
        self.api, self.effects, self.thread_id, self.dice = api, effects, thread_id, dice
        self.complaints: list[str] = []

    async def act(self) -> None:
        """Act out the story to its end."""
        await self.send(f"work {self.thread_id}a")
        await self.send(f"work {self.thread_id}b", when_busy="queue")
        await self.idle()

    def judge(self, verdict: Verdict, thread: Thread, messages: list[Message]) -> None:
        """Report to `verdict` what is wrong with the thread, once the run is over."""
        verdict.threads += 1
        verdict.stories[self.name] += 1
        for complaint in self.complaints:
            verdict.double(f"{thread.id} {complaint}")
        if thread.status not in self.ends:
            verdict.strand(f"{thread.id} is {thread.status}: {thread.error}")
        else:
            self.judge_messages(verdict, messages)

    def judge_messages(self, verdict: Verdict, messages: list[Message]) -> None:
        verdict.thread(self.thread_id, messages)

    async def send(self, prompt: str, **how: Any) -> Message:
        return await self.api.send_message(self.thread_id, prompt, **how)

    async def idle(self) -> Thread:
        return await self.api.wait_until_idle(self.thread_id, PATIENCE)

    async def hesitate(self, seconds: float = 0.6) -> None:
        await asyncio.sleep(self.dice.uniform(0, seconds))

    async def calls(self, verb: str, state: str) -> list[str]:
        """Return the ids of one tool's calls that are in `state`."""
        parts = [part for message in await self.api.list_messages(self.thread_id) for part in message.parts]
        found = [part for part in parts if part["type"] == f"tool-{verb}" and part["state"] == state]
        return [part["toolCallId"] for part in found]

    async def refused(self, deed: Callable[[], Awaitable[Any]], what: str) -> None:
        """Repeat an action, and complain unless it is refused because the call is finished."""
        try:
            await deed()
        except errors.ToolCallFinishedError:
            return
        self.complaints.append(what)


class Approval(Story):
    """Decide about the same calls from two sides at once; one side edits arguments; one call is denied."""

    name = "approval"
    SHOWN = (1, 2, 3)
    EDITED = 99

    async def act(self) -> None:
        await self.send(f"approval {self.thread_id}")
        await eventually(self._all_wait, PATIENCE)
        first, second, third = await self.calls("pay", "approval-requested")
        await self.hesitate()
        edited = {second: {"amount": self.EDITED}}
        ends = await asyncio.gather(
            self.api.approve_tool_calls(self.thread_id, [first, second], args=edited),
            self._deny([second, first], self.dice.choice([0, 0.02, 0.2])),
            return_exceptions=True,
        )
        self.approved = ends[0] is None
        if [type(end) for end in ends].count(errors.ToolCallFinishedError) != 1:
            self.complaints.append(f"decided as {ends}")
        await self.refused(lambda: self._approve(first, 7), "approved again")
        await self.api.deny_tool_calls(self.thread_id, [third])
        await self.refused(lambda: self._approve(third, 7), "approved after it was denied")
        await self.idle()

    async def _deny(self, ids: list[str], after: float) -> None:
        await asyncio.sleep(after)
        await self.api.deny_tool_calls(self.thread_id, ids, "No.")

    async def _all_wait(self) -> bool:
        return len(await self.calls("pay", "approval-requested")) == len(self.SHOWN)

    async def _approve(self, call_id: str, amount: int) -> None:
        await self.api.approve_tool_calls(self.thread_id, [call_id], args={call_id: {"amount": amount}})

    def judge_messages(self, verdict: Verdict, messages: list[Message]) -> None:
        super().judge_messages(verdict, messages)
        amounts = [1, self.EDITED] if self.approved else []
        parts = [part for message in messages for part in message.parts if part["type"] == "tool-pay"]
        for part, amount in zip(parts, [*amounts, *[None] * len(self.SHOWN)], strict=False):
            times = {n: verdict.times(self.thread_id, part, n) for n in (*self.SHOWN, self.EDITED, 7)}
            done = sum(times.values())
            if done > 1 or done != times.get(amount or 0, 0):
                verdict.double(f"{self.thread_id} paid {times} where {amount} was approved")
            if amount is None and part["state"] != "output-denied":
                verdict.lose(f"{self.thread_id} has {part}, which was denied")
            in_doubt = part.get("errorText") == IN_DOUBT.text
            if amount is not None and not in_doubt and (part.get("output"), done) != (f"paid {amount}", 1):
                verdict.lose(f"{self.thread_id} has {part}, which happened {done} times")


class Outside(Story):
    """Deliver an outcome from outside twice; another call never gets one."""

    name = "outside"
    delivered = False

    async def act(self) -> None:
        await self.send(f"outside {self.thread_id}")
        (call_id,) = await eventually(lambda: self._asked(), PATIENCE)
        await self.hesitate()
        try:
            await self._answer(call_id, self.thread_id)
            self.delivered = True
        except errors.ToolCallFinishedError:
            pass  # the process died that ran the tool's callback: in doubt
        await self.refused(lambda: self._answer(call_id, "another"), "took a second outcome")
        await self.idle()

    async def _asked(self) -> list[str]:
        return await self.calls("ask", "input-available") or await self.calls("ask", "output-error")

    async def _answer(self, call_id: str, words: str) -> None:
        await self.api.add_tool_result(call_id, {"answer": words}, thread_id=self.thread_id)

    def judge_messages(self, verdict: Verdict, messages: list[Message]) -> None:
        super().judge_messages(verdict, messages)
        parts = [part for message in messages for part in message.parts]
        for part in parts:
            if part["type"] == "tool-ask":
                right = {"answer": self.thread_id} if self.delivered else None
                if part.get("output") != right:
                    verdict.lose(f"{self.thread_id} has {part}, delivered: {self.delivered}")
            elif part["type"] == "tool-remind" and part.get("errorText") not in (IN_DOUBT.text, LATE):
                verdict.double(f"{self.thread_id} has {part}, which nobody answered")
            if part["type"] in ("tool-ask", "tool-remind") and verdict.times(self.thread_id, part) > 1:
                verdict.double(f"{self.thread_id} ran {part['toolCallId']} twice")


class Flaky(Story):
    """Send a prompt whose model and tools fail repeatedly and are retried."""

    name = "flaky"

    async def act(self) -> None:
        await self.send(f"flaky {self.thread_id}")
        await self.idle()


class Queue(Story):
    """Send five messages, each from two tabs at once."""

    name = "queue"

    async def act(self) -> None:
        for number in range(5):
            name = f"{self.thread_id}-{number}"
            same = {"message_id": name, "when_busy": "queue"}
            await asyncio.gather(*(self.send(f"queue {name}", **same) for _ in range(2)))
        await self.idle()

    def judge_messages(self, verdict: Verdict, messages: list[Message]) -> None:
        super().judge_messages(verdict, messages)
        sent = [message.id for message in messages if message.role == "user"]
        if sent != [f"{self.thread_id}-{number}" for number in range(5)]:
            verdict.lose(f"{self.thread_id} has {sent}")
