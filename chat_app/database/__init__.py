"""Tables of the app itself, beside those of the threads: people, their sessions, links and keys, and MCP servers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from agent_core.store.database.app_database import AppDatabase, Migrations, open_app_database
from chat_app.database.tables import (
    AttemptRow,
    ChangeRow,
    CompatibilityRow,
    KeyRow,
    LinkRow,
    McpGrantRow,
    McpRevocationRow,
    McpServerRow,
    McpSignInRow,
    PersonRow,
    SeenRow,
    SessionRow,
)

MIGRATIONS = Migrations(
    folder=Path(__file__).parent / "migrations",
    version_table="chat_schema",
    compatibility=CompatibilityRow.metadata.tables[str(CompatibilityRow.__tablename__)],
    filled=frozenset({str(ChangeRow.__tablename__)}),
    kinds={
        "people": [str(row.__tablename__) for row in (PersonRow, SeenRow)],
        "sessions": [str(row.__tablename__) for row in (SessionRow, LinkRow, AttemptRow)],
        "keys": [str(KeyRow.__tablename__)],
        "mcp_servers": [
            str(row.__tablename__) for row in (McpServerRow, McpGrantRow, McpRevocationRow, McpSignInRow)
        ],
    },
)
"""The app's chain of migrations, for `agent_core.store.database.app_database`; see decision 0031."""


@asynccontextmanager
async def opened_tables(database_url: str) -> AsyncGenerator[AppDatabase]:
    """Open the app's tables in a database for a block; see `open_app_database`."""
    with ExitStack() as stack:
        opening = open_app_database(database_url, MIGRATIONS)
        yield await asyncio.to_thread(stack.enter_context, opening)
