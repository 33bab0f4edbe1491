"""Base of the methods that the application allows or denies by a callback."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from agent_core.agent import AnyAgent, CallContext
from agent_core.api.base import ApiBase, Authorize
from agent_core.domain.field_limits import check_number
from agent_core.errors import AccessDeniedError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.store import Store

MayCall = Callable[[CallContext | None], Any]
"""Callback `(ctx)`, sync or async, that raises to deny access to methods that are not about a thread."""


def only_the_application(ctx: CallContext | None) -> bool:
    """Return whether the caller is the application, which calls without a context, unlike a client over HTTP."""
    return ctx is None


_MAX_ROWS = 1_000


def checked_limit(limit: int) -> int:
    """Return a maximum number of rows.

    Raises:
        ValidationError: it is not a number from 1 to 1,000.
    """
    check_number("limit", limit)
    if limit > _MAX_ROWS:
        raise ValidationError(f"limit is a number from 1 to {_MAX_ROWS:,}.")
    return limit


def seconds_of(moment: datetime) -> float:
    """Return a moment in seconds since the epoch.

    Raises:
        ValidationError: it has no time zone.
    """
    if not isinstance(moment, datetime) or moment.tzinfo is None:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError("A moment is a datetime with a time zone, such as datetime.now(UTC).")
    return moment.timestamp()


class AdminMethods(ApiBase):
    """Methods that are not about a thread of the caller.

    Args:
        may_call: called with the context before every method; None: access is allowed.
    """

    DENIED: ClassVar[str]
    """Code of the error for a callback that returns False."""

    def __init__(
        self,
        store: Store,
        agent: AnyAgent,
        authorize: Authorize | None,
        exclude_system_messages: bool,
        may_call: MayCall | None = None,
    ) -> None:
        super().__init__(store, agent, authorize, exclude_system_messages)
        self._may_call = may_call

    async def _check(self, ctx: CallContext | None) -> None:
        """Check that the callback does not deny access.

        Raises:
            AccessDeniedError: the callback returned False, or raised it.
        """
        answer = None if self._may_call is None else self._may_call(ctx)
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is False:  # a callback denies by raising, but False does not mean yes
            raise AccessDeniedError(sentence(self.DENIED))
