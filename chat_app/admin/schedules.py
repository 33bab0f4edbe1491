"""Section of the schedules of all people: next run, last result, pause and delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import reflex as rx

from agent_core import ScheduleReport
from chat_app.admin.admin_state import AdminState, error, names_of, refresh
from chat_app.admin.sections import register_section
from chat_app.plain_text import UNTITLED, shorten
from chat_app.scripts import react_component

_PAGE = 50
_MAX_SCHEDULES = 1_000

_schedules = react_component(
    "admin/views/schedules.jsx",
    "Schedules",
    schedules=list[dict[str, Any]],
    more=bool,
    on_pause=(str,),
    on_resume=(str,),
    on_delete=(str,),
    on_more=(),
)
"""Table of the schedules with their buttons."""


class AllSchedules(AdminState, rx.State):
    """State of the section.

    Attributes:
        schedules: the schedules of all people, the next to come due first.
        has_more: whether there are more.
    """

    schedules: list[dict[str, Any]] = []
    has_more: bool = False
    _count: int = _PAGE

    async def _read(self) -> dict[str, Any]:
        found = await self._api().admin.schedules(limit=min(self._count + 1, _MAX_SCHEDULES))
        shown = found[: self._count]
        names = await names_of(each.schedule.user_id for each in shown)
        return {"schedules": [self._row(each, names) for each in shown], "has_more": len(found) > len(shown)}

    def _row(self, found: ScheduleReport, names: Mapping[str | None, str]) -> dict[str, Any]:
        schedule = found.schedule
        last = schedule.last_thread_id if found.last_status else None
        return {
            "id": schedule.id,
            "title": schedule.title or shorten(schedule.prompt, 80) or UNTITLED,
            "user": names[schedule.user_id],
            "agent": schedule.agent,
            "status": schedule.status,
            "next_at": schedule.next_at.timestamp() if schedule.next_at else None,
            "last_at": schedule.last_at.timestamp() if schedule.last_at else None,
            "last_link": self._link(last, schedule.user_id) if last else "",
            "last_status": found.last_status or "",
            "error": schedule.error or found.last_error or "",
            "info": schedule.error_info if schedule.error else found.last_error_info,
            "runs": schedule.runs,
            "missed": schedule.missed_runs,
        }

    @rx.event
    async def more(self):
        """Show more schedules."""
        self._count = min(self._count + _PAGE, _MAX_SCHEDULES)
        await self.refresh()

    @rx.event
    async def pause(self, schedule_id: str):
        """Pause a schedule until it is resumed."""
        await self._do("pause_schedule", schedule_id)

    @rx.event
    async def resume(self, schedule_id: str):
        """Resume a paused schedule."""
        await self._do("resume_schedule", schedule_id)

    @rx.event
    async def delete(self, schedule_id: str):
        """Delete a schedule; its messages and chats stay."""
        await self._do("delete_schedule", schedule_id)

    async def _do(self, method: str, schedule_id: str) -> None:
        await self._change(f"admin.{method}", schedule_id)
        if self.notice_info.get("code") == "schedule_not_found":
            self.notice = ""  # somebody else deleted it first, and the list shows it


@register_section("schedules", "admin.schedules", on_load=AllSchedules.open, place=40)
def schedules() -> list[rx.Component]:
    """Render the section `/admin/schedules`."""
    return [
        error(AllSchedules),
        refresh(reads=AllSchedules.reads, on_due=AllSchedules.refresh),
        rx.cond(
            AllSchedules.loaded,
            _schedules(
                schedules=AllSchedules.schedules,
                more=AllSchedules.has_more,
                on_pause=AllSchedules.pause,
                on_resume=AllSchedules.resume,
                on_delete=AllSchedules.delete,
                on_more=AllSchedules.more,
            ),
        ),
    ]
