"""Translate errors of PostgreSQL into sentences that say what to do.

They are recognized by their SQLSTATE, and refused connections, which have none, by their text.
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from typing import Any

from agent_core.errors import DatabaseError
from agent_core.sentences import sentence

_STATES = {
    "53100": "has no room left on its disk; nothing was changed. Make room and try again",
    "25006": "is read-only; nothing was changed. Give the URL of the primary server",
    "40001": "kept colliding with other writers; nothing was changed. Try again",
    "40P01": "kept colliding with other writers; nothing was changed. Try again",
    "55P03": "is locked by another program; nothing was changed. End that program and try again",
    "42501": "denies this user the permission; nothing was changed. Grant the permission",
}
_REFUSED = (
    ("password authentication failed", "refuses the user or the password; check both in the URL"),
    ("no password supplied", "refuses the user or the password; check both in the URL"),
    ("pg_hba.conf", "does not let this user in from here; see its pg_hba.conf"),
    ('role "', "does not know the user; check the URL or create the role"),
    ('database "', "has no such database; create it (createdb) or check the URL"),
)
_NO_CONNECTION = "has no connection left; raise max_connections or run fewer processes"
# Before `_REFUSED`, because some name the role or the database, too.
_FULL = (
    (
        "too many connections for role",
        "allows this user no further connection; raise its CONNECTION LIMIT (ALTER ROLE) or run fewer processes",
    ),
    (
        "too many connections for database",
        "allows no further connection to this database; raise its CONNECTION LIMIT (ALTER DATABASE) or run fewer "
        "processes",
    ),
    ("too many", _NO_CONNECTION),
    ("remaining connection slots", _NO_CONNECTION),
    (
        "no more connections allowed",
        "is behind a pooler without a free connection; raise its max_client_conn",
    ),
)
_AWAY = "does not answer; see that it runs, and that the URL leads to it"
# Also a cancelled statement, and resources that are exhausted.
_TEMPORARY = ("08", "25006", "40", "53", "55P03", "57")


def refusal(error: BaseException) -> BaseException:
    """Translate an error of psycopg into a DatabaseError that says what to do.

    A violated constraint (class 23) is returned as it is: it is a bug, and the traceback must show it.
    """
    state = getattr(error, "sqlstate", None)
    words = " ".join(str(error).split())
    if state is not None and state.startswith("23"):
        return error
    is_temporary = is_away(error) or (state is not None and state.startswith(_TEMPORARY))
    if state in _STATES:
        return DatabaseError(f"The database {_STATES[state]} ({words}).", is_temporary=is_temporary)
    if state is None and "OperationalError" in _kinds(error):
        state = _match(words, _FULL + _REFUSED) or _AWAY
        words = sentence("database_server_refused", state=state, words=words)
    elif state is not None and state.startswith(("57P", "08")):
        words = sentence("database_server_refused", state=_AWAY, words=words)
    else:
        words = sentence("database_refused", path="", words=words)
    return DatabaseError(words, is_temporary=is_temporary)


def is_away(error: BaseException) -> bool:
    """Whether an error of psycopg, perhaps wrapped by SQLAlchemy, means that the server is away."""
    cause = getattr(error, "orig", None) or error
    if not type(cause).__module__.startswith("psycopg") or "OperationalError" not in _kinds(cause):
        return False
    state = getattr(cause, "sqlstate", None)
    if state is None:
        return _match(str(cause), _REFUSED) is None
    return state.startswith(("57P", "08"))


def _match(words: str, known: tuple[tuple[str, str], ...]) -> str | None:
    return next((meaning for sign, meaning in known if sign in words), None)


def _kinds(error: Any) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
