"""Command line `durable-agents`: that of the app, or of agent_core where only it is installed.

Nothing of Reflex is imported before `run` needs it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agent_core.__main__ import main as run_agent_core

_PROGRAM = "durable-agents"
_OF_THE_APP = ("run", "doctor", "user", "key")
_INSTALL = 'pip install "reflex-durable-agents[app]"'


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of the arguments; exit with a sentence if it cannot."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    sys.path.insert(0, str(Path.cwd()))  # for modules of agents and extensions, as `python -m` does
    if _has_app() and not _is_of_a_program(words):
        from chat_app.__main__ import main as run_app

        run_app(words, program=_PROGRAM)
    elif words[0] in _OF_THE_APP:
        sys.exit(f"The app is not installed: {_INSTALL}")
    else:
        run_agent_core(words, program=_PROGRAM, epilog=f"{', '.join(_OF_THE_APP)}: {_INSTALL}")


def _is_of_a_program(words: Sequence[str]) -> bool:
    """Return whether a worker or a database is of a program's own agents, not of the app's."""
    name, *rest = words
    if any(word in ("-h", "--help") for word in rest):
        return False
    if name == "worker":
        return any(":" in word and "://" not in word for word in rest)
    return name == "migrate" and bool(rest or os.environ.get("AGENT_CORE_DATABASE_URL"))


def _has_app() -> bool:
    return importlib.util.find_spec("reflex") is not None
