"""Tables of the app itself, beside those of the threads: people, their sessions and links."""

from pathlib import Path

from agent_core.store.database.app_database import Migrations
from chat_app.database.tables import ChangeRow, CompatibilityRow

MIGRATIONS = Migrations(
    folder=Path(__file__).parent / "migrations",
    version_table="chat_schema",
    compatibility=CompatibilityRow.metadata.tables[str(CompatibilityRow.__tablename__)],
    filled=frozenset({str(ChangeRow.__tablename__)}),
)
"""The app's chain of migrations, for `agent_core.store.database.app_database`; see decision 0031."""
