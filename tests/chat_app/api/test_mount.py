"""Test the API of the running app: below a base path, through the guard, for its users, and for other origins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agent_core import CallContext
from chat_app.api.mount import routes
from chat_app.extensions import IDENTITY
from chat_app.server.origins import Origin
from chat_app.server.settings import Settings
from chat_app.web.guard import Guard
from chat_app.web.site import BasePath, _readable
from tests.chat_app.support import Serve

PAGE = Origin("https", "page.example", 443)


async def _page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"page {request.url.path}")


def site(base_path: str = "") -> Any:
    """Return the routes above a page, as Reflex mounts them, behind the middleware of the app."""
    inner = Starlette(routes=[*routes.routes, Route("/{path:path}", _page)])
    settings = Settings(origins=(PAGE,))
    return BasePath(Guard(_readable(inner, settings), "127.0.0.1", settings.origins), base_path)


@asynccontextmanager
async def client(base_path: str = "", **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(site(base_path))
    url = f"http://127.0.0.1:3000{base_path}"
    async with httpx.AsyncClient(transport=transport, base_url=url, headers=headers) as program:
        yield program


@pytest.fixture
def users() -> Iterator[None]:
    """Give the app users, whom a header names."""

    def identify(headers: Mapping[str, str]) -> CallContext | None:
        return CallContext(headers["x-user"]) if "x-user" in headers else None

    IDENTITY[:] = [identify]
    yield
    IDENTITY.clear()


@pytest.mark.parametrize("base_path", ["", "/agents"])
async def test_program_gets_an_answer_without_a_key_in_an_app_without_users(
    serve: Serve, base_path: str
) -> None:
    async with serve([["Yes."]]), client(base_path) as program:
        made = await program.post("/api/threads", json={"prompt": "Is it?"})
        assert made.status_code == 201, made.text
        thread = made.json()["id"]
        assert (await program.get(f"/api/threads/{thread}/idle")).json()["status"] == "completed"
        messages = (await program.get(f"/api/threads/{thread}/messages")).json()["messages"]
        assert messages[1]["parts"][-1]["text"] == "Yes."
        assert (await program.get("/threads/none")).text == f"page {base_path}/threads/none"
        for path in ("/api/", "/api/nothing", "/api/threads/a%0Ab"):
            refused = await program.get(path)
            assert (refused.status_code, refused.json()["error"]["message"][-1]) == (404, "."), path


async def test_service_that_is_not_open_is_unavailable() -> None:
    async with client() as program:
        refused = await program.get("/api/threads")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["message"] == "The app is starting or stopping."


async def test_each_service_gets_an_app_of_its_own(serve: Serve) -> None:
    for number in range(2):
        async with serve([]) as shared, client() as program:
            await shared.api.create_thread(title=f"Thread {number}")
            threads = (await program.get("/api/threads")).json()["threads"]
            assert threads[0]["title"] == f"Thread {number}"


async def test_pages_of_other_sites_cannot_use_the_api(serve: Serve) -> None:
    async with serve([]), client() as program:
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            refused = await program.post("/api/threads", json={}, headers=headers)
            assert refused.status_code == 403, headers
        assert (await program.get("/api/threads")).json()["threads"] == []


async def test_pages_of_listed_origins_use_the_api(serve: Serve) -> None:
    async with serve([]), client(origin=str(PAGE)) as page:
        asked = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization"}
        preflight = await page.options("/api/threads/none", headers=asked)
        assert preflight.status_code == 200
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        made = await page.post("/api/threads", json={})
        assert made.status_code == 201
        assert made.headers["access-control-allow-origin"] == str(PAGE)


@pytest.mark.usefixtures("users")
async def test_users_reach_their_own_threads_only(serve: Serve) -> None:
    async with serve([]), client() as program:
        ann, bob = {"x-user": "ann"}, {"x-user": "bob"}
        thread = (await program.post("/api/threads", json={}, headers=ann)).json()
        assert thread["user_id"] == "ann"
        refused = await program.get("/api/threads")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert (await program.get("/api/threads", headers=bob)).json() == {"threads": []}
        for end in ("", "/messages", "/events", "/export"):
            stranger = await program.get(f"/api/threads/{thread['id']}{end}", headers=bob)
            assert stranger.status_code == 403, end
        assert (await program.get("/api/limits", headers=ann)).status_code == 403
