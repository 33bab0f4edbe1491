"""Durable agents: threads whose work survives the process that does it.

The names below are the public API; `docs/reference/python/` describes them.
"""

from agent_core import errors, moved
from agent_core.agent import Agent, AgentFactory, CallContext, StreamingOptions
from agent_core.api import AgentApi, define_internal_agent_api
from agent_core.api.reminder_tools import cancel_reminder, list_reminders, remind_me
from agent_core.context.thread_title import ModelTitle
from agent_core.domain.events.outbox_events import DeadLetter, OutboxEvent, OutboxStatus
from agent_core.domain.limits import Budget, BudgetUse, Limit, LimitUse
from agent_core.domain.messages import Message, SearchHit, Thread, Update
from agent_core.domain.turn_options import TurnOptions
from agent_core.mcp import McpServer, ToolOverrides, mcp_tools
from agent_core.outbox import Outbox, Webhook
from agent_core.public_api import define_agent_api
from agent_core.runtime import Runtime
from agent_core.schedules.schedule import Schedule, ScheduleReport
from agent_core.schedules.triggers import Trigger, at, cron, every
from agent_core.store.database.migrate import migrate_database
from agent_core.store.store import Store
from agent_core.support.retry import RetryPolicy
from agent_core.support.version import __version__ as __version__
from agent_core.tools import (
    Tool,
    ToolContext,
    action_tool,
    async_tool,
    create_action_tool,
    create_async_tool,
)
from agent_core.worker.bridge import create_workpool_bridge
from agent_core.worker.worker import Worker
from agent_core.worker.workpool import Workpool

moved.install()

__all__ = [
    "Agent",
    "AgentApi",
    "AgentFactory",
    "Budget",
    "BudgetUse",
    "CallContext",
    "DeadLetter",
    "Limit",
    "LimitUse",
    "McpServer",
    "Message",
    "ModelTitle",
    "Outbox",
    "OutboxEvent",
    "OutboxStatus",
    "RetryPolicy",
    "Runtime",
    "Schedule",
    "ScheduleReport",
    "SearchHit",
    "Store",
    "StreamingOptions",
    "Thread",
    "Tool",
    "ToolContext",
    "ToolOverrides",
    "Trigger",
    "TurnOptions",
    "Update",
    "Webhook",
    "Worker",
    "Workpool",
    "action_tool",
    "async_tool",
    "at",
    "cancel_reminder",
    "create_action_tool",
    "create_async_tool",
    "create_workpool_bridge",
    "cron",
    "define_agent_api",
    "define_internal_agent_api",
    "errors",
    "every",
    "list_reminders",
    "mcp_tools",
    "migrate_database",
    "remind_me",
]
