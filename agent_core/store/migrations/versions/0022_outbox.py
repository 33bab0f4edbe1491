"""The outbox: the types of its events, and the events.

A version before this one that still runs beside us writes no events.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "agent_outbox",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("events", sa.Text(), server_default="[]", nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "agent_outbox_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("key", "type", "thread_id", "agent")),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("dead_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_info", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    pending = sa.text("dead_at IS NULL")
    op.create_index(
        "agent_outbox_event_pending",
        "agent_outbox_event",
        ["thread_id", "id"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
