"""Section of the work: workers, the queue, limits of models, and the steps that begin next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import reflex as rx

from agent_core import LimitUse
from agent_core.domain.reports import WaitingStep, WorkerReport, WorkReport
from agent_core.errors import AccessDeniedError
from chat_app.admin.admin_state import AdminState, error, names_of, refresh
from chat_app.admin.sections import register_section
from chat_app.plain_text import UNTITLED
from chat_app.scripts import react_component

_NEVER = 10 * 365 * 86_400.0
"""Seconds after which a step waits for a person, not for a moment."""

_work = react_component("admin/views/work.jsx", "Work", report=dict[str, Any])
"""Figures of the queue, and tables of the queue, the workers, the limits and the waiting steps."""


class Work(AdminState, rx.State):
    """State of the section.

    Attributes:
        report: the figures and the rows of the tables, as plain JSON.
    """

    report: dict[str, Any] = {}

    async def _read(self) -> dict[str, Any]:
        api = self._api()
        found = await api.admin.work()
        try:
            limits = await api.limits.list_limits()
        except AccessDeniedError:  # others may change limits
            limits = []
        return {"report": self._report(found, limits, await names_of(step.user_id for step in found.waiting))}

    def _report(
        self, found: WorkReport, limits: list[LimitUse], names: Mapping[str | None, str]
    ) -> dict[str, Any]:
        return {
            "queues": [queue.to_dict() for queue in found.queues],
            "workers": [_worker(worker, found.at.timestamp()) for worker in found.workers],
            "limits": [_limit(use, found.at.timestamp()) for use in limits],
            "waiting": [self._waiting(step, found.at.timestamp(), names) for step in found.waiting],
            "approvals": found.approvals,
            "answers": found.answers,
            "threads": sum(found.threads.values()),
        }

    def _waiting(self, step: WaitingStep, now: float, names: Mapping[str | None, str]) -> dict[str, Any]:
        why = step.retry_state or {}
        left = step.next_at.timestamp() - now
        return {
            "thread": step.thread_id,
            "title": step.title or UNTITLED,
            "link": self._link(step.thread_id, step.user_id),
            "user": names[step.user_id],
            "agent": step.agent,
            "left": left,
            "at": None if left > _NEVER else step.next_at.timestamp(),
            "kind": str(why.get("kind") or ""),
            "error": str(why.get("error") or ""),
            "info": why.get("error_info"),
        }


def _worker(worker: WorkerReport, now: float) -> dict[str, Any]:
    return {
        "name": worker.name,
        "host": worker.host,
        "started_at": worker.started_at.timestamp(),
        "seen": max(0.0, now - worker.seen_at.timestamp()),
        "lives": worker.lives,
        "steps": worker.steps,
        "max_steps": worker.max_steps,
        "tools": worker.tools,
        "max_tools": worker.max_tools,
        "agents": list(worker.agents),
        "engine": worker.engine or "",
    }


def _limit(use: LimitUse, now: float) -> dict[str, Any]:
    return {
        "model": use.model,
        **use.limit.to_dict(),
        "requests": use.requests,
        "tokens": use.tokens,
        "running": use.running,
        "resets": max(0.0, use.resets_at - now),
        "blocked": None if use.blocked_until is None else max(0.0, use.blocked_until - now),
    }


@register_section("", "admin.work", on_load=Work.open, place=0)
def work() -> list[rx.Component]:
    """Render the section `/admin`."""
    return [
        error(Work),
        refresh(reads=Work.reads, on_due=Work.refresh),
        rx.cond(Work.loaded, _work(report=Work.report)),
    ]
