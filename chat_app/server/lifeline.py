"""A child process that ends when its parent does, however the parent ended.

Without this a killed supervisor leaves its worker behind, which keeps the port, and the next start
finds it taken.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_POLL_INTERVAL = 0.5  # seconds between looks, where the kernel cannot tell us


def die_with(parent: int) -> None:
    """End this process with SIGKILL once `parent`, the process id of its parent, is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
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


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_INTERVAL)
    os.kill(os.getpid(), signal.SIGKILL)
