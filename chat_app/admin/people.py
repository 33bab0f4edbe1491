"""Section of the people: invite, change roles, disable, sign out and remove, and the sessions of a person."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import reflex as rx
from sqlmodel import Session

from agent_core.errors import AgentCoreError, words_of
from chat_app.accounts import people as rows
from chat_app.accounts.accounts import NoPersonError, accounts
from chat_app.accounts.cookie import session_in
from chat_app.accounts.setup import acting_admin
from chat_app.admin.admin_state import AdminState, error, refresh
from chat_app.admin.people_report import people_report, session_views
from chat_app.admin.sections import register_section
from chat_app.database.tables import PersonRow
from chat_app.scripts import react_component

_PAGE = 50
_MAX_PEOPLE = 1_000

_people = react_component(
    "admin/views/people.jsx",
    "People",
    report=dict[str, Any],
    opened=str,
    sessions=list[dict[str, Any]],
    problem=str,
    done=dict[str, Any],
    on_role=(str, str),
    on_disable=(str,),
    on_enable=(str,),
    on_sign_out=(str,),
    on_remove=(str,),
    on_sessions=(str,),
    on_end_session=(str, str),
    on_more=(),
    on_changed=(),
)
"""Render the table of people with the form to invite one, and say how they sign in."""

_Action = Callable[[Session, PersonRow], object]


class People(AdminState, rx.State):
    """State of the section. Links of invitations are not in it, but in the answers to requests of the page.

    Attributes:
        report: how people sign in, and the people; see `people_report`.
        opened: id of the person whose sessions are shown; "" for nobody.
        sessions: the sessions of that person.
        problem: why the last action was refused: "last_admin", or "" if it was not.
        done: what became of schedules by the last action: {"name": …, "paused": …} or {"name": …, "resumed": …}.
    """

    report: dict[str, Any] = {}
    opened: str = ""
    sessions: list[dict[str, Any]] = []
    problem: str = ""
    done: dict[str, Any] = {}
    _count: int = _PAGE

    def _forget(self) -> None:
        self.opened, self.problem, self.done = "", "", {}

    async def _read(self) -> dict[str, Any]:
        known = accounts()
        found = await known.sessions_of(self.opened) if known is not None and self.opened else []
        own = session_in(self.router.headers.raw_headers.get("cookie", ""))
        return {
            "report": await people_report(self._ctx(), self._count),
            "sessions": session_views(found, own),
        }

    @rx.event
    async def more(self):
        """Show more people."""
        self._count = min(self._count + _PAGE, _MAX_PEOPLE)
        await self.refresh()

    @rx.event
    async def show_sessions(self, person_id: str):
        """Show the sessions of a person, or hide them if they are shown."""
        self.opened = "" if self.opened == person_id else person_id
        await self.refresh()

    @rx.event
    async def end_session(self, person_id: str, session_id: str):
        """End one session of a person."""
        await self._do(person_id, lambda session, person: rows.end_session(session, session_id, of=person.id))

    @rx.event
    async def sign_out(self, person_id: str):
        """End every session of a person."""
        await self._do(person_id, lambda session, person: rows.end_sessions(session, person.id))

    @rx.event
    async def change_role(self, person_id: str, role: str):
        """Make a person an administrator or a member."""
        await self._do(person_id, partial(rows.change_role, role=role))

    @rx.event
    async def disable(self, person_id: str):
        """Let a person not sign in until they are enabled."""
        await self._do_to_others(person_id, partial(rows.disable_person, now=time.time()), "paused")

    @rx.event
    async def enable(self, person_id: str):
        """Let a person who was disabled sign in again."""
        await self._do(person_id, partial(rows.enable_person, now=time.time()), "resumed")

    @rx.event
    async def remove(self, person_id: str):
        """Let a person never sign in again; their chats stay in the database."""
        await self._do_to_others(person_id, partial(rows.remove_person, now=time.time()), "paused")

    async def _do_to_others(self, person_id: str, action: _Action, schedules: str) -> None:
        if self._is_admin() and (ctx := self._ctx()) is not None and ctx.user_id != person_id:
            await self._do(person_id, action, schedules)

    async def _do(self, person_id: str, action: _Action, schedules: str = "") -> None:
        """Do something with a person, then read the section, unless the user may no longer see it.

        `schedules` says what became of the schedules whose number the action returns.
        """
        known = accounts()
        if not self._is_admin() or known is None:
            return
        self.notice, self.problem, self.done = "", "", {}

        def act(session: Session, person: PersonRow) -> dict[str, Any]:
            number = action(session, person)
            return {"name": person.name, schedules: number} if schedules and number else {}

        try:
            self.done = await known.administer(person_id, act, acting_admin(self._ctx()))
        except rows.LastAdminError:
            self.problem = "last_admin"
        except NoPersonError:
            pass  # somebody else removed the person first, and the table shows it
        except AgentCoreError as error:
            self.notice = words_of(error)
        await self.refresh()


@register_section("people", "admin.people", on_load=People.open, place=5)
def people() -> list[rx.Component]:
    """Render the section `/admin/people`."""
    return [
        error(People),
        refresh(reads=People.reads, on_due=People.refresh),
        rx.cond(
            People.loaded,
            _people(
                report=People.report,
                opened=People.opened,
                sessions=People.sessions,
                problem=People.problem,
                done=People.done,
                on_role=People.change_role,
                on_disable=People.disable,
                on_enable=People.enable,
                on_sign_out=People.sign_out,
                on_remove=People.remove,
                on_sessions=People.show_sessions,
                on_end_session=People.end_session,
                on_more=People.more,
                on_changed=People.refresh,
            ),
        ),
    ]
