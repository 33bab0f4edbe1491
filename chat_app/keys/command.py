"""Command `key`: create, list and revoke keys for programs, from the server's terminal."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session

from agent_core.store.database.app_database import open_app_database
from chat_app.database import MIGRATIONS
from chat_app.keys import rows
from chat_app.server import home
from chat_app.server.preflight import require_database
from chat_app.server.settings import Settings, load_settings


def add_command(commands: Any) -> None:
    """Add the parser of the command to argparse's subparsers; it has the function `run`."""
    meaning = "create, list and revoke keys with which programs call the app"
    parser = commands.add_parser("key", help=meaning, description=f"{meaning.capitalize()}.")
    parser.set_defaults(run=_print)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="create a key, and print it this once")
    create.add_argument("name", metavar="NAME", help='what the key is for, such as "backup script"')
    create.add_argument("--user", metavar="USER", help="the person as whom the key acts, if people sign in")
    create.add_argument("--scope", choices=rows.SCOPES, default="write", help="default: write")
    create.add_argument("--days", type=float, metavar="DAYS", help="days until it expires; default: never")
    actions.add_parser("list", help="show the keys of everybody, without their secrets")
    actions.add_parser("revoke", help="revoke a key at once").add_argument("id", metavar="ID")


def _print(options: argparse.Namespace) -> None:
    home.enter(Path.cwd())
    settings = load_settings()
    require_database(settings.database_url)
    print("\n".join(run(settings, options)))


def run(settings: Settings, options: argparse.Namespace) -> list[str]:
    """Run the command, and return the lines to print.

    Raises:
        ValidationError: an argument does not fit.
        DatabaseError: the database cannot be used.
    """
    with open_app_database(settings.database_url, MIGRATIONS) as database:
        if options.action == "list":
            return database.read(_list)
        return database.write(_create if options.action == "create" else _revoke, options)


def _create(session: Session, options: argparse.Namespace) -> list[str]:
    user_id = None if options.user is None else rows.owner_id(session, options.user)
    made = rows.create_key(session, options.name, options.scope, user_id, time.time(), options.days)
    return [made.secret]


def _list(session: Session) -> list[str]:
    found, names = rows.list_all_keys(session), rows.names_of_people(session)
    header = ("id", "key", "scope", "user", "created", "used", "expires", "name")
    table = [header] + [
        (
            *(row.id, f"{row.start}…", row.scope, names.get(row.user_id or "", row.user_id or "-")),
            *(_day(row.created_at), _day(row.used_at), _day(row.expires_at), row.name),
        )
        for row in found
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(header))]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]


def _revoke(session: Session, options: argparse.Namespace) -> list[str]:
    rows.revoke_key(session, options.id, time.time(), anybody=True)
    return [f"{options.id} is revoked."]


def _day(moment: float | None) -> str:
    return "-" if moment is None else datetime.fromtimestamp(moment, UTC).date().isoformat()
