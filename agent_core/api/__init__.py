"""The API that pages and programs call: one method per thing that can be done with a thread.

Every method is one transaction or one consistent read. Methods that touch an existing thread first
ask the `authorization_callback`, if there is one.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from agent_core.agent import AnyAgent, check_agent
from agent_core.api.base import ApiBase, Authorize, HasStore, StatusHook, store_of
from agent_core.api.branches import BranchMethods
from agent_core.api.exports import ExportMethods
from agent_core.api.files import FileMethods
from agent_core.api.insight import Insight, TimelineMethods
from agent_core.api.messages import ReadingMethods
from agent_core.api.preferences import Preferences
from agent_core.api.queued_messages import QueuedMethods
from agent_core.api.schedules import Schedules
from agent_core.api.search import SearchMethods
from agent_core.api.shares import Shares
from agent_core.api.threads import ThreadMethods
from agent_core.api.tool_calls import ToolCallMethods
from agent_core.api.turns import TurnMethods
from agent_core.store.store import Store
from agent_core.support.argument_checks import check_arguments

__all__ = ["AgentApi", "ApiBase", "define_internal_agent_api"]


class AgentApi(
    ThreadMethods,
    TurnMethods,
    QueuedMethods,
    BranchMethods,
    FileMethods,
    ExportMethods,
    ReadingMethods,
    SearchMethods,
    ToolCallMethods,
    TimelineMethods,
):
    """The methods of one agent's threads.

    Attributes:
        schedules: prompts that are sent by themselves.
        shares: read-only tokens of threads.
        insight: how the work is held, and what it cost.
        preferences: what is noted of each person.
    """

    def __init__(
        self, store: Store, agent: AnyAgent, authorize: Authorize | None, exclude_system_messages: bool
    ) -> None:
        super().__init__(store, agent, authorize, exclude_system_messages)
        self.schedules = Schedules(store, agent, authorize, exclude_system_messages)
        self.shares = Shares(store, agent, authorize, exclude_system_messages)
        self.insight = Insight(store, agent, authorize, exclude_system_messages)
        self.preferences = Preferences(store, agent, authorize, exclude_system_messages)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return what had this name before there were namespaces; for one release."""
            if name not in _MOVED:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return attrgetter(_MOVED[name])(self)


_MOVED = {
    **{f"{verb}_schedule": f"schedules.{verb}" for verb in ("get", "update", "pause", "resume", "delete")},
    **{"schedule": "schedules.create", "list_schedules": "schedules.list"},
    **{"run_schedule_now": "schedules.run_now", "schedule_runs": "schedules.runs"},
    **{"share_thread": "shares.create", "unshare_thread": "shares.revoke"},
    **{"read_shared": "shares.read", "read_shared_file": "shares.read_file"},
    **{"subscribe_shared": "shares.subscribe"},
    **{name: f"insight.{name}" for name in ("durability", "usage", "usage_summary")},
    **{f"{verb}_preferences": f"preferences.{verb}" for verb in ("get", "change", "follow")},
}


def define_internal_agent_api(
    runtime: HasStore | Store,
    agent: AnyAgent,
    *,
    on_status_change: StatusHook | None = None,
    replace: bool = False,
) -> AgentApi:
    """Return the methods for the application's own code: no authorization, no HTTP, system messages included.

    Args:
        runtime: a `Runtime`; or a `Store`, to send and follow what other processes run.
        agent: the agent of the threads that name none, or a factory of it.
        on_status_change: `(thread_id, status, previous_status)` after each change.
        replace: whether it takes the place of another agent of its name.

    Raises:
        ValidationError: an argument is not acceptable, or another agent has its name.
    """
    check_arguments(define_internal_agent_api, (), {"on_status_change": on_status_change, "replace": replace})
    store = store_of(runtime, "define_internal_agent_api")
    store.agents.add(check_agent(agent), on_status_change, replace=replace)
    return AgentApi(store, agent, None, exclude_system_messages=False)
