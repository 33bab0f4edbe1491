"""The API of a page's threads."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from agent_core import AgentApi, define_agent_api
from agent_core.agent import AnyAgent
from agent_core.errors import ValidationError
from chat_app.extensions import register_agent
from chat_app.session.service import service

ApiSource = AgentApi | Callable[[], AgentApi] | None
"""An API; or what returns it once the app is open, as no runtime is open before; None: the app's own."""


def agent_api(agent: AnyAgent, **options: Any) -> Callable[[], AgentApi]:
    """Return what makes, in the app's runtime, the API of an agent of one's own.

    Args:
        agent: becomes known to the app, and is not offered in its list of agents.
        **options: for `define_agent_api`, such as `authorization_callback`.

    Raises:
        ValidationError: another agent has its name.
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
    """Return `api`.

    Raises:
        ValidationError: it is none of the three.
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
    """Return the API itself; the runtime must be open.

    Raises:
        ValidationError: the function returned something else.
    """
    if api is None:
        return service().api
    given = api if isinstance(api, AgentApi) else api()
    if not isinstance(given, AgentApi):
        raise ValidationError(f"The API's function returned {given!r:.60}; it must return an AgentApi.")
    return given


def api_name(api: ApiSource) -> str:
    """Return a name for the API that is the same in every process: the pages are built in another one."""
    if api is None:
        return "app"
    if isinstance(api, AgentApi):
        return api.agent.name
    return f"{getattr(api, '__module__', '')}.{getattr(api, '__qualname__', type(api).__name__)}"
