"""Every error that agent_core raises on purpose.

The message of an error is a sentence for the person who reads it: what happened and what to do.
Errors of vendors (litellm, SQLAlchemy, a provider) are translated into these at one border each,
so nothing above `llm` or `store` needs to know them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any, Literal, cast

from agent_core.sentences import Sentence, info_of
from agent_core.text.redaction import hide_secrets

ModelErrorKind = Literal[
    "network",
    "rate_limited",
    "provider_5xx",
    "context_window_exceeded",
    "insufficient_credits",
    "invalid_request",
    "auth",
    "truncated",
    "unknown",
]


class AgentCoreError(Exception):
    """The root: catch it to catch everything that agent_core raises on purpose.

    Attributes:
        code: a stable name for what the message says, such as "thread_busy", by which a page translates it;
            a key of `sentences.TEMPLATES`. None: the message has none; it is a provider's own words, say.
        params: what the message was filled with, as plain JSON, such as {"thread": "thread_1"}.
        attempt: which attempt failed, from 1; for `on_error` and `classify`, None elsewhere.
        max_attempts: how many there may be; likewise.
    """

    attempt: int | None = None
    max_attempts: int | None = None

    @property
    def code(self) -> str | None:
        """The stable name of the message, or None."""
        return self._info.get("code")

    @property
    def params(self) -> dict[str, Any]:
        """What the message was filled with."""
        return self._info.get("params", {})

    @property
    def _info(self) -> dict[str, Any]:
        return info_of(self.args[0] if self.args else None) or {}


class ThreadNotFoundError(AgentCoreError):
    """No thread has this id; it may have been deleted."""


class ThreadBusyError(AgentCoreError):
    """The thread is running; stop it, wait until it is idle, or send with when_busy="queue"."""


class DuplicateMessageError(AgentCoreError):
    """A message with this id is already in the thread."""


class ToolCallNotFoundError(AgentCoreError):
    """No tool call has this id."""


class ToolCallFinishedError(AgentCoreError):
    """The tool call already has its outcome; the first one stays."""


class AmbiguousToolCallError(AgentCoreError):
    """The tool call id stands in several threads; pass thread_id as well."""


class AccessDeniedError(AgentCoreError):
    """The caller may not touch this thread."""


class ScheduleNotFoundError(AgentCoreError):
    """No schedule has this id; it may have been deleted."""


class ValidationError(AgentCoreError):
    """An argument is not acceptable; the sentence says which and what would be."""


class UnknownOptionError(ValidationError, TypeError):
    """Nothing here has an option of this name; the sentence says what may be meant."""


class MessageNotFoundError(ValidationError):
    """No message of the thread has this id."""


class UnreachableToolCallError(ToolCallNotFoundError, AccessDeniedError):
    """No tool call has this id, or the caller may not touch its thread; which of the two is not said."""


class ToolServerError(AgentCoreError):
    """A call could not be made through a tool server (MCP).

    Args:
        sentence: what happened, in the server's own words where it had any.
        kind: "unreachable": the server was never asked, so asking again is safe. "lost": it was asked
            and the connection ended before its answer, so the tool may or may not have taken effect.
            "refused": it answered that it cannot, or that the tool failed.
    """

    def __init__(self, sentence: str, *, kind: Literal["unreachable", "lost", "refused"]) -> None:
        super().__init__(sentence)
        self.kind: Literal["unreachable", "lost", "refused"] = kind


class DatabaseError(AgentCoreError):
    """The database cannot be used as it is; nothing in it was changed."""


class StepLimitError(AgentCoreError):
    """The turn took as many model steps as the agent allows (`max_steps`)."""


class PoisonedStepError(AgentCoreError):
    """A step killed its process several times; it is sealed until a person resumes the thread."""


class ModelError(AgentCoreError):
    """A model request failed.

    Args:
        sentence: the provider's own words, or ours where it had none.
        kind: what went wrong, in the words of `ModelErrorKind`.
        retryable: whether the same request may succeed later.
        retry_after: seconds the provider asked us to wait, if it did.
        status: the HTTP status of the provider's answer, if there was one.
    """

    def __init__(
        self,
        sentence: str,
        *,
        kind: ModelErrorKind = "unknown",
        retryable: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.kind: ModelErrorKind = kind
        self.retryable = retryable
        self.retry_after = retry_after
        self.status = status
        self.detail = ""
        """All that the provider said, for what its sentence leaves out: some name a limit beside it."""
        self.usage: object = None
        """What the failed request used, an `llm.base.Usage`, if the provider said so before it failed."""


def note_attempt(error: Exception, attempt: int, max_attempts: int) -> None:
    """Give an error, of whatever class, the attributes `attempt` and `max_attempts`."""
    with contextlib.suppress(AttributeError, TypeError):  # a class that takes none
        error.attempt, error.max_attempts = attempt, max_attempts  # pyright: ignore[reportAttributeAccessIssue]


MAX_WORDS = 10_000
"""The longest words of an error that are kept, in characters: people and the model read them."""
_MOST_READ = 20 * MAX_WORDS  # characters in which secrets are looked for


def words_of(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Return what an error says, its secrets hidden; with the name of its class where that is no sentence.

    `KeyError("key")` says no more than `'key'`, and `ValueError(404)` no more than its value's repr. A
    `Sentence` keeps its code and its params, whose secrets are hidden too.

    Args:
        error: the error. Of a group, the words of the first error in it follow.
        secrets: values that must not appear; see `redaction.hide_secrets`.
    """
    secrets = tuple(secrets)

    def safe(text: str) -> str:
        return _cut(hide_secrets(text[:_MOST_READ], secrets))

    given: tuple[object, ...] = error.args
    if len(given) == 1 and isinstance(given[0], Sentence):
        return given[0].map(safe)
    words = safe(_said(error))
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return _cut(f"{words}: {words_of(group.exceptions[0], secrets)}")
    return words


def _cut(words: str) -> str:
    return words if len(words) <= MAX_WORDS else words[:MAX_WORDS] + " … (cut)"


def _said(error: BaseException) -> str:
    kind = type(error).__name__
    try:
        words = str(error)
        if not words.strip():
            return kind
        return f"{kind}: {words}" if _is_value(error, words) else words
    except Exception:  # a __str__ that fails itself
        return kind


def _is_value(error: BaseException, words: str) -> bool:
    """Return whether an error says nothing but what it was made with."""
    args: tuple[object, ...] = error.args
    if not args or isinstance(error, OSError | AgentCoreError):
        return False
    if len(args) > 1:
        return words == repr(args)
    value = next(iter(args))
    return words == repr(value) or (not isinstance(value, str) and words == str(value))


def as_exception(error: BaseException, who: str) -> Exception:
    """Return what `who`, code that is not ours, raised as an ordinary exception.

    What is no Exception passes every handler: SystemExit ends the event loop, and with it the work of
    everybody in the process; any other would leave its thread as it is for ever.

    Raises:
        BaseException: the error itself, where it comes from outside: a cancellation, Ctrl-C.
    """
    if isinstance(error, Exception):
        return error
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and not task.cancelling():
            return RuntimeError(f"{who} cancelled itself.")
    elif not isinstance(error, KeyboardInterrupt | GeneratorExit):
        return RuntimeError(f"{who} raised {error!r}; the process goes on.")
    raise error
