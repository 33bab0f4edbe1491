"""Columns for the person whose work a wake-up is, and for whether a schedule has sent its message.

Both may be missing: without a person the thread counts as one, which is how a version before this one shares.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the columns, and fill in the people of the work that waits."""
    op.add_column("agent_wake_up", sa.Column("user_id", sa.String(), nullable=True))
    op.add_column("agent_wake_up", sa.Column("scheduled", sa.Boolean(), nullable=True))
    wake_up = sa.table("agent_wake_up", sa.column("thread_id"), sa.column("user_id"))
    thread = sa.table("agent_thread", sa.column("id"), sa.column("user_id"))
    person = sa.select(thread.c.user_id).where(thread.c.id == wake_up.c.thread_id).scalar_subquery()
    op.execute(sa.update(wake_up).values(user_id=person))
