"""Tell litellm's listeners of an answer that is read without its stream wrapper.

litellm's callbacks, cache and budget get an answer from its stream wrapper. So the wrapper reads a copy of the
provider's response, while the answer itself is read from the response.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self, cast

from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_LISTENERS = (
    *("callbacks", "success_callback", "failure_callback", "_async_success_callback"),
    *("_async_failure_callback", "cache", "max_budget"),
)
_OWN_LISTENERS = (
    *("dynamic_success_callbacks", "dynamic_async_success_callbacks"),
    *("dynamic_failure_callbacks", "dynamic_async_failure_callbacks"),
)


def has_listeners(litellm: Any, answer: Any) -> bool:
    """Return whether litellm has listeners for this answer: a callback, its cache, its budget."""
    if any(_is_set(getattr(litellm, name, None)) for name in _LISTENERS):
        return True
    return any(getattr(getattr(answer, "logging_obj", None), name, None) for name in _OWN_LISTENERS)


def accept_repetition(answer: Any) -> None:
    """Let litellm's wrapper accept equal chunks.

    It fails an answer with a hundred equal chunks among those that it keeps for its listeners.
    """
    answer.raise_on_model_repetition = lambda: None


class KeptOpen:
    """Proxy of an object that stays open when litellm closes it.

    Args:
        kept: the object.
        **replaced: attributes that the proxy has instead of the object's.
    """

    def __init__(self, kept: Any, **replaced: Any) -> None:
        self._kept = kept
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept, name)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._kept.__aiter__()

    async def aclose(self) -> None:
        """Do nothing."""

    close = aclose


class ListenerCopy:
    """Copy of a response that litellm's wrapper reads for its listeners.

    The context manager reads the copy in a task, which ends like the block: at the end of the response, or with
    the block's exception. A cancelled block cancels it. What the wrapper cannot read is logged, and does not
    affect the answer: only the end of the block closes the response.

    Args:
        answer: the wrapper, whose stream has to read `pieces()`.
        close: closes the response.
    """

    def __init__(self, answer: Any, close: Callable[[], Awaitable[None]]) -> None:
        self._answer = answer
        self._close = close
        answer.completion_stream = KeptOpen(answer.completion_stream)
        self._pieces: asyncio.Queue[Any] = asyncio.Queue()
        accept_repetition(answer)

    async def pieces(self) -> AsyncIterator[Any]:
        """Yield the copied pieces, up to the end of the response."""
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def of(self, pieces: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
        """Yield `pieces`, and copy each."""
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                self._pieces.put_nowait(piece)
                yield piece

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, Exception):
            self._reading.cancel()
        self._pieces.put_nowait(error)
        await asyncio.wait([self._reading])
        with contextlib.suppress(Exception):  # as litellm does when it closes a response
            await self._close()

    async def _read(self) -> None:
        try:
            async for _ in self._answer:
                pass
        except Exception as error:
            _log.info("litellm's listeners did not get an answer of %s: %s", self._answer.model, error)


def _is_set(setting: Any) -> bool:
    # A request to Gemini leaves the callback "cache" behind; without a cache it does nothing.
    return (
        any(each != "cache" for each in cast("list[Any]", setting))
        if isinstance(setting, list)
        else bool(setting)
    )
