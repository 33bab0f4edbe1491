"""An index of messages by their id alone: one that is sent to another thread, too, is refused."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the index."""
    op.create_index("agent_message_by_id", "agent_message", ["id"])
