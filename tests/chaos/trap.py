"""A trap: a tool that must not happen twice waits in it for its process to be killed.

A kill at random hits such a tool only now and then, and on a busy machine perhaps never.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from agent_core.testing import eventually

_PATIENCE = 20.0
_HELD = 60.0


class Trap:
    """A file that says that the trap is set; who steps in takes it away and leaves its number.

    Args:
        path: where the file is put.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def step_in(self) -> None:
        """Wait for the end of this process, if the trap is set; for tools."""
        try:
            self._path.rename(self._path.with_suffix(f".{os.getpid()}"))
        except FileNotFoundError:
            return
        time.sleep(_HELD)
        raise AssertionError("The process stood in the trap and was not killed.")

    async def victim(self) -> int:
        """Set the trap and return the number of the process that stepped in."""
        self._path.touch()
        await eventually(lambda: not self._path.exists(), _PATIENCE)
        (found,) = self._path.parent.glob(f"{self._path.stem}.*")
        return int(found.suffix[1:])
