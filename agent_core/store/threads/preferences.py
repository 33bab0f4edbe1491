"""Store preferences of a person, key by key, for the application."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session

from agent_core.errors import ValidationError
from agent_core.store.database.sql import PERSON, P, Statement, dump, load, person_feed, upsert
from agent_core.store.database.transaction import Tx

_MAX_PREFERENCES = 200_000  # characters of JSON
_p = PERSON.c
_ENSURE = upsert(PERSON, {"id": P("person"), "meta": "{}", "updated_at": P("now")})
_LOCK = Statement(select(_p.meta).where(_p.id == P("person")).with_for_update())
_SET = Statement(update(PERSON).where(_p.id == P("person")).values(meta=P("new_meta"), updated_at=P("now")))


def merge(tx: Tx, person: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Set keys of a person's preferences and return all; None deletes a key, and other keys stay.

    Raises:
        ValidationError: the preferences would be too long.
    """
    tx.do(_ENSURE, person=person, now=tx.now)
    (meta,) = tx.must(_LOCK, person=person)
    before = load(meta)
    after = {key: value for key, value in (before | changes).items() if value is not None}
    if len(dump(after)) > _MAX_PREFERENCES:
        raise ValidationError(
            f"The preferences of a person are at most {_MAX_PREFERENCES:,} characters of JSON."
        )
    if after != before:
        tx.do(_SET, person=person, new_meta=dump(after), now=tx.now)
        tx.touched.add(person_feed(person))
    return after


def read(session: Session, person: str) -> dict[str, Any]:
    """Return the preferences of a person."""
    meta = session.connection().execute(select(_p.meta).where(_p.id == person)).scalar()
    return {} if meta is None else load(meta)
