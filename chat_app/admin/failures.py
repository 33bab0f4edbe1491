"""Section of the failed threads: why they failed, and a retry of one or of all that match."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import reflex as rx

from agent_core.domain.reports import FailedThread
from chat_app.admin.admin_state import AdminState, error, names_of, refresh
from chat_app.admin.sections import register_section
from chat_app.plain_text import UNTITLED
from chat_app.scripts import react_component

_PAGE = 50
_MAX_THREADS = 1_000

_failures = react_component(
    "admin/views/failures.jsx",
    "Failures",
    report=dict[str, Any],
    retried=int,
    on_agent=(str,),
    on_kind=(str,),
    on_retry=(str, int),
    on_retry_all=(float,),
    on_more=(),
)
"""Filters, the button that retries all threads that match, and their table."""


class Failures(AdminState, rx.State):
    """State of the section.

    Attributes:
        report: the filters, the counts and the failed threads that match, with the moment of the read.
        retried: number of threads that the last click retried; -1 before one.
    """

    report: dict[str, Any] = {}
    retried: int = -1
    _agent: str | None = None
    _kind: str | None = None
    _count: int = _PAGE
    _click: str = ""

    async def _read(self) -> dict[str, Any]:
        chosen = {"agent": self._agent, "error_kind": self._kind}
        found = await self._api().admin.failed_threads(
            limit=self._count, agent=self._agent, error_kind=self._kind
        )
        names = await names_of(thread.user_id for thread in found.threads)
        threads = [self._row(thread, names) for thread in found.threads]
        counts = [count.to_dict() for count in found.counts]
        shown = self.report
        if shown and (shown["threads"], shown["counts"]) == (threads, counts) and shown["chosen"] == chosen:
            return {}
        return {
            "report": {
                "chosen": chosen,
                "at": found.at.timestamp(),
                "counts": counts,
                "threads": threads,
            }
        }

    def _row(self, thread: FailedThread, names: Mapping[str | None, str]) -> dict[str, Any]:
        return {
            "id": thread.thread_id,
            "title": thread.title or UNTITLED,
            "link": self._link(thread.thread_id, thread.user_id),
            "user": names[thread.user_id],
            "agent": thread.agent,
            "seq": thread.seq,
            "kind": thread.error_kind,
            "error": thread.error,
            "info": thread.error_info,
            "at": thread.failed_at.timestamp(),
        }

    @rx.event
    async def choose_agent(self, agent: str):
        """Show the threads of an agent; "*" for all."""
        self._agent, self._count, self.retried = None if agent == "*" else agent, _PAGE, -1
        await self.refresh()

    @rx.event
    async def choose_kind(self, kind: str):
        """Show the threads with a kind of error; "*" for all."""
        self._kind, self._count, self.retried = None if kind == "*" else kind, _PAGE, -1
        await self.refresh()

    @rx.event
    async def more(self):
        """Show more threads."""
        self._count = min(self._count + _PAGE, _MAX_THREADS)
        await self.refresh()

    @rx.event
    async def retry(self, thread_id: str, seq: int):
        """Retry a thread, unless it has gone on since it was shown."""
        await self._retry(f"{thread_id} {seq}", "admin.retry_failed", {thread_id: seq})

    @rx.event
    async def retry_all(self, shown_at: float):
        """Retry the threads that match, at most 500, but none that failed after it was shown."""
        if not math.isfinite(shown_at) or not 0 <= shown_at <= self.report.get("at", 0.0):
            return
        until = datetime.fromtimestamp(shown_at, UTC)
        chosen = {"agent": self._agent, "error_kind": self._kind}
        await self._retry(f"all {shown_at} {chosen}", "admin.retry_all_failed", until=until, **chosen)

    async def _retry(self, click: str, method: str, *args: Any, **options: Any) -> None:
        """Retry threads, and show how many; the second click of a double click leaves the number of the first."""
        found = await self._change(method, *args, **options) or 0
        if found or click != self._click:
            self.retried = found
        self._click = click


@register_section("failures", "admin.failures", on_load=Failures.open, place=10)
def failures() -> list[rx.Component]:
    """Render the section `/admin/failures`."""
    return [
        error(Failures),
        refresh(reads=Failures.reads, on_due=Failures.refresh),
        rx.cond(
            Failures.loaded,
            _failures(
                report=Failures.report,
                retried=Failures.retried,
                on_agent=Failures.choose_agent,
                on_kind=Failures.choose_kind,
                on_retry=Failures.retry,
                on_retry_all=Failures.retry_all,
                on_more=Failures.more,
            ),
        ),
    ]
