"""List the agents as models."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from agent_core.http.openai.errors import RequestError

if TYPE_CHECKING:
    from agent_core.api import AgentApi

Offered = Callable[[], Collection[str]]


class Models:
    """The agents that clients may use.

    Args:
        api: the API; its agent is the default.
        offered: returns the names of the agents; None: all agents of the process.
    """

    def __init__(self, api: AgentApi, offered: Offered | None) -> None:
        self._api = api
        self._offered = offered

    def names(self) -> list[str]:
        """Return the names of the agents, the default one first."""
        agents = self._api.store.agents
        default = self._api.agent.name
        offered = set(agents if self._offered is None else self._offered()) & set(agents)
        return sorted(offered, key=lambda name: (name != default, name))

    def checked(self, model: str | None) -> str | None:
        """Return the name of an agent; None is the default one, or that of the thread.

        Raises:
            RequestError: there is no such agent.
        """
        if model is None or model in self.names():
            return model
        known = ", ".join(self.names())
        message = f"There is no model {model!r:.60}; the models are the agents: {known}."
        raise RequestError(message, "model", code="model_not_found", status=404)

    def list(self) -> dict[str, Any]:
        """Return the body of `GET /models`."""
        return {"object": "list", "data": [_model(name) for name in self.names()]}

    def get(self, model: str) -> dict[str, Any]:
        """Return the body of `GET /models/{model}`.

        Raises:
            RequestError: there is no such agent.
        """
        self.checked(model)
        return _model(model)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "agent_core"}
