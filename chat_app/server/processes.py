"""Processes of the app: the server, the demo's supervisor, and children that die with their parents.

The supervisor of `make demo` is supervisord (http://supervisord.org), which only `make demo` installs;
`demo.conf` beside this file is its whole configuration.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from chat_app.server.preflight import NotReadyError

_CONFIGURATION = Path(__file__).with_name("demo.conf")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_POLL_INTERVAL = 0.5  # seconds between checks, where the kernel cannot notify us


def serve(host: str, port: int, pages: Path, workers: int) -> None:
    """Serve the pages in the folder that `pages.place` returned, until a signal ends the server.

    A worker process that dies is started again, while the others go on serving (`RespawningServer`).

    This is the last part of `reflex run --env prod`, without the compilation before it. The functions are
    internal to Reflex, which is one reason why its version is pinned exactly.
    """
    import granian.server
    from reflex.utils import exec as reflex_exec
    from reflex_base import constants
    from reflex_base.config import get_config
    from reflex_base.environment import environment

    from chat_app.server.workers import RespawningServer

    os.environ["REFLEX_WEB_WORKDIR"] = str(pages)
    environment.REFLEX_ENV_MODE.set(constants.Env.PROD)
    environment.REFLEX_COMPILE_CONTEXT.set(constants.CompileContext.RUN)
    environment.REFLEX_SKIP_COMPILE.set(True)
    config = get_config()
    config._set_persistent(frontend_port=port, backend_port=port, backend_host=host)
    tie_forks()
    collect_after_fork()
    os.environ["GRANIAN_WORKERS"] = str(workers)  # else Reflex starts several as soon as it finds a Redis
    granian.server.Server = RespawningServer
    reflex_exec.run_backend_prod(host, port, config.loglevel.subprocess_level(), True)


def serve_for_development(host: str, port: int, backend_port: int) -> NoReturn:
    """Replace this process with `reflex run`, which rebuilds and reloads changed files."""
    command = [sys.executable, "-m", "reflex", "run", "--env", "dev", "--backend-host", host]
    command += ["--frontend-port", str(port), "--backend-port", str(backend_port)]
    os.execv(sys.executable, command)


def supervise(folder: Path, supervisor: str = "supervisor") -> NoReturn:
    """Replace this process with the supervisor of `python -m chat_app`.

    Args:
        folder: folder in which the supervisor keeps its process id; created if missing.
        supervisor: package that contains supervisord.

    Raises:
        NotReadyError: supervisord is not installed.
    """
    if importlib.util.find_spec(supervisor) is None:
        raise NotReadyError(
            "supervisord is not installed. Run `make demo`, which installs it and starts the demo."
        )
    folder.mkdir(parents=True, exist_ok=True)
    own = {"CHAT_DEMO": "1", "CHAT_DEMO_FOLDER": str(folder), "CHAT_DEMO_PYTHON": sys.executable}
    command = [sys.executable, "-m", f"{supervisor}.supervisord", "-c", str(_CONFIGURATION)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["-u", "root"]  # an explicit user avoids supervisord's warning
    os.execve(sys.executable, command, os.environ | own)


def stay_with_supervisor() -> None:
    """End this process when its supervisor ends for any reason, because it would keep the port."""
    if os.environ.get("SUPERVISOR_ENABLED") and os.environ.get("CHAT_DEMO_FOLDER"):
        die_with(os.getppid())


def die_with(parent: int) -> None:
    """End this process with SIGKILL once `parent`, the process id of its parent, is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent ended before prctl
            os.kill(os.getpid(), signal.SIGKILL)
    elif sys.platform != "win32":
        threading.Thread(target=_watch, args=(parent,), name="lifeline", daemon=True).start()


def tie_forks() -> None:
    """Make every process that this one or its children fork from now on die with its parent."""
    if hasattr(os, "register_at_fork"):
        forking = [0]
        os.register_at_fork(
            before=lambda: forking.__setitem__(0, os.getpid()),
            after_in_child=lambda: die_with(forking[0]),
        )


def collect_after_fork() -> None:
    """Pause the garbage collector until the web processes are forked, and leave out of it what they share with their parent.

    Collections would look again and again at the modules that are imported here, and at each of them copy a page of
    memory that the processes share (see `gc.freeze` in Python's documentation).
    """
    if hasattr(os, "register_at_fork"):
        gc.disable()
        os.register_at_fork(before=gc.freeze, after_in_parent=gc.enable, after_in_child=gc.enable)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_INTERVAL)
    os.kill(os.getpid(), signal.SIGKILL)
