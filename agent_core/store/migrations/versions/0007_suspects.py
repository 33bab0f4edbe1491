"""Record in a wake-up how often its work ran in a process that died."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns, and the index of the few rows that have them."""
    op.add_column("agent_wake_up", sa.Column("company", sa.Integer(), nullable=True))
    op.add_column("agent_wake_up", sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("agent_wake_up", sa.Column("death", sa.String(), nullable=True))
    op.create_index(
        "agent_wake_up_suspect",
        "agent_wake_up",
        ["company"],
        sqlite_where=sa.text("company IS NOT NULL"),
        postgresql_where=sa.text("company IS NOT NULL"),
    )
