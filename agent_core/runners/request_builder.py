"""Build the request of a model step: the history with its files, cut to fit the model, transformed by the agent.

If the provider refuses a request for its length (and names the window), for a file of an older turn or for an
imported signature, the request is built again without it. The refusal is stored, so that it happens once.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from agent_core.agent import Agent
from agent_core.context import ContextRequest, ContextResult
from agent_core.context.policy import Weighed
from agent_core.context.provider_messages import NOTE, repair
from agent_core.context.token_meter import TokenMeter, at_most
from agent_core.domain.messages import Chunk, StoredFile
from agent_core.domain.model_adapter import ModelAdapter, ModelRequest, ProviderMessage, Usage
from agent_core.domain.signatures import with_signatures, without_imported
from agent_core.domain.validation import clean_json, clean_text
from agent_core.errors import ModelError, words_of
from agent_core.llm.errors.refusals import (
    NamedWindow,
    refuses_file,
    refuses_history,
    refuses_something,
    window_named,
)
from agent_core.llm.requests.history_rules import fit_names
from agent_core.runners.file_parts import HistoryFiles, with_files
from agent_core.runners.history import History
from agent_core.store.database.writer import Writer
from agent_core.store.reads.reader import Reads
from agent_core.store.threads import files, refusals
from agent_core.support.clock import Clock
from agent_core.support.execution_record import in_thread
from agent_core.support.logs import get_logger
from agent_core.text.conversion import ConversionError, convert, convertible

_log = get_logger(__name__)
_WINDOW_LIFETIME = 7 * 86_400.0  # seconds; a server may get a larger window meanwhile
_REFRESH_INTERVAL = 60.0  # seconds until the row is read again: another process may have learned more
_MIN_SHARE = 0.25  # of the window: the smallest ratio of our token count to the provider's that is believed
_OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens")


class PreparedRequest(NamedTuple):
    """A request, and what it was built from: the history and its files.

    Attributes:
        opening: chunks that report a change of the cut to the thread's readers.
        usage: tokens of the context policy's own requests.
        was_cut: whether it was built again to fit a window that the provider named.
        was_unsigned: whether it was built again without imported signatures.
    """

    request: ModelRequest
    opening: list[Chunk]
    usage: Usage | None
    files: HistoryFiles
    history: History
    was_cut: bool = False
    was_unsigned: bool = False


class RequestBuilder:
    """Builds the requests of this process."""

    def __init__(self, writer: Writer, reads: Reads, clock: Clock) -> None:
        self._writer = writer
        self._reads = reads
        self._windows = _ContextWindows(writer, reads, clock)

    async def prepare(self, agent: Agent, thread_id: str, history: History) -> PreparedRequest:
        """Return the request for a thread's history.

        Raises:
            ModelError: even the shortest request does not fit the model.
        """
        found = await self._with_files(agent, thread_id, history)
        window = await self._windows.of(agent.model) if agent.context is not None else None
        return await _build(agent, thread_id, history, found, window)

    async def without_refused(
        self, agent: Agent, thread_id: str, asked: PreparedRequest, error: ModelError
    ) -> PreparedRequest | None:
        """Return the request without what the provider refused; None if that would not help."""
        if error.kind == "context_window_exceeded":
            return None if asked.was_cut else await self._cut(agent, thread_id, asked, error)
        shorter = await self._without_files(agent, thread_id, asked, error)
        return shorter or await self._without_imported(agent, thread_id, asked, error)

    async def _without_files(
        self, agent: Agent, thread_id: str, asked: PreparedRequest, error: ModelError
    ) -> PreparedRequest | None:
        if not refuses_file(error):
            return None
        # The refusal of a file of this turn is shown to the person; a file of an older turn is left out.
        suspects = asked.files.unanswered or (asked.files.older if not asked.files.fresh else set[str]())
        if not suspects:
            return None
        words = clean_text(words_of(error))
        await self._writer.run(refusals.note_files, thread_id, agent.model.name, suspects, words)
        again = await self.prepare(agent, thread_id, asked.history)
        return again._replace(was_cut=asked.was_cut, was_unsigned=asked.was_unsigned)

    async def _without_imported(
        self, agent: Agent, thread_id: str, asked: PreparedRequest, error: ModelError
    ) -> PreparedRequest | None:
        """Return the request without imported signatures: only the provider can tell a forged one."""
        if asked.was_unsigned or not refuses_history(error):
            return None
        history = asked.history
        messages = without_imported(history.messages, agent.model.name)
        if messages == history.messages:
            return None
        unsigned = History.of(messages, history.call_ids)._replace(note=history.note)
        again = await self.prepare(agent, thread_id, unsigned)
        return again._replace(was_cut=asked.was_cut, was_unsigned=True)

    def refused_files(self, asked: PreparedRequest, error: ModelError) -> set[str]:
        """Return the ids of this turn's files that the provider has presumably refused with `error`.

        An unspecific refusal is blamed on the new files, because everything else in the request was accepted
        before.
        """
        unclear = refuses_something(error) and window_named(str(error)) is None
        return asked.files.fresh if refuses_file(error) or unclear else set()

    async def _cut(
        self, agent: Agent, thread_id: str, asked: PreparedRequest, error: ModelError
    ) -> PreparedRequest | None:
        named = window_named(str(error), error.detail)
        if named is None or agent.context is None:
            return None
        window = await asyncio.to_thread(usable_window, named, asked.request, agent.model)
        if window is None:
            return None
        try:
            again = await _build(agent, thread_id, asked.history, asked.files, window)
        except ModelError:  # nothing is that short; the provider's own error says more
            return None
        if again.request.messages == asked.request.messages:
            return None
        cut = "Thread %s: the history is cut to the %s tokens that %s accepts."
        _log.info(cut, thread_id, window, agent.model.name)
        await self._windows.learn(agent.model, window)
        return again._replace(was_cut=True, was_unsigned=asked.was_unsigned)

    async def _with_files(self, agent: Agent, thread_id: str, history: History) -> HistoryFiles:
        if not history.has_files:
            return HistoryFiles(history.messages)
        await self._convert_files(thread_id)
        return await asyncio.to_thread(self._read_files, agent.model.name, thread_id, history.messages)

    async def _convert_files(self, thread_id: str) -> None:
        """Convert the files that came in without it: with an imported thread, from a tool, or without the extra."""
        if not (types := convertible()):
            return
        for file in await asyncio.to_thread(self._reads.read, files.unconverted, thread_id, types):
            try:
                converted = await convert(file.data, file.media_type) or b""
            except ConversionError as error:
                _log.warning("Thread %s: the file %s cannot be converted: %s", thread_id, file.id, error)
                converted = b""
            await self._writer.run(files.set_converted, thread_id, file.id, converted)

    def _read_files(self, model: str, thread_id: str, history: list[ProviderMessage]) -> HistoryFiles:
        def read(ids: Sequence[str]) -> dict[str, StoredFile]:
            return self._reads.read(files.read, thread_id, ids)

        with in_thread():
            refused = self._reads.read(refusals.read_files, thread_id, model)
            return with_files(history, read, refused, model)


async def _build(
    agent: Agent, thread_id: str, history: History, found: HistoryFiles, window: int | None
) -> PreparedRequest:
    model = agent.model.name
    plain = with_signatures(found.messages, model) if history.is_signed else list(found.messages)
    messages, fitted = plain, ContextResult(plain)
    if agent.context is not None:
        # The history has neither the texts of its files nor the signatures in the form that is sent.
        changed = history.has_files or history.is_signed
        weighed = None if changed else Weighed(plain, len(plain), history.most_tokens)
        request = ContextRequest(
            *(plain, agent.tool_schemas, agent.model, agent.model_options, history.note, thread_id, window),
            weighed=weighed,
        )
        fitted = await agent.context(request)
        if fitted.messages is not plain:
            messages = repair(fitted.messages)
    if agent.transform_messages is not None:
        made: Any = agent.transform_messages(list(messages))
        messages = repair(await made if inspect.isawaitable(made) else made)
    if messages is not plain or not history.tool_names <= agent.tools.keys():
        messages = fit_names(messages, agent.tools)
    opening = [] if fitted.note is None else [{"type": NOTE, "data": clean_json(fitted.note)}]
    sent = ModelRequest(messages, agent.tool_schemas, agent.model_options, agent.provider_tools)
    return PreparedRequest(sent, opening, fitted.usage, found, history)


class _ContextWindows:
    """Context windows that refusals have named, of models that have none configured.

    They are stored for every process and for the next start.
    """

    def __init__(self, writer: Writer, reads: Reads, clock: Clock) -> None:
        self._writer = writer
        self._reads = reads
        self._clock = clock
        self._known: dict[str, tuple[int | None, float]] = {}

    async def of(self, model: ModelAdapter) -> int | None:
        """Return how many tokens a request to a model may have; None if that is unknown."""
        key = key_of(model)
        tokens, until = self._known.get(key, (None, 0.0))
        if time.monotonic() < until:
            return tokens
        since = self._clock.now() - _WINDOW_LIFETIME
        tokens = await asyncio.to_thread(self._reads.read, refusals.read_window, key, since)
        self._known[key] = tokens, time.monotonic() + _REFRESH_INTERVAL
        return tokens

    async def learn(self, model: ModelAdapter, tokens: int) -> None:
        """Store how many tokens a request to a model may have."""
        self._known[key_of(model)] = tokens, time.monotonic() + _REFRESH_INTERVAL
        await self._writer.run(refusals.learn_window, key_of(model), tokens)


def key_of(model: ModelAdapter) -> str:
    """Return the key of a model's window: its name and the address of its server, if it has one."""
    options = _options(model)
    address: Any = options.get("api_base") or options.get("base_url")
    if not isinstance(address, str):
        return model.name
    parts = urlsplit(address)
    return f"{model.name} at {parts.hostname}:{parts.port or ''}{parts.path}"


def usable_window(named: NamedWindow, request: ModelRequest, model: ModelAdapter) -> int | None:
    """Return the tokens, by our count, that a request may have after a refusal; slow, because it counts tokens.

    Room is left for the answer. If the provider counts more tokens than we do, the window shrinks by the same
    ratio. None: the named window is not plausible, or a shorter history would not help.
    """
    if named.limit >= at_most(request.messages, request.tools):
        return None  # the request would have fitted
    ours = TokenMeter(model).request(request.messages, request.tools)
    if named.excess:
        window = ours - named.excess * 2
    else:
        options = {**_options(model), **request.options}
        limits = (options.get(name) for name in _OUTPUT_LIMITS)
        output = next((limit for limit in limits if isinstance(limit, int) and limit > 0), None)
        if named.limit <= 0 or (output is not None and output >= named.limit):
            return None
        room = named.limit // 8 if output is None else output
        share = min(1.0, max(_MIN_SHARE, ours / named.used)) if named.used else 1.0
        window = int((named.limit - room) * share)
    if window >= ours:  # the provider counts more tokens than we do
        window = ours * 3 // 4
    return window if window > 0 else None


def _options(model: ModelAdapter) -> Mapping[str, Any]:
    options: Any = getattr(model, "options", None)
    return cast("Mapping[str, Any]", options) if isinstance(options, Mapping) else {}
