"""Migrations of databases with rows in them: whatever was stored reads as before.

`rows_of_0001.json` was written by the last version at revision 0001: a thread with a tool call, one that
failed, one that was stopped, and one that waits for a person while two messages are queued.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, Engine, MetaData, text

import agent_core
from agent_core.domain.end_reasons import IN_DOUBT, NO_OUTCOME, STILL_OPEN
from agent_core.store.database.migrate import (
    LIBRARY,
    VERSION_TABLE,
    Migrations,
    migrate_database,
    newest_schema,
)
from agent_core.store.database.open import opened
from agent_core.store.database.sql import MESSAGE, WAKE_UP
from agent_core.store.threads import usage_totals
from agent_core.testing import ToolUse
from agent_core.tools import action_tool, async_tool
from chat_app.database import MIGRATIONS
from tests.agent_core.store.test_search_index import by_index, index_all
from tests.support.agents import agent_on, finished, rows, texts, tool_parts
from tests.support.databases import url

ROWS = json.loads(Path(__file__).with_name("rows_of_0001.json").read_text())
SAID = {
    "talk": ["hello", "You said hello.", "look", "I look.\n\nDone.", "bye", "You said bye."],
    "failed": ["fail", "Half"],
    "stopped": ["slow", "Half"],
    "waiting": ["pay", "I pay.", "q1", "q2"],
}


@pytest.mark.parametrize("chain", [LIBRARY, MIGRATIONS], ids=lambda chain: chain.version_table)
def test_files_of_migrations_have_the_names_and_the_order_of_their_revisions(chain: Migrations) -> None:
    config = Config()
    config.set_main_option("script_location", str(chain.folder))
    scripts = ScriptDirectory.from_config(config)
    oldest_first = [*scripts.walk_revisions()][::-1]
    names = sorted(path.name for path in (chain.folder / "versions").glob("*.py"))
    assert [Path(script.path).name for script in oldest_first] == names
    assert [name.partition("_")[0] for name in names] == [script.revision for script in oldest_first]
    assert newest_schema(chain) == scripts.get_current_head()


def test_a_start_on_a_current_schema_needs_no_alembic(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path / 'agents.db'}"
    migrate_database(database_url)
    program = f"import sys, agent_core; agent_core.migrate_database({database_url!r}); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def make(engine: Engine, revision: str, content: dict[str, list[dict[str, Any]]]) -> None:
    """Empty a database, upgrade it to a revision and insert rows."""
    config = Config()
    config.set_main_option("script_location", str(Path(agent_core.__file__).parent / "store" / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # the database is a copy of a template with today's schema
            connection.execute(text("drop schema public cascade"))
            connection.execute(text("create schema public"))
        steps: Any = lambda at, _context: scripts._upgrade_revs(revision, at)  # noqa: E731
        with EnvironmentContext(config, scripts, fn=steps) as environment:
            environment.configure(connection=connection, version_table=VERSION_TABLE, transactional_ddl=False)
            environment.run_migrations()
        tables = MetaData()
        tables.reflect(connection)
        for name, found in content.items():
            columns = tables.tables[name].columns
            flags = {column.name for column in columns if isinstance(column.type, Boolean)}
            for row in found:
                values = {key: bool(value) if key in flags else value for key, value in row.items()}
                connection.execute(tables.tables[name].insert().values(values))


@pytest.fixture
def old(path: Path) -> Path:
    with opened(url(path), "NORMAL") as (engine, *_):
        make(engine, "0001", ROWS)
    return path


@action_tool
async def look(place: str) -> str:
    """Look."""
    return f"seen {place}"


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@async_tool
async def ask() -> None:
    """Ask."""


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    last = messages[-1]
    return ["Done."] if last["role"] == "tool" else [f"You said {last['content']}."]


async def test_rows_of_an_older_database_read_as_before(old: Path) -> None:
    async with agent_on(old, answer, tools=[look, pay, ask]) as api:
        for thread_id, said in SAID.items():
            assert await texts(api, thread_id) == said, thread_id
        (part,) = await tool_parts(api, "talk")
        assert (part["state"], part["input"], part["output"]) == (
            "output-available",
            {"place": "here"},
            "seen here",
        )
        states = {thread.id: (thread.status, thread.error) for thread in await api.list_threads()}
        assert states == {
            "talk": ("completed", None),
            "failed": ("failed", "No."),
            "stopped": ("stopped", None),
            "waiting": ("awaiting_tool_results", None),
        }


async def test_each_message_knows_the_one_before_it(old: Path) -> None:
    async with agent_on(old, answer, tools=[look, pay, ask]) as api:
        for thread_id, said in SAID.items():
            shown = await api.list_messages(thread_id)
            placed = [message for message in shown if not message.metadata.get("queued")]
            assert len(shown) == len(said)
            found = await _parents(old, thread_id)
            assert [found[message.id] for message in placed] == [None, *(m.id for m in placed[:-1])]
            assert all(found[m.id] is None for m in shown if m not in placed)
            assert all(len(message.branches) <= 1 for message in shown)


async def _parents(path: Path, thread_id: str) -> dict[str, str | None]:
    names = MESSAGE.columns.keys()
    found = [dict(zip(names, row, strict=True)) for row in rows(path, MESSAGE)["agent_message"]]
    return {row["id"]: row["parent_id"] for row in found if row["thread_id"] == thread_id}


async def test_work_that_waited_goes_on_after_a_migration(old: Path) -> None:
    """The approval is still open, an outcome from outside is accepted, and the queue is answered in order."""
    async with agent_on(old, answer, tools=[look, pay, ask]) as api:
        await api.approve_tool_calls("waiting", ["c2"])
        await api.add_tool_result("c3", "yes")
        assert (await finished(api, "waiting")).status == "completed"
        assert await texts(api, "waiting") == [
            "pay",
            "I pay.\n\nDone.",
            "q1",
            "You said q1.",
            "q2",
            "You said q2.",
        ]
        assert [part["output"] for part in await tool_parts(api, "waiting")] == ["paid 5", "yes"]
        await api.send_message("waiting", "q3")
        await finished(api, "waiting")
        found = await _parents(old, "waiting")
        shown = await api.list_messages("waiting")
        assert [found[message.id] for message in shown] == [None, *(m.id for m in shown[:-1])]


async def test_turn_that_broke_off_can_be_resumed_after_a_migration(old: Path) -> None:
    async with agent_on(old, answer, tools=[look, pay, ask]) as api:
        for thread_id in ("failed", "stopped"):
            await api.resume_thread(thread_id)
            assert (await finished(api, thread_id)).status == "completed"
        assert await texts(api, "failed") == ["fail", "You said fail."]
        assert await texts(api, "stopped") == ["slow", "You said slow."]


async def test_an_old_message_can_be_edited_and_returned_to(old: Path) -> None:
    async with agent_on(old, answer, tools=[look, pay, ask]) as api:
        await api.edit_message("talk", "look", "listen")
        await finished(api, "talk")
        assert await texts(api, "talk") == ["hello", "You said hello.", "listen", "You said listen."]
        await api.select_branch("talk", "look")
        assert await texts(api, "talk") == SAID["talk"]


async def test_a_new_call_may_not_repeat_an_old_id(old: Path) -> None:
    turns = [[ToolUse("look", {"place": "there"}, id="c1")], ["Done."]]
    async with agent_on(old, turns, tools=[look, pay, ask]) as api:
        await api.send_message("talk", "look again")
        await finished(api, "talk")
        assert [part["output"] for part in await tool_parts(api, "talk")] == ["seen here", "seen there"]


async def test_a_link_that_was_given_still_leads_to_its_thread(path: Path) -> None:
    """Revision 0006 takes the token out of the metadata; a value that an application stored is no token."""
    metas = {"talk": {"share": "token", "a": 1}, "waiting": {"share": "token"}, "failed": {"share": 7}}
    before = ROWS["agent_thread"]
    threads = [row | {"meta": json.dumps(metas.get(row["id"], {}))} for row in before]
    with opened(url(path), "NORMAL") as (engine, *_):
        make(engine, "0004", ROWS | {"agent_thread": threads})
    async with agent_on(path, answer, tools=[look, pay, ask]) as api:
        found = await api.shares.read("token")
        assert found is not None
        assert (found[0].id, found[0].metadata) == ("talk", {"a": 1, "share": "token"})
        assert await api.shares.create("talk") == "token"
        for other in ("waiting", "failed", "stopped"):
            thread = await api.get_thread(other)
            assert thread is not None
            assert thread.metadata == {}
        await api.shares.revoke("talk")
        assert await api.shares.read("token") is None


ENDS = {
    "stopped": "stopped",
    "The person wrote another message instead of answering, so this was not done.": "passed_over",
    IN_DOUBT.text: "in_doubt",
    NO_OUTCOME.text: "timed_out",
    STILL_OPEN.text: "forked",
    "No such city.": "error",
    "the process ended, said the tool": "error",
}
"""Text of a failed call's error, and the end reason that revision 0012 derives from it."""


async def test_rows_from_before_the_end_reason_have_one(path: Path) -> None:
    (call,) = [row for row in ROWS["agent_tool_call"] if row["thread_id"] == "talk"]
    (stream,) = [row for row in ROWS["agent_stream"] if row["thread_id"] == "stopped"]
    tried = [{"attempt": 1, "worker": "w", "started_at": 1.0, "ended_at": 2.0, "next_at": None}]
    attempts = json.dumps(
        [tried[0] | {"error": "the process ended"}, tried[0] | {"attempt": 2, "error": "No."}]
    )
    made = [
        call | {"id": f"old{number}", "status": "failed", "output": None, "error": error, "attempt": 3}
        for number, error in enumerate(ENDS)
    ]
    made[0]["attempts"] = attempts
    cuts = ["the process ended", "the server is restarting", "stopped", "No."]
    streams = [stream | {"seq": 100 + number, "error": error} for number, error in enumerate(cuts)]
    content = {
        **ROWS,
        "agent_tool_call": [*ROWS["agent_tool_call"], *made],
        "agent_stream": [*ROWS["agent_stream"], *streams],
    }
    with opened(url(path), "NORMAL") as (engine, *_):
        make(engine, "0010", content)
    async with agent_on(path, answer, tools=[look, pay, ask]) as api:
        tools = [span for span in await api.timeline("talk") if span.kind == "tool" and span.attempt == 3]
        assert {span.error: span.end_reason for span in tools} == ENDS
        earlier = [
            span for span in await api.timeline("talk") if span.tool_call_id == "old0" and span.kind == "tool"
        ]
        assert [(span.status, span.end_reason) for span in earlier] == [
            ("lost", "process_ended"),
            ("retried", "error"),
            ("stopped", "stopped"),
        ]
        models = [span for span in await api.timeline("stopped") if span.kind == "model" and span.seq >= 100]
        assert [span.end_reason for span in models] == ["process_ended", "released", "stopped", "error"]


async def test_wake_ups_from_before_the_kind_have_it_and_go_on(path: Path) -> None:
    """Kind, thread and call are read from each wake-up's id, and a step waiting for its retry still runs."""
    later = {"next_run_time": 9e9, "job_state": "{}", "worker": None}
    call = "functions.ask:0"
    keys = ["step:failed", f"tool:waiting:{call}", f"timeout:waiting:{call}", "schedule:s"]
    wakes = [later | {"id": key, "thread_id": key.split(":")[1]} for key in keys]
    threads = [
        row | ({"status": "streaming", "error": None} if row["id"] == "failed" else {})
        for row in ROWS["agent_thread"]
    ]
    with opened(url(path), "NORMAL") as (engine, *_):
        make(engine, "0012", ROWS | {"agent_thread": threads, "agent_wake_up": wakes})
    async with agent_on(path, answer, tools=[look, pay, ask]) as api:
        found = [dict(zip(WAKE_UP.c.keys(), row, strict=True)) for row in rows(path)["agent_wake_up"]]
        assert {row["id"]: (row["kind"], row["thread_id"], row["call_id"]) for row in found} == {
            keys[0]: ("step", "failed", None),
            keys[1]: ("tool", "waiting", call),
            keys[2]: ("timeout", "waiting", call),
            keys[3]: ("schedule", "s", None),
        }
        now = "update agent_wake_up set next_run_time = 0 where id = 'step:failed'"
        await api.store.writer.run(lambda tx: tx.cursor.execute(now))
        assert (await finished(api, "failed")).status == "completed"
        assert await texts(api, "failed") == ["fail", "You said fail."]


async def test_errors_from_before_the_codes_keep_their_text(path: Path) -> None:
    """Errors from before the migration have no code; later ones do."""
    with opened(url(path), "NORMAL") as (engine, *_):
        make(engine, "0013", ROWS)
    turns = [[ToolUse("nothing", {}, id="new")], ["Done."]]
    async with agent_on(path, turns, tools=[look, pay, ask]) as api:
        thread = await api.get_thread("failed")
        assert thread is not None
        assert (thread.error, thread.error_info) == ("No.", None)
        assert [span.error_info for span in await api.timeline("failed") if span.error] == [None]
        await api.send_message("talk", "look again")
        await finished(api, "talk")
        newest = (await api.list_messages("talk"))[-1]
        assert newest.error_info["new"]["code"] == "tool_not_found"


async def test_a_version_that_knows_no_codes_can_write_beside_us(path: Path) -> None:
    """An older version's statements omit the new columns, which the database fills."""
    async with agent_on(path, answer, tools=[look, pay, ask]) as api:
        thread = await api.create_thread(title="theirs")
        fail = f"update agent_thread set status = 'failed', error = 'Theirs.' where id = '{thread.id}'"
        await api.store.writer.run(lambda tx: tx.cursor.execute(fail))
        await api.store.writer.run(
            lambda tx: tx.cursor.execute(
                "insert into agent_stream (thread_id, seq, message_id, status, worker, attempt, parts, error, "
                f"started_at) values ('{thread.id}', 1, 'm', 'partial', 'w', 1, '[]', 'Theirs.', 1.0)"
            )
        )
        found = await api.get_thread(thread.id)
        assert found is not None
        assert (found.error, found.error_info) == ("Theirs.", None)
        assert [span.error_info for span in await api.timeline(thread.id) if span.error] == [None]


async def test_rows_from_before_are_found_and_counted_before_and_after_workers_derive(old: Path) -> None:
    """Migrations neither index nor count; searches and summaries read what workers have not derived yet."""
    async with agent_on(old, answer, tools=[look, pay, ask], runtime={"work": False}) as api:
        before = await api.search("hello"), await api.insight.usage_summary()
        assert len(before[0]) == 2
        assert before[1].total.requests > 3
        assert await index_all(api) >= 3
        while await api.store.writer.run(usage_totals.count_idle):
            pass
        assert len(await by_index(api, "hello")) == 2
        assert (await api.search("hello"), await api.insight.usage_summary()) == before
