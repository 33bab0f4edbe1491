"""Columns for the weight of a request, for requests whose usage is estimated, and for pauses before steps.

A version before this one that still runs beside us writes none of them: its stopped steps count only what they have
streamed, and its pauses are missing in timelines.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("agent_admission", sa.Column("prompt_tokens", sa.BigInteger(), nullable=True))
    op.add_column("agent_admission", sa.Column("prompt_usd", sa.Float(), nullable=True))
    op.add_column("agent_admission", sa.Column("answer_usd", sa.Float(), nullable=True))
    op.add_column("agent_usage", sa.Column("estimated", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("agent_stream", sa.Column("pause", sa.Text(), nullable=True))
