"""Portability of the store's SQL: every statement compiles for PostgreSQL, too."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

import agent_core.store
from agent_core.store.database.sql import Statement


def statements() -> dict[str, Statement]:
    found: dict[str, Statement] = {}
    for module in pkgutil.walk_packages(agent_core.store.__path__, "agent_core.store."):
        if module.name.startswith("agent_core.store.migrations"):
            continue  # alembic runs the migrations
        for name, value in vars(importlib.import_module(module.name)).items():
            held = (
                value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            )
            for number, one in enumerate(one for one in held if isinstance(one, Statement)):
                found[f"{module.name}.{name}.{number}"] = one
    return found


def test_statements_are_found() -> None:
    assert len(statements()) > 40


@pytest.mark.parametrize(("name", "statement"), statements().items(), ids=statements())
def test_statement_compiles_for_both_databases(name: str, statement: Statement) -> None:
    postgresql, _ = statement.compiled(PGDialect(paramstyle="pyformat"))
    sqlite, _ = statement.compiled(SQLiteDialect(paramstyle="named"))
    assert "ON CONFLICT" not in sqlite or "ON CONFLICT" in postgresql
    if "FOR UPDATE" in postgresql:
        assert "FOR UPDATE" not in sqlite, "SQLite has no row locks"
    assert "POSTCOMPILE" not in postgresql + sqlite, "an IN would have to be expanded at each execution"
