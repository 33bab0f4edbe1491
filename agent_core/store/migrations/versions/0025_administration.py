"""A column for the engine of a worker, and an index of failed threads, for those who run the application.

A version before this one that still runs beside us leaves the column null: its engine is unknown.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add the column and the index."""
    op.add_column("agent_worker", sa.Column("engine", sa.String(), nullable=True))
    failed = sa.text("status = 'failed'")
    op.create_index(
        "agent_thread_failed",
        "agent_thread",
        ["updated_at", "agent", "error_kind"],
        sqlite_where=failed,
        postgresql_where=failed,
    )
