"""Public API of an agent's threads: the methods that pages call, and the HTTP app that serves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agent_core.agent import AnyAgent, check_agent
from agent_core.api import AgentApi
from agent_core.api.base import Authorize, HasStore, StatusHook, store_of
from agent_core.store.store import Store
from agent_core.store.turns.turns import WhenBusy
from agent_core.support.argument_checks import check_arguments

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.routing import Mount


class PublicAgentApi(AgentApi):
    """The methods of `AgentApi`, and HTTP; made by `define_agent_api`."""

    _takes_system = False

    def http_app(
        self,
        context: Callable[[Request], Any] | None = None,
        *,
        max_body: int = 32 << 20,
        heartbeat: float = 15.0,
        when_busy: WhenBusy = "end_wait",
    ) -> Starlette:
        """Return an ASGI app that serves these methods over HTTP; `docs/reference/http.md` lists its paths.

        Mount it in an app whose lifespan holds the runtime open. It has no login of its own and no
        CORS headers: `context` says who calls, and `authorization_callback` what they may touch.
        Without a `context` everybody who reaches it is the same nobody and sees every thread.

        Args:
            context: `(request) -> CallContext | None`, sync or async; it raises AccessDeniedError or
                starlette's HTTPException to refuse the caller.
            max_body: the longest body, in bytes.
            heartbeat: seconds of silence after which a stream of events gives a sign of life.
            when_busy: what a message to `/chat` does to a turn under way: "end_wait" closes the calls of
                one that waits for nobody but people, "interrupt" ends any, "reject" none. A request may
                say otherwise.

        Raises:
            ValidationError: `when_busy` is none of the three.
        """
        from agent_core.http import make_app  # Starlette is loaded by those who serve

        return make_app(self, context, max_body=max_body, heartbeat=heartbeat, when_busy=when_busy)

    def mount(self, path: str, context: Callable[[Request], Any] | None = None, **options: Any) -> Mount:
        """Return a Starlette route that serves `http_app` below a path.

        Starlette's own `Mount` passes over a path in which an id has a line break, and what answers such
        a request then is whatever stands outside; here it is the app, in JSON.

        Args:
            path: such as "/agents".
            context: as in `http_app`.
            options: the others of `http_app`.
        """
        from agent_core.http import mount_app

        return mount_app(path, self.http_app(context, **options))


def define_agent_api(
    runtime: HasStore | Store,
    agent: AnyAgent,
    authorization_callback: Authorize | None = None,
    on_status_change: StatusHook | None = None,
    exclude_system_messages: bool = True,
    *,
    replace: bool = False,
) -> PublicAgentApi:
    """Make an agent known to a runtime and give its methods to pages.

    A thread may have any agent that its runtime knows (`create_thread(agent=…)`): those given here,
    to other APIs, or to `runtime.register`.

    Args:
        runtime: a `Runtime`; or a `Store`, to send and follow what other processes run.
        agent: the agent of the threads that name none, or a factory of it.
        authorization_callback: `(ctx, thread_id)`, sync or async, before every method that touches
            an existing thread; it raises (AccessDeniedError) to deny. A follower is asked about again.
            One with a third parameter called `thread` is given the thread, or None where there is none.
        on_status_change: `(thread_id, status, previous_status)` after each change.
        exclude_system_messages: whether readers get the thread without its system messages.
        replace: whether it takes the place of another agent of its name.

    Raises:
        ValidationError: an argument is not acceptable, or another agent has its name.
    """
    given = {key: value for key, value in locals().items() if key not in ("runtime", "agent")}
    check_arguments(define_agent_api, (), given)
    store = store_of(runtime, "define_agent_api")
    store.agents.add(check_agent(agent), on_status_change, replace=replace)
    return PublicAgentApi(store, agent, authorization_callback, exclude_system_messages)
