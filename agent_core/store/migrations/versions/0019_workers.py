"""A table of the workers that live, between which due work is shared.

A version before this one that still runs beside us has no row: its work counts as nobody's, and it takes what it
has room for.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "agent_worker",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("tools", sa.Integer(), nullable=True),
        sa.Column("agents", sa.Text(), server_default="[]", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
