"""Back up a database into one file, restore it, and move it between SQLite and PostgreSQL.

A backup is a SQLite database with the schema of its source, whichever kind that is: see
docs/decisions/0035-a-backup-is-a-database.md.
"""

from agent_core.backup.commands import BACKUP_COMMANDS, add_backup_commands, run_backup_command
from agent_core.backup.copies import Copied, back_up_database, move_database, restore_database

__all__ = [
    "BACKUP_COMMANDS",
    "Copied",
    "add_backup_commands",
    "back_up_database",
    "move_database",
    "restore_database",
    "run_backup_command",
]
