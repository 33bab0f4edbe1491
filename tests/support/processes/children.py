"""Child processes for tests to kill, forked from a server that has already imported and compiled everything.

A fresh child imports for a second before it can be killed. A process has only one fork server, whose imports
are fixed at its start, so this module sets them for all tests.
"""

from __future__ import annotations

from multiprocessing import get_context

FORKED = get_context("forkserver")
_LAST = "tests.support.processes.warmed", "tests.support.processes.frozen"
FORKED.set_forkserver_preload(["tests.support.agents", "tests.chaos.worker", "pytest", *_LAST])
