"""Readiness: the database answers, the listener is connected, the leases are extended, nothing drains."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core.monitoring import Monitor, ReadyCheck
from agent_core.testing import eventually
from tests.support.agents import EAGER, QUICK, agent_on, runtime_of, worker_of
from tests.support.databases import PLACE, serving
from tests.tools.postgresql import FAST, NoServer, PostgreSQL


async def test_open_runtime_is_ready_with_and_without_a_worker(path: Path) -> None:
    for work in (True, False):
        async with agent_on(path, [], runtime={"work": work}) as api:
            check = ReadyCheck(runtime_of(api))

            async def ready(check: ReadyCheck = check) -> bool:
                return await check.problems() == {}

            await eventually(ready)


async def test_draining_worker_is_not_ready(path: Path) -> None:
    async with agent_on(path, []) as api:
        await runtime_of(api).drain(0)
        monitor = Monitor(runtime_of(api), metrics=False)
        page = await monitor.page("/ready")
        assert page is not None
        assert page.status == 503
        assert json.loads(page.body)["problems"]["worker"].startswith("draining")
        assert await monitor.page("/metrics") is None


async def test_worker_whose_heartbeats_have_ended_is_not_ready(path: Path) -> None:
    async with agent_on(path, [], settings=replace(QUICK, lease=0.3, heartbeat=0.1)) as api:
        worker_of(api)._heartbeat.close()  # pyright: ignore[reportPrivateUsage]
        check = ReadyCheck(runtime_of(api))

        async def found() -> Any:
            return (await check.problems()).get("worker")

        assert "last extended its leases" in await eventually(found)


@pytest.mark.postgresql  # a file does not go away
async def test_server_that_is_gone_is_named_until_it_is_back(path: Path) -> None:
    try:
        server = PostgreSQL(FAST)
    except NoServer as error:
        pytest.skip(str(error))
    try:
        with serving(server):
            async with agent_on(path, [], settings=EAGER) as api:
                check = ReadyCheck(runtime_of(api))
                await eventually(lambda: api.store.is_listening)
                server.stop()

                async def problems(*names: str) -> bool:
                    return set(names) <= set(await check.problems())

                await eventually(lambda: problems("database", "listener"), 60)
                server.start()

                async def ready() -> bool:
                    return await check.problems() == {}

                await eventually(ready, 60)
    finally:
        PLACE.clear()
        server.close()
