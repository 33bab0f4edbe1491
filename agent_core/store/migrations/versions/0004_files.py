"""Files of a thread, by their content."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "agent_file",
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "id"),
    )
    op.create_index(
        "agent_file_waiting",
        "agent_file",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("thread_id = ''"),
        postgresql_where=sa.text("thread_id = ''"),
    )
