"""The bin: threads that are deleted and can still be brought back; and pinned threads found at once."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add when a thread leaves the bin for good; no thread is in it yet."""
    op.add_column("agent_thread", sa.Column("delete_at", sa.Float(), nullable=True))
    op.create_index(
        "agent_thread_in_bin",
        "agent_thread",
        ["delete_at"],
        unique=False,
        sqlite_where=sa.text("delete_at IS NOT NULL"),
        postgresql_where=sa.text("delete_at IS NOT NULL"),
    )
    op.create_index(
        "agent_thread_pinned",
        "agent_thread",
        ["updated_at"],
        unique=False,
        sqlite_where=sa.text("pinned = 1"),
        postgresql_where=sa.text("pinned"),
    )
