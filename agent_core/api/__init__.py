"""Provide the API of an agent's threads for pages and programs.

Every method is one transaction or one consistent read. In every method, `ctx` is the caller, and `thread_id` an
existing thread, for which the `authorization_callback`, if there is one, is called first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from agent_core.agent import AnyAgent, CallContext, check_agent
from agent_core.api.admin.administration import Administration
from agent_core.api.admin.base import MayCall
from agent_core.api.admin.limits import Limits
from agent_core.api.admin.outbox import OutboxMethods
from agent_core.api.base import (
    ApiBase,
    Authorize,
    HasStore,
    StatusHook,
    checked_metadata,
    store_of,
    user_of,
)
from agent_core.api.branches import BranchMethods
from agent_core.api.insight import Insight, TimelineMethods
from agent_core.api.messages import MessageMethods
from agent_core.api.schedules import Schedules
from agent_core.api.search import SearchMethods
from agent_core.api.shares import Shares
from agent_core.api.thread_documents import DocumentMethods
from agent_core.api.threads import ThreadMethods
from agent_core.api.tool_calls import ToolCallMethods
from agent_core.api.turns import TurnMethods
from agent_core.store.database.sql import person_feed
from agent_core.store.store import Store
from agent_core.store.threads import preferences
from agent_core.support.argument_checks import check_arguments, known_options

__all__ = ["AgentApi", "ApiBase", "define_internal_agent_api"]


class Preferences(ApiBase):
    """`api.preferences`: plain JSON of the application for each user; callers without a user share one set."""

    async def get(self, *, ctx: CallContext | None = None) -> dict[str, Any]:
        """Return the caller's preferences by key."""
        return await self.store.read(preferences.read, user_of(ctx) or "")

    async def change(self, changes: dict[str, Any], *, ctx: CallContext | None = None) -> dict[str, Any]:
        """Set some keys of the caller's preferences, keep the others, and return all, in one transaction.

        Args:
            changes: plain JSON by key; None deletes a key.

        Raises:
            ValidationError: the changes are not a dict of plain JSON, or make the preferences too long.
        """
        return await self.store.writer.run(preferences.merge, user_of(ctx) or "", checked_metadata(changes))

    async def follow(self, *, ctx: CallContext | None = None) -> AsyncGenerator[dict[str, Any]]:
        """Yield the caller's preferences, and again whenever any process has changed them."""
        name, last = user_of(ctx) or "", None
        with self.store.feeds.follow(person_feed(name)) as reader:
            while not self.store.feeds.closed:
                reader.start_read()
                found = await self.store.read(preferences.read, name)
                if found != last:
                    last = found
                    yield found
                await reader.wait()


class AgentApi(
    ThreadMethods,
    TurnMethods,
    BranchMethods,
    DocumentMethods,
    MessageMethods,
    SearchMethods,
    ToolCallMethods,
    TimelineMethods,
):
    """Methods for the threads of one agent.

    Attributes:
        schedules: methods for schedules.
        shares: methods for read-only tokens of threads.
        insight: methods for current work, and usage.
        preferences: methods for preferences of users.
        limits: methods for limits of models, and budgets.
        outbox: methods for the events that are delivered, and for dead letters.
        admin: methods for what belongs to everybody.
    """

    def __init__(
        self,
        store: Store,
        agent: AnyAgent,
        authorize: Authorize | None,
        exclude_system_messages: bool,
        may_limit: MayCall | None = None,
        may_operate: MayCall | None = None,
        may_administer: MayCall | None = None,
    ) -> None:
        shared = store, agent, authorize, exclude_system_messages
        super().__init__(*shared)
        self.schedules = Schedules(*shared)
        self.shares = Shares(*shared)
        self.insight = Insight(*shared)
        self.preferences = Preferences(*shared)
        self.limits = Limits(*shared, may_limit)
        self.outbox = OutboxMethods(*shared, may_operate)
        self.admin = Administration(*shared, may_administer)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return a method of a namespace by its old name, for one release."""
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


@known_options
def define_internal_agent_api(
    runtime: HasStore | Store,
    agent: AnyAgent,
    *,
    on_status_change: StatusHook | None = None,
    replace: bool = False,
) -> AgentApi:
    """Return an API for the application's own code: without authorization and HTTP, with system messages.

    Args:
        runtime: a `Runtime`; or a `Store`, if other processes run the threads.
        agent: the default agent of new threads, or a factory of it.
        on_status_change: called with `(thread_id, status, previous_status)` after each change.
        replace: whether the agent replaces another agent of its name.

    Raises:
        ValidationError: an argument is invalid, or another agent has its name.
    """
    check_arguments(define_internal_agent_api, (), {"on_status_change": on_status_change, "replace": replace})
    store = store_of(runtime, "define_internal_agent_api")
    store.agents.add(check_agent(agent), on_status_change, replace=replace)
    return AgentApi(store, agent, None, exclude_system_messages=False)
