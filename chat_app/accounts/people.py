"""People, the links with which they choose a password, and their sessions: functions of a database session.

A function that ends sessions or changes a role counts up `ChangeRow.number`, which tells every process.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, delete, func, text, true, update
from sqlmodel import Session, col, select

from agent_core.errors import ValidationError
from agent_core.store.schedules.owners import hold_schedules, release_schedules
from agent_core.support.ids import new_id
from chat_app.accounts.roles import ROLES
from chat_app.database.changes import count_change, read_change
from chat_app.database.revocations import end_grants
from chat_app.database.tables import LinkRow, McpGrantRow, McpSignInRow, PersonRow, SessionRow

MAX_NAME = 320  # characters; the longest e-mail address
SESSION_LIFE = 30 * 86_400.0  # seconds
LINK_LIFE = 3 * 86_400.0  # seconds


class NameTakenError(ValidationError):
    """Somebody has the name."""


class LastAdminError(ValidationError):
    """The app would be left without an administrator."""


class SignedIn(NamedTuple):
    """A session of a person: who, what they may do, and when it ends (seconds since the epoch)."""

    person_id: str
    name: str
    role: str
    expires_at: float


def token_hash(token: str) -> str:
    """Return what is stored of a token; a fast hash is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def name_key(name: str) -> str:
    """Return a name as it is compared: without the differences that people do not see.

    Raises:
        ValidationError: it is empty or too long, or has invisible characters.
    """
    key = unicodedata.normalize("NFKC", name.strip()).casefold()
    if not key or len(name) > MAX_NAME or not key.isprintable():
        raise ValidationError(
            f"A name has 1 to {MAX_NAME} visible characters, such as ann or ann@example.org."
        )
    return key


def add_person(session: Session, name: str, role: str, now: float) -> PersonRow:
    """Add a person who has yet to choose a password.

    Raises:
        NameTakenError: somebody has the name.
        ValidationError: the name or the role is invalid.
    """
    key = name_key(name)
    _check_role(role)
    person_id = new_id("person")
    session.execute(
        text(
            "INSERT INTO chat_person (id, name, name_key, role, created_at) "
            "VALUES (:id, :name, :key, :role, :now) ON CONFLICT DO NOTHING"
        ),
        {"id": person_id, "name": name.strip(), "key": key, "role": role, "now": now},
    )
    person = session.get(PersonRow, person_id)
    if person is None:
        raise NameTakenError(f"There is already a person named {name.strip()}.")
    return person


def find_person(session: Session, name: str) -> PersonRow | None:
    """Return the person with a name, if there is one."""
    return session.exec(select(PersonRow).where(PersonRow.name_key == name_key(name))).first()


def named_person(session: Session, name: str) -> PersonRow:
    """Return the person with a name, or with an id: of people of an OpenID provider, several may have one name.

    Raises:
        ValidationError: nobody has it, or several have.
    """
    key = name_key(name)
    found = [
        each for each in list_people(session) if name in (each.id, each.name) or name_key(each.name) == key
    ]
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise ValidationError(f"Several people are named {name!r:.80}. Give the id: {ids}.")
    if not found:
        raise ValidationError(f"Nobody is named {name!r:.80}.")
    return found[0]


def list_people(session: Session) -> Sequence[PersonRow]:
    """Return everybody who was not removed, by name."""
    known = select(PersonRow).where(col(PersonRow.removed_at).is_(None))
    return session.exec(known.order_by(col(PersonRow.name_key))).all()


def names_of(session: Session, person_ids: Collection[str]) -> dict[str, str]:
    """Return the names of people by their ids, also of those who were removed."""
    named = select(PersonRow.id, PersonRow.name).where(col(PersonRow.id).in_(person_ids))
    return dict(session.exec(named).all())


def has_admin(session: Session) -> bool:
    """Return whether an administrator has a way to sign in."""
    return session.exec(_admins()).first() is not None


def is_admin(session: Session, person_id: str) -> bool:
    """Return whether a person is an administrator with a way to sign in."""
    return session.exec(_admins().where(PersonRow.id == person_id)).first() is not None


def change_role(session: Session, person: PersonRow, role: str) -> None:
    """Give a person a role, which applies to open tabs, too.

    Raises:
        ValidationError: there is no such role.
        LastAdminError: the app would be left without an administrator.
    """
    _check_role(role)
    count_change(session)  # first: it locks a row, so that two administrators do not demote each other
    if role != "admin":
        _check_not_last_admin(session, person)
    person.role = role
    session.add(person)


def disable_person(session: Session, person: PersonRow, now: float) -> int:
    """Let a person not sign in until they are enabled, end their sessions, and pause their schedules.

    Returns:
        the number of schedules that were paused.

    Raises:
        LastAdminError: the app would be left without an administrator.
    """
    count_change(session)  # first, as in `change_role`
    _check_not_last_admin(session, person)
    person.disabled_at = person.disabled_at or now
    session.add(person)
    end_sessions(session, person.id)
    return hold_schedules(session, person.id)


def enable_person(session: Session, person: PersonRow, now: float) -> int:
    """Let a person who was disabled sign in again, and resume the schedules that this paused; return how many."""
    person.disabled_at = None
    session.add(person)
    return release_schedules(session, person.id, now)


def remove_person(session: Session, person: PersonRow, now: float) -> int:
    """Let a person never sign in again, end their sessions and grants, and pause their schedules.

    The row stays, as the owner of the threads.

    Returns:
        the number of schedules that were paused.

    Raises:
        LastAdminError: the app would be left without an administrator.
    """
    count_change(session)  # first, as in `change_role`
    _check_not_last_admin(session, person)
    person.removed_at, person.name_key, person.password_hash = now, None, None
    session.add(person)
    delete_links(session, person.id)
    end_sessions(session, person.id)
    session.execute(delete(McpSignInRow).where(col(McpSignInRow.user_id) == person.id))
    end_grants(session, col(McpGrantRow.user_id) == person.id)
    return hold_schedules(session, person.id)


def set_password(session: Session, person: PersonRow, password_hash: str) -> None:
    """Set a person's password; their links and sessions end."""
    person.password_hash = password_hash
    session.add(person)
    delete_links(session, person.id)
    end_sessions(session, person.id)


def begin_session(session: Session, person_id: str, now: float) -> str:
    """Sign a person in, and return the token of the new session."""
    token = secrets.token_urlsafe(32)
    row = SessionRow(id=token_hash(token), person_id=person_id, created_at=now, expires_at=now + SESSION_LIFE)
    session.add(row)
    session.execute(delete(SessionRow).where(col(SessionRow.expires_at) <= now))
    return token


def end_session(session: Session, session_id: str, of: str | None = None) -> None:
    """Sign one browser out; with `of` only if it is that person's."""
    own = true() if of is None else col(SessionRow.person_id) == of
    _end(session, and_(col(SessionRow.id) == session_id, own))


def end_sessions(session: Session, person_id: str) -> None:
    """Sign every browser of a person out."""
    _end(session, col(SessionRow.person_id) == person_id)


def read_sessions(session: Session, ids: Collection[str], now: float) -> tuple[dict[str, SignedIn], int]:
    """Return those of the sessions that have not ended, by id, and the number of changes so far."""
    number = read_change(session)
    found = session.exec(
        select(SessionRow, PersonRow)
        .where(col(SessionRow.id).in_(ids), SessionRow.person_id == PersonRow.id)
        .where(SessionRow.expires_at > now, *_let_in())
    )
    known = {
        row.id: SignedIn(person.id, person.name, person.role, row.expires_at) for row, person in found.all()
    }
    return known, number


def list_sessions(session: Session, person_id: str, now: float) -> Sequence[SessionRow]:
    """Return the sessions of a person that have not ended, the newest first."""
    own = select(SessionRow).where(SessionRow.person_id == person_id, SessionRow.expires_at > now)
    return session.exec(own.order_by(col(SessionRow.created_at).desc())).all()


def count_sessions(session: Session, now: float) -> dict[str, int]:
    """Return the number of sessions that have not ended by the id of their person."""
    counted = select(SessionRow.person_id, func.count()).where(SessionRow.expires_at > now)
    return dict(session.exec(counted.group_by(SessionRow.person_id)).all())


def note_sessions(session: Session, browsers: Mapping[str, str], now: float) -> None:
    """Write that sessions are used, and by which browser each."""
    for session_id, browser in sorted(browsers.items()):
        row = update(SessionRow).where(col(SessionRow.id) == session_id)
        session.execute(row.values(seen_at=now, browser=browser))


def make_link(session: Session, person_id: str, now: float) -> str:
    """Make a one-time link for a person, and return its token."""
    token = secrets.token_urlsafe(32)
    session.add(
        LinkRow(id=token_hash(token), person_id=person_id, created_at=now, expires_at=now + LINK_LIFE)
    )
    session.execute(delete(LinkRow).where(col(LinkRow.expires_at) <= now))
    return token


def person_of_link(session: Session, token: str, now: float) -> PersonRow | None:
    """Return the person whom a link is for; None if it is unknown, used or too old."""
    row = session.get(LinkRow, token_hash(token))
    if row is None or row.expires_at <= now:
        return None
    person = session.get(PersonRow, row.person_id)
    return person if person is not None and may_sign_in(person) else None


def may_sign_in(person: PersonRow) -> bool:
    """Return whether a person was neither removed nor disabled."""
    return person.removed_at is None and person.disabled_at is None


def can_sign_in(person: PersonRow) -> bool:
    """Return whether a person may sign in, and has a password or is signed in elsewhere."""
    return may_sign_in(person) and (person.password_hash is not None or person.subject is not None)


def delete_links(session: Session, person_id: str) -> None:
    """Delete the links of a person."""
    session.execute(delete(LinkRow).where(col(LinkRow.person_id) == person_id))


def _end(session: Session, which: ColumnElement[bool]) -> None:
    session.execute(delete(SessionRow).where(which))
    count_change(session)


def _admins():
    """Select the administrators who can sign in: one who has yet to choose a password is none so far."""
    ready = col(PersonRow.password_hash).is_not(None) | col(PersonRow.subject).is_not(None)
    return select(PersonRow).where(PersonRow.role == "admin", ready, *_let_in())


def _let_in() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(PersonRow.removed_at).is_(None), col(PersonRow.disabled_at).is_(None)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ValidationError(f"The role {role!r:.40} is unknown; it is one of: {', '.join(ROLES)}.")


def _check_not_last_admin(session: Session, person: PersonRow) -> None:
    if person.role != "admin" or not can_sign_in(person):
        return
    if session.exec(_admins().where(PersonRow.id != person.id)).first() is None:
        raise LastAdminError(
            f"Nobody but {person.name} administers the app. First make somebody an administrator who can sign in."
        )
