"""Helpers for the tests of agent_core: a running agent on a real database, and a checking follower."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from agent_core import (
    Agent,
    AgentApi,
    RetryPolicy,
    Runtime,
    Store,
    StreamingOptions,
    Worker,
    Workpool,
    define_internal_agent_api,
)
from agent_core.api import Preferences
from agent_core.api.admin.administration import Administration
from agent_core.api.admin.limits import Limits
from agent_core.api.admin.outbox import OutboxMethods
from agent_core.api.insight import Insight
from agent_core.api.schedules import Schedules
from agent_core.api.shares import Shares
from agent_core.domain.messages import Message, Thread
from agent_core.store.database.sql import CALL, DELTA, MESSAGE, STREAM, THREAD, WAKE_UP
from agent_core.streaming.fold import ThreadView
from agent_core.support.settings import Settings
from agent_core.testing import ScriptedModel, eventually
from tests.support.databases import prepare, select_all, url

QUICK = Settings(lease=1.0, heartbeat=0.2, poll=0.2, reconcile=0.2, pulse=0.05)
"""Settings for tests that wait for a lease to run out; other tests use the defaults."""

EAGER = replace(QUICK, lease=8.0, heartbeat=2.0)
"""Settings with short polling intervals but long leases, which a short pause of the machine does not lose."""

AT_ONCE = RetryPolicy(max_attempts=3, initial_delay=0, jitter=0)
_RUNTIMES: WeakKeyDictionary[Store, Runtime] = WeakKeyDictionary()
TABLES = (THREAD, MESSAGE, STREAM, DELTA, CALL, WAKE_UP)


def workpool_for(url: str) -> Workpool | None:
    """Return the workpool of an `agent_on` on a database; the tests of Procrastinate replace this."""
    return None


@contextlib.asynccontextmanager
async def agent_on(
    path: Path | str,
    turns: Any,
    *,
    tools: Iterable[Any] = (),
    settings: Settings | None = None,
    throttle_ms: int = 10,
    runtime: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncGenerator[AgentApi]:
    """Run one agent on the database at `path` (see `databases`); `turns` is or scripts its model."""
    prepare(path)
    model = turns if isinstance(turns, ScriptedModel) else ScriptedModel(turns)
    given: dict[str, Any] = {"workpool": workpool_for(url(path))} | (runtime or {})
    async with Runtime(url(path), settings=settings, **given) as opened:
        _RUNTIMES[opened.store] = opened
        agent = Agent(
            "assistant",
            model,
            tools=list(tools),
            save_stream_deltas=options.pop("save_stream_deltas", StreamingOptions(throttle_ms=throttle_ms)),
            retry=options.pop("retry", AT_ONCE),
            **options,
        )
        yield define_internal_agent_api(opened, agent)
    assert not model.violations, model.violations


def api_methods() -> dict[str, Callable[..., Any]]:
    """Return every public method of an API by its name, such as "send_message" or "schedules.create"."""
    rooms: dict[str, type[Any]] = {"": AgentApi, "schedules.": Schedules, "shares.": Shares}
    rooms |= {"insight.": Insight, "preferences.": Preferences, "limits.": Limits, "outbox.": OutboxMethods}
    rooms["admin."] = Administration
    return {
        room + name: function
        for room, kind in rooms.items()
        for name, function in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def runtime_of(api: AgentApi) -> Runtime:
    """Return the runtime whose store an API of `agent_on` uses."""
    return _RUNTIMES[api.store]


def worker_of(api: AgentApi) -> Worker:
    """Return the worker on the store of an API."""
    worker = api.store.wake_ups.worker
    assert isinstance(worker, Worker)
    return worker


async def finished(api: AgentApi, thread: Thread | str, timeout: float = 40) -> Thread:
    """Wait until a thread is idle."""
    return await api.wait_until_idle(thread if isinstance(thread, str) else thread.id, timeout)


async def lose_leases(api: AgentApi) -> None:
    """Simulate a long sleep of a runtime: its heartbeats stop, and its work is due for others."""
    worker = worker_of(api)
    worker._scheduler.shutdown()  # pyright: ignore[reportPrivateUsage]
    worker._heartbeat.close()  # pyright: ignore[reportPrivateUsage]
    await api.store.writer.run(api.store.wake_ups.release, api.store.process)


def held(event: asyncio.Event) -> Iterator[float]:
    """Make a scripted model wait for an event: `yield from held(go)`."""
    while not event.is_set():
        yield 0.01


async def live(api: AgentApi, thread_id: str, text: str) -> None:
    """Wait until a running step has stored this text."""

    async def said() -> bool:
        updates = await api.stream_updates(thread_id)
        return text in "".join(c.get("delta", "") for u in updates for c in u.chunks)

    await eventually(said)


async def texts(api: AgentApi, thread: Thread | str) -> list[str]:
    """Return the text of each message."""
    found = await api.list_messages(thread if isinstance(thread, str) else thread.id)
    return [message.text for message in found]


async def tool_parts(api: AgentApi, thread: Thread | str) -> list[dict[str, Any]]:
    """Return the tool parts of a thread, in order."""
    found = await api.list_messages(thread if isinstance(thread, str) else thread.id)
    return [part for message in found for part in message.parts if "toolCallId" in part]


async def waiting(api: AgentApi, thread_id: str, count: int = 1) -> list[str]:
    """Wait until `count` calls wait for a user; return their ids."""

    async def found() -> list[str]:
        parts = await tool_parts(api, thread_id)
        ids = [p["toolCallId"] for p in parts if p["state"] in ("approval-requested", "input-available")]
        thread = await api.get_thread(thread_id)
        idle = thread is not None and thread.status == "awaiting_tool_results"
        free = not worker_of(api).pools.steps.busy and not worker_of(api).pools.tools.busy
        return ids if idle and len(ids) == count and free else []

    return await eventually(found)


def outcomes(model: ScriptedModel) -> list[str]:
    """Return the outcomes in the newest request."""
    return [message["content"] for message in model.requests[-1] if message["role"] == "tool"]


def rows(path: Path | str, *tables: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the tables (by default all of the library's), read on a new connection."""
    return select_all(path, tables or TABLES)


class Follower:
    """Follow a thread as a page does, and check that no cursor is repeated or skipped."""

    def __init__(self, api: AgentApi, thread_id: str, cursor: int | None = None) -> None:
        self.view = ThreadView()
        self.view.thread = {"status": "", "retry_state": None}
        self.seen: list[int] = []
        self.snapshots = 0
        self._cursor = cursor
        self._api, self._thread_id = api, thread_id
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async for update in self._api.subscribe(self._thread_id, self._cursor):
            if update.type == "chunks":
                assert update.cursor == (self.seen[-1] if self.seen else self._cursor or 0) + 1
            self.snapshots += update.type == "snapshot"
            self.seen.append(update.cursor)
            self.view.apply(update)

    @property
    def text(self) -> str:
        """Text of the newest message in the view."""
        return view_text(self.view.messages[-1]) if self.view.messages else ""

    async def until(self, predicate: Callable[[ThreadView], Any], timeout: float = 20) -> None:
        """Wait until the view fulfils a predicate."""

        def holds() -> Any:
            if self._task.done() and not self._task.cancelled() and (error := self._task.exception()):
                raise error
            return predicate(self.view)

        await eventually(holds, timeout)

    async def agrees(self, timeout: float = 20) -> None:
        """Wait until the view has reached the thread's cursor, and compare it with the stored rows."""
        thread = await self._api.get_thread(self._thread_id)
        assert thread is not None
        await self.until(lambda view: view.cursor >= thread.cursor, timeout)
        stored = await self._api.list_messages(self._thread_id)
        viewed = [shown(message) for message in self.view.messages]
        assert viewed == [shown(m) for m in stored], (viewed, [shown(m) for m in stored])
        for field in (
            "status",
            "title",
            "error",
            "error_kind",
            "retry_state",
            "pinned",
            "archived",
            "metadata",
        ):
            assert self.view.thread[field] == getattr(thread, field), field

    async def close(self) -> None:
        """Stop following."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def __aenter__(self) -> Follower:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def view_text(message: dict[str, Any]) -> str:
    """Return the joined text parts of a message in plain JSON."""
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def shown(message: Message | dict[str, Any]) -> dict[str, Any]:
    """Return the shown fields of a message; the start time of a live reply is not shown."""
    plain = message if isinstance(message, dict) else message.to_dict()
    kept = {key: plain[key] for key in ("id", "thread_id", "role", "parts", "metadata", "committed_seq")}
    kept |= {key: plain.get(key) for key in ("branches", "end_reasons", "error_info")}
    return kept | ({"created_at": plain["created_at"]} if plain["role"] == "user" else {})
