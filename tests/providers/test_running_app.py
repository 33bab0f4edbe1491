"""Test that the AI SDK's clients (versions 6 and 7) use the running app with a key, also when it is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_core.testing import eventually
from tests.providers.clients.pages import Pages, pages
from tests.providers.test_clients import program
from tests.support.servers.app_server import AppServer, app_server

pytestmark = [pytest.mark.provider, pytest.mark.timeout(300)]

WORDS = " ".join(f"word{number}" for number in range(800))


class Tab:
    """A page of a client with the program of docs/how-to/use-chat.md, and a key."""

    def __init__(self, opened: Pages, server: AppServer, client: str, key: str) -> None:
        self.thread = f"thread-{client}"
        self._opened = opened
        self._client = client
        own = program(client).replace("headers: {", f'headers: {{ Authorization: "Bearer {key}",')
        own = own.replace("await fetch(", "await fetched(")
        fetched = f'const fetched = (url) => fetch(url, {{ headers: {{ Authorization: "Bearer {key}" }} }})'
        self._options = {
            **{"id": self.thread, "api": f"{server.url}/api/chat", "headers": {}, "hook": False},
            "program": f"{fetched}\n{own}",
        }

    async def does(self, call: str, *args: Any, wait: bool = True) -> dict[str, Any]:
        """Call a function of the page; return what it shows."""
        line = {"page": self.thread, "call": call, "args": args, "wait": wait}
        return await self._opened.act(self._client, **line, **self._options)

    async def text(self) -> str:
        """Return the text of the reply that the page shows."""
        messages = (await self.does("look", wait=False))["messages"]
        if len(messages) < 2:
            return ""
        return "".join(part.get("text", "") for part in messages[-1]["parts"])


async def test_pages_show_the_whole_answer_once_after_the_app_was_killed(tmp_path: Path) -> None:
    async with (
        app_server(tmp_path) as server,
        pages() as opened,
        httpx.AsyncClient(base_url=server.url, timeout=60) as web,
    ):
        key = (await web.post("/keys", json={"name": "a page", "scope": "write"})).json()["secret"]
        tabs = [Tab(opened, server, client, key) for client in ("ai-6", "ai-7")]
        for tab in tabs:
            await tab.does("send", {"text": f"echo: {WORDS}"}, wait=False)

        async def shows(tab: Tab, word: str) -> bool:
            return word in await tab.text()

        for tab in tabs:
            await eventually(lambda tab=tab: shows(tab, "word2"), 60)
            assert not await shows(tab, "word799")
        server.kill()
        await server.start()
        for tab in tabs:
            await eventually(lambda tab=tab: shows(tab, "word799"), 60)
            assert await tab.text() == WORDS
            stored = (await web.get(f"/api/chat/{tab.thread}")).json()
            assert [one["role"] for one in stored["messages"]] == ["user", "assistant"]
            assert stored["messages"][1]["parts"][-1]["text"] == WORDS
