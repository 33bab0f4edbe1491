"""Workers of the app without pages, as processes, and servers of pages that leave the work to them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from agent_core.store.database.app_database import open_app_database
from agent_core.testing import eventually
from chat_app.database import MIGRATIONS
from chat_app.mcp_servers import rows
from chat_app.model.model_choice import DEMO_MODEL, ModelChoice
from chat_app.server.preflight import NotReadyError, require_engine
from chat_app.server.settings import Settings, read_settings
from chat_app.session.app_runtime import app_runtime, workpools
from tests.agent_core.mcp.test_http import ACCEPTED, gateway
from tests.support.processes.commands import Command, running
from tests.tools.postgresql import PostgreSQL

OFFERS = [ModelChoice(DEMO_MODEL, "for a test")]


def environment(folder: Path, **more: str) -> dict[str, Any]:
    return {"CHAT_DATA_DIR": str(folder), "CHAT_MODEL": "demo", "CHAT_DEMO_SPEED": "100", **more}


@asynccontextmanager
async def worker(folder: Path, **more: str) -> AsyncGenerator[Command]:
    with running("chat_app", "worker", **environment(folder, **more)) as command:
        await command.says("runs assistant")
        yield command


async def test_worker_runs_the_agents_of_extensions(tmp_path: Path) -> None:
    extension = tmp_path / "my_extension.py"
    extension.write_text(
        "from agent_core import Agent\n"
        "from agent_core.testing import ScriptedModel\n"
        "from chat_app.extensions import register_agent\n"
        'register_agent(Agent("mine", ScriptedModel([["From the extension."]])))\n'
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    async with worker(tmp_path, CHAT_EXTENSIONS="my_extension", PYTHONPATH=path) as command:
        assert "runs assistant, mine" in command.output


async def test_worker_connects_a_server_that_is_added_while_it_runs(tmp_path: Path) -> None:
    async with gateway(ACCEPTED) as (url, heads), worker(tmp_path):
        with open_app_database(f"sqlite:///{tmp_path / 'agents.db'}", MIGRATIONS) as database:
            database.write(rows.add_server, "shop", url, {"X-Key": "k"}, "always", 1.0)
        await eventually(lambda: any("x-key: k" in head.lower() for head in heads))


async def test_worker_ends_with_a_sentence_if_it_cannot_start(tmp_path: Path) -> None:
    (tmp_path / "agents.db").write_text("my diary, not a database")
    with running("chat_app", "worker", **environment(tmp_path)) as command:
        assert await command.ended() == 1
    assert "not a SQLite database" in command.output
    assert command.output.count("\n") == 1


def test_engine_that_is_not_installed_is_refused_with_a_remedy() -> None:
    require_engine("builtin")
    with pytest.raises(NotReadyError, match=r"pip install no_such_engine.*CHAT_ENGINE=builtin"):
        require_engine("no_such_engine")


def test_parallelism_is_that_of_the_settings() -> None:
    steps, tools = workpools(Settings(max_parallelism=3, tool_parallelism=5, max_per_user=2))
    assert (steps.max_parallelism, tools.max_parallelism, steps.engine) == (3, 5, None)
    assert (steps.max_per_user, tools.max_per_user) == (2, None)


async def test_events_of_the_app_go_to_its_webhook_until_that_is_off(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):  # also if the sender leaves before its request
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with await asyncio.start_server(receive, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        hook = {"CHAT_WEBHOOK_URL": address, "CHAT_WEBHOOK_SECRET": "whsec_" + "A" * 43 + "="}
        async with app_runtime(read_settings(environment(tmp_path, **hook)), OFFERS) as (_, api):
            await api.create_thread("Hello")
            await eventually(lambda: any(b"webhook-signature: v1," in head.lower() for head in heads))
        off = read_settings(environment(tmp_path, CHAT_WEBHOOK_URL="off"))
        async with app_runtime(off, OFFERS, work=False) as (_, api):
            assert (await api.outbox.status()).events == ()


async def test_procrastinate_delivers_the_work_of_the_app(postgresql: PostgreSQL, tmp_path: Path) -> None:
    postgresql.execute("drop database if exists worker_of_app", "create database worker_of_app")
    url = postgresql.url("worker_of_app")
    more = {"CHAT_DATABASE_URL": url, "CHAT_ENGINE": "procrastinate"}
    settings = read_settings(environment(tmp_path, **more))
    async with app_runtime(settings, OFFERS, work=False) as (_, api), worker(tmp_path, **more):
        thread = await api.create_thread("Hello")
        assert (await api.wait_until_idle(thread.id, 60)).status == "completed"
