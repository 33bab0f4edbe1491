"""MCP servers that administrators add."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "chat_mcp_server",
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("id", "name", "url", "headers", "approval")
        ),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("chat_mcp_server_by_name", "chat_mcp_server", ["name"], unique=True)
