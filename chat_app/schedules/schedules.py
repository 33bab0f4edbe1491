"""State of the schedules page: the list of schedules, and the form for a new one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import reflex as rx

from agent_core import Schedule
from agent_core.errors import AccessDeniedError, AgentCoreError, ScheduleNotFoundError, words_of
from agent_core.schedules.triggers import zone_of
from agent_core.sentences import info_of
from chat_app.agent_choice.choices import Option, agent_options
from chat_app.extensions import OFFERED
from chat_app.plain_text import UNTITLED, clean_text, shorten, thread_title
from chat_app.schedules.schedule_fields import (
    INITIAL_FORM,
    FieldError,
    describe_trigger,
    next_runs,
    trigger_of,
)
from chat_app.session.service import CommandState
from chat_app.thread_list.list_feed import THREADS

_MAX_RUNS = 20
_MAX_THREADS = 50
"""Maximum number of threads to choose from."""


@dataclass(frozen=True)
class ScheduleItem:
    """Row of a schedule.

    Attributes:
        kind, words, at, day: when the schedule runs, as `schedule_fields.describe_trigger` returns it.
        status: active, paused or over.
        next_at: time of the next run, in seconds since the epoch; 0 for none.
        thread: id of the thread that receives each run; "" if each run starts a new thread.
        agent: title of the agent that answers in new threads; "" for the app's own.
    """

    id: str
    title: str
    prompt: str
    kind: str
    words: str
    at: float
    status: str
    next_at: float
    thread: str
    agent: str
    runs: int
    missed: int
    error: str
    error_info: dict[str, Any]
    day: str = ""


@dataclass(frozen=True)
class RunItem:
    """Past run of a schedule: when it was due, which thread received it, and whether it is queued there."""

    key: str
    thread_id: str
    at: float
    queued: bool


class Schedules(CommandState, rx.State):
    """State of the schedules page, and the commands of its buttons.

    Attributes:
        zone: the browser's time zone.
        form: values of the fields; `resets` counts how often the form was reset.
        agents: agents to choose from, the app's own first; empty if there is no other.
        threads: newest threads, one of which may be chosen to receive the runs.
        error_field: name of the invalid field; `error` is the reason, as in `schedule_fields.FieldError.words`.
        upcoming: next runs of the schedule that the form describes, in seconds since the epoch.
        history_of: id of the schedule whose `history` is shown.
        confirming: id of the schedule whose deletion the user is asked to confirm.
    """

    items: list[ScheduleItem] = []
    loaded: bool = False
    zone: str = "UTC"
    form: dict[str, str] = INITIAL_FORM
    resets: int = 0
    agents: list[Option] = []
    threads: list[Option] = []
    error_field: str = ""
    error: str = ""
    upcoming: list[float] = []
    history_of: str = ""
    history: list[RunItem] = []
    confirming: str = ""

    @rx.var
    def error_info(self) -> dict[str, Any]:
        """Return the code and parameters of `error`."""
        return info_of(self.error) or {}

    @rx.event
    async def open(self):
        """Show the schedules, and follow their changes."""
        self.history_of, self.confirming, self.notice = "", "", ""
        self._update_options()
        await self._read()
        return Schedules.follow

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Reload the schedules when a thread has changed, as each run changes one, until the tab leaves."""
        async with self:
            feed = self._lists()[THREADS]
        version = feed.version
        while True:
            version = await feed.after(version)
            async with self:
                self._update_options()
                await self._read()

    def _update_options(self) -> None:
        """Update the agents and threads to choose from; a chosen thread stays in the list."""
        feed = self._lists()[THREADS]
        rows = [*feed.pinned, *feed.newest][:_MAX_THREADS]
        threads = [Option(row.id, row.title or UNTITLED) for row in rows]
        chosen = self.form["thread"]
        threads += [one for one in self.threads if one.value == chosen and one not in threads]
        agents = agent_options()
        if (agents, threads) != (self.agents, self.threads):
            self.agents, self.threads = agents, threads

    async def _read(self) -> None:
        try:
            items = [_item(schedule) for schedule in await self._api().schedules.list()]
        except AccessDeniedError as error:
            items, self.notice = [], words_of(error)
        if items != self.items or not self.loaded:
            self.items, self.loaded = items, True
        if self.history_of:
            await self._read_history()

    @rx.event
    def set_zone(self, zone: str):
        """Set the browser's time zone; an unknown one becomes UTC."""
        try:
            zone_of(zone)
        except AgentCoreError:
            zone = "UTC"
        self.zone = zone
        self._update_preview()

    # The form

    @rx.event
    def set_field(self, field: str, value: str):
        """Store the value of one field, and update the preview of the next runs."""
        if field in INITIAL_FORM:
            self.form = self.form | {field: clean_text(str(value))}
            self.error_field = self.error = ""
            self._update_preview()

    def _update_preview(self) -> None:
        try:
            self.upcoming = next_runs(trigger_of(self.form, self.zone), time.time())
        except FieldError as error:
            self.upcoming = []
            if self.form.get(error.field):  # an empty field is not an error before it is sent
                self.error_field, self.error = error.field, error.words

    @rx.event
    async def create(self):
        """Create the schedule of the form; its runs go to the chosen thread, or each starts a new thread."""
        self.error_field = self.error = self.notice = ""
        try:
            if not self.form["prompt"].strip():
                raise FieldError("prompt", "blank")
            trigger = trigger_of(self.form, self.zone)
            if not next_runs(trigger, time.time()):
                raise FieldError(*(("moment", "past") if self.form["kind"] == "once" else ("cron", "never")))
            title = self.form["title"].strip() or None
            thread, agent = self.form["thread"] or None, self.form["agent"] or None
            agent = None if thread else agent
            await self._api().schedules.create(thread, self.form["prompt"], trigger, title=title, agent=agent)
        except FieldError as error:
            self.error_field, self.error = error.field, error.words
            return
        except AgentCoreError as error:
            self.notice = words_of(error)
            return
        self.form = INITIAL_FORM
        self.resets += 1
        self._update_preview()
        await self._read()

    # The rows

    @rx.event
    async def pause(self, schedule_id: str):
        """Pause a schedule until it is resumed."""
        await self._do("pause", schedule_id)

    @rx.event
    async def resume(self, schedule_id: str):
        """Resume a paused schedule."""
        await self._do("resume", schedule_id)

    @rx.event
    async def run_now(self, schedule_id: str):
        """Run a schedule now, although it is not due."""
        await self._do("run_now", schedule_id)

    @rx.event
    def ask_delete(self, schedule_id: str):
        """Ask the user to confirm the deletion of a schedule; "" withdraws the question."""
        self.confirming = schedule_id

    @rx.event
    async def delete(self, schedule_id: str):
        """Delete a schedule; the messages that it has sent remain."""
        self.confirming = ""
        await self._do("delete", schedule_id)

    @rx.event
    async def toggle_history(self, schedule_id: str):
        """Show or hide the past runs of a schedule."""
        self.history_of = "" if self.history_of == schedule_id else schedule_id
        self.history = []
        if self.history_of:
            await self._read_history()

    async def _read_history(self) -> None:
        try:
            runs = await self._api().schedules.runs(self.history_of, limit=_MAX_RUNS)
        except ScheduleNotFoundError:
            self.history_of, self.history = "", []
            return
        self.history = [
            RunItem(run.message_id, run.thread_id, run.due_at.timestamp(), run.queued) for run in runs
        ]

    async def _do(self, method: str, schedule_id: str) -> None:
        self.notice = ""
        try:
            await getattr(self._api().schedules, method)(schedule_id)
        except ScheduleNotFoundError:
            pass  # another tab deleted it first; the reloaded list shows that
        except AgentCoreError as error:
            self.notice = words_of(error)
        await self._read()


def _item(schedule: Schedule) -> ScheduleItem:
    when = describe_trigger(schedule.trigger)
    return ScheduleItem(
        id=schedule.id,
        title=thread_title(schedule.title or schedule.prompt),
        prompt=clean_text(shorten(schedule.prompt, 300)),
        kind=when["kind"],
        words=when["words"],
        at=float(when["at"] or 0),
        status=schedule.status,
        next_at=schedule.next_at.timestamp() if schedule.next_at else 0,
        thread=schedule.thread_id or "",
        agent=OFFERED.get(schedule.agent, "") if not schedule.thread_id else "",
        runs=schedule.runs,
        missed=schedule.missed_runs,
        error=clean_text(schedule.error or ""),
        error_info=schedule.error_info or {},
        day=when.get("day", ""),
    )
