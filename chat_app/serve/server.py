"""Serving: the built pages, Reflex's socket and our routes, on one port."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import NoReturn

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def serve(host: str, port: int) -> None:
    """Serve the pages that `frontend.build` made, until a signal ends it.

    This is the end of `reflex run --env prod`, without the compiling that precedes it there. The
    functions are Reflex's own and not public, which is one reason for its exact pin.
    """
    from reflex.utils import exec as reflex_exec
    from reflex_base import constants
    from reflex_base.config import get_config
    from reflex_base.environment import environment

    environment.REFLEX_ENV_MODE.set(constants.Env.PROD)
    environment.REFLEX_COMPILE_CONTEXT.set(constants.CompileContext.RUN)
    environment.REFLEX_SKIP_COMPILE.set(True)
    config = get_config()
    config._set_persistent(frontend_port=port, backend_port=port, backend_host=host)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_remember_parent, after_in_child=_die_with_parent)
    reflex_exec.run_backend_prod(host, port, config.loglevel.subprocess_level(), True)


def serve_for_development(host: str, port: int, backend_port: int) -> NoReturn:
    """Become `reflex run`, which rebuilds and reloads what changes."""
    command = [sys.executable, "-m", "reflex", "run", "--env", "dev", "--backend-host", host]
    command += ["--frontend-port", str(port), "--backend-port", str(backend_port)]
    os.execv(sys.executable, command)


_parent = 0


def _remember_parent() -> None:
    global _parent
    _parent = os.getpid()


def _die_with_parent() -> None:
    """End this worker when its supervisor is killed.

    Otherwise it would live on without one and keep the port, and the next start would find it taken.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != _parent:  # it died before we asked
            os.kill(os.getpid(), signal.SIGKILL)
        return

    def watch() -> None:
        while os.getppid() == _parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
