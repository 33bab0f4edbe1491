"""Fixtures of the tests of the sign-in: accounts on a new database, and browsers of the app behind its gate."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from agent_core.errors import AccessDeniedError
from chat_app.accounts import passwords
from chat_app.accounts.accounts import Accounts, open_accounts
from chat_app.accounts.gate import SessionGate
from chat_app.accounts.routes import routes
from chat_app.accounts.setup import register_sign_in
from chat_app.api.people_routes import PEOPLE_ROUTES
from chat_app.extensions import ADMINISTRATORS, IDENTITY, caller
from chat_app.server.settings import Settings, load_settings
from chat_app.web.guard import Guard
from chat_app.web.site import BasePath
from tests.support.app_databases import app_database

PASSWORD = "a long password"
OPEN = {"accept": "text/html,*/*", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}


class Browser:
    """A browser: it keeps cookies, follows no redirect by itself, and fills in forms."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=origin)
        self.origin = origin

    async def open(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=OPEN | headers)

    async def submit(
        self, path: str, headers: dict[str, str] | None = None, /, **fields: str
    ) -> httpx.Response:
        sent = {"origin": self.origin, "sec-fetch-site": "same-origin", "accept": "text/html"}
        return await self.http.post(path, data=fields, headers=sent | (headers or {}))

    async def sign_in(self, name: str, password: str = PASSWORD, next: str = "") -> httpx.Response:
        return await self.submit("/sign-in", name=name, password=password, next=next)

    async def link(self, headers: dict[str, str] | None = None, /, **body: Any) -> httpx.Response:
        """Ask for a link for a person, as the admin page does."""
        sent = {"origin": self.origin, "sec-fetch-site": "same-origin"}
        return await self.http.post("/people/links", json=body, headers=sent | (headers or {}))

    async def who(self) -> dict[str, Any] | None:
        return (await self.http.get("/who")).json()


async def _who(request: Request) -> Response:
    """Return whom the app sees, as its routes and handlers do."""
    try:
        ctx = caller(request.headers)
    except AccessDeniedError:
        return JSONResponse(None)
    assert ctx is not None
    return JSONResponse({"id": ctx.user_id, "cookie": request.headers.get("cookie"), **(ctx.claims or {})})


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with little memory and time, which nothing here depends on."""
    cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
    monkeypatch.setattr(passwords, "_HASHES", cheap)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CHAT_SIGN_IN", "local")
    monkeypatch.setenv("CHAT_DATA_DIR", str(tmp_path))
    return load_settings()


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    yield
    IDENTITY.clear()
    ADMINISTRATORS.clear()


@pytest.fixture
async def known(settings: Settings) -> AsyncIterator[Accounts]:
    """Open accounts, without anybody."""
    app_database(settings.data_dir)
    async with open_accounts(settings.database_url) as found:
        yield found


@pytest.fixture
def app(known: Accounts, settings: Settings) -> ASGIApp:
    """The gate before the routes of the sign-in and one that says who asks."""
    register_sign_in(settings.sign_in)
    own = [*routes.routes, *PEOPLE_ROUTES]
    everything = Starlette(routes=[*own, Route("/who", _who), Route("/{rest:path}", _page)])
    gate = SessionGate(everything, settings.origins)
    return BasePath(Guard(gate, "127.0.0.1", settings.origins), settings.base_path)


async def _page(_request: Request) -> Response:
    return Response("a page", media_type="text/html")


@pytest.fixture
async def browser(app: ASGIApp) -> AsyncIterator[Callable[..., Browser]]:
    """A function that opens a browser with a profile of its own."""
    opened: list[Browser] = []

    def new(origin: str = "http://localhost:3000") -> Browser:
        opened.append(Browser(app, origin))
        return opened[-1]

    yield new
    for each in opened:
        await each.http.aclose()


@pytest.fixture
async def ann(known: Accounts) -> str:
    """The name of an administrator with a password."""
    invited = await known.invite("ann", "admin")
    await known.use_link(invited.token, PASSWORD)
    return "ann"


def link_in(text: str) -> str:
    """Return the path of the one-time link in a text."""
    found = re.search(r"https?://[^/\s]+(\S*/link/[\w-]+)", text)
    assert found is not None, text
    return found[1]
