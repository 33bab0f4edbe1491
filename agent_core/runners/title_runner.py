"""Ask a model for a thread's title, once, in the background, after the first answer has been committed.

Only the process that committed the answer asks. If that process dies before it gets the title, the thread
keeps the one that was cut from its first message.
"""

from __future__ import annotations

import asyncio

from agent_core.agent import Agent
from agent_core.context.thread_title import ModelTitle
from agent_core.domain.events.outbox_events import EventType
from agent_core.domain.model_adapter import ProviderMessage
from agent_core.errors import AgentCoreError
from agent_core.hooks import Hooks
from agent_core.runners.admission import StepAdmission
from agent_core.runners.journal import Journal
from agent_core.runners.step_record import usage_numbers
from agent_core.store.database.transaction import Tx
from agent_core.store.database.writer import Writer
from agent_core.store.limits import admissions
from agent_core.store.reads.reader import Reads
from agent_core.store.threads import thread_row
from agent_core.store.threads.messages import title_of
from agent_core.store.turns.claims import Claim
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_MAX_REQUESTS = 4  # at once in one process: answers should not wait for titles


class TitleRunner:
    """Asks for titles, a few at a time, for agents that have a `title` policy."""

    def __init__(
        self, writer: Writer, reads: Reads, hooks: Hooks, admission: StepAdmission, journal: Journal
    ) -> None:
        self._writer = writer
        self._reads = reads
        self._hooks = hooks
        self._admission = admission
        self._journal = journal
        self._slots = asyncio.Semaphore(_MAX_REQUESTS)

    def start(self, claim: Claim, agent: Agent, history: list[ProviderMessage]) -> None:
        """Ask for a title in the background if the turn that has ended with `claim` is the thread's first.

        `history` is what the model was sent.
        """
        if agent.title is not None and _has_one_question(history):
            self._hooks.soon(f"title:{claim.thread_id}", self._ask, claim, agent, agent.title)

    async def _ask(self, claim: Claim, agent: Agent, title: ModelTitle) -> None:
        thread_id = claim.thread_id
        thread = await asyncio.to_thread(self._reads.thread, thread_id)
        messages = await asyncio.to_thread(self._reads.messages, thread_id)
        asked = next((message for message in messages if message.role == "user"), None)
        answer = next((message for message in messages if message.id == claim.message_id), None)
        if thread is None or asked is None or answer is None or "schedule" in asked.metadata:
            return  # a scheduled message is titled by its schedule
        was = title_of(asked.parts)
        if not was or thread.title != was:  # renamed meanwhile
            return
        model = title.model or agent.model
        if not await self._admission.admit_title(claim, model):
            _log.info("Thread %s: no title, because of a limit or a budget.", thread_id)
            return
        async with self._slots:
            started_at = self._journal.now
            made = await title.ask(agent.model, agent.model_options, asked.text, answer.text)
        self._journal.title_ended(claim, model.name, started_at, made.usage, made.error)
        used = usage_numbers(made.usage)
        if made.words or used:
            try:
                metered = self._admission.metered
                await self._writer.run(_write, claim, was, made.words, model.name, used, metered=metered)
            except AgentCoreError as error:
                _log.info(
                    "Thread %s: the new title was not written; the thread keeps its old one: %s",
                    thread_id,
                    error,
                )


def _has_one_question(history: list[ProviderMessage]) -> bool:
    questions = (message for message in history if message["role"] == "user")
    return next(questions, None) is not None and next(questions, None) is None


def _write(
    tx: Tx, claim: Claim, was: str, title: str, model: str, used: dict[str, float | None], *, metered: bool
) -> None:
    """Set a title; what its request has used counts against limits and budgets if `metered`."""
    thread_row.write_title(tx, claim.thread_id, claim.seq, was, title, used)
    if used:
        tx.emit(
            EventType.USAGE_RECORDED, claim.thread_id, step=claim.seq, purpose="title", model=model, **used
        )
    if metered:
        admissions.end_title(tx, claim, {**used, "model": model})
