"""Columns for when the current turn of a thread began, and for the trace context of who began it.

Both may be missing: the turn was begun by a version before this one, or without tracing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("agent_thread", sa.Column("turn_started_at", sa.Float(), nullable=True))
    op.add_column("agent_thread", sa.Column("trace", sa.String(), nullable=True))
