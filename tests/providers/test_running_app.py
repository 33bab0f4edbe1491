"""Test that the AI SDK's clients and assistant-ui use the running app with a key, also when it is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from agent_core.testing import eventually
from tests.providers.clients.pages import Pages, pages
from tests.providers.test_clients import program
from tests.support.servers.app_server import AppServer, app_server

pytestmark = [pytest.mark.provider, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

WORDS = " ".join(f"word{number}" for number in range(800))
MAIL = 'Send an e-mail to ada@example.com saying "hello"'
MENDING = ("ai-5", "ai-6", "ai-7")
"""Clients for which docs/how-to/use-chat.md has a program that mends a lost connection."""


class App:
    """The running app, a key, and the clients' pages in Node."""

    def __init__(self, server: AppServer, web: httpx.AsyncClient, key: str, opened: Pages) -> None:
        self.server, self.web, self.key, self.opened = server, web, key, opened

    async def stored(self, thread: str) -> dict[str, Any]:
        """Return what the app has of a thread."""
        answer = await self.web.get(f"/api/chat/{thread}", headers={"authorization": f"Bearer {self.key}"})
        return answer.json()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[App]:
    async with (
        app_server(tmp_path_factory.mktemp("served")) as server,
        pages() as opened,
        httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as web,
    ):
        key = (await web.post("/keys", json={"name": "a page", "scope": "write"})).json()["secret"]
        yield App(server, web, key, opened)


class Tab:
    """A page of a client.

    Args:
        app: the running app.
        client: one of `installed.CLIENTS`.
        thread: the id of the thread.
        mends: whether the page has the program of docs/how-to/use-chat.md.
        messages: what the page shows from its beginning; for assistant-ui.
    """

    def __init__(
        self, app: App, client: str, thread: str, *, mends: bool = False, messages: Any = None
    ) -> None:
        self.client, self.thread = client, thread
        self._app = app
        self._page = f"{thread} {messages is not None}"
        headers = {"Authorization": f"Bearer {app.key}"}
        if client in MENDING:
            headers["x-ai-sdk"] = client.removeprefix("ai-")
        self._options = {
            **{"id": thread, "api": f"{app.server.url}/api/chat", "headers": headers, "hook": False},
            **{"program": _program(client, app.key) if mends else "", "messages": messages or []},
        }

    async def does(self, call: str, *args: Any, wait: bool = True) -> dict[str, Any]:
        """Call a function of the page; return what it shows."""
        line = {"page": self._page, "call": call, "args": args, "wait": wait}
        return await self._app.opened.act(self.client, **line, **self._options)

    async def text(self) -> str:
        """Return the text of the reply that the page shows."""
        messages = (await self.does("look", wait=False))["messages"]
        return _said(messages[-1]) if len(messages) > 1 else ""

    async def shows(self, word: str) -> bool:
        """Return whether the reply has a word."""
        return word in await self.text()

    async def again(self) -> Tab:
        """Return the page after a reload."""
        messages = (await self._app.stored(self.thread))["messages"]
        tab = Tab(self._app, self.client, self.thread, messages=messages)
        if self.client in MENDING:
            await tab.does("load", messages)
        return tab


def _program(client: str, key: str) -> str:
    own = program(client).replace("headers: {", f'headers: {{ Authorization: "Bearer {key}",')
    own = own.replace("await fetch(", "await fetched(")
    fetched = f'const fetched = (url) => fetch(url, {{ headers: {{ Authorization: "Bearer {key}" }} }})'
    return f"{fetched}\n{own}"


def _said(message: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in message["parts"])


def _told(messages: list[dict[str, Any]]) -> list[tuple[str, str, list[Any]]]:
    """Return who says what, and the states of the tool calls."""
    return [
        (one["role"], _said(one), [part["state"] for part in one["parts"] if "toolCallId" in part])
        for one in messages
    ]


@pytest.mark.parametrize("client", [*MENDING, "assistant-ui"])
async def test_clients_send_approve_edit_and_regenerate(app: App, client: str) -> None:
    tab = Tab(app, client, f"steps-{client}")
    await tab.does("send", {"text": "echo: First."})
    assert await tab.text() == "First."
    if client != "ai-5":  # which knows no approvals
        await tab.does("send", {"text": MAIL})
        shown = _told((await tab.does("answerAll"))["messages"])
        assert shown[-1][2] == ["output-available"], shown
    await tab.does("send", {"text": "echo: Second."})
    await tab.does("edit", {"text": "echo: Edited.", "index": -1})
    assert await tab.text() == "Edited."
    shown = await tab.does("regenerate")
    stored = await app.stored(tab.thread)
    assert (stored["status"], shown.get("error")) == ("completed", None)
    assert _told(shown["messages"]) == _told(stored["messages"])
    assert _told(stored["messages"])[-2:] == [("user", "echo: Edited.", []), ("assistant", "Edited.", [])]
    assert len(stored["messages"]) == (4 if client == "ai-5" else 6)


async def test_a_page_that_is_reloaded_in_mid_answer_shows_the_whole_answer_once(app: App) -> None:
    tabs = [Tab(app, client, f"reload-{client}") for client in ("ai-6", "ai-7", "assistant-ui")]
    for tab in tabs:
        await tab.does("send", {"text": f"echo: {WORDS}"}, wait=False)
    for tab in tabs:
        await eventually(lambda tab=tab: tab.shows("word2"), 60)
        if tab.client in MENDING:
            again = await tab.again()
            await again.does("resume", wait=False)
            await eventually(lambda again=again: again.shows("word799"), 60)
        else:  # it resumes with an adapter of its own; without one, a page shows what is stored
            await app.web.get(f"/api/threads/{tab.thread}/idle", timeout=60)
            again = await tab.again()
        assert await again.text() == WORDS
        assert _told((await app.stored(tab.thread))["messages"])[-1][1] == WORDS


async def test_pages_show_the_whole_answer_once_after_the_app_was_killed(app: App) -> None:
    tabs = [
        Tab(app, client, f"kill-{client}", mends=client in MENDING) for client in (*MENDING, "assistant-ui")
    ]
    await asyncio.gather(*(tab.does("send", {"text": f"echo: {WORDS}"}, wait=False) for tab in tabs))
    for tab in tabs:
        await eventually(lambda tab=tab: tab.shows("word2"), 60)
        assert not await tab.shows("word799")
    app.server.kill()
    await app.server.start()
    for tab in tabs:
        shown = tab
        if tab.client in MENDING:
            await eventually(lambda tab=tab: tab.shows("word799"), 60)
        else:
            await app.web.get(f"/api/threads/{tab.thread}/idle", timeout=60)
            shown = await tab.again()
        assert await shown.text() == WORDS
        assert _told((await app.stored(tab.thread))["messages"])[-1][1] == WORDS
