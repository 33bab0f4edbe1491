"""Fixtures of the admin page's tests: people of whom only Ann administers the app, and their tabs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import reflex as rx
from reflex.istate.data import HeaderData

from agent_core import CallContext
from agent_core.errors import AccessDeniedError
from chat_app import extensions

OpenState = Callable[..., Awaitable[Any]]
DENIED = "Ask Ann."


def by_header(headers: Mapping[str, str]) -> CallContext | None:
    name = headers.get("x-person")
    return CallContext(name) if name else None


def only_ann(ctx: CallContext | None) -> None:
    if ctx is None or ctx.user_id != "ann":
        raise AccessDeniedError(DENIED)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An app with users, of whom only Ann is an administrator."""
    extensions.register_identity(by_header)
    monkeypatch.setattr(extensions, "ADMINISTRATORS", [only_ann])
    yield
    extensions.IDENTITY.clear()


@pytest.fixture
def state() -> OpenState:
    """A function that returns a state of a new tab in the browser of a user; "" for nobody."""

    async def opened(kind: type[rx.State], name: str = "") -> Any:
        root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
        headers = HeaderData.from_router_data({"headers": {"x-person": name} if name else {}})
        root.router = replace(root.router, headers=headers)
        return await root.get_state(kind)

    return opened
