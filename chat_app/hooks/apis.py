"""APIs for the threads of custom pages, and the base of the states that call them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import reflex as rx

from agent_core import AgentApi, CallContext, define_agent_api
from agent_core.agent import AnyAgent
from agent_core.errors import ValidationError
from chat_app.extensions import register_agent
from chat_app.session.bound_api import bind_api
from chat_app.session.service import CommandState, service

ApiSource = AgentApi | Callable[[], AgentApi] | None
"""API; or a function that returns it once the app's runtime is open; None is the API of the app."""

Context = Callable[[rx.State], CallContext | None]
"""Function from a tab's state, whose `router` has headers and session, to the user who has the tab open."""


@dataclass(frozen=True)
class HookOptions:
    """API of a hook; `context` returns the user of each call; None identifies users as the app does."""

    api: ApiSource = None
    context: Context | None = None


class HookState(CommandState, mixin=True):
    """Base of the states that call the API of a hook's options."""

    options: ClassVar[HookOptions]

    def _ctx(self) -> CallContext | None:
        return self.options.context(self) if self.options.context else super()._ctx()

    def _api(self) -> AgentApi:
        return bind_api(resolve_api(self.options.api), self._ctx())


def agent_api(agent: AnyAgent, **options: Any) -> Callable[[], AgentApi]:
    """Register an agent, and return a function that returns its API in the app's runtime.

    Args:
        agent: the agent; the app does not list it.
        **options: arguments of `define_agent_api`, such as `authorization_callback`.

    Raises:
        ValidationError: another agent has the same name.
    """
    register_agent(agent, offered=False)
    made: list[AgentApi] = []

    def provide() -> AgentApi:
        store = service().api.store
        if not made or made[0].store is not store:
            made[:] = [define_agent_api(store, agent, **options)]
        return made[0]

    provide.__qualname__ = f"agent {agent.name}"
    return provide


def check_api(api: ApiSource) -> ApiSource:
    """Check `api` and return it.

    Raises:
        ValidationError: `api` is neither an API, nor a plain function, nor None.
    """
    if inspect.iscoroutinefunction(api) or not (
        api is None or isinstance(api, AgentApi) or (callable(api) and not isinstance(api, type))
    ):
        raise ValidationError(
            f"{api!r:.60} is no API; pass what define_agent_api returned, a plain function that returns it, "
            "or None for the app's own."
        )
    return api


def resolve_api(api: ApiSource) -> AgentApi:
    """Return the API of a source; the runtime must be open.

    Raises:
        ValidationError: the function did not return an API.
    """
    if api is None:
        return service().api
    given = api if isinstance(api, AgentApi) else api()
    if not isinstance(given, AgentApi):
        raise ValidationError(f"The API's function returned {given!r:.60}; it must return an AgentApi.")
    return given


def api_name(api: ApiSource) -> str:
    """Return a name for the API that is equal in every process, because another process builds the pages."""
    if api is None:
        return "app"
    if isinstance(api, AgentApi):
        return api.agent.name
    return f"{getattr(api, '__module__', '')}.{getattr(api, '__qualname__', type(api).__name__)}"
