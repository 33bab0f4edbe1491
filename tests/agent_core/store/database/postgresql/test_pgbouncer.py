"""PostgreSQL behind a real PgBouncer: one that pools sessions works, one that pools transactions is refused."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest

from agent_core import Agent, Runtime, define_agent_api, errors, migrate_database
from agent_core.testing import ScriptedModel, ToolUse
from tests.support.agents import finished, texts
from tests.tools import pgbouncer
from tests.tools.debian import PGBOUNCER
from tests.tools.postgresql import FAST, PostgreSQL

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def server() -> Generator[PostgreSQL]:
    PGBOUNCER.require()
    server = PostgreSQL(FAST)
    yield server
    server.close()


async def test_sessions_of_pgbouncer_serve_two_runtimes(server: PostgreSQL) -> None:
    """One runtime sends; the other, whose listener is behind the pooler too, runs the turn."""
    server.execute("create database pooled")
    with pgbouncer.running(server, "session") as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/pooled"
        agent = Agent("a", ScriptedModel([[ToolUse("nothing", {})], ["Done."]]))
        async with Runtime(url, work=False) as sender, Runtime(url) as worker:
            define_agent_api(worker, agent)
            api = define_agent_api(sender, agent)
            thread = await finished(api, await api.create_thread("Go."))
            assert (thread.status, thread.error) == ("completed", None)
            assert (await texts(api, thread))[-1] == "Done."


@pytest.mark.parametrize("round_robin", [False, True])
def test_transactions_of_pgbouncer_are_refused(server: PostgreSQL, round_robin: bool) -> None:
    name = f"transactions_{round_robin}".lower()
    server.execute(f"create database {name}")
    with pgbouncer.running(server, "transaction", round_robin=round_robin) as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/{name}"
        idle = [psycopg.connect(url) for _ in range(3)]  # so that the pool has several sessions
        for connection in idle:
            connection.execute("select 1")
        for connection in idle:
            connection.rollback()
        with pytest.raises(errors.DatabaseError, match="Set pool_mode = session"):
            migrate_database(url)
        for connection in idle:
            connection.close()
    assert server.execute("select to_regclass('agent_thread')", database=name) == [(None,)]
