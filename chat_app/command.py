"""Command line `durable-agents`: the app, and the workers and migrations of agent_core.

Nothing of Reflex is imported before `run` needs it: the command comes with agent_core alone, too.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from agent_core import __version__

_COMMANDS = {
    "run": "serve the chat app; `durable-agents run --help` lists its options",
    "worker": "run due work until SIGTERM or SIGINT: of module:build, or of the app without it",
    "migrate": "upgrade a database to this version's schema: of the URL, or of the app without it",
    "backup": "copy a database, which may be in use, into a new file",
    "restore": "copy a backup into a database that is not in use",
    "key": "create, list and revoke keys with which programs call the app",
    "move": "copy a database into an empty one, such as SQLite's into PostgreSQL",
    "doctor": "say what is configured, reachable, writable and behind",
    "user": "list, invite and remove people who sign in to the app; `durable-agents user --help`",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of the arguments; exit with a sentence if it cannot."""
    name, rest = _parsed(sys.argv[1:] if arguments is None else arguments)
    sys.path.insert(0, str(Path.cwd()))  # for modules of agents and extensions, as `python -m` does
    if name == "run":
        _run_app(rest)
    elif name not in ("doctor", "user") and _is_of_agent_core(name, rest):
        sys.argv = ["agent_core", name, *rest]
        runpy.run_module("agent_core", run_name="__main__", alter_sys=True)
    else:
        _run_app([name, *rest])


def _parsed(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command and its own arguments, which its own parser reads."""
    lines = "\n".join(f"  {name:<9}{meaning}" for name, meaning in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="durable-agents",
        usage="durable-agents COMMAND …",
        description="Run durable agents.",
        epilog=f"commands:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("command", choices=list(_COMMANDS), help=argparse.SUPPRESS)
    return str(parser.parse_args(arguments[:1]).command), list(arguments[1:])


def _is_of_agent_core(name: str, rest: Sequence[str]) -> bool:
    """Return whether a worker or a database is of a program's own agents, not of the app's."""
    if name == "key":
        return False
    if not _has_app() or any(each in ("-h", "--help") for each in rest):
        return True
    if name == "worker":
        return any(":" in each and "://" not in each for each in rest)
    if name == "migrate":
        return bool(rest or os.environ.get("AGENT_CORE_DATABASE_URL"))
    return False


def _has_app() -> bool:
    return importlib.util.find_spec("reflex") is not None


def _run_app(arguments: list[str]) -> None:
    if not _has_app():
        sys.exit('The app is not installed: pip install "reflex-durable-agents[app]"')
    from chat_app.__main__ import main as run_app

    run_app(arguments, program="durable-agents run")
