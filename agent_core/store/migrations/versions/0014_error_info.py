"""Columns for the code and the params of an error in our own words, beside its text.

Rows from before have none: their text is shown as it is. A version before this one that still runs beside us
leaves the columns empty, or as they were; see `store.rows.load_info`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the columns."""
    for table in ("agent_thread", "agent_stream", "agent_tool_call", "agent_schedule"):
        op.add_column(table, sa.Column("error_info", sa.Text(), nullable=True))
