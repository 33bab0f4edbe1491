"""Answer `/ready` and `/metrics`."""

from __future__ import annotations

import json
from typing import NamedTuple

from agent_core.errors import AgentCoreError
from agent_core.monitoring.metrics import CONTENT_TYPE, Metrics
from agent_core.monitoring.readiness import ReadyCheck
from agent_core.runtime import Runtime


class Page(NamedTuple):
    """A response: its status, content type and body."""

    status: int
    content_type: str
    body: str


class Monitor:
    """Answers the paths of monitoring for an open runtime.

    Args:
        runtime: the open runtime.
        metrics: whether `/metrics` is served.
    """

    def __init__(self, runtime: Runtime, *, metrics: bool = True) -> None:
        self._ready = ReadyCheck(runtime)
        self._metrics = Metrics(runtime) if metrics else None

    async def page(self, path: str) -> Page | None:
        """Return the page of a path; None if there is none."""
        if path == "/ready":
            return await self._readiness()
        if path == "/metrics" and self._metrics is not None:
            return await self._numbers(self._metrics)
        return None

    def close(self) -> None:
        """Count no more."""
        if self._metrics is not None:
            self._metrics.close()

    async def _readiness(self) -> Page:
        problems = await self._ready.problems()
        body = json.dumps({"ready": not problems, "problems": problems})
        return Page(503 if problems else 200, "application/json", body)

    async def _numbers(self, metrics: Metrics) -> Page:
        try:
            return Page(200, CONTENT_TYPE, await metrics.text())
        except AgentCoreError:
            return Page(503, "text/plain; charset=utf-8", "The database does not answer.\n")
