"""Branches of a thread, schedules, and what a tool call went through before its newest attempt."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what is new; the messages of a thread become its one branch."""
    op.add_column("agent_message", sa.Column("parent_id", sa.String(), nullable=True))
    op.add_column("agent_message", sa.Column("branch", sa.Integer(), server_default="0", nullable=False))
    op.drop_index("agent_message_by_position", "agent_message")
    op.create_index(
        "agent_message_by_position", "agent_message", ["thread_id", "branch", "position"], unique=True
    )
    op.execute(
        "UPDATE agent_message SET parent_id = (SELECT m.id FROM agent_message AS m WHERE "
        "m.thread_id = agent_message.thread_id AND m.position < agent_message.position "
        "AND NOT m.queued ORDER BY m.position DESC LIMIT 1) WHERE NOT queued"
    )
    op.add_column("agent_tool_call", sa.Column("progress", sa.Text(), nullable=True))
    op.add_column("agent_tool_call", sa.Column("attempts", sa.Text(), nullable=True))
    op.create_table(
        "agent_schedule",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=True),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("parts", sa.Text(), server_default="[]", nullable=False),
        sa.Column("trigger", sa.Text(), server_default="{}", nullable=False),
        sa.Column("missed_policy", sa.String(), nullable=False),
        sa.Column("max_runs", sa.Integer(), nullable=True),
        sa.Column("next_at", sa.Float(), nullable=True),
        sa.Column("last_at", sa.Float(), nullable=True),
        sa.Column("last_thread_id", sa.String(), nullable=True),
        sa.Column("runs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("missed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("meta", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "agent_schedule_due",
        "agent_schedule",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index("ix_agent_schedule_thread_id", "agent_schedule", ["thread_id"], unique=False)
    op.create_index("ix_agent_schedule_user_id", "agent_schedule", ["user_id"], unique=False)
