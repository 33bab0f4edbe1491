"""The first schema: threads, messages, streams, deltas, tool calls and wake-ups."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "agent_delta",
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("chunks", sa.Text(), server_default="[]", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "cursor"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "agent_message",
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("parts", sa.Text(), server_default="[]", nullable=False),
        sa.Column("meta", sa.Text(), server_default="{}", nullable=False),
        sa.Column("queued", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("agent_message_by_position", "agent_message", ["thread_id", "position"], unique=True)
    op.create_table(
        "agent_stream",
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("parts", sa.Text(), server_default="[]", nullable=False),
        sa.Column("usage", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("thread_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("agent_stream_by_message", "agent_stream", ["thread_id", "message_id"], unique=False)
    op.create_table(
        "agent_thread",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("trimmed", sa.Integer(), nullable=False),
        sa.Column("turn_cursor", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("stop_signal", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_kind", sa.String(), nullable=True),
        sa.Column("retry_state", sa.Text(), nullable=True),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("meta", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("agent_thread_by_activity", "agent_thread", ["updated_at"], unique=False)
    op.create_index(
        "agent_thread_running",
        "agent_thread",
        ["status"],
        unique=False,
        sqlite_where=sa.text("status = 'awaiting_tool_results' OR status = 'streaming'"),
        postgresql_where=sa.text("status = 'awaiting_tool_results' OR status = 'streaming'"),
    )
    op.create_index(("ix_agent_thread_user_id"), "agent_thread", ["user_id"], unique=False)
    op.create_table(
        "agent_tool_call",
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("input", sa.Text(), server_default="{}", nullable=False),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("approval", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("thread_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("agent_tool_call_by_id", "agent_tool_call", ["id"], unique=False)
    op.create_index(
        "agent_tool_call_by_message", "agent_tool_call", ["thread_id", "message_id"], unique=False
    )
    op.create_index(
        "agent_tool_call_open",
        "agent_tool_call",
        ["thread_id", "seq", "position"],
        unique=False,
        sqlite_where=sa.text(
            "status = 'approval' OR status = 'pending' OR status = 'running' OR status = 'waiting'"
        ),
        postgresql_where=sa.text(
            "status = 'approval' OR status = 'pending' OR status = 'running' OR status = 'waiting'"
        ),
    )
    op.create_table(
        "agent_wake_up",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("next_run_time", sa.Float(), nullable=True),
        sa.Column("job_state", sa.Text(), server_default="{}", nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(("ix_agent_wake_up_next_run_time"), "agent_wake_up", ["next_run_time"], unique=False)
    op.create_index(("ix_agent_wake_up_thread_id"), "agent_wake_up", ["thread_id"], unique=False)
    op.create_index(("ix_agent_wake_up_worker"), "agent_wake_up", ["worker"], unique=False)
