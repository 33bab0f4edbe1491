"""Command `user`: what the admin page does with people, from the server's terminal."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlmodel import Session

from agent_core import migrate_database
from agent_core.errors import ValidationError
from agent_core.store.database.app_database import open_app_database
from chat_app.accounts import people
from chat_app.accounts.roles import ROLES
from chat_app.database import MIGRATIONS
from chat_app.database.tables import PersonRow
from chat_app.server import home
from chat_app.server.settings import Settings, load_settings

R = TypeVar("R")
FIRST_NAME = "admin"
"""Name of the first administrator."""


def add_command(commands: Any) -> None:
    """Add the parser of the command to argparse's subparsers; it has the function `run`."""
    meaning = "list, invite, disable and remove people who sign in"
    parser = commands.add_parser(
        "user", help=meaning, description=f"{meaning.capitalize()} (CHAT_SIGN_IN=local)."
    )
    parser.set_defaults(run=_print)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="show who may sign in")
    add = actions.add_parser("add", help="invite a person: prints a one-time link for a password")
    _names(add)
    add.add_argument("--role", choices=ROLES, default="member", help="admin or member (the default)")
    _names(actions.add_parser("reset", help="print a new one-time link, for a forgotten password"))
    role = actions.add_parser("role", help="make a person an admin or a member")
    _names(role)
    role.add_argument("role", choices=ROLES, metavar="ROLE", help="admin or member")
    for action, what in _SHORT.items():
        _names(actions.add_parser(action, help=what))


def _print(options: argparse.Namespace) -> None:
    home.enter(Path.cwd())
    print("\n".join(run(load_settings(), options)))


def _names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")


def run(settings: Settings, options: argparse.Namespace) -> list[str]:
    """Run the command, and return the lines to print.

    Raises:
        ValidationError: the app has no accounts, or the name or the role does not fit.
        DatabaseError: the database cannot be used.
    """
    if not settings.sign_in.has_sessions:
        raise ValidationError("The app has no accounts. Set CHAT_SIGN_IN=local, as for the app.")
    if options.action in _PAUSING:
        migrate_database(
            settings.database_url
        )  # the app may not have started since it was installed or upgraded
    with open_app_database(settings.database_url, MIGRATIONS) as database:
        return database.write(_ACTIONS[options.action], settings, options)


def first_link(settings: Settings) -> str | None:
    """Return a one-time link for the first administrator; None once an administrator can sign in."""

    def make(session: Session) -> str | None:
        if people.has_admin(session):
            return None
        person = people.find_person(session, FIRST_NAME)
        if person is None:
            person = people.add_person(session, FIRST_NAME, "admin", time.time())
        elif not person.password_hash:  # whatever was done to the one who was invited
            person.role, person.disabled_at = "admin", None
            session.add(person)
        return _link(session, settings, person)

    with open_app_database(settings.database_url, MIGRATIONS) as database:
        return database.write(make)


def _link(session: Session, settings: Settings, person: PersonRow) -> str:
    token = people.make_link(session, person.id, time.time())
    host = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else settings.host
    address = str(settings.origins[0]) if settings.origins else f"http://{host}:{settings.port}"
    return f"{address}{settings.base_path}/link/{token}"


def _list(session: Session, _settings: Settings, _options: argparse.Namespace) -> list[str]:
    found = people.list_people(session)
    width = max((len(person.name) for person in found), default=0)
    return [f"{person.name:<{width}}  {person.role}{_note(person)}" for person in found]


def _note(person: PersonRow) -> str:
    if person.disabled_at is not None:
        return "  disabled"
    return "" if people.can_sign_in(person) else "  no password yet"


def _add(session: Session, settings: Settings, options: argparse.Namespace) -> list[str]:
    person = people.add_person(session, options.name, options.role, time.time())
    return [f"Send {person.name} this link, which works once: {_link(session, settings, person)}"]


def _reset(session: Session, settings: Settings, options: argparse.Namespace) -> list[str]:
    person = people.named_person(session, options.name)
    return [f"Send {person.name} this link, which works once: {_link(session, settings, person)}"]


def _role(session: Session, _settings: Settings, options: argparse.Namespace) -> list[str]:
    person = people.named_person(session, options.name)
    people.change_role(session, person, options.role)
    return [f"{person.name} is {'an admin' if options.role == 'admin' else 'a member'} now."]


def _sign_out(session: Session, _settings: Settings, options: argparse.Namespace) -> list[str]:
    person = people.named_person(session, options.name)
    people.end_sessions(session, person.id)
    return [f"{person.name} is signed out everywhere."]


def _disable(session: Session, _settings: Settings, options: argparse.Namespace) -> list[str]:
    person = people.named_person(session, options.name)
    paused = people.disable_person(session, person, time.time())
    return [f"{person.name} cannot sign in until they are enabled.{_schedules(paused, 'paused')}"]


def _enable(session: Session, _settings: Settings, options: argparse.Namespace) -> list[str]:
    person = people.named_person(session, options.name)
    resumed = people.enable_person(session, person, time.time())
    return [f"{person.name} can sign in again.{_schedules(resumed, 'resumed')}"]


def _remove(session: Session, _settings: Settings, options: argparse.Namespace) -> list[str]:
    person = people.named_person(session, options.name)
    paused = people.remove_person(session, person, time.time())
    return [
        f"{person.name} cannot sign in any more. Their chats stay in the database.{_schedules(paused, 'paused')}"
    ]


def _schedules(number: int, what: str) -> str:
    words = "1 schedule was" if number == 1 else f"{number} schedules were"
    return f" {words} {what}." if number else ""


_ACTIONS: dict[str, Callable[[Session, Settings, argparse.Namespace], list[str]]] = {
    "list": _list,
    "add": _add,
    "reset": _reset,
    "role": _role,
    "sign-out": _sign_out,
    "disable": _disable,
    "enable": _enable,
    "remove": _remove,
}
_SHORT = {
    "sign-out": "sign a person out in every browser",
    "disable": "let a person not sign in until they are enabled; pauses their schedules",
    "enable": "let a person who was disabled sign in again; resumes their schedules",
    "remove": "let a person never sign in again; their chats stay, and their schedules are paused",
}
"""Meaning of the actions that take a name only."""
_PAUSING = frozenset({"disable", "enable", "remove"})
"""Actions that change schedules, too."""
