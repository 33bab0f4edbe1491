"""PostgreSQL servers that stop, crash or are cut off: nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from itertools import chain
from typing import Any

import psycopg
import pytest

from agent_core import Runtime, define_internal_agent_api, errors
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.store.database import open as readers
from agent_core.store.database.postgresql import pipeline
from agent_core.store.database.postgresql import writer_connection as border
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import thread_row
from agent_core.support.settings import Settings
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import ToolContext, action_tool
from tests.support.agents import (
    EAGER,
    QUICK,
    Follower,
    agent_on,
    finished,
    held,
    runtime_of,
    texts,
    tool_parts,
    worker_of,
)
from tests.support.databases import serving
from tests.support.servers.proxy import Proxy
from tests.tools.postgresql import PostgreSQL

pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(120)]
ROUNDS = 6
LISTENING = "select count(*) from pg_stat_activity where query = 'LISTEN agent_core'"


@pytest.fixture(scope="module")
def own() -> Generator[PostgreSQL]:
    """Run a server that these tests may stop; committed rows survive its crash."""
    server = PostgreSQL({"fsync": "off"})
    yield server
    server.close()


@pytest.fixture
def path(own: PostgreSQL, tmp_path: Any) -> Generator[Any]:
    with serving(own):
        yield tmp_path / "agents.db"


async def test_an_outage_is_logged_once_a_minute_and_its_end_once(
    path: Any, own: PostgreSQL, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempts to listen again are made each second, and each of them used to be a line."""
    monkeypatch.setattr(border, "_LISTEN_INTERVAL", 0.05)
    caplog.set_level("INFO", "agent_core")

    def said() -> list[str]:
        return [record.getMessage()[:23] for record in caplog.records if "LISTEN" in record.getMessage()]

    async with agent_on(path, [["Hi."]]) as api:
        own.stop(signal.SIGQUIT)
        await eventually(said)
        await asyncio.sleep(0.5)
        own.start()
        thread = await api.create_thread("Hi")
        assert (await finished(api, thread, 40)).status == "completed"
        await eventually(lambda: len(said()) > 1)
        assert said() == ["LISTEN connection lost;", "LISTEN connection is ba"]
        monkeypatch.setattr(border, "_WARNING_INTERVAL", 0)
        own.stop(signal.SIGQUIT)
        await eventually(lambda: len(said()) > 3)
        own.start()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["ended", "crashed"])
async def test_work_goes_on_when_the_server_is_back(path: Any, own: PostgreSQL, how: signal.Signals) -> None:
    ran: Counter[str] = Counter()

    @action_tool
    async def once(ctx: ToolContext) -> str:
        """Happen once."""
        ran[ctx.idempotency_key] += 1
        await asyncio.sleep(0.02)
        return "done"

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        done = sum(message["role"] == "tool" for message in messages)
        return [f"{done} ", 0.01, *([ToolUse("once")] if done < ROUNDS else ["end"])]

    async with agent_on(path, turn, tools=[once]) as api, agent_on(path, turn, tools=[once]) as other:
        names = [(await api.create_thread(f"{n}")).id for n in range(6)]
        async with Follower(other, names[0]) as follower:
            for _ in range(2):
                before = ran.total()
                await eventually(lambda before=before: ran.total() > before + 3)
                own.stop(how)
                await asyncio.sleep(0.5)
                own.start()
            for name in names:
                thread = await finished(api, name, 40)
                assert (thread.status, thread.error) == ("completed", None)
                parts = await tool_parts(api, name)
                assert [part.get("output") for part in parts] == ["done"] * ROUNDS
            await follower.agrees(20)
    assert len(ran) == 6 * ROUNDS
    assert set(ran.values()) == {1}


async def test_store_gives_up_after_a_while_and_says_so(
    path: Any, own: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(border, "_RECONNECT_TIMEOUT", 0.3)
    async with agent_on(path, [["Yes."]]) as api:
        own.stop()
        try:
            with pytest.raises(errors.DatabaseError, match="does not answer; see that it runs"):
                await api.create_thread("Hi")
        finally:
            own.start()
        assert (await finished(api, await api.create_thread("Hi"))).status == "completed"


async def test_answer_waits_for_a_server_that_is_away_for_long(
    path: Any, own: PostgreSQL, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The turn does not fail, and the model is not asked again."""
    monkeypatch.setattr(border, "_RECONNECT_TIMEOUT", 0.3)
    go = asyncio.Event()
    model = ScriptedModel(lambda _: chain(held(go), ["Yes."]))
    async with agent_on(path, model) as api:
        thread = await api.create_thread("Hi")
        await eventually(lambda: model.requests)
        own.stop()
        go.set()
        await eventually(lambda: "an answer was not written; retry" in caplog.text)
        own.start()
        assert (await finished(api, thread)).status == "completed"
    assert len(model.requests) == 1


async def test_step_waits_for_a_free_connection(
    path: Any, own: PostgreSQL, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its history cannot be read, while its writes succeed on the connection that they have."""
    monkeypatch.setattr(readers, "_RECONNECT_TIMEOUT", 0.3)
    async with agent_on(path, [["Yes."]], runtime={"work": False}) as sender:
        thread = await sender.create_thread("Hi")
        with contextlib.ExitStack() as stack:
            async with agent_on(path, [["Yes."]], runtime={"work": False}, settings=EAGER) as api:
                api.store.engine.dispose()
                with contextlib.suppress(psycopg.OperationalError):
                    while True:
                        stack.enter_context(own.connect())
                await runtime_of(api).begin_work()
                key = step_key(thread.id)
                await api.store.writer.run(api.store.wake_ups.lease, str(key))
                await eventually(lambda: f"{key} was interrupted" in caplog.text)
                stack.close()
                assert (await finished(sender, thread)).status == "completed"


async def test_nobody_is_declared_dead_after_an_outage(path: Any, own: PostgreSQL) -> None:
    """All leases have expired, and each worker sees those of the others first."""
    runs, go = asyncio.Event(), asyncio.Event()

    @action_tool
    async def once() -> str:
        """Run once."""
        runs.set()
        await go.wait()
        return "done"

    options: dict[str, Any] = {"tools": [once], "settings": QUICK}
    turns = [[ToolUse("once")], ["End."]]
    async with agent_on(path, turns, **options) as api, agent_on(path, [], **options) as other:
        thread = await api.create_thread("Hi")
        await runs.wait()
        own.stop()
        away = time.monotonic() + QUICK.lease + 0.2
        await eventually(lambda: time.monotonic() > away)
        own.start()
        await eventually(lambda: all(worker_of(one)._heartbeat.is_regular for one in (api, other)))  # pyright: ignore[reportPrivateUsage]
        go.set()
        assert (await finished(api, thread)).status == "completed"
        assert (await tool_parts(api, thread.id))[0].get("output") == "done"


async def test_runtime_closes_while_the_server_is_away(
    path: Any, own: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime closes anyway, and its leases expire."""
    for waits in (border, readers):  # writes and reads
        monkeypatch.setattr(waits, "_RECONNECT_TIMEOUT", 0.3)
    try:
        async with agent_on(path, [["Yes", 20.0]], settings=QUICK) as api:
            thread = await api.create_thread("Hi")
            async with Follower(api, thread.id) as follower:
                await follower.until(lambda _: follower.text == "Yes")
            own.stop()
    finally:
        own.start()
    async with agent_on(path, [["Again."]], settings=QUICK) as api:
        assert (await finished(api, thread)).status == "completed"
        assert (await texts(api, thread))[-1] == "Again."


@pytest.fixture
async def cut_off(path: Any, own: PostgreSQL) -> Any:
    """Run a runtime whose connections pass a proxy, beside one that connects directly."""
    async with agent_on(path, []) as straight:
        proxy = Proxy(own.port)
        there = straight.store.database_url.split("?")[0].replace("@/", f"@127.0.0.1:{proxy.port}/")
        async with Runtime(there, settings=Settings(poll=60, reconcile=60), work=False) as runtime:
            yield straight, runtime, proxy
        proxy.close()


def change(tx: Tx, thread_id: str, runs: list[int], the_first_time: Callable[[], object]) -> str:
    """Change a thread's title, and call a function the first time."""
    runs.append(1)
    thread_row.change(tx, thread_id, title=f"changed {len(runs)} times")
    if len(runs) == 1:
        the_first_time()
    return "the result"


async def test_a_commit_whose_answer_is_lost_is_not_made_twice(cut_off: Any) -> None:
    straight, runtime, proxy = cut_off
    thread = await straight.create_thread(title="-")
    runs: list[int] = []
    writing = asyncio.create_task(runtime.store.writer.run(change, thread.id, runs, proxy.deaf.set))

    async def landed() -> bool:
        return (await straight.get_thread(thread.id)).title != "-"

    await eventually(landed)
    assert not writing.done()
    proxy.deaf.clear()
    proxy.cut()
    assert await asyncio.wait_for(writing, 20) == "the result"
    assert (await straight.get_thread(thread.id)).title == "changed 1 times"
    assert runs == [1]


async def test_a_write_cut_off_before_its_commit_is_made_again(cut_off: Any) -> None:
    straight, runtime, proxy = cut_off
    thread = await straight.create_thread(title="-")
    runs: list[int] = []
    await asyncio.wait_for(runtime.store.writer.run(change, thread.id, runs, proxy.cut), 20)
    assert (await straight.get_thread(thread.id)).title == "changed 2 times"
    assert runs == [1, 1]


async def test_a_listener_that_was_cut_off_listens_again(cut_off: Any, own: PostgreSQL) -> None:
    """The listener reads what it missed; the poll interval is too long to help."""
    straight, runtime, proxy = cut_off
    thread = await straight.create_thread(title="-")
    api = define_internal_agent_api(runtime, straight.agent)
    async with Follower(api, thread.id) as follower:
        await follower.until(lambda _: follower.snapshots)
        for title in ("first", "second"):
            proxy.cut()
            await straight.update_thread(thread.id, title=title)
            await follower.until(lambda view, title=title: view.thread["title"] == title)
            await eventually(lambda: own.execute(LISTENING)[0][0] == 2)


async def test_silent_connections_are_replaced(cut_off: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay open and are acknowledged, so TCP notices nothing; a worker must not wait for ever."""
    straight, runtime, proxy = cut_off
    monkeypatch.setattr(pipeline, "ANSWER_TIMEOUT", 0.5)
    monkeypatch.setattr(pipeline.AnsweredConnection, "answer_timeout", 0.5)
    monkeypatch.setattr(border, "_PROBE_INTERVAL", 0.3)
    thread = await straight.create_thread(title="-")
    api = define_internal_agent_api(runtime, straight.agent)
    async with Follower(api, thread.id) as follower:
        await follower.until(lambda _: follower.snapshots)
        await api.update_thread(thread.id, title="before")
        await follower.until(lambda view: view.thread["title"] == "before")
        proxy.silence()
        read, write = api.get_thread(thread.id), api.update_thread(thread.id, title="written")
        await asyncio.wait_for(asyncio.gather(read, write), 20)
        await straight.update_thread(thread.id, title="seen")
        await follower.until(lambda view: view.thread["title"] == "seen")


async def test_a_transaction_that_sleeps_is_ended_by_the_server(
    path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that stalls in the middle of a transaction must not keep its locks."""
    monkeypatch.setattr(border, "_SESSION", ("SET idle_in_transaction_session_timeout = '200ms'", "SELECT 1"))
    runs: list[int] = []

    async with agent_on(path, []) as api, agent_on(path, []) as other:
        thread = await api.create_thread(title="-")

        def sleep(tx: Tx) -> None:
            runs.append(1)
            thread_row.change(tx, thread.id, title="slow")
            if len(runs) == 1:
                asleep.wait()

        asleep = threading.Event()
        writing = asyncio.create_task(api.store.writer.run(sleep))
        await eventually(lambda: runs)
        await other.update_thread(thread.id, title="fast")
        asleep.set()
        await writing
        assert (await api.get_thread(thread.id)).title == "slow"  # pyright: ignore[reportOptionalMemberAccess]
        assert len(runs) == 2
