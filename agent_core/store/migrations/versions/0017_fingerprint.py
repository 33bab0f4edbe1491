"""The fingerprint of the agent that ran a model step.

Steps from before have none, nor have those of a version before this one that still runs beside us.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the column."""
    op.add_column("agent_stream", sa.Column("fingerprint", sa.String(), nullable=True))
