"""MCP servers at which each person signs in."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns, and create the tables."""
    with op.batch_alter_table("chat_mcp_server") as batch:
        batch.add_column(sa.Column("access", sa.String(), nullable=False, server_default="shared"))
        batch.add_column(sa.Column("tools", sa.String(), nullable=True))
    op.create_table(
        "chat_mcp_grant",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("server_id", "user_id", "grant")),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("server_id", "user_id"),
    )
    op.create_table(
        "chat_mcp_sign_in",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "server_id", "user_id")),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_chat_mcp_sign_in_created_at", "chat_mcp_sign_in", ["created_at"])
