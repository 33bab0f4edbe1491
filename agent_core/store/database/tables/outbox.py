"""Define the tables of the outbox."""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Identity, Integer, Text
from sqlmodel import Field

from agent_core.store.database.tables.base import Table, count, json_text, open_index


class OutboxRow(Table, table=True):
    """The outbox of the database, if it is on: the only row, with the name "default".

    events  types of the events that every process writes, as a JSON list
    """

    __tablename__: ClassVar[Any] = "agent_outbox"
    name: str = Field(primary_key=True)
    events: str = json_text("[]")
    updated_at: float


class OutboxEventRow(Table, table=True):
    """An event; it is deleted when it has been delivered, and outlives its thread until then.

    id        the order of delivery among the events of a thread, whose row is locked when one is written
    key       the id that receivers get
    attempts  number of deliveries that have begun, and the fence of the last one
    dead_at   since when it is a dead letter; null: it waits for its delivery
    error     why the last delivery failed
    """

    __tablename__: ClassVar[Any] = "agent_outbox_event"
    __table_args__: ClassVar[Any] = (
        open_index("agent_outbox_event_pending", ["thread_id", "id"], "dead_at IS NULL"),
    )
    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), Identity(), primary_key=True),
    )
    key: str = Field(unique=True)
    type: str
    thread_id: str
    agent: str
    user_id: str | None = None
    data: str = json_text("{}")
    created_at: float
    attempts: int = count()
    dead_at: float | None = None
    error: str | None = Field(default=None, sa_column=Column(Text))
    error_info: str | None = Field(default=None, sa_column=Column(Text))
