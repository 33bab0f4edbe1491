"""A story of poison: a turn that ends its process each time, until it is found alone and sealed."""

from __future__ import annotations

from typing import ClassVar

from agent_core.domain.messages import Message, Thread
from tests.chaos.stories import Story
from tests.chaos.verdict import Verdict

SEALED = "PoisonedStepError"


class Poison(Story):
    """It is sealed with its reason, and is asked no more after that."""

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
