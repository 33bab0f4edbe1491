"""Command lines `backup`, `restore` and `move` of the app's database, `user` and `doctor`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from agent_core.backup import BACKUP_COMMANDS, add_backup_commands, run_backup_command
from agent_core.errors import AgentCoreError, words_of
from chat_app.accounts import command as people
from chat_app.database import MIGRATIONS
from chat_app.operations.doctor import diagnose
from chat_app.operations.findings import Finding, SettingSource, as_json, as_text, has_problems
from chat_app.server import home
from chat_app.server.preflight import NotReadyError
from chat_app.server.settings import load_settings

COMMANDS = (*BACKUP_COMMANDS, "user", "doctor")


def run(arguments: Sequence[str], program: str) -> None:
    """Run the command of the arguments, and exit with a sentence if it cannot be done."""
    if arguments[0] == "user":
        _manage_people(arguments[1:], program)
        return
    options = _parser(program).parse_args(arguments)
    if options.command == "doctor":
        _diagnose(as_json if options.json else as_text)
        return
    try:
        home.enter(Path.cwd())
        url = options.database_url or load_settings().database_url
        print(run_backup_command(options.command, options, url, [MIGRATIONS]))
        if options.command == "move":
            print("Set CHAT_DATABASE_URL to the new database before you start the app.")
    except (AgentCoreError, NotReadyError) as error:
        sys.exit(words_of(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _manage_people(arguments: Sequence[str], program: str) -> None:
    options = people.parse(arguments, program.removesuffix(" run"))
    try:
        home.enter(Path.cwd())
        print("\n".join(people.run(load_settings(), options)))
    except AgentCoreError as error:
        sys.exit(words_of(error))


def _diagnose(show: Callable[[Sequence[SettingSource], Sequence[Finding]], str]) -> None:
    settings, findings = diagnose(Path.cwd())
    print(show(settings, findings))
    sys.exit(1 if has_problems(findings) else 0)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program.removesuffix(" run"), description="Operate the app.")
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="say what is configured, reachable, writable and behind")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    for command in add_backup_commands(commands):
        command.add_argument(
            "--database",
            dest="database_url",
            metavar="URL",
            help="another database than that of the settings",
        )
    return parser
