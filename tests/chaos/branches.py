"""Story of branches: edit a message, regenerate in two tabs at once, fork, return to the first branch."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from agent_core import errors
from agent_core.domain.messages import Message
from tests.chaos.stories import PATIENCE, Story
from tests.chaos.verdict import Verdict


class Branch(Story):
    """Edit, regenerate and fork: each branch keeps its answer and effects, and the fork repeats none."""

    name: ClassVar[str] = "branch"

    async def act(self) -> None:
        first = await self.send(f"short {self.thread_id}a")
        await self.idle()
        await self.api.edit_message(self.thread_id, first.id, f"short {self.thread_id}b")
        await self.idle()
        await self._regenerate((await self.api.list_messages(self.thread_id))[-1].id)
        await self.idle()
        self.regenerated = await self.api.list_messages(self.thread_id)
        fork = await self.api.fork_thread(self.thread_id, self.regenerated[-1].id)
        await self.api.send_message(fork.id, f"short {self.thread_id}c")
        await self.api.select_branch(self.thread_id, first.id)
        await self.api.wait_until_idle(fork.id, PATIENCE)
        self.fork, self.forked = fork.id, await self.api.list_messages(fork.id)

    async def _regenerate(self, answer: str) -> None:
        """Regenerate one answer in two tabs at once: the slower tab finds it replaced, or the thread busy."""
        ends = await asyncio.gather(
            *(self.api.regenerate(self.thread_id, answer) for _ in range(2)), return_exceptions=True
        )
        refused = [end for end in ends if isinstance(end, errors.ThreadBusyError | errors.ValidationError)]
        if len(refused) != 1:
            self.complaints.append(f"was regenerated twice: {ends}")

    def judge_messages(self, verdict: Verdict, messages: list[Message]) -> None:
        name = self.thread_id
        verdict.thread(name, messages)
        verdict.thread(name, self.regenerated)
        asked = [[m.text for m in shown[::2]] for shown in (messages, self.regenerated, self.forked)]
        if asked != [[f"short {name}a"], [f"short {name}b"], [f"short {name}b", f"short {name}c"]]:
            verdict.lose(f"{name} has the branches {asked}")
            return
        if self.forked[1].text != self.regenerated[1].text:
            verdict.lose(f"{name} was forked as {self.forked[1].text!r}")
        for part in self.forked[1].parts:
            if "toolCallId" in part and verdict.times(self.fork, part):
                verdict.double(f"the fork {self.fork} ran {part} again")
        verdict.turn(self.fork, asked[2][1], self.forked[3])
