"""Deaths during which the only suspect merely waited, in its wake-up."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column."""
    op.add_column("agent_wake_up", sa.Column("idle_deaths", sa.Integer(), nullable=False, server_default="0"))
