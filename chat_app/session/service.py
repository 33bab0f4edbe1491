"""Service that the whole process shares (runtime, API, users' lists), and bases of the states that call it.

The app's lifespan opens the service once per worker, never at import: the server forks its workers after
the app is imported, and no engine, thread or scheduler survives a fork.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import reflex as rx

from agent_core import AgentApi, CallContext, Runtime
from agent_core.agent import AnyAgent
from agent_core.errors import AccessDeniedError, AgentCoreError, words_of
from agent_core.monitoring import Monitor
from agent_core.sentences import info_of
from chat_app import logs
from chat_app.database import opened_tables
from chat_app.extensions import IDENTITY, caller
from chat_app.keys.key_ring import KeyRing
from chat_app.mcp_servers.servers import AddedServers, opened_servers
from chat_app.model.model_choice import ModelChoice
from chat_app.server.settings import Settings, load_settings
from chat_app.session.app_runtime import app_runtime, models_of, warm_for
from chat_app.session.bound_api import bind_api
from chat_app.session.last_seen import LastSeen
from chat_app.session.tab_session import background_task
from chat_app.session.user_lists import NO_ONE, UserListCache, UserLists


@dataclass(frozen=True)
class Service:
    """Open runtime of one worker, with the API and lists on top of it.

    Attributes:
        shared_lists: lists that all callers share if the app has no users.
        user_lists: lists of each user if the app has users.
        monitor: pages for probes and for Prometheus.
        keys: keys with which programs call the app.
        mcp_servers: MCP servers that administrators have added.
        seen: when people used the app.
    """

    settings: Settings
    choice: ModelChoice
    models: tuple[ModelChoice, ...]
    runtime: Runtime
    api: AgentApi
    shared_lists: UserLists
    user_lists: UserListCache
    monitor: Monitor
    keys: KeyRing
    mcp_servers: AddedServers
    seen: LastSeen

    def lists(self, ctx: CallContext | None) -> UserLists:
        """Return the lists of the calling user."""
        if ctx is None or ctx.user_id is None:
            return self.shared_lists
        return self.user_lists.lists_of(ctx.user_id, bind_api(self.api, ctx))


_service: Service | None = None


def note_seen(ctx: CallContext | None) -> None:
    """Note that a person uses the app, if the service is open."""
    if _service is not None:
        _service.seen.note(ctx)


def service() -> Service:
    """Return the open service; raise RuntimeError before the app has started."""
    if _service is None:
        raise RuntimeError("The runtime is not open. The app's lifespan opens it.")
    return _service


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Open the service for as long as the app runs."""
    settings = load_settings()
    logs.configure(settings.log_level, settings.extensions)  # here, as servers reset logging in workers
    choice, models = models_of(settings)
    warm_for(models)
    async with open_service(settings, choice, models=models) as service:
        yield
        # The server has ended its connections. Ctrl+C sends SIGINT to this process and makes its parent send
        # SIGTERM, too; only another SIGINT is a second Ctrl+C.
        await service.runtime.drain(settings.grace, until=[signal.SIGINT])


@asynccontextmanager
async def open_service(
    settings: Settings,
    choice: ModelChoice,
    agent: AnyAgent | None = None,
    *,
    models: Sequence[ModelChoice] = (),
) -> AsyncIterator[Service]:
    """Open a runtime and make it the process's service.

    Args:
        settings: settings of the app.
        choice: model that answers if no other is chosen.
        agent: agent in place of the app's own.
        models: models to choose from, `choice` first; only `choice` by default.
    """
    global _service
    models = tuple(models) or (choice,)
    async with (
        opened_tables(settings.database_url) as app_tables,
        opened_servers(app_tables, settings.mcp_form) as servers,
        app_runtime(settings, models, agent, work=settings.work) as (runtime, api),
    ):
        shared_lists, user_lists = UserLists(api, shared=True), UserListCache()
        if not IDENTITY:
            shared_lists.start()
        monitor = Monitor(runtime, metrics=settings.metrics)
        keys = KeyRing(app_tables, settings.sign_in.admins if settings.sign_in.user_header else None)
        seen = LastSeen(app_tables)
        _service = Service(
            settings, choice, models, runtime, api, shared_lists, user_lists, monitor, keys, servers, seen
        )
        try:
            async with background_task(seen.run()):
                yield _service
        finally:
            _service = None
            monitor.close()
            await shared_lists.close()
            await user_lists.close()


class ApiCaller(rx.State, mixin=True):
    """Base of the states that call the API.

    The methods are private, because Reflex would let the browser call a public one as an event.
    """

    def _ctx(self) -> CallContext | None:
        """Return the user who has this tab open; None if the app has no users.

        Raises:
            AccessDeniedError: no user is signed in.
        """
        return caller(self.router.headers.raw_headers)

    def _api(self) -> AgentApi:
        """Return the API bound to this user.

        Raises:
            AccessDeniedError: no user is signed in.
        """
        return bind_api(service().api, self._ctx())

    def _lists(self) -> UserLists:
        """Return the lists of this user; empty lists if no user is signed in."""
        try:
            ctx = self._ctx()
        except AccessDeniedError:
            ctx = NO_ONE
        return service().lists(ctx)


class CommandState(ApiCaller, mixin=True):
    """Base of the states that run a user's commands and show the error of a failed one.

    Attributes:
        notice: error of the last command, as a sentence; "" if it succeeded.
    """

    notice: str = ""

    @rx.var
    def notice_info(self) -> dict[str, Any]:
        """Return the code and parameters of `notice`."""
        return info_of(self.notice) or {}

    async def _call(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of the API, such as "shares.create"; on an error, set `notice` and return None."""
        self.notice = ""
        try:
            return await attrgetter(method)(self._api())(*args, **options)
        except AgentCoreError as error:
            self.notice = words_of(error)
            return None
