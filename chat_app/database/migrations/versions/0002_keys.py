"""Keys with which programs call the app."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "chat_key",
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("id", "key_hash", "start", "name", "scope")
        ),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=True) for name in ("used_at", "expires_at", "revoked_at")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("chat_key_by_hash", "chat_key", ["key_hash"], unique=True)
    op.create_index("ix_chat_key_user_id", "chat_key", ["user_id"])
