"""PostgreSQL specifics: URLs, refusals, the pipeline, and notifications from other processes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator
from typing import Any

import psycopg
import pytest

from agent_core import Runtime, errors
from agent_core.store.database.open import parse_url
from agent_core.store.database.postgresql.pipeline import Pipeline
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import thread_row
from agent_core.support.settings import Settings
from agent_core.testing import eventually
from tests.support.agents import Follower, agent_on, finished, texts, worker_of
from tests.support.databases import url
from tests.tools.postgresql import FAST, PostgreSQL

pytestmark = pytest.mark.postgresql
DEAF = Settings(poll=60, reconcile=60, watch=60)
"""Settings without polling, so that only notifications are noticed."""


# URLs


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_say_postgresql_means_the_same_driver(scheme: str) -> None:
    assert parse_url(f"{scheme}://me@here/name").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("scheme", ["mysql", "postgresql+asyncpg", "sqlite+aiosqlite", "mssql+pyodbc"])
def test_addresses_of_other_databases_are_refused(scheme: str) -> None:
    with pytest.raises(errors.ValidationError, match="not supported; use sqlite or postgresql"):
        Runtime(f"{scheme}://me@here/name")


# Refusals


@pytest.fixture(scope="module")
def strict() -> Generator[PostgreSQL]:
    """Run a server that requires a password from the user `locked`."""
    server = PostgreSQL(FAST)
    hba = server.data / "pg_hba.conf"
    hba.write_text(
        "host all locked 127.0.0.1/32 scram-sha-256\nhost all barred 127.0.0.1/32 reject\n" + hba.read_text()
    )
    server.execute(
        "create role locked login password 'right'",
        "create role barred login",
        "create role limited login connection limit 0",
        "create role free login",
        "create database narrow connection limit 0",
        "select pg_reload_conf()",
    )
    yield server
    server.close()


REFUSALS = {
    "away": ("postgresql://postgres@127.0.0.1:1/postgres", "does not answer; see that it runs"),
    "wrong_password": ("postgresql://locked:wrong@127.0.0.1:{port}/postgres", "the user or the password"),
    "no_password": ("postgresql://locked@127.0.0.1:{port}/postgres", "the user or the password"),
    "barred": ("postgresql://barred@127.0.0.1:{port}/postgres", "does not let this user in"),
    "no_database": (
        "postgresql://postgres@127.0.0.1:{port}/nowhere",
        r"no such database; create it \(createdb\)",
    ),
    "limited_user": ("postgresql://limited@127.0.0.1:{port}/postgres", "this user no further connection"),
    "limited_database": (
        "postgresql://free@127.0.0.1:{port}/narrow",
        "no further connection to this database",
    ),
    "no_role": ("postgresql://nobody_here@127.0.0.1:{port}/postgres", "does not know the user"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_error_says_why_the_database_cannot_be_opened(strict: PostgreSQL, case: str) -> None:
    url, words = REFUSALS[case]
    with pytest.raises(errors.DatabaseError, match=words) as caught:
        async with Runtime(url.format(port=strict.port)):
            pass
    assert "wrong" not in str(caught.value).replace("wrong password", "")


async def test_a_user_that_may_not_write(strict: PostgreSQL) -> None:
    strict.execute("create database standby", "alter database standby set default_transaction_read_only = on")
    with pytest.raises(errors.DatabaseError, match="is read-only; nothing was changed"):
        async with Runtime(strict.url("standby")):
            pass
    strict.execute(
        "create database closed", "create role guest login", "revoke all on schema public from public"
    )
    with pytest.raises(errors.DatabaseError, match="denies this user the permission"):
        async with Runtime(strict.url("closed").replace("postgres@", "guest@")):
            pass


@pytest.mark.parametrize(
    ("state", "words"),
    [("53100", "no room left on its disk; nothing was changed"), ("55P03", "locked by another program")],
)
async def test_error_says_why_the_database_cannot_be_written(path: Any, state: str, words: str) -> None:
    def refused(tx: Tx) -> None:
        tx.cursor.execute(f"do $$ begin raise exception 'no' using errcode = '{state}'; end $$")

    async with agent_on(path, [["Yes."]]) as api:
        with pytest.raises(errors.DatabaseError, match=words):
            await api.store.writer.run(refused)
        assert (await finished(api, await api.create_thread("Hi"))).status == "completed"


# Pipeline


@pytest.fixture
def pipeline(path: Any) -> Generator[Pipeline]:
    made = Pipeline(psycopg.connect(url(path).replace("+psycopg", "")))
    yield made
    made.close()


def test_values_come_back_as_they_went(pipeline: Pipeline) -> None:
    values = {
        "s": "é'\\ %s %(x)s 🎈",
        "i": -(2**31),
        "f": 1732.123456789,
        "b": True,
        "n": None,
        "l": "x" * 3_000_000,
    }
    sql = "SELECT %(s)s::text, %(i)s::int, %(f)s::float8, %(b)s::bool, %(n)s::text, %(l)s::text, '100%%'"
    for _ in range(2):  # prepares the statement, then reuses it
        answer = pipeline.execute(sql, values)
        assert answer.fetchall() == [(*values.values(), "100%")]
    pipeline.settle("COMMIT")


def test_an_error_nobody_looked_at_comes_with_the_commit(pipeline: Pipeline) -> None:
    pipeline.settle("CREATE TEMP TABLE t (n int primary key)")
    pipeline.execute("BEGIN")
    pipeline.execute("INSERT INTO t VALUES (1)")
    again = pipeline.execute("INSERT INTO t VALUES (1)")
    after = pipeline.execute("SELECT never_prepared FROM t")
    with pytest.raises(psycopg.errors.UniqueViolation):
        pipeline.settle("COMMIT")
    for result in (again, after):
        with pytest.raises(psycopg.errors.UniqueViolation):
            assert result.rowcount
    pipeline.settle("ROLLBACK")
    assert pipeline.settle("SELECT count(*) FROM t").fetchall() == [(0,)]
    assert pipeline.settle("SELECT count(*) + 1 FROM t").fetchall() == [(1,)]
    assert pipeline.settle("SELECT count(*) + 2 FROM t").fetchall() == [(2,)]


def test_values_that_cannot_be_stored_are_refused_before_they_are_sent(pipeline: Pipeline) -> None:
    pipeline.execute("BEGIN")
    with pytest.raises(psycopg.DataError, match="NUL"):
        pipeline.execute("SELECT %(s)s::text", {"s": "a\0b"})
    pipeline.settle("ROLLBACK")
    assert pipeline.settle("SELECT 1 AS one").fetchall() == [(1,)]


async def test_the_loser_of_a_deadlock_is_tried_again(path: Any) -> None:
    both = threading.Barrier(2)
    runs: list[str] = []

    def cross(tx: Tx, first: str, second: str) -> None:
        runs.append(first)
        change = "update agent_thread set title = title || %(by)s::text where id = %(id)s::text"
        assert tx.cursor.execute(change, {"id": first, "by": first}).rowcount == 1
        if len(runs) <= 2:
            both.wait(20)
        assert tx.cursor.execute(change, {"id": second, "by": first}).rowcount == 1

    async with agent_on(path, []) as one, agent_on(path, []) as two:
        for name in "ab":
            await one.create_thread(thread_id=name, title="-")
        await asyncio.gather(one.store.writer.run(cross, "a", "b"), two.store.writer.run(cross, "b", "a"))
        titles = [(await one.get_thread(name)).title for name in "ab"]  # pyright: ignore[reportOptionalMemberAccess]
        assert [sorted(title or "") for title in titles] == [["-", "a", "b"]] * 2
        assert len(runs) == 3


# Notifications


async def test_another_process_is_notified_at_once(path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Work, deltas and stops reach the other runtime without polling."""
    async with (
        agent_on(path, lambda _: ["Yes", 30.0], settings=DEAF, throttle_ms=0) as worker,
        agent_on(path, [], settings=DEAF, runtime={"work": False}) as sender,
    ):
        delays: list[float] = []
        for _ in range(10):
            began = time.perf_counter()
            thread = await sender.create_thread("Hi")
            async with Follower(sender, thread.id) as follower:
                await follower.until(lambda _, follower=follower: follower.text == "Yes")
                delays.append(time.perf_counter() - began)
                await sender.stop_thread(thread.id)
                await eventually(lambda: not worker_of(worker).pools.steps.running())
                await follower.agrees()
        with capsys.disabled():
            median = sorted(delays)[len(delays) // 2]
            print(f"\nprompt in one process -> first word from another: {median * 1000:.0f} ms")


async def test_the_list_of_threads_is_notified_too(path: Any) -> None:
    async with agent_on(path, [], settings=DEAF) as one, agent_on(path, [], settings=DEAF) as two:
        changes = two.changes()
        await anext(changes)
        await asyncio.sleep(0)
        await one.create_thread(title="New")
        await asyncio.wait_for(anext(changes), 20)
        await changes.aclose()


async def test_a_notification_that_is_too_long_covers_everything(path: Any) -> None:
    async with agent_on(path, [], settings=DEAF) as one, agent_on(path, [], settings=DEAF) as two:
        thread = await one.create_thread()
        async with Follower(two, thread.id) as follower:
            await follower.until(lambda _: follower.snapshots)

            def much(tx: Tx) -> None:
                tx.touched.update(f"{'x' * 100}{number}" for number in range(200))
                thread_row.change(tx, thread.id, title="Told")

            await one.store.writer.run(much)
            await follower.agrees()


async def test_strange_words_on_the_channel_are_only_a_hint(path: Any) -> None:
    async with agent_on(path, [["Yes."]], settings=DEAF) as api:
        for said in ("", "nonsense", "[]", '{"a": 1}', "7"):
            await api.store.writer.run(
                lambda tx, said=said: tx.cursor.execute(
                    "SELECT pg_notify('agent_core', %(said)s::text)", {"said": said}
                )
            )
        thread = await finished(api, await api.create_thread("Hi"))
        assert await texts(api, thread) == ["Hi", "Yes."]
        assert [t for t in threading.enumerate() if t.name == "agent_core-listener" and t.is_alive()]
