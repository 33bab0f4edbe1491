"""Test that the OpenAPI document is valid, describes every route, and that its schemas are those of the answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from agent_core import Agent, Runtime, define_agent_api
from agent_core.http import make_app
from agent_core.http.openapi.document import openapi_document
from agent_core.testing import ScriptedModel, ToolUse, eventually
from tests.agent_core.http.test_app import ask, done
from tests.support.servers.http_server import serving


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agents.db"


async def test_document_is_valid_and_describes_every_route() -> None:
    async with Runtime("sqlite://") as runtime:
        api = define_agent_api(runtime, Agent("assistant", ScriptedModel([])))
        document = openapi_document(api, "/agents")
        OpenAPIV31SpecValidator(document).validate()
        routes = [route for route in make_app(api).routes if isinstance(route, Route)]
        served = {(route.path, min(route.methods or {""} - {"HEAD"})) for route in routes}
        described = {(where, verb.upper()) for where, verbs in document["paths"].items() for verb in verbs}
        assert described == served - {("/openapi.json", "GET"), ("/docs", "GET")}
        ids = [one["operationId"] for verbs in document["paths"].values() for one in verbs.values()]
        assert len(ids) == len(set(ids))
        for verbs in document["paths"].values():
            for one in verbs.values():
                assert one["summary"].endswith((".", ":")), one["operationId"]


class Checked(httpx.AsyncBaseTransport):
    """Transport that checks every answer against the document, with no key that the document lacks."""

    def __init__(self, inner: httpx.AsyncBaseTransport, document: dict[str, Any], below: str = "") -> None:
        self._inner = inner
        self._below = below
        self._document = _closed(document)
        self.seen: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and check its answer."""
        response = await self._inner.handle_async_request(request)
        await response.aread()
        where = request.url.path.removeprefix(self._below)
        for path, verbs in self._document["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", path)
            operation = verbs.get(request.method.lower())
            if operation and re.fullmatch(pattern, where):
                self._check(operation, response)
                self.seen.add(operation["operationId"])
                return response
        raise AssertionError(f"{request.method} {where} is not described")

    def _check(self, operation: dict[str, Any], response: httpx.Response) -> None:
        described = operation["responses"][str(response.status_code)]
        if response.status_code == 204:
            assert not response.content
            return
        if "$ref" in described:
            described = self._document["components"]["responses"][described["$ref"].rpartition("/")[2]]
        schema = described["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": self._document["components"]}).validate(response.json())


def _closed(value: Any) -> Any:
    """Return schemas in which objects with properties have no others."""
    if isinstance(value, list):
        return [_closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    closed = {key: _closed(one) for key, one in value.items()}
    return closed | {"additionalProperties": False} if isinstance(value.get("properties"), dict) else closed


async def test_answers_have_exactly_the_described_fields(path: Path) -> None:
    turns = [["Yes."], [ToolUse("ask", {"question": "Well?"}, id="call_1")], ["Good."], ["More."], ["Last."]]
    async with serving(path, turns, tools=[ask]) as (server, api):
        checked = Checked(httpx.AsyncHTTPTransport(), openapi_document(api, ""))
        async with httpx.AsyncClient(transport=checked, base_url=server.base_url, timeout=20) as client:
            name = (await client.post("/threads", json={"prompt": "Hi", "message_id": "m"})).json()["id"]
            await done(client, name)
            await client.post(f"/threads/{name}/messages", json={"prompt": "Ask"})

            async def waiting() -> Any:
                return (await client.get("/waiting")).json()["waiting"]

            await eventually(waiting)
            assert (await client.get(f"/threads/{name}/durability")).json()["thread_id"] == name
            await client.post("/tool-calls/call_1/result", json={"result": 7})
            await done(client, name)
            await client.post(f"/threads/{name}/messages/m/edit", json={"prompt": "Hello"})
            await done(client, name)
            for where in ("", "/messages", "/updates", "/timeline", "/usage", "/export"):
                assert (await client.get(f"/threads/{name}{where}")).status_code == 200
            assert any(
                "branches" in one
                for one in (await client.get(f"/threads/{name}/messages")).json()["messages"]
            )
            assert (await client.get("/search?query=hello")).json()["hits"]
            for trigger in ({"type": "cron", "expression": "@daily"}, {"type": "interval", "hours": 1}):
                await client.post(
                    "/schedules", json={"prompt": "Hi", "trigger": trigger, "schedule_id": trigger["type"]}
                )
            await client.post("/schedules/cron/run")
            assert (await client.get("/schedules/cron/runs")).json()["runs"]
            assert len((await client.get("/schedules")).json()["schedules"]) == 2
            for where in ("/usage", "/preferences", "/threads", f"/chat/{name}", "/threads/none", "/limits"):
                await client.get(where)
            await client.post("/threads", json={"prompt": 7})
        assert len(checked.seen) > 20


async def test_document_and_page_are_served_below_the_mount_without_a_caller(path: Path) -> None:
    async def nobody(_: Any) -> None:
        raise AssertionError("the documents are for everybody")

    async with serving(path, [], mounted="/agents", context=nobody) as (client, _):
        document = (await client.get("/openapi.json")).json()
        assert document["servers"] == [{"url": "/agents"}]
        page = await client.get("/docs")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "script" not in page.headers["content-security-policy"]
        assert 'href="/agents/openapi.json"' in page.text
        for where in document["paths"]:
            assert f"<code>{where}</code>" in page.text
        anchors = set(re.findall(r'id="([^"]+)"', page.text))
        assert set(re.findall(r'href="#([^"]+)"', page.text)) <= anchors
