"""Totals of usage, and up to which stream of a thread they are complete.

Nothing is counted here: workers count the streams of idle threads in small transactions, and a summary adds those
that are not counted yet. A version before this one that still runs beside us writes streams that are not counted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_UNCOUNTED = sa.text("usage_seq < seq")
_SUMS = (
    *("requests", "metered", "input_tokens", "output_tokens", "total_tokens"),
    *("cached_tokens", "reasoning_tokens", "cache_write_tokens"),
)


def upgrade() -> None:
    """Add the column with its index, and the table."""
    op.add_column("agent_thread", sa.Column("usage_seq", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        *("agent_thread_uncounted", "agent_thread", ["id"]),
        sqlite_where=_UNCOUNTED,
        postgresql_where=_UNCOUNTED,
    )
    op.create_table(
        "agent_usage",
        sa.Column("period", sa.BigInteger(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("model", "agent", "user_id")),
        *(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0") for name in _SUMS),
        sa.Column("cost", sa.Float(), nullable=True),
        sqlite_with_rowid=False,
    )
