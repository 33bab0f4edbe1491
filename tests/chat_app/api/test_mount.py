"""Test the API of the running app: below a base path, through the guard, for its users, and for other origins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agent_core import Agent, CallContext
from agent_core.errors import AccessDeniedError
from agent_core.testing import ScriptedModel
from chat_app.api.mount import routes
from chat_app.database.changes import count_change
from chat_app.database.tables import PersonRow
from chat_app.extensions import ADMINISTRATORS, IDENTITY
from chat_app.keys import key_ring
from chat_app.keys.rows import MAX_FAILURES, SCOPES
from chat_app.server.origins import Origin
from chat_app.server.settings import Settings
from chat_app.session.service import Service
from chat_app.web.guard import Guard
from chat_app.web.site import BasePath, _readable
from tests.chat_app.support import Serve
from tests.support.servers.http_server import served

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


@pytest.mark.parametrize("base_path", ["", "/agents"])
async def test_openai_clients_are_answered_below_v1(serve: Serve, base_path: str) -> None:
    async with serve([["Yes."]]) as shared, client(base_path) as program:
        shared.runtime.register(Agent("hidden", ScriptedModel([])))
        assert [model["id"] for model in (await program.get("/v1/models")).json()["data"]] == ["assistant"]
        body = {"model": "assistant", "messages": [{"role": "user", "content": "Is it?"}]}
        answer = (await program.post("/v1/chat/completions", json=body)).json()
        assert answer["choices"][0]["message"]["content"] == "Yes."
        assert (await shared.api.list_threads())[0].id == answer["thread_id"]
        refused = await program.post("/v1/chat/completions", json=body | {"model": "hidden"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.usefixtures("users")
async def test_openai_clients_of_other_users_do_not_see_a_response(serve: Serve) -> None:
    async with serve([["Yes."]]) as shared, client() as program:
        keys = {scope: (await shared.keys.create("k", scope, "ann", None)).secret for scope in SCOPES}
        ann, reader = ({"authorization": f"Bearer {keys[scope]}"} for scope in ("write", "read"))
        bob = {"x-user": "bob"}
        body = {"model": "assistant", "input": "Is it?"}
        may_not = await program.post("/v1/responses", json=body, headers=reader)
        assert (may_not.status_code, may_not.json()["error"]["type"]) == (403, "permission_error")
        refused = await program.post("/v1/responses", json=body)
        assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
        response = (await program.post("/v1/responses", json=body, headers=ann)).json()
        assert response["status"] == "completed"
        path = f"/v1/responses/{response['id']}"
        for headers in (ann, reader, {"x-user": "ann"}):
            assert (await program.get(path, headers=headers)).json() == response
        assert (await program.get(path, headers=bob)).status_code == 404


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


@pytest.mark.usefixtures("users")
async def test_key_acts_as_its_owner_within_its_scope(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async with serve([]) as shared, client() as program:
        keys = {scope: (await shared.keys.create("k", scope, "ann", None)).secret for scope in SCOPES}
        as_ann = {scope: {"authorization": f"bearer {key}"} for scope, key in keys.items()}
        theirs = (await program.post("/api/threads", json={}, headers={"x-user": "bob"})).json()["id"]
        own = (await program.post("/api/threads", json={}, headers=as_ann["write"])).json()
        assert own["user_id"] == "ann"
        for headers in as_ann.values():
            listed = (await program.get("/api/threads", headers=headers)).json()["threads"]
            assert [thread["id"] for thread in listed] == [own["id"]]
            assert (await program.get(f"/api/threads/{theirs}", headers=headers)).status_code == 403
        refused = await program.post("/api/threads", json={}, headers=as_ann["read"])
        assert (refused.status_code, "only read" in refused.text) == (403, True)
        assert (await program.get("/api/limits", headers=as_ann["write"])).status_code == 403
        wrong = await program.get("/api/threads", headers={"authorization": f"Bearer {keys['read']}x"})
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Bearer")
        nobodys = (await shared.keys.create("k", "admin", None, None)).secret
        refused = await program.get("/api/threads", headers={"authorization": f"Bearer {nobodys}"})
        assert refused.status_code == 401
    assert not any(key in caplog.text for key in (*keys.values(), nobodys))


@pytest.mark.usefixtures("users")
async def test_scope_decides_also_where_the_owner_administers(serve: Serve) -> None:
    def ann_only(ctx: CallContext | None) -> None:
        if ctx is None or ctx.user_id != "ann":
            raise AccessDeniedError("Ask ann.")

    ADMINISTRATORS[:] = [ann_only]
    try:
        async with serve([]) as shared, client() as program:
            statuses = [(await program.get("/api/limits", headers={"x-user": "ann"})).status_code]
            for scope in SCOPES:
                key = (await shared.keys.create("k", scope, "ann", None)).secret
                headers = {"authorization": f"Bearer {key}"}
                statuses.append((await program.get("/api/limits", headers=headers)).status_code)
            assert statuses == [200, 403, 403, 200]
    finally:
        ADMINISTRATORS.clear()


async def test_app_without_users_takes_keys_but_needs_none(serve: Serve) -> None:
    async with serve([]) as shared, client() as program:
        key = (await shared.keys.create("k", "read", None, None)).secret
        for token, status in ((key, 200), ("rda_wrong", 401), ("sk-anything", 200)):
            headers = {"authorization": f"Bearer {token}"}
            assert (await program.get("/api/threads", headers=headers)).status_code == status, token
        assert (
            await program.post("/api/threads", json={}, headers={"authorization": f"Bearer {key}"})
        ).status_code == 403


@pytest.mark.usefixtures("users")
async def test_people_make_keys_for_themselves_and_keys_make_none(serve: Serve) -> None:
    async with serve([]) as shared, client() as page:
        ann, bob = {"x-user": "ann"}, {"x-user": "bob"}
        made = await page.post("/keys", json={"name": "mine", "scope": "write", "days": 30}, headers=ann)
        assert made.status_code == 201, made.text
        secret = made.json()["secret"]
        listed = (await page.get("/keys", headers=ann)).json()
        assert [key["name"] for key in listed["keys"]] == ["mine"]
        assert listed["scopes"] == ["read", "write"]
        assert secret not in str(listed)
        assert (await page.get("/keys", headers=bob)).json()["keys"] == []
        with_key = {"authorization": f"Bearer {secret}"}
        assert (await page.get("/api/threads", headers=with_key)).status_code == 200
        assert (await page.get("/keys", headers=with_key)).status_code == 401
        assert (await page.post("/keys", json={"name": "more"}, headers=with_key)).status_code == 401
        for body, status in (
            *(({"name": "x", "scope": "admin"}, 403), ({"name": "x", "scope": "all"}, 422), ({}, 422)),
            *(({"name": 5}, 422), ({"name": "x", "days": True}, 422), ({"name": "x", "days": "5"}, 422)),
        ):
            assert (await page.post("/keys", json=body, headers=ann)).status_code == status, body
        key_id = made.json()["id"]
        assert (await page.delete(f"/keys/{key_id}", headers=bob)).status_code == 422
        assert (await page.delete(f"/keys/{key_id}", headers=ann)).status_code == 204
        assert (await page.get("/api/threads", headers=with_key)).status_code == 401
        assert await shared.keys.list("ann") == []


async def test_open_stream_ends_with_its_key(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "WATCH_INTERVAL", 0.05)
    async with serve([]) as shared, served(routes) as program:
        made = await shared.keys.create("k", "read", None, None)
        thread = await shared.api.create_thread()
        headers = {"authorization": f"Bearer {made.secret}"}
        async with program.stream("GET", f"/api/threads/{thread.id}/events", headers=headers) as stream:
            lines = stream.aiter_lines()
            assert (await anext(lines)).startswith("id: ")
            await shared.keys.revoke(made.row.id, None)
            with pytest.raises(httpx.RemoteProtocolError):
                async for _ in lines:
                    pass
        assert (await program.get("/api/threads", headers=headers)).status_code == 401


async def test_wrong_keys_of_one_client_limit_nobody_else_behind_the_same_proxy(serve: Serve) -> None:
    async with serve([]) as app, client() as program:
        key = (await app.keys.create("k", "read", None, None)).secret

        async def status(key: str, address: str) -> int:
            headers = {"authorization": f"Bearer {key}", "x-forwarded-for": address}
            return (await program.get("/api/threads", headers=headers)).status_code

        guesses = [await status(f"rda_{number}", "203.0.113.7") for number in range(MAX_FAILURES + 1)]
        assert (guesses[-2:], await status(key, "203.0.113.7")) == ([401, 429], 429)
        assert await status(key, "203.0.113.8") == 200


async def _person(shared: Service, **values: Any) -> None:
    """Set Ann's row, as an administrator in another process does."""

    def merge(session: Any) -> None:
        session.merge(PersonRow(id="ann", name="Ann", created_at=1.0, **values))
        count_change(session)

    await shared.keys._write(merge)


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("change", [{"role": "member"}, {"disabled_at": 2.0}, {"removed_at": 2.0}])
async def test_open_stream_ends_when_its_person_has_another_role_or_is_out(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    monkeypatch.setattr(key_ring, "EXPIRY_INTERVAL", 1_000.0)  # it is noticed, not only looked after
    async with serve([]) as shared, served(routes) as program:
        await _person(shared, role="admin")
        made = await shared.keys.create("k", "admin", "ann", None)
        thread = await shared.api.create_thread(ctx=CallContext("ann"))
        headers = {"authorization": f"Bearer {made.secret}"}
        async with program.stream("GET", f"/api/threads/{thread.id}/events", headers=headers) as stream:
            lines = stream.aiter_lines()
            assert (await anext(lines)).startswith("id: ")
            await _person(shared, **{"role": "admin"} | change)
            with pytest.raises(httpx.RemoteProtocolError):
                async for _ in lines:
                    pass
        again = await program.get(f"/api/threads/{thread.id}", headers=headers)
        assert again.status_code == (200 if "role" in change else 401)


@pytest.mark.usefixtures("users")
async def test_open_stream_goes_on_when_somebody_else_changes(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ring, "WATCH_INTERVAL", 0.02)
    async with serve([]) as shared:
        await _person(shared, role="admin")
        made = await shared.keys.create("k", "write", "ann", None)
        ctx = await shared.keys.caller(made.secret, "")
        waiting = asyncio.create_task(shared.keys.wait_for_end(made.secret, [ctx]))
        await shared.keys._write(count_change)
        await _person(shared, role="member")  # the key has the scope write, so it means the same caller
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert done == set()
        await shared.keys.revoke(made.row.id, "ann")
        await asyncio.wait_for(waiting, 20)
