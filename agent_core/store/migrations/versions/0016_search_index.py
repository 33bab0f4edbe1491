"""An index of the text of threads, and up to which cursor of a thread it is complete.

Nothing is indexed here: workers index one thread in a transaction, and a search reads those that are not indexed yet.
A version before this one that still runs beside us changes threads that workers then index again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_UNINDEXED = sa.text("search_cursor < cursor")
_FTS5 = sa.text("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'")


def upgrade() -> None:
    """Add the column with its index, the table, and the index of its grams."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.add_column(
        "agent_thread", sa.Column("search_cursor", sa.Integer(), nullable=False, server_default="-1")
    )
    op.create_index(
        *("agent_thread_unindexed", "agent_thread", ["id"]),
        sqlite_where=_UNINDEXED,
        postgresql_where=_UNINDEXED,
    )
    op.create_table(
        "agent_search",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("grams", sa.LargeBinary() if is_sqlite else sa.ARRAY(sa.Integer()), nullable=False),
    )
    op.create_index("agent_search_by_thread", "agent_search", ["thread_id"], unique=True)
    if not is_sqlite:
        op.create_index(
            *("agent_search_by_gram", "agent_search", ["grams"]),
            postgresql_using="gin",
            postgresql_with={
                "fastupdate": "off"
            },  # a search would read the list of pending entries each time
        )
    elif op.get_bind().execute(_FTS5).first() is not None:
        op.execute(
            "CREATE VIRTUAL TABLE agent_search_fts USING fts5"
            "(grams, content='', detail=none, columnsize=0, tokenize='ascii')"
        )
