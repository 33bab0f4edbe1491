"""Define the tables that workers derive from threads: the search index and totals of usage."""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, LargeBinary
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from agent_core.store.database.tables.base import CLUSTERED, Table, total


class SearchRow(Table, table=True):
    """The index entry of a thread; see `store.threads.search_index`.

    id     the rowid of the entry in FTS5's table `agent_search_fts`, on SQLite
    grams  on PostgreSQL the hashes of the grams, with a GIN index; on SQLite the words that they are made of,
           compressed. Migration 0016 makes what only one of the databases has
    """

    __tablename__: ClassVar[Any] = "agent_search"
    __table_args__: ClassVar[Any] = (
        Index("agent_search_by_thread", "thread_id", unique=True),  # an entry for each thread
    )
    id: int | None = Field(default=None, sa_column=Column(Integer, Identity(), primary_key=True))
    thread_id: str
    grams: Any = Field(sa_column=Column(ARRAY(Integer).with_variant(LargeBinary(), "sqlite"), nullable=False))


class UsageRow(Table, table=True):
    """The total usage of requests that are counted; see `store.threads.usage_totals`.

    period    when the requests began: a quarter of an hour, by its first second
    user_id   "" for threads without a user
    requests, metered, …  as in `domain.usage.Tally`
    """

    __tablename__: ClassVar[Any] = "agent_usage"
    __table_args__: ClassVar[Any] = CLUSTERED
    period: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    model: str = Field(primary_key=True)
    agent: str = Field(primary_key=True)
    user_id: str = Field(primary_key=True)
    requests: int = total()
    metered: int = total()
    input_tokens: int = total()
    output_tokens: int = total()
    total_tokens: int = total()
    cached_tokens: int = total()
    reasoning_tokens: int = total()
    cache_write_tokens: int = total()
    cost: float | None = None
    estimated: int = total()
