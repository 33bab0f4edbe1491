"""Files that wait have a person: who holds a file is found by its id, what was never sent by its age."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_UNSENT = "substr(thread_id, 1, 1) = ':'"


def upgrade() -> None:
    """Add the indexes; what waits already was sent by nobody known, and stays nobody's for its day."""
    op.create_index("agent_file_by_id", "agent_file", ["id"], unique=False)
    op.create_index(
        "agent_file_unsent",
        "agent_file",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text(_UNSENT),
        postgresql_where=sa.text(_UNSENT),
    )
