"""Learn the windows of models that nobody declared, from the refusals that name them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from agent_core.context.token_meter import TokenMeter, at_most
from agent_core.domain.model_adapter import ModelAdapter, ModelRequest
from agent_core.llm.errors.refusals import NamedWindow
from agent_core.store.database.writer import Writer
from agent_core.store.reads.reader import Reads
from agent_core.store.threads import context_windows
from agent_core.support.clock import Clock

_WINDOW_LIFETIME = 7 * 86_400.0  # seconds; a server may have been given a larger window since
_REFRESH_INTERVAL = 60.0  # seconds after which another process's news is looked for
_MIN_SHARE = 0.25  # of the window; so far a count of ours may be from the provider's
_TOLD = ("max_tokens", "max_completion_tokens")


class Windows:
    """Windows learned so far; kept in rows, so that every process and the next start have them.

    Args:
        writer, reads: the store.
        clock: the time.
    """

    def __init__(self, writer: Writer, reads: Reads, clock: Clock) -> None:
        self._writer = writer
        self._reads = reads
        self._clock = clock
        self._known: dict[str, tuple[int | None, float]] = {}

    async def of(self, model: ModelAdapter) -> int | None:
        """Return how many tokens a request to a model may have; None: nothing was learned."""
        key = key_of(model)
        tokens, until = self._known.get(key, (None, 0.0))
        if time.monotonic() < until:
            return tokens
        since = self._clock.now() - _WINDOW_LIFETIME
        tokens = await asyncio.to_thread(self._reads.read, context_windows.read, key, since)
        self._known[key] = tokens, time.monotonic() + _REFRESH_INTERVAL
        return tokens

    async def learn(self, model: ModelAdapter, tokens: int) -> None:
        """Remember how many tokens a request to a model may have."""
        self._known[key_of(model)] = tokens, time.monotonic() + _REFRESH_INTERVAL
        await self._writer.run(context_windows.learn, key_of(model), tokens)


def key_of(model: ModelAdapter) -> str:
    """Return what a window is remembered under: the model's name and, if it has its own, its server."""
    options = _options(model)
    address: Any = options.get("api_base") or options.get("base_url")
    if not isinstance(address, str):
        return model.name
    parts = urlsplit(address)
    return f"{model.name} at {parts.hostname}:{parts.port or ''}{parts.path}"


def usable(named: NamedWindow, request: ModelRequest, model: ModelAdapter) -> int | None:
    """Return how many tokens a request may have by our count, after a refusal; it counts, so it takes a while.

    Room for the answer is left, and where the provider counts more tokens than we do the window is smaller
    by as much.

    Args:
        named: what the provider said.
        request: what it refused.
        model: the model.

    Returns:
        None: what was named is not to be believed, or shortening the history would not help.
    """
    if named.limit >= at_most(request.messages, request.tools):
        return None  # it would have fitted
    ours = _count(request, model)
    if named.excess:
        window = ours - named.excess * 2
    else:
        options = {**_options(model), **request.options}
        asked = (options.get(name) for name in _TOLD)
        told = next((told for told in asked if isinstance(told, int) and told > 0), None)
        if named.limit <= 0 or (told is not None and told >= named.limit):
            return None
        room = named.limit // 8 if told is None else told
        share = min(1.0, max(_MIN_SHARE, ours / named.used)) if named.used else 1.0
        window = int((named.limit - room) * share)
    if window >= ours:  # it was too much all the same: the provider counts otherwise than we do
        window = ours * 3 // 4
    return window if window > 0 else None


def _options(model: ModelAdapter) -> Mapping[str, Any]:
    options: Any = getattr(model, "options", None)
    return cast("Mapping[str, Any]", options) if isinstance(options, Mapping) else {}


def _count(request: ModelRequest, model: ModelAdapter) -> int:
    meter = TokenMeter(model)
    return sum(meter.message(message) for message in request.messages) + meter.tools(request.tools)
