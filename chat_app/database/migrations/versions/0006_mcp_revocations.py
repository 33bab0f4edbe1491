"""Leases of grants that are renewed, and grants that are to be revoked."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column, and create the table."""
    op.add_column("chat_mcp_grant", sa.Column("lease_until", sa.Float(), nullable=True))
    op.create_table(
        "chat_mcp_revocation",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "server", "grant")),
        sa.PrimaryKeyConstraint("id"),
    )
