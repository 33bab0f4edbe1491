"""Commands `backup`, `restore` and `move`, which the command lines of agent_core and of an app share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from agent_core.backup.copies import Copied, back_up_database, move_database, restore_database
from agent_core.store.database.migrate import Migrations
from agent_core.store.database.open import parse_url

BACKUP_COMMANDS = ("backup", "restore", "move")


def add_backup_commands(commands: Any) -> list[argparse.ArgumentParser]:
    """Add the parsers of the commands to argparse's subparsers; return them."""
    backup = commands.add_parser("backup", help="copy the database, which may be in use, into a new file")
    backup.add_argument("file", type=_path, metavar="FILE", help="a file that does not exist")
    restore = commands.add_parser("restore", help="copy a backup into a database that is not in use")
    restore.add_argument("file", type=_path, metavar="FILE", help="the backup")
    restore.add_argument(
        "--replace",
        action="store_true",
        help="replace what is in the database; a SQLite file is kept beside it",
    )
    move = commands.add_parser("move", help="copy the database, which is not in use, into an empty one")
    move.add_argument("target", metavar="URL", help="the empty database, such as postgresql://user@host/name")
    return [backup, restore, move]


def run_backup_command(
    name: str, options: argparse.Namespace, database_url: str, chains: Sequence[Migrations] = ()
) -> str:
    """Run one of the commands on a database; return a sentence that says what was done.

    Args:
        name: one of `BACKUP_COMMANDS`.
        options: the parsed arguments.
        database_url: the database that is copied, or copied into.
        chains: migrations of the application's own tables.

    Raises:
        AgentCoreError: it cannot be done; the sentence says why.
    """
    if name == "backup":
        copied = back_up_database(database_url, options.file, chains=chains)
        return f"{options.file} has {_content(copied)}, {options.file.stat().st_size / 1e6:,.1f} MB.{_left_out(copied)}"
    if name == "restore":
        copied = restore_database(options.file, database_url, overwrite=options.replace, chains=chains)
        kept = f" What it had before is kept in {copied.kept}." if copied.kept else ""
        return f"{_label(database_url)} has {_content(copied)}.{kept}{_left_out(copied)}"
    copied = move_database(database_url, options.target, chains=chains)
    return (
        f"{_label(options.target)} has {_content(copied)}. {_label(database_url)} is unchanged; do not use it any "
        f"more, because the work that is due would run twice.{_left_out(copied)}"
    )


def _content(copied: Copied) -> str:
    threads = "1 thread" if copied.threads == 1 else f"{copied.threads:,} threads"
    return f"{threads}, schema {copied.schema}"


def _left_out(copied: Copied) -> str:
    return (
        f" Tables of other programs were left out: {', '.join(copied.left_out)}." if copied.left_out else ""
    )


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()  # a program may change its folder


def _label(database_url: str) -> str:
    """Return a printable name of a database: the path of its file, or its URL without the password."""
    return str(make_url(parse_url(database_url))).removeprefix("sqlite:///")
