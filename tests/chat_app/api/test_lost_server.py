"""Test the real server process when it is killed while a program follows a thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

from tests.support.servers.app_server import app_server
from tests.support.servers.http_server import Page, events

WORDS = " ".join(f"word{number}" for number in range(800))


async def follow(client: httpx.AsyncClient, page: Page, until: Callable[[], bool]) -> None:
    """Show the thread on a page, from its last cursor on, until a condition holds or the server is lost."""
    headers = {"Last-Event-ID": str(page.cursors[-1])} if page.cursors else {}
    async with client.stream("GET", "/api/threads/t/events", headers=headers) as response:
        assert response.status_code == 200
        async for event in events(response):
            page.take(event)
            if until():
                return


def text_of(page: Page) -> str:
    messages = page.view.messages
    return "".join(part.get("text", "") for part in messages[-1]["parts"]) if len(messages) == 2 else ""


async def test_follower_gets_the_whole_answer_once(tmp_path: Path) -> None:
    async with app_server(tmp_path) as server, httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        page, prompt = Page(), {"prompt": f"echo: {WORDS}", "thread_id": "t", "message_id": "m"}
        await client.post("/api/threads", json=prompt)
        await follow(client, page, lambda: "word3" in text_of(page))
        assert "word799" not in text_of(page), "the answer is not written yet"
        server.kill()
        await server.start()
        again = await client.post("/api/threads", json=prompt)
        assert again.status_code == 422, "there is one thread with this id"
        await follow(client, page, lambda: page.view.thread.get("status") == "completed")
        stored = (await client.get("/api/threads/t/messages")).json()["messages"]
        assert [message["role"] for message in stored] == ["user", "assistant"]
        assert text_of(page) == stored[1]["parts"][-1]["text"] == WORDS
        assert page.cursors == sorted(page.cursors)
