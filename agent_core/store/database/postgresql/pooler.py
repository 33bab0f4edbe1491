"""Refuse connection poolers that give each transaction another server session.

LISTEN, prepared statements and the settings of a session need a session of the server that stays with its
connection. Behind PgBouncer with `pool_mode = transaction` it does not, and statements of different connections
mix: turns fail with errors such as `prepared statement "s2" does not exist`.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

from agent_core.errors import DatabaseError
from agent_core.sentences import sentence

_ROUNDS = 3
"""Repetitions of the check, because another client may take a pooled session between two of its statements."""


def refuse_transaction_pooling(engine: Engine) -> None:
    """Check that a PostgreSQL connection keeps its server session after a transaction has ended.

    Raises:
        DatabaseError: the session went to another connection.
    """
    with engine.connect() as first, engine.connect() as second:
        session = _session(first)
        for _ in range(_ROUNDS):
            # A pooler gives the session that has just become free to whoever begins next.
            if _session(second) == session or _session(first) != session:
                raise DatabaseError(sentence("database_pooled"))


def _session(connection: Connection) -> int:
    """Return the process id of the server session that ran this transaction."""
    with connection.begin():
        return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
