"""Whether a schedule is paused for as long as its owner may not use the application.

Versions before this one see a schedule that is paused; one that they resume stays marked until it is paused or resumed
again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "agent_schedule", sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false())
    )
