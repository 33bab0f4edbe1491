"""The timeline of a thread."""

from __future__ import annotations

PROCESS_ENDED = "the process ended"
RESTARTING = "the server is restarting"
STOPPED = "stopped"
