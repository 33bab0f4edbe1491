"""Learn the context windows of models that have none configured, from refusals that name them."""

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
from agent_core.store.threads import refusals
from agent_core.support.clock import Clock

_WINDOW_LIFETIME = 7 * 86_400.0  # seconds; a server may get a larger window meanwhile
_REFRESH_INTERVAL = (
    60.0  # seconds after which the row is read again, for another process may have learned more
)
_MIN_SHARE = 0.25  # of the window: the smallest ratio of our token count to the provider's that is believed
_OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens")


class ContextWindows:
    """The windows learned so far, stored for every process and for the next start.

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
    """Return how many tokens, by our count, a request may have after a refusal; slow, for it counts tokens.

    It leaves room for the answer. If the provider counts more tokens than we do, the window shrinks by the same
    ratio.

    Args:
        named: the window that the provider named.
        request: the refused request.
        model: the model.

    Returns:
        None: the named window is not plausible, or a shorter history would not help.
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
