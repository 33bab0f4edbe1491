"""Limits of models, budgets, what was used of them, and the steps that were weighed against them.

A version before this one that still runs beside us neither asks nor counts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "agent_limit",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("tokens_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("concurrency", sa.BigInteger(), nullable=True),
        sa.Column("blocked_until", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("model"),
    )
    op.create_table(
        "agent_budget",
        *_scope(),
        sa.Column("usd", sa.Float(), nullable=True),
        sa.Column("tokens", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "name", "period"),
    )
    op.create_table(
        "agent_counter",
        *_scope(),
        sa.Column("window_key", sa.String(), nullable=False),
        sa.Column("requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("usd", sa.Float(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "period"),
    )
    _create_admissions()


def _scope() -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in ("kind", "name", "period")]


def _create_admissions() -> None:
    names = ("status", "model", "user_id", "agent", "reply_id", "worker")
    op.create_table(
        "agent_admission",
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in names),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("usd", sa.Float(), nullable=True),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("wait_kind", sa.String(), nullable=True),
        sa.Column("wait_name", sa.String(), nullable=True),
        sa.Column("awaits_room", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("agent_admission_by_status", "agent_admission", ["status", "since"])
