"""Sign-ins of people at MCP servers, with their browsers; the browser may come back to any process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from agent_core.errors import AgentCoreError, ToolServerError, words_of
from agent_core.mcp.personal import PersonalServer
from agent_core.store.database.app_database import AppDatabase
from agent_core.support.logs import get_logger
from chat_app.mcp_servers import grants

LOOK_INTERVAL = 0.2  # seconds between two looks at whether the browser has come back
Outcome = Literal["connected", "denied", "expired", "other", "failed"]
"""Outcome of a sign-in: "denied" by the person there, "other" if another person had begun it."""
_FINISH_TIMEOUT = 30.0  # seconds from then to the tokens
_log = get_logger(__name__)


class SignIns:
    """The sign-ins that this process has begun.

    One lives in the task that began it: if its process ends, the person begins again.

    Args:
        database: the database with the app's tables.
        clock: returns seconds since the epoch.
    """

    def __init__(self, database: AppDatabase, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(
        self, server: PersonalServer, server_id: str, user_id: str, client_name: str, redirect_uri: str
    ) -> str:
        """Begin to sign a person in; return the address of the server to which to send the browser.

        Raises:
            ToolServerError: the server cannot be reached, asks nobody to sign in, or refused.
        """
        browser = _Browser(self._database, server_id, user_id, self._clock)
        signing_in = server.sign_in(
            user_id or None,
            client_name=client_name,
            redirect_uri=redirect_uri,
            show=browser.show,
            wait=browser.wait,
        )
        task = asyncio.create_task(browser.run(signing_in, server.name), name=f"sign-in at {server.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await browser.shown

    async def finish(self, state: str, user_id: str, answer: dict[str, str]) -> tuple[str, Outcome]:
        """Pass on with what the browser of a person came back; return the server's id, "" if unknown, and how it ended."""
        server_id, refusal = await self._write(grants.answer_sign_in, state, user_id, answer, self._clock())
        if refusal is not None:
            return server_id, refusal
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_TIMEOUT):
                while True:
                    if not await self._read(grants.is_under_way, state):
                        break
                    await asyncio.sleep(LOOK_INTERVAL)
        if "error" in answer:
            return server_id, "denied" if answer["error"] == "access_denied" else "failed"
        grant = await self._read(grants.read_grant, (server_id, user_id))
        return server_id, "failed" if grant is None else "connected"

    async def close(self) -> None:
        """Give up all sign-ins."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _read(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(self._database.read, function, *args)

    async def _write(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(self._database.write, function, *args)


class _Browser:
    """The browser of one person in a sign-in: where it is sent, and with what it comes back."""

    def __init__(
        self, database: AppDatabase, server_id: str, user_id: str, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._whose = server_id, user_id
        self._clock = clock
        self._state = ""
        self.shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self, signing_in: Coroutine[Any, Any, None], name: str) -> None:
        """Run a sign-in at the server with a name to its end."""
        try:
            await signing_in
        except (AgentCoreError, LookupError) as error:
            words = words_of(error) if isinstance(error, AgentCoreError) else "The sign-in was given up."
            _log.info("A sign-in at %s failed: %s", name, words)
            if not self.shown.done():
                self.shown.set_exception(ToolServerError(words, kind="refused"))
        finally:
            self.shown.cancel()
            if self._state:
                with contextlib.suppress(AgentCoreError):
                    await asyncio.to_thread(self._database.write, grants.end_sign_in, self._state)

    async def show(self, url: str) -> None:
        """Send the browser to an address, and write that its answer is expected."""
        if urlsplit(url).scheme not in ("https", "http"):
            raise ToolServerError("The server named an address that is no web page.", kind="refused")
        self._state = dict(parse_qsl(urlsplit(url).query)).get("state", "")
        begun = self._state, *self._whose, self._clock()
        await asyncio.to_thread(self._database.write, grants.begin_sign_in, *begun)
        if not self.shown.done():
            self.shown.set_result(url)

    async def wait(self) -> dict[str, Any]:
        """Return with what the browser came back, to any process."""
        while True:
            answer = await asyncio.to_thread(self._database.read, grants.answer_of, self._state)
            if answer is not None:
                break
            await asyncio.sleep(LOOK_INTERVAL)
        if "error" in answer:
            raise ToolServerError(f"The server refused the sign-in: {answer['error']}.", kind="refused")
        return answer
