"""Test that the OpenAPI document of OpenAI's paths is valid, complete, and true of the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from agent_core import Agent, Runtime, define_agent_api
from agent_core.http import make_openai_app
from agent_core.http.openai.openapi.document import openai_document
from agent_core.testing import Reasoning, ScriptedModel, ToolUse
from tests.agent_core.http.openapi.test_document import Checked
from tests.support.servers.openai_server import serving_openai

HI: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "metadata": {"mine": "1"}}


async def test_document_is_valid_and_describes_every_route() -> None:
    document = openai_document("/v1")
    OpenAPIV31SpecValidator(document).validate()
    async with Runtime("sqlite://") as runtime:
        api = define_agent_api(runtime, Agent("assistant", ScriptedModel([])))
        routes = [route for route in make_openai_app(api).routes if isinstance(route, Route)]
    served = {(route.path.replace(":path", ""), *(route.methods or set()) - {"HEAD"}) for route in routes}
    described = {(where, verb.upper()) for where, verbs in document["paths"].items() for verb in verbs}
    assert described == served - {("/openapi.json", "GET"), ("/docs", "GET")}


async def test_answers_have_exactly_the_described_fields(tmp_path: Path) -> None:
    turns = [
        [Reasoning("why"), "Look. ", ToolUse("look", {"n": 1})],
        [ToolUse("weather")],
        ["Well."],
        ["Second."],
        [ValueError("no")],
    ]
    async with serving_openai(tmp_path / "a.db", ScriptedModel(turns)) as (_, _api, plain):
        checked = Checked(httpx.AsyncHTTPTransport(), openai_document("/v1"), "/v1")
        async with httpx.AsyncClient(transport=checked, base_url=plain.base_url, timeout=20) as client:
            tools = [{"type": "function", "function": {"name": "weather"}}]
            asked = (await client.post("/chat/completions", json=HI | {"tools": tools})).json()
            answer = asked["choices"][0]["message"]
            outcome = {"role": "tool", "tool_call_id": answer["tool_calls"][0]["id"], "content": "Mild."}
            told = HI | {"messages": [*HI["messages"], answer, outcome]}
            assert (await client.post("/chat/completions", json=told)).status_code == 200
            response = (await client.post("/responses", json={"input": "Two"})).json()
            await client.post("/responses", json={"input": "Three", "background": True})
            for path in ("", "/input_items", "/cancel"):
                verb = "POST" if path == "/cancel" else "GET"
                got = await client.request(verb, f"/responses/{response['id']}{path}")
                assert got.status_code == 200
            assert (await client.delete(f"/responses/{response['id']}")).json()["deleted"]
            said = {"items": [{"role": "user", "content": "Hi"}]}
            made = (await client.post("/conversations", json=said | {"metadata": {"mine": "1"}})).json()["id"]
            items = (await client.post(f"/conversations/{made}/items", json=said)).json()["data"]
            for path in ("", "/items", f"/items/{items[0]['id']}", "/items/none"):
                await client.get(f"/conversations/{made}{path}")
            await client.post(f"/conversations/{made}", json={"metadata": {}})
            assert (await client.delete(f"/conversations/{made}")).json()["deleted"]
            for path in ("/models", "/models/assistant", "/models/none", "/responses/none"):
                await client.get(path)
            for body in ({}, HI | {"n": 2}, HI | {"unknown": 1}):
                assert (await client.post("/chat/completions", json=body)).status_code == 400
        assert len(checked.seen) == 15


async def test_the_page_of_the_api_shows_them_too(tmp_path: Path) -> None:
    async with Runtime("sqlite://") as runtime:
        api = define_agent_api(runtime, Agent("assistant", ScriptedModel([])))
        routes = [Mount("/base/api", api.http_app(openai_path="/v1")), Mount("/base/v1", api.openai_app())]
        transport = httpx.ASGITransport(Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://here/base") as client:
            both, own = (await client.get("/api/docs")).text, (await client.get("/v1/docs")).text
            document = (await client.get("/v1/openapi.json")).json()
    assert document["servers"] == [{"url": "/base/v1"}]
    for page in (both, own):
        assert 'href="/base/v1/openapi.json"' in page
        for path in document["paths"]:
            assert f"<code>{path}</code>" in page
    assert "<code>/base/api</code>" in both
    assert "<code>/threads</code>" in both
    assert "<code>/threads</code>" not in own
