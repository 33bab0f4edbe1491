"""Accounts of the running app: signing in and out, links, and what administrators do with people."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlmodel import Session

from agent_core.errors import AccessDeniedError, AgentCoreError, ValidationError
from agent_core.store.database.app_database import AppDatabase, open_app_database
from agent_core.store.schedules.owners import count_held
from chat_app.accounts import people
from chat_app.accounts.attempts import count_attempt, forget_attempts
from chat_app.accounts.oidc import admit
from chat_app.accounts.passwords import Passwords
from chat_app.accounts.sessions import Sessions
from chat_app.database import MIGRATIONS
from chat_app.database.changes import count_change
from chat_app.database.tables import PersonRow, SessionRow
from chat_app.server.sign_in import Oidc

R = TypeVar("R")
_log = logging.getLogger(__name__)


class TooManyAttemptsError(AgentCoreError):
    """Too many attempts to sign in failed.

    Attributes:
        minutes: how long to wait.
    """

    def __init__(self, seconds: float) -> None:
        self.minutes = max(1, round(seconds / 60))
        super().__init__(f"Too many attempts to sign in. Try again in {self.minutes} minutes.")


class NotLetInError(AccessDeniedError):
    """The person was disabled."""


class NoPersonError(ValidationError):
    """There is no such person."""


class Invited(NamedTuple):
    """A person with the token of a new one-time link."""

    name: str
    token: str


class Accounts:
    """People and sessions of an open database.

    Args:
        database: the database with the app's tables.

    Attributes:
        sessions: the sessions that this process knows.
    """

    def __init__(self, database: AppDatabase, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._passwords = Passwords()
        self.sessions = Sessions(database, clock)

    async def sign_in(self, name: str, password: str, address: str, old: str | None) -> str:
        """Return the token of a new session; the browser's old one ends.

        Raises:
            AccessDeniedError: the name or the password is wrong.
            NotLetInError: the person was disabled.
            TooManyAttemptsError: too many were, with this name or from this address.
        """
        try:
            key = people.name_key(name)
        except AgentCoreError:
            key = ""
        if wait := await self._write(count_attempt, key, address, self._clock()):
            _log.warning("Too many attempts to sign in from %s", address)
            raise TooManyAttemptsError(wait)
        person = await self._read(people.find_person, key) if key else None
        stored = person.password_hash if person else None
        if not await self._passwords.is_right(password, stored) or person is None:
            raise AccessDeniedError("The name or the password is wrong.")
        token = await self._write(self._begin, person.id, stored, old)
        await self._write(forget_attempts, key, address)
        if old is not None:
            await self.sessions.refresh()
        _log.info("%s signed in", person.id)
        return token

    def _begin(self, session: Session, person_id: str, stored: str | None, old: str | None) -> str:
        person = session.get(PersonRow, person_id)
        if person is None or person.removed_at is not None or person.password_hash != stored:
            raise AccessDeniedError("The name or the password is wrong.")  # it was changed meanwhile
        if person.disabled_at is not None:
            raise NotLetInError("Your account is disabled. Ask an administrator.")
        return self._replace(session, person_id, old)

    def _replace(self, session: Session, person_id: str, old: str | None) -> str:
        if old is not None:
            people.end_session(session, old)
        return people.begin_session(session, person_id, self._clock())

    async def sign_in_with(
        self, claims: Mapping[str, Any], oidc: Oidc, admins: Collection[str], old: str | None
    ) -> str:
        """Return the token of a new session of a person whom an OpenID provider has signed in.

        Raises:
            AccessDeniedError: the person is not let in, or was removed.
        """

        def begin(session: Session) -> str:
            person = admit(session, claims, oidc, admins, self._clock())
            session.flush()
            return self._replace(session, person.id, old)

        token = await self._write(begin)
        await self.sessions.refresh()
        return token

    async def sign_out(self, session_id: str, *, everywhere: bool = False) -> None:
        """End a session, or every session of its person."""
        found = await self.sessions.load(session_id)
        if found is not None and everywhere:
            await self._write(people.end_sessions, found.person_id)
        else:
            await self._write(people.end_session, session_id)
        await self.sessions.refresh()

    async def change_password(self, session_id: str, current: str, password: str, address: str) -> str:
        """Change the password of a session's person; every session ends, and a new one begins: return its token.

        Raises:
            AccessDeniedError: the session has ended, or the current password is wrong.
            TooManyAttemptsError: it was wrong too often.
            ValidationError: the new password is too short or too long.
        """
        found = await self.sessions.load(session_id)
        person = None if found is None else await self._read(_person, found.person_id)
        if person is None:
            raise AccessDeniedError("You are not signed in.")
        key = person.name_key or ""
        if wait := await self._write(count_attempt, key, address, self._clock()):
            raise TooManyAttemptsError(wait)
        if not await self._passwords.is_right(current, person.password_hash):
            raise AccessDeniedError("The current password is wrong.")
        await self._write(forget_attempts, key, address)
        return await self._new_password(person.id, await self._passwords.hashed(password), None)

    async def person_of_link(self, token: str) -> PersonRow | None:
        """Return the person whom a one-time link is for; None if it is unknown, used or too old."""
        return await self._read(people.person_of_link, token, self._clock())

    async def use_link(self, token: str, password: str) -> str:
        """Set the password of a link's person, and return the token of a new session; the link ends.

        Raises:
            AccessDeniedError: the link is unknown, used or too old.
            ValidationError: the password is too short or too long.
        """
        person = await self.person_of_link(token)
        if person is None:
            raise AccessDeniedError("This link was used or is too old.")
        return await self._new_password(person.id, await self._passwords.hashed(password), token)

    async def _new_password(self, person_id: str, password_hash: str, link: str | None) -> str:
        def change(session: Session) -> str:
            person = (
                _person(session, person_id)
                if link is None
                else people.person_of_link(session, link, self._clock())
            )
            if person is None or not people.may_sign_in(person):
                raise AccessDeniedError("This link was used or is too old.")
            people.set_password(session, person, password_hash)
            return people.begin_session(session, person_id, self._clock())

        token = await self._write(change)
        await self.sessions.refresh()
        _log.info("%s has a new password", person_id)
        return token

    async def people(self) -> Sequence[PersonRow]:
        """Return everybody who was not removed."""
        return await self._read(people.list_people)

    async def names_of(self, person_ids: Collection[str]) -> dict[str, str]:
        """Return the names of people by their ids, also of those who were removed."""
        return await self._read(people.names_of, person_ids)

    async def id_of(self, name: str) -> str:
        """Return the id of the person with a name or an id.

        Raises:
            ValidationError: nobody has it, or several have.
        """
        return (await self._read(people.named_person, name)).id

    async def session_counts(self) -> dict[str, int]:
        """Return the number of browsers in which each person is signed in, by the person's id."""
        return await self._read(people.count_sessions, self._clock())

    async def held_schedules(self, person_ids: Collection[str]) -> dict[str, int]:
        """Return how many schedules of each of the people are paused because they may not sign in."""
        return await self._read(count_held, person_ids)

    async def sessions_of(self, person_id: str) -> Sequence[SessionRow]:
        """Return the sessions of a person, the newest first."""
        return await self._read(people.list_sessions, person_id, self._clock())

    async def invite(self, name: str, role: str, actor: str | None = None) -> Invited:
        """Add a person, and return the link with which they choose a password.

        Args:
            name: the person's name.
            role: "admin" or "member".
            actor: the administrator who asks, who must be one still; None: whoever may.

        Raises:
            AccessDeniedError: the actor is no longer an administrator.
            ValidationError: the name or the role is invalid, or somebody has the name.
        """

        def add(session: Session) -> Invited:
            _check_acts(session, actor)
            person = people.add_person(session, name, role, self._clock())
            return Invited(person.name, people.make_link(session, person.id, self._clock()))

        return await self._write(add)

    async def new_link(self, person_id: str, actor: str | None) -> Invited:
        """Return a new link with which a person chooses a password; earlier ones end.

        Raises:
            AccessDeniedError: as for `invite`.
            NoPersonError: the person was removed or disabled, or signs in elsewhere.
        """

        def make(session: Session, person: PersonRow) -> Invited:
            if person.subject is not None or not people.may_sign_in(person):
                raise NoPersonError(f"{person.name} has no password here.")
            people.delete_links(session, person.id)
            return Invited(person.name, people.make_link(session, person.id, self._clock()))

        return await self.administer(person_id, make, actor)

    async def administer(
        self, person_id: str, action: Callable[[Session, PersonRow], R], actor: str | None
    ) -> R:
        """Do something with a person in one transaction, which applies to their open tabs and streams, too.

        Administrators act one after the other, so that two cannot demote each other.

        Args:
            person_id: the person.
            action: function of the transaction and the person's row.
            actor: as for `invite`.

        Raises:
            AccessDeniedError: as for `invite`.
            NoPersonError: there is no such person, or they were removed.
        """

        def act(session: Session) -> R:
            count_change(session)  # first: it locks a row
            _check_acts(session, actor)
            person = _person(session, person_id)
            if person is None or person.removed_at is not None:
                raise NoPersonError("There is no such person any more.")
            return action(session, person)

        done = await self._write(act)
        await self.sessions.refresh()
        _log.info("%s was changed by %s", person_id, actor)
        return done

    async def _read(self, function: Callable[..., R], *args: Any) -> R:
        return await asyncio.to_thread(self._database.read, function, *args)

    async def _write(self, function: Callable[..., R], *args: Any) -> R:
        return await asyncio.to_thread(self._database.write, function, *args)


def _check_acts(session: Session, actor: str | None) -> None:
    if actor is not None and not people.is_admin(session, actor):
        raise AccessDeniedError("Only administrators of this app may do this.")


def _person(session: Session, person_id: str) -> PersonRow | None:
    return session.get(PersonRow, person_id)


_accounts: list[Accounts] = []
"""The open accounts of this process, at most one."""


def accounts() -> Accounts | None:
    """Return the accounts of this process; None before the app has started, or without sign-in."""
    return _accounts[0] if _accounts else None


@contextlib.asynccontextmanager
async def open_accounts(database_url: str) -> AsyncGenerator[Accounts]:
    """Open the accounts of a database for this process."""
    with open_app_database(database_url, MIGRATIONS) as database:
        found = Accounts(database)
        _accounts[:] = [found]
        watching = asyncio.create_task(found.sessions.watch())
        try:
            yield found
        finally:
            watching.cancel()
            _accounts.clear()
            await asyncio.gather(watching, return_exceptions=True)
