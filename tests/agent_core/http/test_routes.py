"""HTTP routes: a path for every method, and branches, exports, schedules and preferences over HTTP."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from agent_core import CallContext, define_agent_api
from agent_core.errors import AccessDeniedError
from agent_core.http.routes import PATHS
from agent_core.testing import eventually
from tests.agent_core.http.test_app import done, refused
from tests.support.agents import api_methods
from tests.support.servers.http_server import serving

ROOT = Path(__file__).resolve().parents[3]
ELSEWHERE = {"subscribe", "changes", "preferences.follow", "add_file", "read_file"}
"""`subscribe` is GET /threads/{id}/events; `changes` tells of everybody's threads; preferences are read
again, not followed; how bytes of files come and go is the application's own affair."""


def test_every_method_has_a_path_with_arguments_of_its_own() -> None:
    methods = {
        name: function
        for name, function in api_methods().items()
        if "ctx" in inspect.signature(function).parameters
    }
    assert {path.method for path in PATHS} == methods.keys() - ELSEWHERE
    for path in PATHS:
        in_path = {piece.strip("{}") for piece in path.path.split("/") if piece.startswith("{")}
        given = {*in_path, *path.required, *path.optional, *path.query}
        takes = inspect.signature(methods[path.method]).parameters
        assert given <= set(takes), path
        needed = {
            name
            for name, one in takes.items()
            if one.default is inspect.Parameter.empty and name not in ("self", "ctx")
        }
        assert needed <= {*in_path, *path.required, *path.defaults}, path


def test_the_page_lists_every_path() -> None:
    page = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    for path in PATHS:
        assert f"`{path.path}`" in page.replace("{thread_id}", "{id}").replace("{id}", "{thread_id}"), (
            path.path
        )
        assert f"`{path.method}`" in page, path.method


async def test_branches_and_forks_are_made_over_http(path: Path) -> None:
    async with serving(path, [["One."], ["Two."], ["Three."]]) as (client, _):
        name = (await client.post("/threads", json={"prompt": "Hi", "message_id": "m"})).json()["id"]
        await done(client, name)
        first = (await client.get(f"/threads/{name}/messages")).json()["messages"][1]["id"]
        again = await client.post(f"/threads/{name}/messages/{first}/regenerate")
        assert again.json()["status"] in ("streaming", "completed")  # the answer may already be complete
        await done(client, name)
        edited = await client.post(f"/threads/{name}/messages/m/edit", json={"prompt": "Hello"})
        assert edited.status_code == 201
        await done(client, name)
        back = await client.post(f"/threads/{name}/messages/{first}/select")
        assert back.status_code == 200, back.text
        messages = (await client.get(f"/threads/{name}/messages")).json()["messages"]
        assert [message["id"] for message in messages] == ["m", first]
        fork = await client.post(f"/threads/{name}/messages/m/fork", json={"new_thread_id": "copy"})
        assert (fork.status_code, fork.json()["id"]) == (201, "copy")
        for end in ("regenerate", "select", "fork"):
            refused(await client.post(f"/threads/{name}/messages/none/{end}"), 404, "MessageNotFoundError")


async def test_a_thread_is_exported_and_imported_over_http(path: Path) -> None:
    async with serving(path, lambda _: ["Yes."], max_body=5_000) as (client, api):
        name = (await client.post("/threads", json={"prompt": "Hi", "title": "T"})).json()["id"]
        await done(client, name)
        document = (await client.get(f"/threads/{name}/export")).json()
        assert document == await api.export_thread(name)
        made = await client.post("/threads/import", json={"document": document})
        assert (made.status_code, made.json()["title"], made.json()["status"]) == (201, "T", "completed")
        asked = await client.post("/threads/import", json={"document": document, "signatures": True})
        refused(asked, 422, "ValidationError")
        refused(await client.get(f"/threads/{name}/export?signatures=true"), 422, "ValidationError")
        copied = (await client.get(f"/threads/{made.json()['id']}/messages")).json()["messages"]
        assert [m["parts"] for m in copied] == [m["parts"] for m in document["messages"]]
        listed = (await client.get("/threads")).json()["threads"]
        assert len(listed) == 2
        for wrong in (
            None,
            "x",
            [],
            {},
            document | {"version": 2},
            document | {"messages": [{"role": "system"}]},
        ):
            refused(await client.post("/threads/import", json={"document": wrong}), 422, "ValidationError")
        refused(await client.post("/threads/import", json=document), 422, "ValidationError")
        refused(await client.post("/threads/import", json={"document": {"a": "x" * 5_000}}), 413)
        refused(await client.get("/threads/none/export"), 404, "ThreadNotFoundError")
        assert (await client.get("/threads")).json()["threads"] == listed


def _caller(request: Request) -> CallContext:
    return CallContext(request.headers["x-user"])


def _admins_only(ctx: CallContext | None) -> None:
    if ctx is None or ctx.user_id != "admin":
        raise AccessDeniedError("Ask an admin.")


async def test_limits_and_budgets_are_read_by_people_and_changed_by_admins_over_http(path: Path) -> None:
    async with serving(path, lambda _: ["Yes."]) as (anybody, plain):
        for method, where in (("GET", "/limits"), ("GET", "/budgets"), ("DELETE", "/limits?model=m")):
            refused(await anybody.request(method, where), 403, "AccessDeniedError")
        api = define_agent_api(plain.store, plain.agent, limits_callback=_admins_only)
        transport = httpx.ASGITransport(app=api.http_app(_caller))

        async def ask(user: str, method: str, where: str, body: Any = None) -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await client.request(method, where, json=body, headers={"x-user": user})

        limit = {"model": "scripted", "limit": {"concurrency": 3}}
        assert (await ask("admin", "PUT", "/limits", limit)).status_code == 204
        (listed,) = (await ask("admin", "GET", "/limits")).json()["limits"]
        assert (listed["model"], listed["limit"]["concurrency"], listed["running"]) == ("scripted", 3, 0)
        assert (await ask("admin", "DELETE", "/limits?model=scripted")).status_code == 204
        assert (await ask("admin", "GET", "/limits")).json() == {"limits": []}

        nothing = {"budget": {"usd": 0, "per": "day"}, "user_id": "ann"}
        assert (await ask("admin", "PUT", "/budgets", nothing)).status_code == 204
        name = (await ask("ann", "POST", "/threads", {"prompt": "Hi"})).json()["id"]

        async def paused() -> Any:
            return (await ask("ann", "GET", f"/threads/{name}")).json()["retry_state"]

        assert (await eventually(paused))["kind"] == "budget"
        (own,) = (await ask("ann", "GET", "/budgets?user_id=ann")).json()["budgets"]
        assert (own["budget"], own["usd"]) == ({"usd": 0, "tokens": None, "per": "day"}, 0)
        assert (await ask("ann", "GET", f"/budgets?thread_id={name}")).json() == {"budgets": []}
        more = {"budget": {"tokens": 5_000}, "user_id": "ann"}
        for method, where, body in (
            ("PUT", "/budgets", more),
            ("GET", "/budgets", None),
            ("GET", "/budgets?user_id=bob", None),
            ("DELETE", "/budgets?per=day&user_id=ann", None),
            ("PUT", "/limits", limit),
        ):
            assert refused(await ask("ann", method, where, body), 403) == "Ask an admin."
        for method, where, body in (
            ("PUT", "/budgets", {"budget": {"usd": -1}, "user_id": "ann"}),
            ("PUT", "/budgets", {"budget": {"euro": 1}, "user_id": "ann"}),
            ("PUT", "/budgets", {"budget": {"usd": 1, "per": ["day"]}, "user_id": "ann"}),
            ("PUT", "/budgets", {"budget": 3, "user_id": "ann"}),
            ("PUT", "/budgets", {"budget": {"usd": 1}}),
            ("PUT", "/budgets", {"budget": {"usd": 1}, "user_id": "ann", "agent": "assistant"}),
            ("DELETE", "/budgets?per=week&user_id=ann", None),
            ("DELETE", "/budgets?user_id=ann", None),
            ("PUT", "/limits", {"model": "m", "limit": {"concurrency": 0}}),
            ("DELETE", "/limits", None),
        ):
            refused(await ask("admin", method, where, body), 422, "ValidationError")
        assert (await ask("admin", "PUT", "/budgets", more)).status_code == 204
        assert (await ask("ann", "GET", f"/threads/{name}/idle")).json()["status"] == "completed"


async def test_schedules_are_created_changed_and_run_over_http(path: Path) -> None:
    async with serving(path, lambda _: ["Yes."]) as (client, api):
        monthly = {"type": "cron", "expression": "@monthly", "timezone": "Europe/Berlin"}
        made = await client.post("/schedules", json={"prompt": "Hi", "trigger": monthly, "schedule_id": "s"})
        assert (made.status_code, made.json()["trigger"]) == (201, monthly), made.text
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        for trigger in (
            {"type": "interval", "hours": 1},
            {"type": "interval", "seconds": 90, "start": tomorrow.timestamp()},
            {"type": "date", "moment": tomorrow.isoformat()},
        ):
            changed = (await client.patch("/schedules/s", json={"trigger": trigger})).json()
            again = await client.patch("/schedules/s", json={"trigger": changed["trigger"]})
            assert again.json()["trigger"] == pytest.approx(changed["trigger"], abs=1e-5), (
                "what comes back can be sent back"
            )
        assert [one["id"] for one in (await client.get("/schedules")).json()["schedules"]] == ["s"]
        assert (await client.post("/schedules/s/pause")).json()["paused"] is True
        assert (await client.post("/schedules/s/resume")).json()["paused"] is False
        ran = (await client.post("/schedules/s/run")).json()
        assert ran["runs"] == 1
        await done(client, ran["last_thread_id"])
        assert (await client.delete("/schedules/s")).status_code == 204
        refused(await client.get("/schedules/s"), 404)
        refused(await client.delete("/schedules/s"), 404, "ScheduleNotFoundError")
        strange: list[Any] = [
            *(None, 5, {}, {"type": "never"}, {"type": "cron"}, {"type": "cron", "expression": "x"}),
            *({"type": "interval", "seconds": bad} for bad in (0, -5, "x", 1e99)),
            *({"type": "date", "moment": bad} for bad in ("soon", 1e99, None, True)),
            {"type": "interval", "hours": 1, "nonsense": 1},
        ]
        for trigger in strange:
            refused(await client.post("/schedules", json={"prompt": "Hi", "trigger": trigger}), 422)
        assert await api.schedules.list() == []


async def test_preferences_are_read_and_changed_over_http(path: Path) -> None:
    async with serving(path, []) as (client, _):
        assert (await client.get("/preferences")).json() == {"preferences": {}}
        changed = await client.patch("/preferences", json={"changes": {"model": "m", "temperature": 0.5}})
        assert changed.json() == {"preferences": {"model": "m", "temperature": 0.5}}
        await client.patch("/preferences", json={"changes": {"model": None}})
        assert (await client.get("/preferences")).json() == {"preferences": {"temperature": 0.5}}
        refused(await client.patch("/preferences", json={"changes": 7}), 422)
