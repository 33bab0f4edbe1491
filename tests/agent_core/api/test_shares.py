"""Share tokens for reading a thread, and concurrent changes of its metadata."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from agent_core import define_agent_api
from agent_core.errors import AccessDeniedError, ThreadNotFoundError, ValidationError
from agent_core.store.threads.thread_row import MAX_MERGED_METADATA
from agent_core.streaming.fold import ThreadView
from tests.support.agents import agent_on, finished


async def test_token_gives_the_thread_to_read_until_it_is_taken_back(path: Path) -> None:
    async with agent_on(path, lambda messages: ["Yes."]) as api:
        thread = await finished(api, await api.create_thread("Hi", metadata={"a": 1}))
        part = await api.add_file(b"words", media_type="text/plain")
        token = await api.shares.create(thread.id)
        assert len(token) >= 43
        assert await api.shares.create(thread.id) == token
        await api.send_message(thread.id, [part])
        await finished(api, thread)

        shared = await api.shares.read(token)
        assert shared is not None
        assert (shared[0].id, [message.text for message in shared[1]]) == (
            thread.id,
            ["Hi", "Yes.", "", "Yes."],
        )
        file_id = part["url"].removeprefix("attachment:")
        assert await api.shares.read_file(token, file_id) is not None
        fork = await api.fork_thread(thread.id, shared[1][0].id)
        assert "share" not in fork.metadata

        await api.shares.revoke(thread.id)
        await api.shares.revoke(thread.id)  # a second revocation has no effect
        for unknown in (token, "", "%", "_" * 43, token[:-1], '"', "a\0b", "x" * 10_000):
            assert await api.shares.read(unknown) is None
        assert await api.shares.read_file(token, file_id) is None
        again = await api.shares.create(thread.id)
        assert again != token
        left = await api.get_thread(thread.id)
        assert left is not None
        assert left.metadata == {"a": 1, "share": again}


@pytest.mark.parametrize("end", ["unshare", "bin", "delete", "another token"])
async def test_follower_by_token_is_told_everything_until_it_is_taken_back(path: Path, end: str) -> None:
    def nobody(ctx: object, thread_id: str) -> None:
        raise AccessDeniedError("Not yours.")

    async with agent_on(path, lambda messages: ["Yes."]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        await api.add_message(thread.id, {"role": "system", "content": "Secret."})
        token = await api.shares.create(thread.id)
        view, public = ThreadView(), define_agent_api(api.store, api.agent, nobody)
        async with asyncio.timeout(30), aclosing(public.shares.subscribe(token)) as updates:
            view.apply(await anext(updates))
            assert [message["role"] for message in view.messages] == ["user", "assistant"]
            await api.send_message(thread.id, "And?")
            await finished(api, thread)
            await api.add_message(thread.id, {"role": "system", "content": "Secret."})
            await api.update_thread(thread.id, title="Renamed")
            while view.thread["title"] != "Renamed":
                view.apply(await anext(updates))
            assert [message["role"] for message in view.messages] == ["user", "assistant"] * 2
            if end == "bin":
                await api.delete_thread(thread.id, undo_for=60)
            elif end == "delete":
                await api.delete_thread(thread.id)
            else:
                await api.shares.revoke(thread.id)
            if end == "another token":
                await api.shares.create(thread.id)
            with pytest.raises(ThreadNotFoundError):
                await anext(updates)
        with pytest.raises(ThreadNotFoundError):
            await anext(public.shares.subscribe(token))


async def test_a_deleted_thread_is_not_shared_any_more(path: Path) -> None:
    async with agent_on(path, lambda messages: ["Yes."]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        token = await api.shares.create(thread.id)
        await api.delete_thread(thread.id, undo_for=60)
        assert await api.shares.read(token) is None
        await api.restore_thread(thread.id)
        assert await api.shares.read(token) is not None
        await api.delete_thread(thread.id)
        assert await api.shares.read(token) is None


async def test_the_token_is_what_allows_it_and_only_who_may_gives_it(path: Path) -> None:
    def nobody(ctx: object, thread_id: str) -> None:
        raise AccessDeniedError("Not yours.")

    async with agent_on(path, lambda messages: ["Yes."]) as internal:
        thread = await finished(internal, await internal.create_thread("Hi"))
        api = define_agent_api(internal.store, internal.agent, nobody)
        with pytest.raises(AccessDeniedError):
            await api.shares.create(thread.id)
        token = await internal.shares.create(thread.id)
        assert await api.shares.read(token) is not None


async def test_a_token_comes_from_share_thread_alone_and_other_metadata_leaves_it(path: Path) -> None:
    async with agent_on(path, lambda messages: ["Yes."]) as api:
        thread = await finished(api, await api.create_thread("Hi", metadata={"share": "mine", "a": 1}))
        assert thread.metadata == {"a": 1}
        token = await api.shares.create(thread.id)
        other = await api.create_thread(title="Other", metadata={"share": token})
        await api.update_thread(other.id, metadata={"share": token})
        found = await api.shares.read(token)
        assert found is not None
        assert found[0].id == thread.id
        after = await api.update_thread(thread.id, metadata={"share": "theirs", "b": 2})
        assert after.metadata == {"b": 2, "share": token}
        assert (await api.change_metadata(thread.id, {"b": None})).metadata == {"share": token}
        assert await api.shares.read("theirs") is None


async def test_the_page_is_told_of_the_token_with_the_other_metadata(path: Path) -> None:
    async with agent_on(path, lambda messages: ["Yes."]) as api:
        thread = await finished(api, await api.create_thread("Hi", metadata={"a": 1}))
        cursor = (await anext(aiter(api.subscribe(thread.id)))).cursor
        token = await api.shares.create(thread.id)
        await api.update_thread(thread.id, metadata={"b": 2})
        await api.shares.revoke(thread.id)
        told: list[object] = []
        async for update in api.subscribe(thread.id, cursor):
            told += [chunk["data"]["metadata"] for chunk in update.chunks]
            if len(told) == 3:
                break
        assert told == [{"a": 1, "share": token}, {"b": 2, "share": token}, {"b": 2}]


async def test_a_token_is_one_look_into_an_index(path: Path) -> None:
    async with agent_on(path, lambda messages: ["Yes."]) as api:
        with api.store.reads.session() as session:
            connection, ask = session.connection(), "explain query plan "
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("set local enable_seqscan = off")  # preferred for so few rows
                ask = "explain "
            asked = "select id from agent_thread where delete_at is null and share = 'x'"
            plan = str(connection.exec_driver_sql(ask + asked).all())
        assert "agent_thread_by_share" in plan


async def test_metadata_noted_at_the_same_time_is_kept(path: Path) -> None:
    async with agent_on(path, lambda messages: ["Yes."]) as api:
        thread = await api.create_thread(metadata={"gone": 1})
        keys = [f"key{n}" for n in range(20)]
        await asyncio.gather(*(api.change_metadata(thread.id, {key: key}) for key in keys))
        after = await api.change_metadata(thread.id, {"gone": None})
        assert after.metadata == dict(zip(keys, keys, strict=True))
        for bad in ({"share": "mine"}, {"long": "x" * MAX_MERGED_METADATA}):
            with pytest.raises(ValidationError):
                await api.change_metadata(thread.id, bad)
        unchanged = await api.get_thread(thread.id)
        assert unchanged is not None
        assert unchanged.metadata == after.metadata
