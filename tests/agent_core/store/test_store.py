"""A store without a worker: messages sent through it are answered by a worker in another process."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from agent_core import Agent, Runtime, Store, Worker, define_agent_api, define_internal_agent_api, errors
from agent_core.testing import ScriptedModel
from tests.support.agents import rows, texts
from tests.support.databases import prepared, url

WORKER = """
import asyncio, sys
from agent_core import Agent, Store, Worker
from agent_core.testing import ScriptedModel
async def main():
    async with Store(sys.argv[1]) as store:
        store.agents.add(Agent("assistant", ScriptedModel(lambda asked: [f"You said {asked[-1]['content']}"])))
        async with Worker(store):
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


def silent() -> Agent:
    """Return an agent whose model would fail if this process asked it."""
    return Agent("assistant", ScriptedModel([]))


@contextmanager
def worker_elsewhere(path: Path) -> Generator[None]:
    with Popen([sys.executable, "-c", WORKER, url(path)], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.stdin.close()
    assert process.returncode == 0


async def test_message_sent_by_a_store_alone_is_answered_by_a_worker_elsewhere(path: Path) -> None:
    async with Store(prepared(path)) as store:
        api = define_agent_api(store, silent())
        with worker_elsewhere(path):
            thread = await api.create_thread("one")
            assert (await api.wait_until_idle(thread.id, 40)).status == "completed"
            await api.send_message(thread.id, "two")
            assert (await api.wait_until_idle(thread.id, 40)).status == "completed"
        assert await texts(api, thread) == ["one", "You said one", "two", "You said two"]
        assert store.process not in {row for found in rows(path)["agent_stream"] for row in found}


async def test_message_sent_while_no_worker_is_there_waits_for_one(path: Path) -> None:
    async with Store(prepared(path)) as store:
        thread = await define_internal_agent_api(store, silent()).create_thread("one")
    assert thread.status == "streaming"
    with worker_elsewhere(path):
        async with Store(prepared(path)) as store:
            api = define_internal_agent_api(store, silent())
            assert (await api.wait_until_idle(thread.id, 40)).status == "completed"
            assert await texts(api, thread) == ["one", "You said one"]


async def test_a_store_alone_tells_of_statuses_that_it_changes(path: Path) -> None:
    told: list[tuple[str, str, str]] = []
    async with Store(prepared(path)) as store:
        api = define_internal_agent_api(store, silent(), on_status_change=lambda *of: told.append(of))
        thread = await api.create_thread("one")
        await api.stop_thread(thread.id)
    assert told == [(thread.id, "streaming", "completed"), (thread.id, "stopped", "streaming")]


async def test_a_store_has_one_worker(path: Path) -> None:
    async with Store(prepared(path)) as store, Worker(store):
        with pytest.raises(errors.ValidationError, match="a worker already"):
            async with Worker(store):
                pass
        with pytest.raises(errors.ValidationError, match="open already"):
            await store.__aenter__()


async def test_a_runtime_that_is_told_not_to_work_has_no_worker(path: Path) -> None:
    async with Runtime(prepared(path), work=False) as runtime:
        assert runtime.worker is None
        api = define_agent_api(runtime, silent())
        assert api.store is runtime.store


@pytest.mark.sqlite  # opens no database
def test_an_api_needs_a_runtime_or_a_store() -> None:
    with pytest.raises(errors.ValidationError, match="must be a Runtime or a Store"):
        define_agent_api("sqlite://", silent())  # pyright: ignore[reportArgumentType]
