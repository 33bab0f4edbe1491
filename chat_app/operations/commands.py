"""Commands `doctor`, and `backup`, `restore` and `move` of the app's database."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from agent_core.backup import add_backup_commands, run_backup_command
from chat_app.database import MIGRATIONS
from chat_app.operations.doctor import diagnose
from chat_app.operations.findings import as_json, as_text, has_problems
from chat_app.server import home
from chat_app.server.settings import load_settings


def add_commands(commands: Any) -> None:
    """Add the parsers of the commands to argparse's subparsers; each has the function `run`."""
    meaning = "say what is configured, reachable, writable and behind"
    doctor = commands.add_parser(
        "doctor", help=meaning, description=f"{meaning.capitalize()}; changes nothing."
    )
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=_diagnose)
    for command in add_backup_commands(commands):
        command.add_argument(
            "--database",
            dest="database_url",
            metavar="URL",
            help="another database than that of the settings",
        )
        command.set_defaults(run=_copy)


def _copy(options: argparse.Namespace) -> None:
    home.enter(Path.cwd())
    url = options.database_url or load_settings().database_url
    print(run_backup_command(options.command, options, url, [MIGRATIONS]))
    if options.command == "move":
        print("Set CHAT_DATABASE_URL to the new database before you start the app.")


def _diagnose(options: argparse.Namespace) -> None:
    settings, findings = diagnose(Path.cwd())
    print((as_json if options.json else as_text)(settings, findings))
    sys.exit(1 if has_problems(findings) else 0)
