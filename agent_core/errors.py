"""Define the exceptions of agent_core.

The message of an exception is a sentence for people: what happened and what to do about it.
Exceptions of vendors (litellm, SQLAlchemy, a provider) are translated into these in one place each,
so nothing above `llm` or `store` needs to know them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any, Literal, cast, get_args

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
_KINDS: tuple[ModelErrorKind, ...] = get_args(ModelErrorKind)


class AgentCoreError(Exception):
    """Base class of the exceptions of agent_core.

    Attributes:
        code: stable identifier of the message, such as "thread_busy", by which a page translates the message;
            a key of `sentences.TEMPLATES`. None: the message has no code, such as a provider's own message.
        params: parameters of the message as plain JSON, such as {"thread": "thread_1"}.
        attempt: number of the failed attempt, from 1; set for `on_error` and `classify`, None elsewhere.
        max_attempts: maximum number of attempts; set like `attempt`.
    """

    attempt: int | None = None
    max_attempts: int | None = None

    @property
    def code(self) -> str | None:
        """Stable identifier of the message, or None."""
        return self._info.get("code")

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the message."""
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
    """Several threads have a tool call with this id; pass thread_id as well."""


class AccessDeniedError(AgentCoreError):
    """The caller may not access this thread."""


class ScheduleNotFoundError(AgentCoreError):
    """No schedule has this id; it may have been deleted."""


class DeadLetterNotFoundError(AgentCoreError):
    """No dead letter has this id; it may have been redelivered or discarded."""


class ValidationError(AgentCoreError):
    """An argument is invalid; the message says which, and what is valid."""


class UnknownOptionError(ValidationError, TypeError):
    """An option is unknown; the message suggests a known one."""


class MessageNotFoundError(ValidationError):
    """No message of the thread has this id."""


class UnreachableToolCallError(ToolCallNotFoundError, AccessDeniedError):
    """No tool call has this id, or the caller may not access its thread; the message does not say which."""


class ToolServerError(AgentCoreError):
    """A call to a tool server (MCP) failed.

    Args:
        sentence: the message, from the server if it sent one.
        kind: "unreachable": the request was not sent, so a retry is safe. "lost": the connection
            ended before the answer, so the tool may or may not have taken effect. "refused": the
            server rejected the call, or the tool failed.
    """

    def __init__(self, sentence: str, *, kind: Literal["unreachable", "lost", "refused"]) -> None:
        super().__init__(sentence)
        self.kind: Literal["unreachable", "lost", "refused"] = kind


class DatabaseError(AgentCoreError):
    """The database cannot be used; nothing in it was changed.

    Attributes:
        is_temporary: whether the same action may succeed later, because the database is away, locked, read-only, or
            has no room or no connection left.
    """

    def __init__(self, sentence: str, *, is_temporary: bool = False) -> None:
        super().__init__(sentence)
        self.is_temporary = is_temporary


class StepLimitError(AgentCoreError):
    """The turn reached the agent's limit of model steps (`max_steps`)."""


class PoisonedStepError(AgentCoreError):
    """A step crashed its process several times; it is sealed until a person resumes the thread."""


class ModelError(AgentCoreError):
    """A model request failed.

    Args:
        sentence: the provider's message, or a message of this library if there was none.
        kind: kind of the error, a `ModelErrorKind`.
        retryable: whether the same request may succeed later.
        retry_after: seconds that the provider asked to wait, or None.
        status: HTTP status of the provider's answer, or None.
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
        if kind not in _KINDS:
            raise ValidationError(f"kind of ModelError must be {', '.join(_KINDS)}, not {kind!r:.60}.")
        self.kind: ModelErrorKind = kind
        self.retryable = retryable
        self.retry_after = retry_after
        self.status = status
        self.detail = ""
        """The provider's whole answer; some providers name a limit outside of the message."""
        self.usage: object = None
        """Usage of the failed request, a `model_adapter.Usage`, if the provider reported it before the failure."""


class DeliveryError(AgentCoreError):
    """An event was not delivered; the handler of an `Outbox` may raise it.

    Args:
        sentence: the reason.
        retryable: whether another attempt may succeed; False: the event becomes a dead letter at once.
        retry_after: minimum number of seconds until the next attempt, or None.
    """

    def __init__(self, sentence: str, *, retryable: bool = True, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retryable = retryable
        self.retry_after = retry_after


def note_attempt(error: Exception, attempt: int, max_attempts: int) -> None:
    """Set the attributes `attempt` and `max_attempts` of an exception of any class."""
    with contextlib.suppress(AttributeError, TypeError):  # a class without such attributes
        error.attempt, error.max_attempts = attempt, max_attempts  # pyright: ignore[reportAttributeAccessIssue]


MAX_WORDS = 10_000
"""Maximum length of a stored error message, in characters."""
_MAX_SEARCHED = 20 * MAX_WORDS  # characters that are searched for secrets


def words_of(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Return the message of an error with secrets hidden; prefixed by its class if the message is only a value.

    The message of `KeyError("key")` is only `'key'`, and that of `ValueError(404)` only a repr. A
    `Sentence` keeps its code and params, with secrets hidden in them, too.

    Args:
        error: the error. For a group, the message of its first error is appended.
        secrets: values that must not appear; see `redaction.hide_secrets`.
    """
    secrets = tuple(secrets)

    def safe(text: str) -> str:
        return _cut(hide_secrets(text[:_MAX_SEARCHED], secrets))

    given: tuple[object, ...] = error.args
    if len(given) == 1 and isinstance(given[0], Sentence):
        return given[0].map(safe)
    words = safe(_text_of(error))
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return _cut(f"{words}: {words_of(group.exceptions[0], secrets)}")
    return words


def _cut(words: str) -> str:
    return words if len(words) <= MAX_WORDS else words[:MAX_WORDS] + " … (cut)"


def _text_of(error: BaseException) -> str:
    kind = type(error).__name__
    try:
        words = str(error)
        if not words.strip():
            return kind
        return f"{kind}: {words}" if _is_value(error, words) else words
    except Exception:  # a __str__ that fails itself
        return kind


def _is_value(error: BaseException, words: str) -> bool:
    """Return whether the message of an error is only the repr of its arguments."""
    args: tuple[object, ...] = error.args
    if not args or isinstance(error, OSError | AgentCoreError):
        return False
    if len(args) > 1:
        return words == repr(args)
    value = next(iter(args))
    return words == repr(value) or (not isinstance(value, str) and words == str(value))


def as_exception(error: BaseException, who: str) -> Exception:
    """Return an error raised by foreign code, named `who`, as an ordinary exception.

    A BaseException that is not an Exception passes every handler: SystemExit ends the event loop and all work
    of the process; any other would leave its thread in its current state forever.

    Raises:
        BaseException: the error itself, if it comes from outside: a cancellation, Ctrl-C.
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
