"""Routes for probes and Prometheus: behind the guard, without users' data, and metrics only if they are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from agent_core import Agent
from agent_core.testing import ScriptedModel, eventually
from chat_app.model.model_choice import DEMO_MODEL, ModelChoice
from chat_app.server.settings import Settings
from chat_app.session.monitoring import routes
from chat_app.session.service import open_service
from chat_app.web.guard import Guard
from chat_app.web.site import BasePath
from tests.support.app_databases import app_database


def client(app: Any = routes, url: str = "http://127.0.0.1:3000") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url)


def service(tmp_path: Path, **settings: Any) -> Any:
    values = Settings(database_url=app_database(tmp_path), data_dir=tmp_path, **settings)
    agent = Agent("assistant", ScriptedModel([["A secret answer."]]))
    return open_service(values, ModelChoice(DEMO_MODEL, "for a test"), agent)


async def test_ready_is_served_and_metrics_are_not_unless_they_are_wanted(tmp_path: Path) -> None:
    async with service(tmp_path) as here, client() as probe:
        await eventually(lambda: here.runtime.store.is_listening)
        ready = await probe.get("/ready")
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "problems": {}})
        assert ready.headers["cache-control"] == "no-store"
        refused = await probe.get("/metrics")
        assert refused.status_code == 404
        assert "CHAT_METRICS" in refused.text


async def test_metrics_contain_no_data_of_users(tmp_path: Path) -> None:
    async with service(tmp_path, metrics=True) as here, client() as probe:
        thread = await here.api.create_thread("A secret question.", title="A secret title")
        await here.api.wait_until_idle(thread.id)
        metrics = await probe.get("/metrics")
        assert metrics.status_code == 200
        assert 'agent_core_turns_total{end="completed"} 1' in metrics.text
        assert "secret" not in metrics.text


async def test_server_that_starts_or_stops_is_not_ready() -> None:
    async with client() as probe:
        assert (await probe.get("/ready")).status_code == 503


async def test_pages_of_other_sites_and_foreign_hosts_are_refused(tmp_path: Path) -> None:
    guarded = Guard(routes, "127.0.0.1")
    async with service(tmp_path, metrics=True), client(guarded) as probe:
        assert (await probe.get("/metrics")).status_code == 200
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            assert (await probe.get("/metrics", headers=headers)).status_code == 403
        assert (await probe.get("/ready", headers={"host": "evil.example"})).status_code == 403


async def test_routes_are_found_below_a_base_path(tmp_path: Path) -> None:
    async with service(tmp_path), client(BasePath(routes, "/agents")) as probe:
        assert (await probe.get("/agents/ready")).status_code in (200, 503)
        assert "ready" in (await probe.get("/agents/ready")).json()
