"""Rows of keys: functions of a database session."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from agent_core.errors import ValidationError
from agent_core.support.ids import new_id
from chat_app.database.attempts import add_attempt, end_periods
from chat_app.database.changes import count_change
from chat_app.database.tables import AttemptRow, KeyRow, PersonRow

PREFIX = "rda_"
"""Beginning of every key, by which people and scanners of leaked secrets recognise it."""
SCOPES = ("read", "write", "admin")
MAX_NAME = 100  # characters
MAX_KEYS = 50  # valid keys of one person
MAX_FAILURES = 20
"""Wrong keys from one address in a `PERIOD`, after which only keys that were right before are looked up."""
PERIOD = 60.0  # seconds
_SHOWN = len(PREFIX) + 8
_USED_INTERVAL = 60.0  # seconds between two writes of the last use


class Holder(NamedTuple):
    """What a valid key says: its id, what it may do, as whom it acts, and that person's role if the app has it."""

    key_id: str
    scope: str
    user_id: str | None
    role: str | None


class NewKey(NamedTuple):
    """A key that has just been made, and its row."""

    secret: str
    row: KeyRow


class OwnedKey(NamedTuple):
    """A key with the name of its person, which is their id in an app without rows of people; "" for nobody.

    Attributes:
        state: why the key does not work: its person is "removed" or "disabled"; "" if it does.
    """

    row: KeyRow
    owner: str
    state: str


def create_key(
    session: Session, name: str, scope: str, user_id: str | None, now: float, days: float | None = None
) -> NewKey:
    """Create a key, which is returned this once.

    Raises:
        ValidationError: the name, the scope or the days are invalid, or the person has too many keys.
    """
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise ValidationError(f"A key's name has 1 to {MAX_NAME} visible characters, such as backup script.")
    if scope not in SCOPES:
        raise ValidationError(f"The scope {scope!r:.40} is unknown; it is one of: {', '.join(SCOPES)}.")
    if days is not None and not 0 < days <= 3650:
        raise ValidationError("A key expires after 1 to 3650 days.")
    if len(list_keys(session, user_id)) >= MAX_KEYS:
        raise ValidationError(f"There are {MAX_KEYS} keys already; revoke one first.")
    secret = PREFIX + secrets.token_urlsafe(32)
    row = KeyRow(
        id=new_id("key"),
        key_hash=hash_of(secret),
        start=secret[:_SHOWN],
        name=name,
        scope=scope,
        user_id=user_id,
        created_at=now,
        expires_at=None if days is None else now + days * 86_400.0,
    )
    session.add(row)
    return NewKey(secret, row)


def list_keys(session: Session, user_id: str | None) -> Sequence[KeyRow]:
    """Return the keys of a person that were not revoked, newest first; None: those of nobody."""
    own = col(KeyRow.user_id).is_(None) if user_id is None else col(KeyRow.user_id) == user_id
    return session.exec(_valid().where(own)).all()


def list_all_keys(session: Session) -> Sequence[KeyRow]:
    """Return everybody's keys that were not revoked, newest first."""
    return session.exec(_valid()).all()


def list_owned_keys(session: Session, limit: int) -> Sequence[OwnedKey]:
    """Return everybody's keys that were not revoked, newest first, with the names of their people."""
    people = select(KeyRow, PersonRow).join(PersonRow, col(PersonRow.id) == KeyRow.user_id, isouter=True)
    valid = people.where(col(KeyRow.revoked_at).is_(None)).order_by(col(KeyRow.created_at).desc())
    return [
        OwnedKey(row, person.name if person else row.user_id or "", _state_of(person))
        for row, person in session.exec(valid.limit(limit))
    ]


def _state_of(person: PersonRow | None) -> str:
    if person is not None and person.removed_at is not None:
        return "removed"
    return "disabled" if person is not None and person.disabled_at is not None else ""


def revoke_key(
    session: Session, key_id: str, now: float, user_id: str | None = None, *, anybody: bool = False
) -> None:
    """Revoke a key of a person, or of anybody; its open responses end, in every process.

    Raises:
        ValidationError: there is no such key.
    """
    row = session.get(KeyRow, key_id)
    if row is None or row.revoked_at is not None or (row.user_id != user_id and not anybody):
        raise ValidationError(f"There is no key {key_id!r:.60}.")
    row.revoked_at = now
    session.add(row)
    count_change(session)


def find_holder(session: Session, key_hash: str, now: float) -> tuple[Holder, bool] | None:
    """Return the holder of the valid key with a hash, and whether its last use is worth a write.

    None: there is no such key, it was revoked or has expired, or its person was removed or disabled.
    """
    row = session.exec(select(KeyRow).where(KeyRow.key_hash == key_hash)).first()
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    person = None if row.user_id is None else session.get(PersonRow, row.user_id)
    if person is not None and (person.removed_at is not None or person.disabled_at is not None):
        return None
    is_old = row.used_at is None or now - row.used_at > _USED_INTERVAL
    return Holder(row.id, row.scope, row.user_id, person.role if person else None), is_old


def has_too_many_failures(session: Session, address: str, now: float) -> bool:
    """Return whether so many wrong keys came from an address that no others are looked up."""
    row = session.get(AttemptRow, f"key:{address}")
    return row is not None and row.number >= MAX_FAILURES and now - row.since < PERIOD


def count_failure(session: Session, address: str, now: float) -> None:
    """Count a wrong key from an address."""
    end_periods(session, "key", now - PERIOD)
    add_attempt(session, f"key:{address}", now)


def note_use(session: Session, key_id: str, now: float) -> None:
    """Write when a key was used."""
    session.execute(update(KeyRow).where(col(KeyRow.id) == key_id).values(used_at=now))


def owner_id(session: Session, name: str) -> str:
    """Return the id of the person with a name; the name itself in an app that has no rows of people.

    Raises:
        ValidationError: nobody has the name.
    """
    key = unicodedata.normalize("NFKC", name.strip()).casefold()
    found = session.exec(select(PersonRow.id).where(PersonRow.name_key == key)).first()
    if found is None and session.exec(select(func.count()).select_from(PersonRow)).one():
        raise ValidationError(f"Nobody is named {name!r:.80}.")
    return found or name.strip()


def names_of_people(session: Session) -> dict[str, str]:
    """Return the names of people by their ids, also of those who were removed."""
    return dict(session.exec(select(PersonRow.id, PersonRow.name)).all())


def hash_of(secret: str) -> str:
    """Return what is stored of a key; a fast hash is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _valid() -> Any:
    return select(KeyRow).where(col(KeyRow.revoked_at).is_(None)).order_by(col(KeyRow.created_at).desc())
