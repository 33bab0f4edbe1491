"""People, the browsers in which they are signed in, links for a password, and failed attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, and the rows of those that have one."""
    compatibility = op.create_table(
        "chat_compatibility",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("compatible_from", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(compatibility, [{"id": 1, "compatible_from": "0001"}])
    _create_people()
    for table in ("chat_session", "chat_link"):
        op.create_table(
            table,
            *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "person_id")),
            *(sa.Column(name, sa.Float(), nullable=False) for name in ("created_at", "expires_at")),
            sa.PrimaryKeyConstraint("id"),
        )
        op.create_index(f"ix_{table}_person_id", table, ["person_id"])
    op.create_index("ix_chat_session_expires_at", "chat_session", ["expires_at"])
    op.create_table(
        "chat_attempt",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_chat_attempt_since", "chat_attempt", ["since"])
    change = op.create_table(
        "chat_change",
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("id", "number")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(change, [{"id": 1, "number": 0}])


def _create_people() -> None:
    op.create_table(
        "chat_person",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=True) for name in ("password_hash", "issuer", "subject")),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("removed_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("chat_person_by_name", "chat_person", ["name_key"], unique=True)
    op.create_index("chat_person_by_subject", "chat_person", ["issuer", "subject"], unique=True)
