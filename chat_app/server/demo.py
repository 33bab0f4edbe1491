"""`make demo`: the app under a supervisor, with a button on the page that kills it.

The supervisor is supervisord (http://supervisord.org), installed by `make demo` and by nothing else;
`demo.conf` beside this file is all that it is told.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import NoReturn

from chat_app.server import lifeline
from chat_app.server.preflight import NotReadyError

_CONFIGURATION = Path(__file__).with_name("demo.conf")


def supervise(folder: Path, supervisor: str = "supervisor") -> NoReturn:
    """Become the supervisor of `python -m chat_app`.

    Args:
        folder: where the supervisor keeps its process id; it is made.
        supervisor: the package that brings supervisord.

    Raises:
        NotReadyError: there is no supervisor here.
    """
    if importlib.util.find_spec(supervisor) is None:
        raise NotReadyError(
            "supervisord is not installed. Run `make demo`, which installs it and starts the demo."
        )
    folder.mkdir(parents=True, exist_ok=True)
    own = {"CHAT_DEMO": "1", "CHAT_DEMO_FOLDER": str(folder), "CHAT_DEMO_PYTHON": sys.executable}
    command = [sys.executable, "-m", f"{supervisor}.supervisord", "-c", str(_CONFIGURATION)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["-u", "root"]  # said so, it does not warn of it
    os.execve(sys.executable, command, os.environ | own)


def stay_with_supervisor() -> None:
    """End this process when its supervisor ends, however: else it would keep the port."""
    if os.environ.get("SUPERVISOR_ENABLED") and os.environ.get("CHAT_DEMO_FOLDER"):
        lifeline.die_with(os.getppid())
