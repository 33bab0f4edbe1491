"""Register the agents of a process by name, with the hooks for status changes of their threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from agent_core.errors import ValidationError
from agent_core.hooks import Hooks, call_hook


class _NamedAgent(Protocol):
    """Protocol of registered agents; see `agent_core.agent`."""

    @property
    def name(self) -> str:
        """Name by which threads refer to the agent."""
        ...


class AgentRegistry(Mapping[str, Any]):
    """The agents of one process, by name; `hooks` is the queue that calls the status hooks."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._agents: dict[str, _NamedAgent] = {}
        self._status_hooks: dict[str, list[Callable[..., Any]]] = {}

    def __getitem__(self, name: str) -> Any:
        return self._agents[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._agents)

    def __len__(self) -> int:
        return len(self._agents)

    def add(
        self, agent: _NamedAgent, on_status_change: Callable[..., Any] | None = None, *, replace: bool = False
    ) -> None:
        """Register an agent, so that its threads can run in this process.

        Args:
            agent: an agent; the same agent may be added again.
            on_status_change: `(thread_id, status, previous_status)` after each change.
            replace: whether the agent replaces another agent of its name, for existing threads, too.

        Raises:
            ValidationError: another agent has its name.
        """
        if not replace and self._agents.get(agent.name, agent) is not agent:
            raise ValidationError(
                f"Another agent is called {agent.name!r}; give this one a name of its own, or pass replace=True "
                "to let it answer the other's threads."
            )
        self._agents[agent.name] = agent
        if on_status_change is not None:
            self._status_hooks.setdefault(agent.name, []).append(on_status_change)

    def moved(self, thread_id: str, status: str, previous: str, agent: str) -> None:
        """Schedule the status hooks of `agent` for a thread; call on the event loop."""
        for hook in self._status_hooks.get(agent, ()):
            self._hooks.soon(thread_id, call_hook, hook, thread_id, status, previous)
