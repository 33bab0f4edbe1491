"""Databases of the app, copied from an empty one of this version's schema: migrating takes ten times as long."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from agent_core.store.database.app_database import migrate_app
from agent_core.store.database.migrate import migrate_database
from chat_app.database import MIGRATIONS


def app_database(folder: Path) -> str:
    """Return the URL of the database in a folder, as the app names it; create both unless they exist."""
    path = folder / "agents.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_empty())
    return f"sqlite:///{path}"


@functools.cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agents.db"
        migrate_database(f"sqlite:///{path}")
        migrate_app(f"sqlite:///{path}", MIGRATIONS)
        return path.read_bytes()
