"""The index of searches: it excludes threads, never a hit, and has nothing of a deleted thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text

from agent_core import AgentApi
from agent_core.domain.messages import SearchHit
from agent_core.store.database.sql import SEARCH, THREAD, P, Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.reads import search
from agent_core.store.reads.search import Search, search_batch, words_of
from agent_core.store.threads import search_index
from agent_core.testing import FakeClock, eventually
from agent_core.text.grams import grams_for, grams_of, words_in
from tests.agent_core.api.test_search import ACCENTED, place, where
from tests.support.agents import agent_on, finished, rows

READING = {"work": False}
_THEIRS = Statement(delete(THREAD).where(THREAD.c.id == P("thread_id")))


async def index_all(api: AgentApi) -> int:
    """Index every thread, as the workers do in time; return how many."""
    done = 0
    while names := api.store.reads.read(search_index.unindexed, api.store.clock.now() + search_index.QUIET):
        for name in names:
            found = api.store.reads.read(search.text_of_thread, name)
            assert found is not None
            done += await api.store.writer.run(search_index.put, name, *found)
    return done


async def by_index(api: AgentApi, query: str) -> list[SearchHit]:
    """Search with the index alone, from the newest thread on."""
    wanted = Search(words_of(query), None, None, ("user", "assistant"))
    return api.store.reads.read(search_batch, wanted, None, 400, indexed=True).hits


async def candidates(api: AgentApi, query: str) -> set[str | None]:
    """Return the titles of the threads that the index does not exclude."""

    def read(session: Any) -> set[str | None]:
        condition = search.candidates(session, words_of(query))
        assert condition is not None
        found = session.exec(search.select(search.ThreadRow).where(condition)).all()
        return {row.title for row in found}

    return api.store.reads.read(read)


OTHERS = [
    ("one two three", "wo thr"),
    ("x", "x"),
    ("今日は世界", "界"),
    ("100% of_all!", "f_al"),
    ("a 🏳️‍🌈 flag", "🏳️‍🌈"),
    ("C:\\temp\\new", "\\TEMP\\"),
    ("Żółw " * 50, "zolw"),
    ("w" * 5_000, "w" * 300),
]


@pytest.mark.parametrize(("said", "query"), [*ACCENTED, *OTHERS])
async def test_a_thread_is_found_by_any_part_of_its_words(path: Path, said: str, query: str) -> None:
    async with agent_on(path, [], runtime=READING) as api:
        await place(api, "this", said)
        await place(api, "that", "Some hay, ünd more", "か and not the other")
        assert await index_all(api) == 2
        assert await candidates(api, query) == {"this"}
        assert where(await by_index(api, query)) == [("this", "this-0")]


@pytest.mark.parametrize(("said", "query"), ACCENTED)
async def test_titles_are_found_by_the_index(path: Path, said: str, query: str) -> None:
    async with agent_on(path, [], runtime=READING) as api:
        await place(api, said, "Hi")
        await place(api, "Some hay, ünd more", said)
        await index_all(api)
        assert [thread.title for thread in await api.list_threads(query=query.split()[0])] == [said]
        assert len(await api.list_threads(query=" ")) == 1 + (" " in said)


@pytest.mark.parametrize(("said", "query"), [*ACCENTED, *OTHERS])
def test_a_text_has_the_grams_of_the_words_in_it(said: str, query: str) -> None:
    assert grams_for(words_of(query)) <= grams_of(words_in(said))


async def test_search_finds_threads_that_are_not_indexed_yet(path: Path) -> None:
    async with agent_on(path, [], runtime=READING) as api:
        await place(api, "old", "needle")
        await index_all(api)
        thread = await place(api, "new", "needle")
        assert where(await by_index(api, "needle")) == [("new", "new-0"), ("old", "old-0")]
        await index_all(api)
        await api.add_message(thread, {"role": "user", "content": "a pin", "id": "pin"})
        assert where(await by_index(api, "pin")) == [("new", "pin")]


async def test_the_index_follows_titles_edits_and_branches(path: Path) -> None:
    async with agent_on(path, lambda m: ["re: " + m[-1]["content"]]) as api:
        thread = await finished(api, await api.create_thread("first words", message_id="m"))
        await index_all(api)
        await api.update_thread(thread.id, title="Renamed")
        await api.edit_message(thread.id, "m", "other text")
        await finished(api, thread.id)
        await index_all(api)
        assert [hit.message_id for hit in await by_index(api, "renamed")] == [None]
        assert await candidates(api, "first") == set()
        assert len(await by_index(api, "other")) == 2
        await api.select_branch(thread.id, "m")
        await index_all(api)
        assert len(await by_index(api, "first")) == 2
        assert await candidates(api, "other") == set()
        copy = await api.fork_thread(thread.id, "m")
        await index_all(api)
        assert {hit.thread.id for hit in await by_index(api, "first words")} == {thread.id, copy.id}


async def test_a_deleted_thread_leaves_nothing_in_the_index(path: Path) -> None:
    async with agent_on(path, [], runtime=READING) as api:
        thread = await place(api, "secret", "needle")
        await index_all(api)
        await api.delete_thread(thread)
        assert rows(path, SEARCH)[SEARCH.name] == []
        assert _in_fts5(api) == []


def _in_fts5(api: AgentApi) -> list[Any]:
    """Return the entries of FTS5 for the first gram of "needle"; none on PostgreSQL, which has none."""

    def read(session: Any) -> list[Any]:
        if session.get_bind().dialect.name != "sqlite":
            return []
        found = text("select rowid from agent_search_fts where agent_search_fts match :gram")
        (gram,) = grams_for(["nee"])
        return session.connection().execute(found, {"gram": format(gram & 0xFFFFFFFF, "x")}).all()

    return api.store.reads.read(read)


async def test_entries_of_threads_that_an_older_version_deleted_are_removed(path: Path) -> None:
    async with agent_on(path, [], runtime=READING) as api:
        await place(api, "kept", "needle")
        gone = await place(api, "gone", "needle")
        await index_all(api)
        await api.store.writer.run(lambda tx: tx.do(_THEIRS, thread_id=gone))
        assert await api.store.writer.run(search_index.remove_orphans) == 1
        assert await api.store.writer.run(search_index.remove_orphans) == 0
        assert len(rows(path, SEARCH)[SEARCH.name]) == 1
        assert where(await by_index(api, "needle")) == [("kept", "kept-0")]


async def test_two_workers_make_one_entry(path: Path) -> None:
    async with agent_on(path, [], runtime=READING) as api:
        thread = await place(api, "t", "needle")
        found = api.store.reads.read(search.text_of_thread, thread)
        assert found is not None
        assert await api.store.writer.run(search_index.put, thread, *found)
        assert not await api.store.writer.run(search_index.put, thread, *found)
        assert not await api.store.writer.run(search_index.put, "deleted", *found)
        assert len(rows(path, SEARCH)[SEARCH.name]) == 1


async def test_text_that_changed_while_it_was_indexed_is_indexed_again(path: Path) -> None:
    async with agent_on(path, [], runtime=READING) as api:
        thread = await place(api, "t", "needle")
        found = api.store.reads.read(search.text_of_thread, thread)
        assert found is not None
        await api.add_message(thread, {"role": "user", "content": "a pin", "id": "pin"})
        await api.store.writer.run(search_index.put, thread, *found)
        assert where(await by_index(api, "pin")) == [("t", "pin")]
        assert await index_all(api) == 1
        assert where(await by_index(api, "pin")) == [("t", "pin")]


async def test_a_worker_indexes_threads_that_have_been_quiet(path: Path) -> None:
    clock = FakeClock()
    async with agent_on(path, [["Yes."]], runtime={"clock": clock}) as api:
        await finished(api, await api.create_thread("needle"))

        async def indexed() -> bool:
            clock.advance(search_index.QUIET)
            return len(rows(path, SEARCH)[SEARCH.name]) == 1

        await eventually(indexed)


async def test_a_damaged_row_is_skipped_and_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    async with agent_on(path, lambda _: ["needle"], runtime={"clock": clock}) as api:
        threads = [await api.create_thread(f"needle {name}") for name in ("good", "bad")]
        for thread in threads:
            await finished(api, thread)

        def damage(tx: Tx) -> None:
            bad = threads[1].id
            tx.cursor.execute(f"update agent_message set parts = '[{{\"needle' where thread_id = '{bad}'")
            tx.cursor.execute(f"update agent_stream set usage = '{{' where thread_id = '{bad}'")
            tx.cursor.execute("update agent_thread set usage_seq = 0")

        await api.store.writer.run(damage)

        async def caught_up() -> bool:
            clock.advance(search_index.QUIET)
            counted = api.store.reads.read(lambda session: session.execute(select(THREAD.c.usage_seq)).all())
            return counted == [(1,), (1,)] and len(rows(path, SEARCH)[SEARCH.name]) == 2

        await eventually(caught_up)
        assert {hit.thread.id for hit in await api.search("needle")} == {thread.id for thread in threads}
    for words in ("searches skip the damaged message", "the usage of step 1 is damaged"):
        assert f"Thread {threads[1].id}: {words}" in caplog.text


async def test_the_index_is_not_used_while_most_threads_lack_an_entry(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_MAX_UNINDEXED", 2)
    async with agent_on(path, [], runtime=READING) as api:
        for number in range(3):
            await place(api, f"t{number}", "needle")
        condition = api.store.reads.read(search.candidates, ("needle",))
        assert condition is None
        assert len(await by_index(api, "needle")) == 3


@pytest.mark.sqlite
async def test_without_fts5_everything_is_searched(path: Path) -> None:
    """A SQLite that was built without it; the table is missing then."""
    async with agent_on(path, [], runtime=READING) as api:
        thread = await place(api, "t", "needle")
        await index_all(api)
        await api.store.writer.run(lambda tx: tx.cursor.execute("drop table agent_search_fts"))
        assert not api.store.reads.read(search_index.is_available)
        assert where(await by_index(api, "needle")) == [("t", "t-0")]
        await api.delete_thread(thread)
        assert rows(path, SEARCH)[SEARCH.name] == []
