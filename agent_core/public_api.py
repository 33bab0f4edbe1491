"""Define the public API of an agent's threads, and serve it over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from agent_core.agent import AnyAgent, check_agent
from agent_core.api import AgentApi
from agent_core.api.admin.base import MayCall, only_the_application
from agent_core.api.base import Authorize, HasStore, StatusHook, store_of, takes_thread
from agent_core.store.store import Store
from agent_core.store.turns.turns import WhenBusy
from agent_core.support.argument_checks import check_arguments, check_takes, known_options

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.routing import Mount


class PublicAgentApi(AgentApi):
    """API with authorization and HTTP; made by `define_agent_api`."""

    _takes_system = False

    def http_app(
        self,
        context: Callable[[Request], Any] | None = None,
        *,
        max_body: int = 32 << 20,
        heartbeat: float = 15.0,
        when_busy: WhenBusy = "end_wait",
        openai_path: str = "",
    ) -> Starlette:
        """Return an ASGI app that serves the methods over HTTP; `docs/reference/http.md` lists its paths.

        Mount it in an app whose lifespan opens the runtime. It has no login and no CORS headers: `context`
        identifies the caller, and `authorization_callback` decides about access. Without `context` there are no
        users: every client sees every thread.

        Args:
            context: `(request) -> CallContext | None`, sync or async; it raises AccessDeniedError or
                starlette's HTTPException to reject the caller.
            max_body: maximum size of a body, in bytes.
            heartbeat: seconds without an event after which an event stream sends a comment.
            when_busy: default effect of a message to `/chat` on a turn in progress: "end_wait" ends a turn that
                waits only for people, "interrupt" ends any turn, "reject" none.
            openai_path: the path of `openai_app` beside this app, such as "/v1"; `/docs` shows its paths, too.

        Raises:
            ValidationError: `when_busy` is none of the three.
        """
        from agent_core.http import make_app  # only programs that serve HTTP load Starlette

        return make_app(
            self,
            context,
            max_body=max_body,
            heartbeat=heartbeat,
            when_busy=when_busy,
            openai_path=openai_path,
        )

    def openai_app(
        self,
        context: Callable[[Request], Any] | None = None,
        *,
        offered: Callable[[], Collection[str]] | None = None,
        max_body: int = 32 << 20,
        heartbeat: float = 15.0,
    ) -> Starlette:
        """Return an ASGI app with the paths of OpenAI's API, for its clients; an agent is a model.

        Serve it at "/v1". `docs/reference/openai.md` lists its paths and parameters.

        Args:
            context: as in `http_app`.
            offered: returns the names of the agents that clients may use; None: all agents of the process.
            max_body: maximum size of a body, in bytes.
            heartbeat: seconds without an event after which an event stream sends a comment.
        """
        from agent_core.http import make_openai_app

        return make_openai_app(self, context, offered=offered, max_body=max_body, heartbeat=heartbeat)

    def mount(self, path: str, context: Callable[[Request], Any] | None = None, **options: Any) -> Mount:
        """Return a Starlette route that serves `http_app` below a path.

        Unlike Starlette's `Mount`, it also matches a path in which an id has a line break, so that the app
        answers such a request in JSON.

        Args:
            path: such as "/agents".
            context: as in `http_app`.
            options: the other arguments of `http_app`.
        """
        from agent_core.http import mount_app

        return mount_app(path, self.http_app(context, **options))


def _check_callbacks(given: Mapping[str, Any]) -> None:
    """Raise ValidationError for a callback that cannot be called with its arguments."""
    authorize = given["authorization_callback"]
    if authorize is not None and not takes_thread(authorize):
        check_takes(authorize, ("ctx", "thread_id"), "authorization_callback of define_agent_api")
    status = ("thread_id", "status", "previous_status")
    check_takes(given["on_status_change"], status, "on_status_change of define_agent_api")
    for name in ("limits_callback", "outbox_callback", "admin_callback"):
        check_takes(given[name], ("ctx",), f"{name} of define_agent_api")


@known_options
def define_agent_api(
    runtime: HasStore | Store,
    agent: AnyAgent,
    authorization_callback: Authorize | None = None,
    on_status_change: StatusHook | None = None,
    exclude_system_messages: bool = True,
    *,
    limits_callback: MayCall | None = None,
    outbox_callback: MayCall | None = None,
    admin_callback: MayCall | None = None,
    replace: bool = False,
) -> PublicAgentApi:
    """Register an agent with a runtime and return its API for pages.

    The agent of a thread (`create_thread(agent=…)`) may be any registered one: given here, to other APIs, or to
    `runtime.register`.

    Args:
        runtime: a `Runtime`; or a `Store`, if other processes run the threads.
        agent: the default agent of new threads, or a factory of it.
        authorization_callback: `(ctx, thread_id)`, sync or async, called before every method that accesses an
            existing thread, and repeatedly for a subscriber; it raises (AccessDeniedError) to deny. If it has a
            third parameter called `thread`, it gets the thread, or None if there is none.
        on_status_change: called with `(thread_id, status, previous_status)` after each change.
        exclude_system_messages: whether readers get threads without system messages.
        limits_callback: `(ctx)`, sync or async, called before every method of `api.limits`; it raises
            (AccessDeniedError) to deny. None: only calls without a context are allowed, those of the application.
        outbox_callback: like `limits_callback`, for `api.outbox`.
        admin_callback: like `limits_callback`, for `api.admin`.
        replace: whether the agent replaces another agent of its name.

    Raises:
        ValidationError: an argument is invalid, or another agent has its name.
    """
    given = {key: value for key, value in locals().items() if key not in ("runtime", "agent")}
    check_arguments(define_agent_api, (), given)
    _check_callbacks(given)
    store = store_of(runtime, "define_agent_api")
    store.agents.add(check_agent(agent), on_status_change, replace=replace)
    may_limit = limits_callback or only_the_application
    may_operate = outbox_callback or only_the_application
    may_administer = admin_callback or only_the_application
    return PublicAgentApi(
        store, agent, authorization_callback, exclude_system_messages, may_limit, may_operate, may_administer
    )
