"""Public API over HTTP: the same names and semantics, readable refusals, and only the caller's threads."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from agent_core import Agent, CallContext, Runtime, define_agent_api, define_internal_agent_api, errors
from agent_core.domain.model_adapter import Usage
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from tests.support.agents import prepare
from tests.support.databases import prepared
from tests.support.servers.http_server import served


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


@async_tool
async def ask(question: str) -> None:
    """Ask a person."""


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def who(request: Any) -> CallContext | None:
    name = request.headers.get("x-user")
    if name == "nobody":
        raise HTTPException(401, "Log in first.")
    return CallContext(name) if name else None


@contextlib.asynccontextmanager
async def site(
    path: Path, turns: Any, *, context: Any = who, **options: Any
) -> AsyncGenerator[httpx.AsyncClient]:
    """Serve an agent whose threads belong to the person named by the header X-User."""
    async with Runtime(prepared(path)) as runtime:

        async def own(ctx: CallContext | None, thread_id: str) -> None:
            thread = await asyncio.to_thread(runtime.store.reads.thread, thread_id)
            if thread is not None and thread.user_id != (ctx.user_id if ctx else None):
                raise errors.AccessDeniedError("This thread is somebody else's.")

        model = turns if isinstance(turns, ScriptedModel) else ScriptedModel(turns)
        agent = Agent("assistant", model, tools=[ask, pay])
        api = define_agent_api(runtime, agent, own)
        app = Starlette(routes=[Mount("/agents", api.http_app(context, **options))])
        async with served(app) as client:
            client.base_url = client.base_url.join("/agents")
            yield client


async def done(client: httpx.AsyncClient, thread_id: str) -> dict[str, Any]:
    response = await client.get(f"/threads/{thread_id}/idle")
    assert response.status_code == 200, response.text
    return response.json()


def refused(response: httpx.Response, status: int, kind: str | None = None) -> str:
    """Check that a refusal is a sentence without a traceback, and return the sentence."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) - {"code", "params"} == {"type", "message"}
    assert ("code" in error) == ("params" in error)
    assert kind is None or error["type"] == kind
    assert "Traceback" not in response.text
    assert error["message"].endswith(".")
    return error["message"]


async def test_a_thread_is_created_read_changed_and_deleted_over_http(path: Path) -> None:
    turns = [["Yes.", Usage(3, 1, 4, cost=0.5)], ["Again."]]
    async with site(path, turns) as client:
        made = await client.post("/threads", json={"prompt": "Hi", "metadata": {"a": 1}, "title": "T"})
        assert made.status_code == 201
        thread = made.json()
        name = thread["id"]
        assert (thread["title"], thread["metadata"]) == ("T", {"a": 1})
        assert (await done(client, name))["status"] == "completed"
        sent = await client.post(f"/threads/{name}/messages", json={"prompt": "More", "message_id": "m2"})
        assert (sent.status_code, sent.json()["id"]) == (201, "m2")
        again = await client.post(f"/threads/{name}/messages", json={"prompt": "More", "message_id": "m2"})
        assert again.json()["id"] == "m2"
        await done(client, name)

        messages = (await client.get(f"/threads/{name}/messages")).json()["messages"]
        assert [m["role"] for m in messages] == ["user", "assistant"] * 2
        newest = await client.get(f"/threads/{name}/messages", params={"limit": 1, "before": "m2"})
        assert [m["id"] for m in newest.json()["messages"]] == [messages[1]["id"]]
        added = {"role": "user", "content": "By the way"}
        assert (await client.post(f"/threads/{name}/history", json={"message": added})).status_code == 201

        listed = await client.get("/threads", params={"limit": 5, "query": "t", "archived": "false"})
        assert [t["id"] for t in listed.json()["threads"]] == [name]
        changed = await client.patch(f"/threads/{name}", json={"title": "New", "pinned": True})
        assert (changed.json()["title"], changed.json()["pinned"]) == ("New", True)
        assert (await client.post(f"/threads/{name}/stop")).json()["status"] == "completed"

        spans = (await client.get(f"/threads/{name}/timeline")).json()["spans"]
        assert [span["kind"] for span in spans if span["kind"] != "queued"] == ["turn", "model"] * 2
        assert (await client.get(f"/threads/{name}/usage")).json()["total"]["cost"] == 0.5
        summary = await client.get("/usage", params={"since": "2020-01-01T00:00:00+00:00"})
        assert summary.json()["total"]["total_tokens"] == 4
        updates = (await client.get(f"/threads/{name}/updates", params={"from_seq": 2})).json()["updates"]
        assert [update["seq"] for update in updates] == [2]
        body = {"stream_args": {"kind": "list"}}
        streams = (await client.post(f"/threads/{name}/streams", json=body)).json()["streams"]
        assert [stream["seq"] for stream in streams["messages"]] == [1, 2]

        gone = await client.delete(f"/threads/{name}")
        assert (gone.status_code, gone.content) == (204, b"")
        assert "no thread" in refused(await client.get(f"/threads/{name}"), 404)


async def test_tool_calls_are_answered_over_http(path: Path) -> None:
    uses = [ToolUse("ask", {"question": "?"}, id=f"a{n}") for n in (1, 2, 3)]
    pays = [ToolUse("pay", {"amount": n}, id=f"p{n}") for n in (1, 2)]
    async with site(path, [[*uses, *pays], ["Well."]]) as client:
        thread = (await client.post("/threads", json={"prompt": "Go"})).json()["id"]

        async def stand() -> bool:
            return (await client.get(f"/threads/{thread}")).json()["status"] == "awaiting_tool_results"

        await eventually(stand)
        calls = f"/threads/{thread}/tool-calls"
        assert (await client.post(f"{calls}/a1/result", json={"result": {"x": 1}})).status_code == 204
        twice = await client.post(f"{calls}/a1/result", json={"result": 2})
        refused(twice, 409, "ToolCallFinishedError")
        assert twice.json()["error"]["code"] == "tool_call_finished"
        assert twice.json()["error"]["params"] == {"call": "a1"}
        assert (await client.post("/tool-calls/a2/error", json={"error": "No."})).status_code == 204
        assert (await client.put(f"{calls}/a3/timeout", json={"seconds": 500})).status_code == 204
        assert (await client.put(f"{calls}/a3/timeout", json={"seconds": None})).status_code == 204
        refused(await client.put(f"{calls}/a3/timeout", json={"seconds": -1}), 422, "ValidationError")
        assert (await client.put(f"{calls}/a3/timeout", json={"seconds": 0.1})).status_code == 204
        edited = {"ids": ["p1"], "args": {"p1": {"amount": 7}}}
        assert (await client.post(f"/threads/{thread}/approvals", json=edited)).status_code == 204
        denial = {"ids": ["p2"], "reason": "Too dear."}
        assert (await client.post(f"/threads/{thread}/denials", json=denial)).status_code == 204
        refused(await client.post("/tool-calls/none/result", json={"result": 1}), 404)
        await done(client, thread)
        message = (await client.get(f"/threads/{thread}/messages")).json()["messages"][-1]
        parts = {part["toolCallId"]: part for part in message["parts"] if "toolCallId" in part}
        assert parts["a1"]["output"] == {"x": 1}
        assert parts["a2"]["errorText"] == "No."
        assert parts["a3"]["errorText"] == "No outcome came in time."
        assert parts["p1"]["output"] == "paid 7"
        assert parts["p2"]["state"] == "output-denied"


async def test_a_running_thread_is_stopped_and_resumed_over_http(path: Path) -> None:
    model = ScriptedModel([["Half", 600.0], ["Whole."], ["After."]])
    async with site(path, model) as client:
        thread = (await client.post("/threads", json={"prompt": "Go"})).json()["id"]
        await eventually(lambda: model.requests)
        messages = f"/threads/{thread}/messages"
        refused(await client.post(messages, json={"prompt": "x"}), 409, "ThreadBusyError")
        refused(await client.get(f"/threads/{thread}/idle", params={"timeout": 0.05}), 408)
        assert (await client.post(messages, json={"prompt": "x", "when_busy": "queue"})).status_code == 201
        assert (await client.post(f"/threads/{thread}/stop")).json()["status"] == "stopped"
        assert (await client.post(f"/threads/{thread}/resume", json={})).json()["status"] != "stopped"
        assert (await done(client, thread))["status"] == "completed"


async def test_callback_decides_who_may_call(path: Path) -> None:
    async with site(path, lambda _: ["Yes."]) as client:
        ada, bob = {"x-user": "ada"}, {"x-user": "bob"}
        thread = (await client.post("/threads", json={"prompt": "Hi"}, headers=ada)).json()
        assert thread["user_id"] == "ada"
        for verb, end, body in (
            ("GET", "", None),
            ("DELETE", "", None),
            ("GET", "/messages", None),
            ("GET", "/events", None),
            ("GET", "/timeline", None),
            ("GET", "/usage", None),
            ("POST", "/stop", {}),
            ("POST", "/messages", {"prompt": "x"}),
        ):
            response = await client.request(verb, f"/threads/{thread['id']}{end}", json=body, headers=bob)
            refused(response, 403, "AccessDeniedError")
        message = {"id": "m", "role": "user", "parts": [{"type": "text", "text": "x"}]}
        chat = {"id": thread["id"], "messages": [message]}
        refused(await client.post("/chat", json=chat, headers=bob), 403)
        refused(await client.get(f"/chat/{thread['id']}", headers=bob), 403)
        refused(await client.get(f"/chat/{thread['id']}/stream", headers=bob), 403)
        assert (await client.get("/threads", headers=bob)).json() == {"threads": []}
        assert (await client.get("/usage", headers=bob)).json()["total"]["requests"] == 0
        refused(await client.get("/threads", params={"user_id": "ada"}, headers=bob), 422)
        assert refused(await client.get("/threads", headers={"x-user": "nobody"}), 401) == "Log in first."
        assert (await client.get(f"/threads/{thread['id']}", headers=ada)).status_code == 200


async def test_an_async_context_is_awaited_and_its_error_is_only_logged(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def later(request: Any) -> CallContext:
        if "x-user" not in request.headers:
            raise KeyError("secret")
        return CallContext(request.headers["x-user"])

    async with site(path, [["Yes."]], context=later) as client:
        made = await client.post("/threads", json={"prompt": "Hi"}, headers={"x-user": "ada"})
        assert made.json()["user_id"] == "ada"
        assert "secret" not in refused(await client.get("/threads"), 500, "InternalError")
        assert "KeyError: 'secret'" in caplog.text


JSON = {"content-type": "application/json"}
BODIES: list[tuple[bytes, dict[str, str], int]] = [
    (b"{", JSON, 400),
    (b"[]", JSON, 400),
    (b"\xff\xfe", JSON, 400),
    (b'{"prompt": NaN}', JSON, 400),
    (b"[" * 100_000, JSON, 400),
    (b'{"prompt": "x"}', {"content-type": "text/plain"}, 415),
    (b'{"prompt": "x"}', {}, 415),
    (gzip.compress(b'{"prompt": "x"}', mtime=0), {**JSON, "content-encoding": "gzip"}, 415),
    (b'{"prompt": "' + b"x" * 2_000 + b'"}', JSON, 413),
    (b'{"prompt": "x", "metadata": {"a": [' + b"[]," * 250_000 + b"1]}}", JSON, 413),
    (b'{"promt": "x"}', JSON, 422),
    (b'{"prompt": 5}', JSON, 422),
    (b'{"prompt": "  "}', JSON, 422),
    (b'{"prompt": [1]}', JSON, 422),
    (b'{"prompt": "x", "auto_start": "yes"}', JSON, 422),
    (b'{"prompt": "x", "thread_id": "a:b"}', JSON, 422),
    (b'{"messages": [1]}', JSON, 422),
    (b'{"messages": [{"role": 5, "parts": 5}]}', JSON, 422),
    (b'{"prompt": "x", "metadata": []}', JSON, 422),
    (b'{"prompt": "x", "user_id": "ada"}', JSON, 422),
]


@pytest.mark.sqlite  # refused before a row is touched
@pytest.mark.parametrize(("body", "headers", "status"), BODIES, ids=lambda value: repr(value)[:40])
async def test_a_bad_body_is_refused_and_does_nothing(
    path: Path, body: bytes, headers: dict[str, str], status: int
) -> None:
    async with site(path, [], max_body=1_000_000 if b"[[" in body else 1_000) as client:
        refused(await client.post("/threads", content=body, headers=headers), status)
        assert (await client.get("/threads")).json() == {"threads": []}


async def test_unknown_paths_verbs_and_queries_are_refused(path: Path) -> None:
    async with site(path, []) as client:
        await client.post("/threads", json={"thread_id": "t"})
        refused(await client.get("/nothing"), 404)
        refused(await client.put("/threads"), 405)
        for query in (
            "limit=x",
            "limit=-1",
            "limit=1e3",
            "limit=0",
            f"limit={10**30}",
            "archived=maybe",
            "x=1",
        ):
            refused(await client.get(f"/threads?{query}"), 422, "ValidationError")
        for query in ("since=yesterday", "since=5", "until="):
            refused(await client.get(f"/usage?{query}"), 422)
        for query in ("timeout=inf", "timeout=-1", "timeout=nan", "timeout=1e9"):
            refused(await client.get(f"/threads/t/idle?{query}"), 422)
        for name in ("none", "%00", "%ED%A0%80", "x" * 3000):
            refused(await client.get(f"/threads/{name}"), 404)
            refused(await client.get(f"/threads/{name}/events"), 404)
            refused(await client.post(f"/threads/{name}/messages", json={"prompt": "x"}), 404)
        refused(await client.post("/threads/t/messages", json={}), 422)
        for ids in (None, "p", [1], [{}]):
            refused(await client.post("/threads/t/approvals", json={"ids": ids}), 422)
        refused(await client.post("/threads/t/messages", json={"prompt": None}), 422)
        refused(await client.post("/threads/t/history", json={"message": None}), 422)
        refused(await client.post("/threads/t/streams", json={"stream_args": {"kind": "x"}}), 422)


async def test_a_page_of_another_site_cannot_act(path: Path) -> None:
    """Browsers send forms and empty fetches without asking; JSON needs a preflight, which is not granted."""
    async with site(path, [["Half", 30.0]]) as client:
        name = (await client.post("/threads", json={"prompt": "Hi"})).json()["id"]
        stop = f"/threads/{name}/stop"
        for headers in ({}, {"content-type": "application/x-www-form-urlencoded"}):
            for origin in ("http://evil.example", "null"):
                refused(await client.post(stop, headers={"origin": origin, **headers}), 415)
        assert (await client.get(f"/threads/{name}")).json()["status"] == "streaming"
        own = {"origin": f"http://{client.base_url.host}:{client.base_url.port}"}
        assert (await client.post(stop, headers=own)).json()["status"] == "stopped"


async def test_the_internal_api_has_no_http(path: Path) -> None:
    async with Runtime(prepared(path)) as runtime:
        api = define_internal_agent_api(runtime, Agent("assistant", ScriptedModel([])))
        assert not hasattr(api, "http_app")
