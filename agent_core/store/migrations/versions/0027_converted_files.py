"""Store the converted form of files that models cannot read.

A version before this one that still runs beside us copies files without it; they are converted again when a model
next gets them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the column."""
    op.add_column("agent_file", sa.Column("converted", sa.LargeBinary(), nullable=True))
