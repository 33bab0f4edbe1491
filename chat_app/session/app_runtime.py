"""Runtime of the app's agents, for the server of the pages and for workers without pages."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from agent_core import (
    AgentApi,
    CallContext,
    Outbox,
    Runtime,
    Thread,
    Webhook,
    Workpool,
    create_workpool_bridge,
    define_agent_api,
)
from agent_core.agent import AnyAgent
from agent_core.errors import AccessDeniedError
from agent_core.llm import warm
from agent_core.monitoring import serve
from agent_core.support.logs import get_logger
from agent_core.worker.procrastinate import ProcrastinateEngine
from chat_app import extension_modules, extensions
from chat_app.accounts.setup import register_sign_in
from chat_app.database import opened_tables
from chat_app.extensions import AGENTS, IDENTITY, check_may_administer, check_may_limit
from chat_app.mcp_servers.servers import opened_servers
from chat_app.model.model_choice import ModelChoice, choose_model, offered_models
from chat_app.server.mcp_servers import register_servers
from chat_app.server.settings import Settings
from chat_app.server.telemetry import exported_traces
from chat_app.session.app_agent import app_agent

_DAY = 86_400.0  # seconds
_log = get_logger(__name__)


@asynccontextmanager
async def app_runtime(
    settings: Settings, models: Sequence[ModelChoice], agent: AnyAgent | None = None, *, work: bool = True
) -> AsyncGenerator[tuple[Runtime, AgentApi]]:
    """Open a runtime with the agents of the app and its extensions; yield it with the API of the app's agent.

    Args:
        settings: settings of the app.
        models: models to choose from; the first one answers if no other is chosen.
        agent: agent in place of the app's own.
        work: whether this process runs work.
    """

    def authorize(ctx: CallContext | None, thread_id: str, thread: Thread | None) -> None:
        if thread is not None and (ctx is None or thread.user_id != ctx.user_id):
            raise AccessDeniedError(f"The thread {thread_id!r} belongs to somebody else.")

    steps, tools = workpools(settings)
    keep = None if settings.delete_after_days is None else settings.delete_after_days * _DAY
    outbox = Outbox(settings.webhook) if isinstance(settings.webhook, Webhook) else None
    given = {"delete_after": keep, "outbox": outbox, "work": False}
    async with (
        extensions.opened(),
        Runtime(settings.database_url, steps, tools, **given) as runtime,
        exported_traces(runtime),
    ):
        api = define_agent_api(
            runtime,
            agent or app_agent(settings, models, runtime.get_thread),
            authorization_callback=authorize if IDENTITY else None,
            limits_callback=check_may_limit,
            outbox_callback=check_may_administer,
            admin_callback=check_may_administer,
        )
        if settings.webhook == "off":
            await api.outbox.switch_off()
        for other in AGENTS.values():
            runtime.register(other)
        if work:
            await runtime.begin_work()
        yield runtime, api


def workpools(settings: Settings) -> tuple[Workpool, Workpool]:
    """Return the workpools of steps and of tools.

    Raises:
        ValidationError: CHAT_ENGINE names an engine that is not installed, or does not fit the database.
    """
    steps = Workpool(settings.max_parallelism, max_per_user=settings.max_per_user)
    tools = Workpool(settings.tool_parallelism)
    if settings.engine == "procrastinate":
        steps = create_workpool_bridge(
            ProcrastinateEngine(settings.database_url),
            max_parallelism=settings.max_parallelism,
            max_per_user=settings.max_per_user,
        )
        tools.engine = steps.engine
    return steps, tools


def models_of(settings: Settings) -> tuple[ModelChoice, tuple[ModelChoice, ...]]:
    """Return the model that answers if no other is chosen, and the models to choose from; log a problem."""
    choice = choose_model(settings, os.environ)
    if choice.problem:
        _log.warning("%s Using %s until then.", choice.problem, choice.name)
    return choice, tuple(offered_models(settings, os.environ, choice))


def warm_for(models: Sequence[ModelChoice]) -> None:
    """Import litellm in the background if a model needs it, because the first message must not wait for it."""
    if not all(model.is_demo for model in models):
        warm()


async def run_worker(settings: Settings, metrics: tuple[str, int] | None = None) -> None:
    """Run due work of the app's agents, without pages, until SIGTERM or SIGINT.

    Args:
        settings: settings of the app.
        metrics: host and port that serve /ready and /metrics.

    Raises:
        AgentCoreError: the settings do not fit together, or the database cannot be used.
    """
    extension_modules.load(settings.extensions)
    register_sign_in(settings.sign_in)
    register_servers(settings.mcp_servers)
    _, models = models_of(settings)
    warm_for(models)
    async with (
        opened_tables(settings.database_url) as tables,
        opened_servers(tables, settings.mcp_form),
        app_runtime(settings, models) as (runtime, _),
        AsyncExitStack() as stack,
    ):
        if metrics is not None:
            address = await stack.enter_async_context(serve(runtime, *metrics))
            _log.info("%s/ready and %s/metrics show this worker.", address, address)
        names = ", ".join(sorted(["assistant", *AGENTS]))
        _log.info("Worker %s runs %s.", runtime.store.process, names)
        await runtime.run_until_signal(settings.grace)
