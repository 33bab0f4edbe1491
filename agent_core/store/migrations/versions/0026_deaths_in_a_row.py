"""The number of deaths in a row with which the work of a wake-up ran.

A version before this one that still runs beside us writes none; its suspects count as if they had died once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the column."""
    op.add_column("agent_wake_up", sa.Column("deaths", sa.Integer(), nullable=False, server_default="0"))
