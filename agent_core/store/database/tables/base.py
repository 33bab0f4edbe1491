"""Base of the tables, and the columns and indexes that several of them have."""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Index, Integer, Text, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Table(SQLModel, registry=registry()):
    """Base of the tables, with metadata apart from the application's SQLModels."""

    __table_args__: ClassVar[Any] = ()


CLUSTERED = {"sqlite_with_rowid": False}
"""Table argument that stores rows in the primary key's tree, at half the size."""


def json_text(default: str) -> Any:
    """Define a column of JSON as text."""
    return Field(default=default, sa_column=Column(Text, nullable=False, server_default=default))


def count(default: int = 0) -> Any:
    """Define a column of a number that versions without it leave at its default."""
    return Field(default=default, sa_column=Column(Integer, nullable=False, server_default=str(default)))


def total() -> Any:
    """Define a column of a sum."""
    return Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


def open_index(name: str, columns: list[str], where: str) -> Index:
    """Build an index over the few rows of a long table that are still open."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))
