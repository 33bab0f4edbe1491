"""The token of a thread's read-only link in a column with an index, no longer among its metadata."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_LONGEST = 100
_thread = sa.table("agent_thread", sa.column("id"), sa.column("meta"), sa.column("share"))


def upgrade() -> None:
    """Add the column, move the tokens into it, and add the index."""
    op.add_column("agent_thread", sa.Column("share", sa.String(), nullable=True))
    _move()
    op.create_index(
        "agent_thread_by_share",
        "agent_thread",
        ["share"],
        unique=True,
        sqlite_where=sa.text("share IS NOT NULL"),
        postgresql_where=sa.text("share IS NOT NULL"),
    )


def _move() -> None:
    connection = op.get_bind()
    asked = sa.select(_thread.c.id, _thread.c.meta).where(_thread.c.meta.like('%"share"%'))
    seen: set[str] = set()
    for thread_id, text in connection.execute(asked.order_by(_thread.c.id)).all():
        meta = json.loads(text)
        token = meta.pop("share", None)
        # An application could have put anything there; the first that has a token keeps it.
        kept = token if isinstance(token, str) and 0 < len(token) <= _LONGEST and token not in seen else None
        seen |= {kept} if kept else set()
        values = {"share": kept, "meta": json.dumps(meta, ensure_ascii=False, separators=(",", ":"))}
        connection.execute(sa.update(_thread).where(_thread.c.id == thread_id).values(values))
