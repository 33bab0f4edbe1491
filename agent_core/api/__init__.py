"""The API that pages and programs call: one method per thing that can be done with a thread.

Every method is one transaction or one consistent read. Methods that touch an existing thread first
ask the `authorization_callback`, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agent_core.agent import AnyAgent
from agent_core.api.base import Authorize, StatusHook
from agent_core.api.branches import BranchMethods
from agent_core.api.exporting import ExportMethods
from agent_core.api.files import FileMethods
from agent_core.api.observing import ObservingMethods
from agent_core.api.people import PeopleMethods
from agent_core.api.queued import QueuedMethods
from agent_core.api.reading import ReadingMethods
from agent_core.api.schedules import ScheduleMethods
from agent_core.api.searching import SearchMethods
from agent_core.api.serving import ServingMethods
from agent_core.api.sharing import SharingMethods
from agent_core.api.threads import ThreadMethods
from agent_core.api.tool_calls import ToolCallMethods
from agent_core.api.turns import TurnMethods
from agent_core.checks import check_arguments, check_has

if TYPE_CHECKING:
    from agent_core.runtime import Runtime


class AgentApi(
    ThreadMethods,
    TurnMethods,
    QueuedMethods,
    BranchMethods,
    FileMethods,
    ExportMethods,
    SharingMethods,
    ReadingMethods,
    SearchMethods,
    ToolCallMethods,
    ObservingMethods,
    ScheduleMethods,
    PeopleMethods,
):
    """The methods of one agent's threads."""


class PublicAgentApi(AgentApi, ServingMethods):
    """The same with HTTP; made by `define_agent_api`."""

    _takes_system = False


def define_internal_agent_api(
    runtime: Runtime,
    agent: AnyAgent,
    *,
    on_status_change: StatusHook | None = None,
    replace: bool = False,
) -> AgentApi:
    """Give the methods to code of one's own: no authorization, no HTTP, system messages included.

    Args:
        runtime: where its threads run.
        agent: the agent of the threads that name none, or a factory of it.
        on_status_change: `(thread_id, status, previous_status)` after each change.
        replace: whether it takes the place of another agent of its name.

    Raises:
        ValidationError: an argument is not acceptable, or another agent has its name.
    """
    _check(runtime, define_internal_agent_api, on_status_change=on_status_change, replace=replace)
    runtime.register(agent, on_status_change, replace=replace)
    return AgentApi(runtime, agent, None, exclude_system_messages=False)


def define_agent_api(
    runtime: Runtime,
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
        runtime: where its threads run.
        agent: the agent of the threads that name none, or a factory of it.
        authorization_callback: `(ctx, thread_id)`, sync or async, before every method that touches
            an existing thread; it raises (AccessDeniedError) to deny. A follower is asked about again.
        on_status_change: `(thread_id, status, previous_status)` after each change.
        exclude_system_messages: whether readers get the thread without its system messages.
        replace: whether it takes the place of another agent of its name.

    Raises:
        ValidationError: an argument is not acceptable, or another agent has its name.
    """
    _check(
        runtime,
        define_agent_api,
        authorization_callback=authorization_callback,
        on_status_change=on_status_change,
        exclude_system_messages=exclude_system_messages,
        replace=replace,
    )
    runtime.register(agent, on_status_change, replace=replace)
    return PublicAgentApi(runtime, agent, authorization_callback, exclude_system_messages)


def _check(runtime: object, function: Callable[..., Any], **given: Any) -> None:
    check_has(runtime, "register", f"runtime of {function.__name__} must be a Runtime")
    check_arguments(function, (), given)
