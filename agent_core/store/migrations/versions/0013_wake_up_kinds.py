"""Columns for the parts of a wake-up's key: its kind, and the tool call it is for.

Both may be missing: a version before this one that still runs beside us writes rows without them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_UNNAMED = sa.text("kind IS NULL")


def upgrade() -> None:
    """Add the columns, fill them from the keys, and index them with the thread's id."""
    op.add_column("agent_wake_up", sa.Column("kind", sa.String(), nullable=True))
    op.add_column("agent_wake_up", sa.Column("call_id", sa.String(), nullable=True))
    _fill()
    op.drop_index("ix_agent_wake_up_thread_id", "agent_wake_up")
    op.create_index("agent_wake_up_of_work", "agent_wake_up", ["thread_id", "kind", "call_id"])
    op.create_index(
        *("agent_wake_up_unnamed", "agent_wake_up", ["id"]),
        sqlite_where=_UNNAMED,
        postgresql_where=_UNNAMED,
    )


def _fill() -> None:
    rows = sa.table("agent_wake_up", sa.column("id"), sa.column("kind"), sa.column("call_id"))
    put = (
        sa.update(rows)
        .where(rows.c.id == sa.bindparam("key"))
        .values(kind=sa.bindparam("new_kind"), call_id=sa.bindparam("new_call"))
    )
    connection = op.get_bind()
    parts = [(key, *key.split(":", 2)) for (key,) in connection.execute(sa.select(rows.c.id))]
    if parts:
        connection.execute(
            put,
            [{"key": key, "new_kind": kind, "new_call": (*call, None)[0]} for key, kind, _, *call in parts],
        )
