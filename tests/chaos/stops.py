"""Stories of stops: a stop takes effect at once and for good, and the stopped turn can be resumed."""

from __future__ import annotations

from agent_core.domain.messages import Message
from tests.chaos.stories import Story
from tests.chaos.verdict import Verdict

STOPPED = "stopped"


class Stop(Story):
    """Stop a turn: afterwards nothing is written, asked or started."""

    name = "stop"
    ends = ("stopped", "completed")

    async def act(self) -> None:
        await self.send(f"stop {self.thread_id}")
        await self.hesitate()
        thread = await self.api.stop_thread(self.thread_id)
        self.effects.note("stopped", self.thread_id)
        self.then = thread.status, await self.api.list_messages(self.thread_id)
        await self.idle()

    def judge_messages(self, verdict: Verdict, messages: list[Message]) -> None:
        if messages != self.then[1]:
            verdict.double(f"{self.thread_id} was {self.then} and became {messages}")
        if self.then[0] not in self.ends:
            verdict.strand(f"{self.thread_id} was {self.then[0]} after its stop")
        for message in messages[1:]:
            for part in message.parts:
                if "toolCallId" in part:
                    verdict.call(self.thread_id, part, {STOPPED})
        # A step, or the calls of one step, claimed before the stop may still start in a process that does
        # not know of the stop yet. Nothing may follow it.
        later = verdict.lines[verdict.lines.index(f"stopped {self.thread_id}") :]
        asked = [line for line in later if line.startswith(f"ask stop {self.thread_id} ")]
        charged = [line for line in later if line.startswith(f"charge {self.thread_id}:")]
        if len(asked) > 1 or len(charged) > 1:
            verdict.double(f"{self.thread_id} went on after its stop: {asked} {charged}")


class Resume(Story):
    """Stop and resume a turn three times: its answer is complete in the end."""

    name = "resume"

    async def act(self) -> None:
        await self.send(f"resume {self.thread_id}")
        for _ in range(3):
            await self.hesitate(0.4)
            await self.api.stop_thread(self.thread_id)
            await self.hesitate(0.2)
            await self.api.resume_thread(self.thread_id)
        await self.idle()

    def judge_messages(self, verdict: Verdict, messages: list[Message]) -> None:
        verdict.thread(self.thread_id, messages, {STOPPED})


class Interrupt(Story):
    """Interrupt a turn with another question: the part of the first answer that exists is kept."""

    name = "interrupt"

    async def act(self) -> None:
        await self.send(f"work {self.thread_id}a")
        await self.hesitate()
        await self.send(f"work {self.thread_id}b", when_busy="interrupt")
        await self.idle()

    def judge_messages(self, verdict: Verdict, messages: list[Message]) -> None:
        asked = [message.text for message in messages if message.role == "user"]
        if asked != [f"work {self.thread_id}a", f"work {self.thread_id}b"] or len(messages) not in (3, 4):
            verdict.lose(f"{self.thread_id} has {messages}")
            return
        for part in [part for message in messages[1:-2] for part in message.parts if "toolCallId" in part]:
            verdict.call(self.thread_id, part, {STOPPED})
        verdict.turn(self.thread_id, asked[1], messages[-1])
