"""A table with the oldest revision whose program may use this schema, so that an older version can start on it.

Migrations since 0012 only add. Versions before this one do not read the table and refuse a newer schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Create the table and its row."""
    table = op.create_table(
        "agent_compatibility",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("compatible_from", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(table, [{"id": 1, "compatible_from": "0012"}])
