"""Story of a poisoned step, which kills each process that runs it until it is isolated and sealed."""

from __future__ import annotations

from typing import ClassVar

from agent_core.domain.messages import Message, Thread
from tests.chaos.stories import Story
from tests.chaos.verdict import Verdict

SEALED = "PoisonedStepError"


class Poison(Story):
    """Send a turn that kills its process: the step is sealed with its reason and never runs again."""

    name: ClassVar[str] = "poison"
    ends: ClassVar[tuple[str, ...]] = ("failed",)

    async def act(self) -> None:
        await self.send(f"poison {self.thread_id}")
        await self.idle()

    def judge(self, verdict: Verdict, thread: Thread, messages: list[Message]) -> None:
        super().judge(verdict, thread, messages)
        if thread.error_kind == SEALED:
            verdict.sealed += 1
        else:
            verdict.strand(f"{thread.id} was not sealed: {thread.error}")

    def judge_messages(self, verdict: Verdict, messages: list[Message]) -> None:
        if len(messages) != 1:
            verdict.double(f"{self.thread_id} was answered: {messages}")
