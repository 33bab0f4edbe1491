"""A column for what the caller of the current turn asks for: tools of its own, the form of the answer.

A version before this one that runs a step of such a turn runs it without them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the column."""
    op.add_column("agent_thread", sa.Column("turn_options", sa.Text(), nullable=True))
