"""Make the request of a model step: the history with its files, cut to fit the model, as the agent transforms it.

A request that the provider refuses for its length, naming the window, for a file of an older turn, or for a
signature that was imported, is made once more without it; that is remembered, so that it happens once.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent_core.agent import Agent
from agent_core.context import ContextRequest, ContextResult
from agent_core.context.provider_messages import NOTE, repair, take_note
from agent_core.domain.messages import Chunk, StoredFile
from agent_core.domain.model_adapter import ModelRequest, ProviderMessage, Usage
from agent_core.domain.signatures import with_signatures, without_imported
from agent_core.domain.validation import clean_json, clean_text
from agent_core.errors import ModelError, words_of
from agent_core.llm.errors.refusals import (
    refuses_file,
    refuses_history,
    refuses_something,
    window_named,
)
from agent_core.llm.requests.history_rules import fit_names
from agent_core.runners.requests.attachments import Given, has_files, with_files
from agent_core.runners.requests.context_windows import Windows, usable
from agent_core.store.database.writer import Writer
from agent_core.store.reads.reader import Reads
from agent_core.store.threads import files, refused_files
from agent_core.support.clock import Clock
from agent_core.support.execution_record import in_thread
from agent_core.support.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a model is asked.

    Attributes:
        request: what is sent.
        opening: what the step says of the cut, for the thread; nothing as long as it stays.
        usage: what the context policy's own requests used.
        files: the files among it.
        history: what it was made from, in the provider's form.
        was_cut: it was made again to fit a window that the provider named.
        was_unsigned: it was made again without what was imported as signed.
    """

    request: ModelRequest
    opening: list[Chunk]
    usage: Usage | None
    files: Given
    history: list[ProviderMessage]
    was_cut: bool = False
    was_unsigned: bool = False


class Requests:
    """Makes the requests of this process.

    Args:
        writer, reads: the store.
        clock: the time.
    """

    def __init__(self, writer: Writer, reads: Reads, clock: Clock) -> None:
        self._writer = writer
        self._reads = reads
        self._windows = Windows(writer, reads, clock)

    async def prepare(self, agent: Agent, thread_id: str, history: list[ProviderMessage]) -> Prepared:
        """Return the request for a thread's history, as `to_provider` gives it.

        Raises:
            ModelError: nothing that could be sent fits the model.
        """
        given = await self._with_files(agent, thread_id, history)
        window = await self._windows.of(agent.model) if agent.context is not None else None
        return await _prepared(agent, thread_id, history, given, window)

    async def again(
        self, agent: Agent, thread_id: str, asked: Prepared, error: ModelError
    ) -> Prepared | None:
        """Return the request without what the provider refused; None: it cannot be mended by that."""
        if error.kind == "context_window_exceeded":
            return None if asked.was_cut else await self._cut(agent, thread_id, asked, error)
        mended = await self._without_files(agent, thread_id, asked, error)
        return mended or await self._without_imported(agent, thread_id, asked, error)

    async def _without_files(
        self, agent: Agent, thread_id: str, asked: Prepared, error: ModelError
    ) -> Prepared | None:
        if not refuses_file(error):
            return None
        # A file of this very turn is the person's to hear of; one of an older turn is not.
        suspects = asked.files.unanswered or (asked.files.older if not asked.files.fresh else set[str]())
        if not suspects:
            return None
        await self._note(agent, thread_id, suspects, error)
        again = await self.prepare(agent, thread_id, asked.history)
        return replace(again, was_cut=asked.was_cut, was_unsigned=asked.was_unsigned)

    async def _without_imported(
        self, agent: Agent, thread_id: str, asked: Prepared, error: ModelError
    ) -> Prepared | None:
        """Return the request without imported signatures: nobody but the provider knows a forged one."""
        if asked.was_unsigned or not refuses_history(error):
            return None
        history = without_imported(asked.history, agent.model.name)
        if history == asked.history:
            return None
        again = await self.prepare(agent, thread_id, history)
        return replace(again, was_cut=asked.was_cut, was_unsigned=True)

    def refused(self, asked: Prepared, error: ModelError) -> set[str]:
        """Return the files of this turn that are taken for refused, now that it fails with `error`.

        An answer that complains of nothing in particular is laid to a file that has just come: whatever
        else was in the request had been taken before.
        """
        unclear = refuses_something(error) and window_named(str(error)) is None
        return asked.files.fresh if refuses_file(error) or unclear else set()

    async def _cut(self, agent: Agent, thread_id: str, asked: Prepared, error: ModelError) -> Prepared | None:
        named = window_named(str(error), error.detail)
        if named is None or agent.context is None:
            return None
        window = await asyncio.to_thread(usable, named, asked.request, agent.model)
        if window is None:
            return None
        try:
            again = await _prepared(agent, thread_id, asked.history, asked.files, window)
        except ModelError:  # nothing of that length: the provider's own words say more
            return None
        if again.request.messages == asked.request.messages:
            return None
        _log.info(
            "%s takes %s tokens; the history of thread %s is cut to it", agent.model.name, window, thread_id
        )
        await self._windows.learn(agent.model, window)
        return replace(again, was_cut=True, was_unsigned=asked.was_unsigned)

    async def _note(self, agent: Agent, thread_id: str, file_ids: set[str], error: ModelError) -> None:
        words = clean_text(words_of(error))
        await self._writer.run(refused_files.note, thread_id, agent.model.name, file_ids, words)

    async def _with_files(self, agent: Agent, thread_id: str, history: list[ProviderMessage]) -> Given:
        if not has_files(history):
            return Given(history)
        return await asyncio.to_thread(self._read_files, agent.model.name, thread_id, history)

    def _read_files(self, model: str, thread_id: str, history: list[ProviderMessage]) -> Given:
        def read(ids: Sequence[str]) -> dict[str, StoredFile]:
            return self._reads.read(files.read, thread_id, ids)

        with in_thread():
            refused = self._reads.read(refused_files.read, thread_id, model)
            return with_files(history, read, refused, model)


async def _prepared(
    agent: Agent, thread_id: str, history: list[ProviderMessage], given: Given, window: int | None
) -> Prepared:
    messages, note = take_note(given.messages)
    messages = with_signatures(messages, agent.model.name)
    fitted = ContextResult(messages)
    if agent.context is not None:
        request = ContextRequest(
            messages, agent.tool_schemas, agent.model, agent.model_options, note, thread_id, window
        )
        fitted = await agent.context(request)
        if fitted.messages is not messages:
            messages = repair(fitted.messages)
    if agent.transform_messages is not None:
        changed: Any = agent.transform_messages(list(messages))
        messages = repair(await changed if inspect.isawaitable(changed) else changed)
    messages = fit_names(messages, agent.tools)
    opening = [] if fitted.note is None else [{"type": NOTE, "data": clean_json(fitted.note)}]
    sent = ModelRequest(messages, agent.tool_schemas, agent.model_options, agent.provider_tools)
    return Prepared(sent, opening, fitted.usage, given, history)
