"""Naming a thread: a model is asked once, beside the work, after the first answer has been committed.

It happens in the process that committed the answer and in no other, so nobody asks twice; if that
process dies before it has been answered, the thread keeps the title that was cut from its first message.
"""

from __future__ import annotations

import asyncio

from agent_core.agent import Agent
from agent_core.context.thread_title import ModelTitle
from agent_core.domain.model_adapter import ProviderMessage
from agent_core.errors import AgentCoreError
from agent_core.hooks import Hooks
from agent_core.runners.metering import numbers
from agent_core.store.database.writer import Writer
from agent_core.store.reads.reader import Reads
from agent_core.store.threads import titles
from agent_core.store.threads.messages import title_of
from agent_core.store.turns.steps import Claim
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_MAX_REQUESTS = 4  # requests of one process: names can wait, answers should not wait for them


class Titles:
    """Asks for titles, a few at a time, where the agent wants them."""

    def __init__(self, writer: Writer, reads: Reads, hooks: Hooks) -> None:
        self._writer = writer
        self._reads = reads
        self._hooks = hooks
        self._room = asyncio.Semaphore(_MAX_REQUESTS)

    def soon(self, claim: Claim, agent: Agent, sent: list[ProviderMessage]) -> None:
        """A turn has its answer: if it is the first, ask for a title; `sent` is the history before it."""
        if agent.title is not None and sum(message["role"] == "user" for message in sent) == 1:
            self._hooks.soon(f"title:{claim.thread_id}", self._make, claim, agent, agent.title)

    async def _make(self, claim: Claim, agent: Agent, namer: ModelTitle) -> None:
        thread_id = claim.thread_id
        thread = await asyncio.to_thread(self._reads.thread, thread_id)
        messages = await asyncio.to_thread(self._reads.messages, thread_id)
        asked = next((message for message in messages if message.role == "user"), None)
        answer = next((message for message in messages if message.id == claim.message_id), None)
        if thread is None or asked is None or answer is None or "schedule" in asked.metadata:
            return  # what a schedule sends has the schedule's name, or its own words, each time
        was = title_of(asked.parts)
        if not was or thread.title != was:  # a person, or the application, has named it
            return
        async with self._room:
            made = await namer.ask(agent.model, agent.model_options, asked.text, answer.text)
        used = numbers(made.usage)
        if made.words or used:
            try:
                await self._writer.run(titles.give, thread_id, claim.seq, was, made.words, used)
            except AgentCoreError as error:
                _log.info("The thread %s got no title: %s", thread_id, error)
