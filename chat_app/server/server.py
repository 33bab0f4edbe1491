"""Serving: the built pages, Reflex's socket and our routes, on one port."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from chat_app.server import lifeline


def serve(host: str, port: int, pages: Path) -> None:
    """Serve the pages in a folder that `pages.place` made, until a signal ends it.

    This is the end of `reflex run --env prod`, without the compiling that precedes it there. The
    functions are Reflex's own and not public, which is one reason for its exact pin.
    """
    from reflex.utils import exec as reflex_exec
    from reflex_base import constants
    from reflex_base.config import get_config
    from reflex_base.environment import environment

    os.environ["REFLEX_WEB_WORKDIR"] = str(pages)
    environment.REFLEX_ENV_MODE.set(constants.Env.PROD)
    environment.REFLEX_COMPILE_CONTEXT.set(constants.CompileContext.RUN)
    environment.REFLEX_SKIP_COMPILE.set(True)
    config = get_config()
    config._set_persistent(frontend_port=port, backend_port=port, backend_host=host)
    lifeline.tie_forks()
    reflex_exec.run_backend_prod(host, port, config.loglevel.subprocess_level(), True)


def serve_for_development(host: str, port: int, backend_port: int) -> NoReturn:
    """Become `reflex run`, which rebuilds and reloads what changes."""
    command = [sys.executable, "-m", "reflex", "run", "--env", "dev", "--backend-host", host]
    command += ["--frontend-port", str(port), "--backend-port", str(backend_port)]
    os.execv(sys.executable, command)
