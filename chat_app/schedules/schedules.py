"""The schedules, and the form of a new one."""

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
from chat_app.schedules.schedule_fields import START, FieldError, describe_trigger, next_runs, trigger_of
from chat_app.session.service import CommandState
from chat_app.thread_list.list_feed import THREADS

_RUNS_SHOWN = 20
_THREADS_OFFERED = 50
"""The longest list of threads to choose from."""


@dataclass(frozen=True)
class ScheduleItem:
    """A schedule as a row.

    Attributes:
        kind, words, at, day: when it comes due, as `schedule_fields.describe_trigger` says it.
        status: active, paused or over.
        next_at: seconds since the epoch, 0 for none.
        thread: where each run is sent; "": each begins one, with
        agent: the agent of that name; "" for the app's own.
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
    """One run: when it was due, where it was sent, and whether it waits there."""

    key: str
    thread_id: str
    at: float
    queued: bool


class Schedules(CommandState, rx.State):
    """What the page of schedules shows, and what its buttons do.

    Attributes:
        zone: the browser's time zone.
        form: the values of the fields; `cleared` counts how often they were emptied.
        agents: to choose from, the app's own first; none if there is only that.
        threads: the newest threads, to which it can be sent.
        wrong: the field that cannot be used, and `why`: a word of `schedule_fields.FieldError`, or a sentence.
        upcoming: the next runs of the schedule that the form describes.
        opened: the schedule whose `history` is shown.
        confirming: the schedule that is about to be deleted, until the person says so.
    """

    items: list[ScheduleItem] = []
    loaded: bool = False
    zone: str = "UTC"
    form: dict[str, str] = START
    cleared: int = 0
    agents: list[Option] = []
    threads: list[Option] = []
    wrong: str = ""
    why: str = ""
    upcoming: list[float] = []
    opened: str = ""
    history: list[RunItem] = []
    confirming: str = ""

    @rx.var
    def why_info(self) -> dict[str, Any]:
        """Code and params of `why`."""
        return info_of(self.why) or {}

    @rx.event
    async def open(self):
        """Show the schedules, and follow what changes."""
        self.opened, self.confirming, self.notice = "", "", ""
        self._offer()
        await self._read()
        return Schedules.follow

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Read the schedules again whenever a thread has changed, until the tab leaves: a run changes one."""
        async with self:
            feed = self._lists()[THREADS]
        version = feed.version
        while True:
            version = await feed.after(version)
            async with self:
                self._offer()
                await self._read()

    def _offer(self) -> None:
        """Show which agents and threads there are; a thread that was chosen stays in the list."""
        feed = self._lists()[THREADS]
        rows = [*feed.pinned, *feed.newest][:_THREADS_OFFERED]
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
        if self.opened:
            await self._read_history()

    @rx.event
    def set_zone(self, zone: str):
        """Take the browser's time zone, if it is one."""
        try:
            zone_of(zone)
        except AgentCoreError:
            zone = "UTC"
        self.zone = zone
        self._plan()

    # The form

    @rx.event
    def fill(self, field: str, value: str):
        """Take what was put into one field, and show what would come of it."""
        if field in START:
            self.form = self.form | {field: clean_text(str(value))}
            self.wrong = self.why = ""
            self._plan()

    def _plan(self) -> None:
        try:
            self.upcoming = next_runs(trigger_of(self.form, self.zone), time.time())
        except FieldError as error:
            self.upcoming = []
            if self.form.get(error.field):  # what is still empty is not wrong yet
                self.wrong, self.why = error.field, error.words

    @rx.event
    async def create(self):
        """Make the schedule that the form describes; its runs go to the chosen thread, or begin one each."""
        self.wrong = self.why = self.notice = ""
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
            self.wrong, self.why = error.field, error.words
            return
        except AgentCoreError as error:
            self.notice = words_of(error)
            return
        self.form = START
        self.cleared += 1
        self._plan()
        await self._read()

    # The rows

    @rx.event
    async def pause(self, schedule_id: str):
        """Let a schedule run nothing until it is resumed."""
        await self._do("pause", schedule_id)

    @rx.event
    async def resume(self, schedule_id: str):
        """Let it go on."""
        await self._do("resume", schedule_id)

    @rx.event
    async def run_now(self, schedule_id: str):
        """Do a run that is not due."""
        await self._do("run_now", schedule_id)

    @rx.event
    def ask_delete(self, schedule_id: str):
        """Ask whether to delete a schedule; "" takes the question back."""
        self.confirming = schedule_id

    @rx.event
    async def delete(self, schedule_id: str):
        """Delete a schedule; what it has sent stays."""
        self.confirming = ""
        await self._do("delete", schedule_id)

    @rx.event
    async def toggle_history(self, schedule_id: str):
        """Show the runs that a schedule has had, or put them away."""
        self.opened = "" if self.opened == schedule_id else schedule_id
        self.history = []
        if self.opened:
            await self._read_history()

    async def _read_history(self) -> None:
        try:
            runs = await self._api().schedules.runs(self.opened, limit=_RUNS_SHOWN)
        except ScheduleNotFoundError:
            self.opened, self.history = "", []
            return
        self.history = [
            RunItem(run.message_id, run.thread_id, run.due_at.timestamp(), run.queued) for run in runs
        ]

    async def _do(self, method: str, schedule_id: str) -> None:
        self.notice = ""
        try:
            await getattr(self._api().schedules, method)(schedule_id)
        except ScheduleNotFoundError:
            pass  # another tab was faster, and the list says so
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
