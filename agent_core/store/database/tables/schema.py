"""Define the table that says which versions of this library may use the schema."""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlmodel import Field

from agent_core.store.database.tables.base import Table


class CompatibilityRow(Table, table=True):
    """The oldest program that may use this schema; there is one row.

    compatible_from  the revision of that program's own schema. A migration with which an older version cannot
                     work raises it; see `database.migrate`
    """

    __tablename__: ClassVar[Any] = "agent_compatibility"
    id: int = Field(default=1, primary_key=True)
    compatible_from: str
