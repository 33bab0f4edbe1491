"""Disabled people, browsers of sessions, and when people and sessions were last seen."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, and create the table."""
    op.add_column("chat_person", sa.Column("disabled_at", sa.Float(), nullable=True))
    op.add_column("chat_session", sa.Column("browser", sa.String(), nullable=True))
    op.add_column("chat_session", sa.Column("seen_at", sa.Float(), nullable=True))
    op.create_table(
        "chat_seen",
        sa.Column("user_id", sa.String(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in ("first_at", "seen_at")),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_index("ix_chat_seen_seen_at", "chat_seen", ["seen_at"])
