"""Test that nothing of one person is read, changed or pushed to another, over every path and every event of the app.

The paths are those of the routes, and the events those that Reflex knows, so a new one is tried without being listed.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import reflex as rx
from reflex.istate.data import HeaderData
from reflex_base.registry import RegistrationContext
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

import chat_app.chat_app as whole
from agent_core import CallContext, every
from agent_core.http.routes import PATHS
from agent_core.store.database.tables import metadata
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from chat_app.accounts.accounts import open_accounts
from chat_app.accounts.people import begin_session, token_hash
from chat_app.accounts.routes import routes as account_routes
from chat_app.database.tables import AppTable, PersonRow
from chat_app.extensions import IDENTITY
from chat_app.files.uploads import routes as file_routes
from chat_app.session.service import Service
from tests.chat_app.support import Serve
from tests.support.databases import select_all

SECRET = "the-secret-of-ann"
ANN = CallContext("ann")
OWN_TABLES = ("thread", "message", "stream", "tool_call", "schedule", "person", "file")
BODIES: dict[str, Any] = {
    "prompt": "From Bob",
    "message": {"role": "user", "parts": [{"type": "text", "text": "From Bob"}]},
    "changes": {"colour": "red"},
    "result": "From Bob",
    "error": "From Bob",
    "trigger": {"type": "interval", "hours": 1},
    "document": {},
    "seconds": 60,
    "title": "From Bob",
}
ABOUT_NO_PERSON = {
    *("/sign-in", "/sign-in/oidc", "/sign-in/oidc/callback", "/sign-out", "/ready", "/metrics"),
    *("/link/{token}", "/account", "/account/password", "/people/links"),  # tests/chat_app/accounts
    "/shared/{token}/{file_id}/{name}",  # for whoever has the token
    "/mcp",  # tests/chat_app/api/test_mcp.py
    *("/mcp-servers/connect/{name}", "/mcp-servers/callback"),  # tests/chat_app/api/test_connect.py
}
"""Routes that have nothing of a person, or whose tests with two people are elsewhere."""


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def turns(messages: list[dict[str, Any]]) -> list[Any]:
    text = str(messages[-1]["content"])
    return [ToolUse("pay", {"amount": 1})] if "pay" in text else [f"You said {text}."]


def by_header(headers: Mapping[str, str]) -> CallContext | None:
    name = headers.get("x-person")
    return CallContext(name, {"role": "member", "name": name}) if name else None


@dataclass
class World:
    """The app with what Ann has: the ids by the names that paths and handlers give them."""

    service: Service
    database: Path
    ids: dict[str, str]

    def rows_of_ann(self) -> dict[str, list[Any]]:
        """Return the rows that name Ann or her threads."""
        tables = [
            table for table in metadata.sorted_tables if table.name.removeprefix("agent_") in OWN_TABLES
        ]
        mine = {"ann", *self.ids.values()}
        tables += [table for name, table in AppTable.metadata.tables.items() if name != "chat_seen"]
        found = select_all(self.database, tables)
        return {name: [row for row in rows if mine & set(map(str, row))] for name, rows in found.items()}


@pytest.fixture
def people() -> Iterator[None]:
    IDENTITY[:] = [by_header]
    yield
    IDENTITY.clear()


@pytest.fixture
async def world(people: None, serve: Serve, tmp_path: Path) -> AsyncIterator[World]:
    async with serve(turns, {"pay": pay}) as service:
        api = service.api
        file = await api.add_file(SECRET.encode(), media_type="text/plain", filename="a.txt", ctx=ANN)
        done = await api.create_thread([{"type": "text", "text": SECRET}, file], title=SECRET, ctx=ANN)
        await api.wait_until_idle(done.id, 20, ctx=ANN)
        waits = await api.create_thread(f"pay {SECRET}", title=SECRET, ctx=ANN)
        await eventually(lambda: _is_waiting(service, waits.id))
        schedule = await api.schedules.create(done.id, SECRET, every(hours=1), ctx=ANN)
        (waiting,) = await api.list_waiting(ctx=ANN)
        first = (await api.list_messages(done.id, ctx=ANN))[0]
        ids = {
            "thread_id": done.id,
            "waiting_thread_id": waits.id,
            "message_id": first.id,
            "tool_call_id": waiting.tool_call_id,
            "call_id": waiting.tool_call_id,
            "schedule_id": schedule.id,
            "file_id": file["url"].removeprefix("attachment:"),
        }
        key = await service.keys.create(SECRET, "read", "ann", None)
        async with open_accounts(service.settings.database_url) as known:
            await known._write(add_ann)
            session_id = token_hash(await known._write(begin_session, "ann", time.time()))
            ids |= {"person_id": "ann", "session_id": session_id, "key_id": key.row.id}
            yield World(service, tmp_path / "agents.db", ids)


def add_ann(session: Any) -> None:
    """Add the row that Ann has in an app whose people are rows."""
    session.add(PersonRow(id="ann", name=SECRET, name_key="ann", role="member", created_at=1.0))


async def _is_waiting(service: Service, thread_id: str) -> bool:
    thread = await service.api.get_thread(thread_id, ctx=ANN)
    return thread is not None and thread.status == "awaiting_tool_results"


async def settled(world: World) -> dict[str, list[Any]]:
    """Return Ann's rows once the workers have derived from them what they derive."""
    before = None
    while (now := world.rows_of_ann()) != before:
        before = now
        await asyncio.sleep(0.3)
    return now


def in_path(path: str, world: World) -> str:
    """Return a path with Ann's ids; tool calls and approvals are those of the thread that waits."""
    waits = "call" in path or "approvals" in path or "denials" in path
    ids = world.ids | ({"thread_id": world.ids["waiting_thread_id"]} if waits else {})
    return re.sub(r"{(\w+)}", lambda hole: ids.get(hole[1], "a.txt"), path)


def routes_of_the_app() -> list[BaseRoute]:
    parts: Any = whole.app.api_transformer
    return [route for part in parts for route in part.routes]


def test_every_route_is_tried_or_is_about_nobody() -> None:
    every_route = [*routes_of_the_app(), *account_routes.routes]
    found = {route.path for route in every_route if isinstance(route, Route)}
    tried = {route.path for route in file_routes.routes if isinstance(route, Route)}
    assert {path for path in found - tried - ABOUT_NO_PERSON if not path.startswith("/keys")} == set()
    without = {route.path for route in routes_of_the_app() if isinstance(route, Route)}
    assert "/sign-in" not in without, "an app without sign-in leaves these addresses to pages"
    mounts = {route.path for route in routes_of_the_app() if isinstance(route, Mount)}
    assert mounts == {"/api", "/v1"}, "PATHS, below, and tests/chat_app/api/test_mount.py"


async def test_nothing_of_a_person_is_read_or_changed_by_another_over_any_path(world: World) -> None:
    before = await settled(world)
    app = Starlette(routes=routes_of_the_app())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        asked: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", in_path(route.path, world), {})
            for route in file_routes.routes
            if isinstance(route, Route) and "GET" in (route.methods or ())
        ]
        for path in PATHS:
            names = {*path.required, *path.optional}
            body: dict[str, Any] = {name: value for name, value in BODIES.items() if name in names}
            body |= {"ids": [world.ids["call_id"]]} if "ids" in names else {}
            asked.append((path.verb, "/api" + in_path(path.path, world), body))
        for who in ("bob", ""):
            for verb, url, body in asked:
                named = {"x-person": who} if who else {}
                answer = await http.request(verb, url, json=body if verb != "GET" else None, headers=named)
                about = (who, verb, url, answer.status_code, answer.text[:300])
                assert SECRET not in answer.text, about
                assert answer.status_code < 500, about
                if not who:
                    assert answer.status_code in (401, 403, 404), about
                elif any(each in url for each in world.ids.values()):
                    assert answer.status_code in (403, 404), about
        seen = [
            (await http.get(url, headers={"x-person": "ann"})).text for verb, url, _ in asked if verb == "GET"
        ]
    assert sum(SECRET in text for text in seen) >= 5, "Ann herself reads it over the same paths"
    assert await settled(world) == before


class _Opened:
    """A state as a background handler gets it: it takes the tab's lock and gives it back."""

    def __init__(self, state: Any) -> None:
        object.__setattr__(self, "_state", state)

    async def __aenter__(self) -> _Opened:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._state, name, value)


def value_for(parameter: inspect.Parameter, world: World) -> Any:
    """Return what a manipulated browser would send: Ann's ids wherever an id fits."""
    kind = str(parameter.annotation)
    if parameter.name in world.ids:
        return world.ids[parameter.name]
    if "dict" in kind and "list" not in kind:
        return {"thread_id": world.ids["thread_id"], "call_id": world.ids["call_id"], "answer": "From Bob"}
    by_kind = {"list": [], "bool": True, "int": 0}
    return next((value for name, value in by_kind.items() if name in kind), "From Bob")


async def run(handler: Any, state: Any, world: World) -> list[Any]:
    """Run a handler with Ann's ids for a moment; return what it returned or yielded."""
    parameters = list(inspect.signature(handler.fn).parameters.values())[1:]
    self = _Opened(state) if handler.is_background else state
    made = handler.fn(self, *(value_for(each, world) for each in parameters))
    found: list[Any] = []
    keep = found.append  # one by one, as a handler that follows never ends
    with suppress(TimeoutError):
        async with asyncio.timeout(0.3 if handler.is_background else 20):
            if inspect.isasyncgen(made):
                async with aclosing(made) as items:
                    async for item in items:
                        keep(item)
            elif inspect.isgenerator(made):
                found.extend(made)
            else:
                found.append(await made if inspect.isawaitable(made) else made)
    return found


async def shown_to(name: str, handler: Any, kind: Any, world: World) -> str:
    """Return everything that a tab of a person gets of a handler, in a state that claims Ann's thread is open."""
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    headers = {"headers": {"x-person": name} if name else {}}
    root.router = replace(root.router, headers=HeaderData.from_router_data(headers))
    state = await root.get_state(kind)
    if "open_id" in state.vars:
        state.open_id = world.ids["thread_id"]
    try:
        given = await run(handler, state, world)
    except Exception as error:  # what is refused in whatever way is not shown
        given = [repr(error)]
    return json.dumps(root.dict(), default=str) + repr(given)


async def test_nothing_of_a_person_is_read_or_changed_by_another_with_any_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.kill", lambda *_: None)
    before = await settled(world)
    handlers = [
        (name, each.handler, each.states[0])
        for name, each in sorted(RegistrationContext.get().event_handlers.items())
        if each.states and each.states[0].__module__.startswith("chat_app.")
    ]
    assert len(handlers) > 80
    for who in ("bob", ""):
        for name, handler, kind in handlers:
            assert SECRET not in await shown_to(who, handler, kind, world), (who, name)
    assert await settled(world) == before
    shown = [await shown_to("ann", handler, kind, world) for _, handler, kind in handlers]
    assert sum(SECRET in text for text in shown) >= 5, "Ann herself gets it of the same events"
