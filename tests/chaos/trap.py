"""Trap for a tool that must not run twice: the tool waits in the trap for its process to be killed.

A random kill hits such a tool only now and then, and on a busy machine perhaps never.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from agent_core.testing import eventually

_PATIENCE = 20.0
_HELD = 60.0


class Trap:
    """File that marks the trap as set; the process that steps in renames it to its process id.

    Args:
        path: path of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def step_in(self) -> None:
        """Wait for this process to be killed, if the trap is set; called by tools."""
        try:
            self._path.rename(self._path.with_suffix(f".{os.getpid()}"))
        except FileNotFoundError:
            return
        time.sleep(_HELD)
        raise AssertionError("The process stood in the trap and was not killed.")

    async def victim(self) -> int:
        """Set the trap and return the id of the process that stepped in."""
        self._path.touch()
        await eventually(lambda: not self._path.exists(), _PATIENCE)
        (found,) = self._path.parent.glob(f"{self._path.stem}.*")
        return int(found.suffix[1:])
