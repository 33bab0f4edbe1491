"""Child processes for tests to kill: forked off a server that has imported everything already.

A child that begins with nothing imports for a second before it can be killed. A process has one such
server, and whoever starts it first decides what it knows: so it is said here, for all tests.
"""

from __future__ import annotations

from multiprocessing import get_context

FORKED = get_context("forkserver")
FORKED.set_forkserver_preload(["tests.support.agents", "tests.chaos.worker", "pytest"])
