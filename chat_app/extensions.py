"""Extension API: functions that register pages, agents, tool views, MCP servers, lifespans and who people are.

Modules named in CHAT_EXTENSIONS call these functions. Every process imports them before it creates the pages,
and keeps their registrations until it exits.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import reflex as rx

from agent_core import Agent, CallContext, McpServer, Tool
from agent_core.agent import AgentFactory, AnyAgent
from agent_core.errors import AccessDeniedError, ValidationError
from agent_core.mcp.personal import PersonalServer
from agent_core.support.argument_checks import check_takes, known_options

ToolView = Callable[[Any], rx.Component]
"""Function from the Var of a `chat_app.thread.views.ToolCallView` to a component."""


class Content:
    """Content of a page inside the app's frame, next to the sidebar.

    Args:
        *body: the main column.
        bar: the content of the top bar.
        drawer: the content next to the column.
    """

    def __init__(
        self, *body: rx.Component, bar: rx.Component | None = None, drawer: rx.Component | None = None
    ) -> None:
        self.body = body
        self.bar = bar
        self.drawer = drawer


Draw = Callable[[], rx.Component | Content]
"""Function that returns a page: `Content`, which the app frames, or a component that fills the whole page."""
_DrawT = TypeVar("_DrawT", bound=Draw)


@dataclass(frozen=True, slots=True)
class Page:
    """Page of the app or of an extension.

    Attributes:
        route: the route, such as /desk/[thread_id].
        title: the title of the browser tab.
        component: the function that renders the page.
        on_load: events that run whenever the page opens.
        alone: whether the page is for visitors without a list of threads.
        nav: whether the sidebar links to the page.
    """

    route: str
    title: str | rx.Var[str]
    component: Draw
    on_load: tuple[Any, ...] = ()
    alone: bool = False
    nav: bool = False


PAGES: dict[str, Page] = {}
AGENTS: dict[str, AnyAgent] = {}
OFFERED: dict[str, str] = {}
"""Labels of the agents that users may choose, by name."""
TOOL_VIEWS: dict[str, ToolView] = {}

Identify = Callable[[Mapping[str, str]], CallContext | None]
"""Function from the headers of a request, with lower-case names, to its user; None if nobody is signed in."""
IDENTITY: list[Identify] = []
"""Registered function, at most one; without it the app has no users, and every client sees every thread."""

MayLimit = Callable[[CallContext | None], None]
"""Function from a user to nothing that raises AccessDeniedError if the user may not change budgets."""
LIMITS: list[MayLimit] = []
"""Registered function, at most one."""

MayAdminister = Callable[[CallContext | None], None]
"""Function from a user to nothing that raises AccessDeniedError if the user is no administrator."""
ADMINISTRATORS: list[MayAdminister] = []
"""Registered function, at most one."""


Lifespan = Callable[[], AbstractAsyncContextManager[Any]]
_LifespanT = TypeVar("_LifespanT", bound=Lifespan)
LIFESPANS: dict[str, Lifespan] = {}
"""Registered functions in their order, by module and name."""
MCP_SERVERS: dict[str, McpServer] = {}
"""Registered servers, by name."""
ASSISTANT_SERVERS: list[McpServer | PersonalServer] = []
"""Those whose tools the app's own agent has."""


@known_options
def register_page(
    route: str,
    title: str | rx.Var[str] | None = None,
    *,
    on_load: Any = (),
    alone: bool = False,
    nav: bool = False,
) -> Callable[[_DrawT], _DrawT]:
    """Register the decorated function, which returns `Content` or a component, as the page at `route`.

    Args:
        route: the route, such as "/desk" or "/desk/[thread_id]".
        title: the title of the browser tab; the function's name by default.
        on_load: an event, or a list of events, that runs whenever the page opens.
        alone: whether the page is for visitors without a list of threads; no list is read for it then.
        nav: whether the sidebar links to the page, by its title.

    Raises:
        ValidationError: the route does not begin with "/", or belongs to another page, or has an id in it although
            the sidebar is to link to it.
    """
    if not isinstance(route, str) or not route.startswith("/"):
        raise ValidationError(
            f"A page's route must begin with a slash, such as /desk; {route!r:.60} does not."
        )
    if nav and "[" in route:
        raise ValidationError(f"The sidebar cannot link to {route}, which is a page for each id.")
    events = tuple(on_load) if isinstance(on_load, list | tuple) else (on_load,)

    def register(component: _DrawT) -> _DrawT:
        check_takes(component, (), f"The page at {route}")
        known = PAGES.get(route)
        if known and (known.component.__module__, known.component.__qualname__) != (
            component.__module__,
            component.__qualname__,
        ):
            raise ValidationError(f"Two pages have the route {route}; change one of them.")
        name = component.__name__.replace("_", " ").capitalize() if title is None else title
        PAGES[route] = Page(route, name, component, events, alone, nav)
        return component

    return register


@known_options
def register_agent(agent: AnyAgent, title: str | None = None, *, offered: bool = True) -> None:
    """Register an agent with the app's runtime, and offer it for new threads.

    Args:
        agent: an `Agent`, or the result of `Agent.factory`.
        title: the label on the page; the agent's name by default.
        offered: whether the page lists the agent; threads may use it in any case.

    Raises:
        ValidationError: `agent` is not an agent, or another agent has its name.
    """
    if not isinstance(agent, Agent | AgentFactory):
        raise ValidationError(f"register_agent takes an Agent or an Agent.factory(…), not {agent!r:.60}.")
    if AGENTS.get(agent.name, agent) is not agent or agent.name == "assistant":
        raise ValidationError(f"There is already an agent named {agent.name!r}; give this one another name.")
    AGENTS[agent.name] = agent
    if offered:
        OFFERED[agent.name] = title or agent.name


def register_tool_view(tool_name: str, view: ToolView) -> None:
    """Register a custom view for the calls of one tool, used once they run.

    Args:
        tool_name: the name under which the model calls the tool.
        view: takes the Var of a `ToolCallView`, with the call's `input` and `output` as dicts, and
            returns a component. A call that waits for a user or has no result keeps the default row.

    Raises:
        ValidationError: the view is not callable, or the tool already has another view.
    """
    if not callable(view):
        raise ValidationError(f"The view of {tool_name!r} must be a function that returns a component.")
    check_takes(view, ("call",), f"The view of {tool_name!r}")
    if TOOL_VIEWS.get(tool_name, view) is not view:
        raise ValidationError(f"The tool {tool_name!r} has two views; remove one of them.")
    TOOL_VIEWS[tool_name] = view


def register_lifespan(lifespan: _LifespanT) -> _LifespanT:
    """Register the decorated function to open what an extension needs for as long as the app runs, such as a client.

    Each process that serves pages or runs work opens it before its first step, and closes it after its last one. If
    that raises, the process does not start.

    Args:
        lifespan: takes nothing and returns an async context manager, such as a function that is decorated with
            `contextlib.asynccontextmanager`.

    Raises:
        ValidationError: `lifespan` is not such a function.
    """
    if (
        not callable(lifespan)
        or inspect.iscoroutinefunction(lifespan)
        or inspect.isasyncgenfunction(lifespan)
    ):
        raise ValidationError(
            "register_lifespan takes a function that returns an async context manager; decorate an async "
            "generator with contextlib.asynccontextmanager first."
        )
    check_takes(lifespan, (), "The function of register_lifespan")
    LIFESPANS[f"{lifespan.__module__}.{lifespan.__qualname__}"] = lifespan  # again: its module was reloaded
    return lifespan


@known_options
def register_mcp(server: McpServer, *, assistant: bool = True) -> McpServer:
    """Connect an MCP server for as long as the app runs, and give its tools to the app's own agent.

    A tool of the server replaces one of the app that has its name; `mcp_tools(prefix=…)` avoids that. A server that
    cannot be reached keeps the app from starting, unless `mcp_tools` was called with `required=False`.

    Args:
        server: the result of `mcp_tools`, not yet entered.
        assistant: whether the app's own agent has its tools. An agent of your own has them by
            `Agent.factory(lambda ctx, thread_id: Agent(…, tools=[*server.tools]), name=…)`, which reads them at each step.

    Raises:
        ValidationError: `server` is not an MCP server, or another one has its name.
    """
    if not isinstance(server, McpServer):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError(f"register_mcp takes the result of mcp_tools(…), not {server!r:.60}.")
    if MCP_SERVERS.get(server.name, server) is not server:
        raise ValidationError(
            f"Two MCP servers are named {server.name!r}; call mcp_tools with another name=."
        )
    if assistant and server not in ASSISTANT_SERVERS:
        ASSISTANT_SERVERS.append(server)
    MCP_SERVERS[server.name] = server
    return server


@asynccontextmanager
async def opened() -> AsyncGenerator[None]:
    """Open the registered lifespans and MCP servers, in their order, for a block."""
    async with AsyncExitStack() as stack:
        for lifespan in LIFESPANS.values():
            await stack.enter_async_context(lifespan())
        for server in MCP_SERVERS.values():
            await stack.enter_async_context(server)
        yield


def assistant_tools() -> list[list[Tool]]:
    """Return the tools that the app's own agent has from each MCP server; a list is replaced when its server changes it."""
    return [server.tools for server in ASSISTANT_SERVERS]


def register_identity(identify: Identify) -> Identify:
    """Register the decorated function to identify users, so that each user can access only their own threads.

    Args:
        identify: takes the request's headers, as a dict with lower-case names, and returns a `CallContext`
            with a `user_id`, or None if no user is signed in: such a request is refused. A trusted party,
            such as the proxy that signs users in, must set the headers that it reads, and clients must
            not be able to bypass that proxy.

    Raises:
        ValidationError: `identify` is not a plain function, or another one is registered.
    """
    if not callable(identify) or inspect.iscoroutinefunction(identify):
        raise ValidationError("register_identity takes a plain function from headers to a CallContext.")
    check_takes(identify, ("headers",), "The function of register_identity")
    if IDENTITY and [identify] != IDENTITY:
        raise ValidationError("register_identity was called twice; remove one of the calls.")
    IDENTITY[:] = [identify]
    return identify


def caller(headers: Mapping[str, str]) -> CallContext | None:
    """Return the user who sent a request with these headers; None if the app has no users.

    Raises:
        AccessDeniedError: no user is signed in.
    """
    if not IDENTITY:
        return None
    ctx = IDENTITY[0]({name.lower(): value for name, value in headers.items()})
    if ctx is None or not ctx.user_id:
        raise AccessDeniedError("You are not signed in. Sign in, then reload the page.")
    return ctx


def register_limits(callback: MayLimit) -> MayLimit:
    """Register the decorated function to decide who may raise budgets, and use `api.limits` of the app.

    Without it those may who may administer the app.

    Args:
        callback: `(ctx)`; raises AccessDeniedError to deny.

    Raises:
        ValidationError: `callback` is not a plain function, or another one is registered.
    """
    if not callable(callback) or inspect.iscoroutinefunction(callback):
        raise ValidationError("register_limits takes a plain function of a CallContext.")
    check_takes(callback, ("ctx",), "The function of register_limits")
    if LIMITS and [callback] != LIMITS:
        raise ValidationError("register_limits was called twice; remove one of the calls.")
    LIMITS[:] = [callback]
    return callback


def check_may_limit(ctx: CallContext | None) -> None:
    """Check that a user may see and change limits and budgets.

    Raises:
        AccessDeniedError: the user may not.
    """
    _check_scope(ctx)
    if LIMITS:
        LIMITS[0](ctx)
    else:
        check_may_administer(ctx)


def register_administrators(callback: MayAdminister) -> MayAdminister:
    """Register the decorated function to decide who may open the admin page and use its methods.

    Without it everybody may in an app without users, and nobody in one with users.

    Args:
        callback: `(ctx)`; raises AccessDeniedError to deny.

    Raises:
        ValidationError: `callback` is not a plain function, or another one is registered.
    """
    if not callable(callback) or inspect.iscoroutinefunction(callback):
        raise ValidationError("register_administrators takes a plain function of a CallContext.")
    check_takes(callback, ("ctx",), "The function of register_administrators")
    if ADMINISTRATORS and [callback] != ADMINISTRATORS:
        raise ValidationError("register_administrators was called twice; remove one of the calls.")
    ADMINISTRATORS[:] = [callback]
    return callback


def check_may_administer(ctx: CallContext | None) -> None:
    """Check that a user may administer the app: see and change what belongs to everybody.

    Raises:
        AccessDeniedError: the user may not.
    """
    _check_scope(ctx)
    if ADMINISTRATORS:
        ADMINISTRATORS[0](ctx)
    elif IDENTITY:
        raise AccessDeniedError("Only administrators of this app may do this.")


def _check_scope(ctx: CallContext | None) -> None:
    """Check that a key has the scope admin, whoever its person is; people have no scope."""
    if ctx is not None and (ctx.claims or {}).get("scope", "admin") != "admin":
        raise AccessDeniedError("This key may not administer the app. Create one with the scope admin.")
