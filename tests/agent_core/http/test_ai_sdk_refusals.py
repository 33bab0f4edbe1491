"""Malformed and incomplete requests of an AI SDK client: refused without any change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core.testing import ToolUse
from tests.agent_core.http.test_ai_sdk_chat import look, pay, said
from tests.agent_core.http.test_ai_sdk_client_lists import sent
from tests.agent_core.http.test_app import refused
from tests.support.servers.http_server import serving


@pytest.mark.sqlite  # no row is touched
async def test_odd_ids_are_refused_as_json(path: Path) -> None:
    async with serving(path, [], mounted="/agents") as (client, _):
        for name in ("t%0a", "t%0ab", "a%2Fb", "%00", "%ff", "x" * 3000, "%E2%80%A8", "..%2F", "%20", "%3F"):
            for address in (f"/chat/{name}", f"/threads/{name}", f"/threads/{name}/messages"):
                refused(await client.get(address), 404)
            answer = await client.get(f"/chat/{name}/stream")
            assert answer.status_code == 204 or refused(answer, 404)
        for address in ("/chat/", "/chat//stream", "/chat//"):
            refused(await client.get(address), 404)
        for verb in ("HEAD", "OPTIONS", "DELETE"):
            assert (await client.request(verb, "/chat")).status_code == 405
        assert (await client.head("/chat/t/stream")).status_code == 204


@pytest.mark.sqlite  # no row is touched
async def test_ids_that_no_path_can_hold_begin_no_thread(path: Path) -> None:
    async with serving(path, []) as (client, api):
        for thread_id, message_id in [
            ("a/b", "m"),
            (".", "m"),
            ("..", "m"),
            ("x" * 201, "m"),
            ("t", "m" * 201),
            ("t", ""),
            ("t", "\0"),
        ]:
            body = {"id": thread_id, "messages": [said("Hi", message_id)]}
            refused(await client.post("/chat", json=body), 422, "ValidationError")
        assert await api.list_threads() == []


@pytest.mark.sqlite  # no row is touched
async def test_answers_of_another_form_are_refused(path: Path) -> None:
    async with serving(path, [[ToolUse("pay", {"amount": 1}, id="p")]], tools=[pay, look]) as (client, _):
        waiting = await sent(client, [said("Go")])
        part = {"type": "tool-pay", "toolCallId": "p", "state": "approval-responded"}
        wrong: list[dict[str, Any]] = [
            {**part, "approval": given} for given in ("yes", None, 5, {"approved": "yes"}, {"reason": 5})
        ]
        wrong += [{**part, "state": "output-error", "errorText": 5}]
        for one in wrong:
            body = {"id": "t", "messages": [*waiting[:1], {**waiting[1], "parts": [one]}]}
            refused(await client.post("/chat", json=body), 422, "ValidationError")


@pytest.mark.sqlite  # the request never reaches the database
@pytest.mark.parametrize("body", ["", '{"id": "t", "messages": [{"id": "m'])
async def test_a_client_that_leaves_in_the_middle_of_its_body_changes_and_logs_nothing(
    path: Path, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    left = asyncio.Event()

    async def calls(request: Any) -> None:
        _ = request
        asyncio.get_running_loop().call_soon(left.set)

    async with serving(path, [], context=calls) as (client, api):
        _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        head = "POST /chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99"
        writer.write(f"{head}\r\n\r\n{body}".encode())
        await asyncio.wait_for(left.wait(), 10)  # the request has begun
        writer.close()
        await client.get("/threads")
        await asyncio.sleep(0.05)
        assert await api.list_threads() == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
