"""API bound to the user who calls it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, cast

from agent_core import AgentApi, CallContext
from agent_core.api import ApiBase


class _BoundApi:
    """Proxy of an API that passes `ctx` to its methods."""

    def __init__(self, api: object, ctx: CallContext) -> None:
        self._api = api
        self._ctx = ctx

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._api, name)
        if isinstance(found, ApiBase):
            return _BoundApi(found, self._ctx)
        function = getattr(found, "__func__", None)
        return partial(found, ctx=self._ctx) if function and _takes_ctx(function) else found


def bind_api(api: AgentApi, ctx: CallContext | None) -> AgentApi:
    """Return `api` with `ctx` passed to every method that takes it."""
    return api if ctx is None else cast(AgentApi, _BoundApi(api, ctx))


@lru_cache(maxsize=256)
def _takes_ctx(function: Callable[..., Any]) -> bool:
    return "ctx" in inspect.signature(function).parameters
