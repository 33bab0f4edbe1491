"""Access to files: for the sender and for readers of a thread with the file; a hash alone grants nothing."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_core import Agent, AgentApi, CallContext, Runtime, at, define_agent_api, every
from agent_core.domain.messages import Part, Thread, attachment_id
from agent_core.errors import AccessDeniedError, AgentCoreError, ValidationError
from agent_core.store.database.sql import FILE
from agent_core.store.threads import files
from agent_core.testing import FakeClock, ScriptedModel
from tests.support.agents import agent_on, finished
from tests.support.databases import prepared, select_all
from tests.support.schedules import ran

ANN, BOB = CallContext("ann"), CallContext("bob")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
DAY = 86_400


def holders(path: Path) -> list[str]:
    return sorted(row[0] for row in select_all(path, [FILE])["agent_file"])


async def idle(api: AgentApi, thread: Thread, ctx: CallContext) -> Thread:
    return await api.wait_until_idle(thread.id, 20, ctx=ctx)


class Doors:
    """Authorization callback with grants: people who may read a thread besides its owner."""

    def __init__(self) -> None:
        self.open: set[tuple[str, str]] = set()
        self.api: AgentApi | None = None

    async def __call__(self, ctx: CallContext | None, thread_id: str) -> None:
        assert self.api is not None
        thread = await asyncio.to_thread(self.api.store.reads.thread, thread_id)
        caller = ctx.user_id if ctx else None
        if thread is not None and thread.user_id != caller and (str(caller), thread_id) not in self.open:
            raise AccessDeniedError("Not yours.")


async def _create(api: AgentApi, mine: str, part: Part) -> None:
    await api.create_thread([part], ctx=BOB)


async def _create_from(api: AgentApi, mine: str, part: Part) -> None:
    await api.create_thread(messages=[{"role": "user", "parts": [part]}], ctx=BOB)


async def _send(api: AgentApi, mine: str, part: Part) -> None:
    await api.send_message(mine, [part], ctx=BOB)


async def _send_after(api: AgentApi, mine: str, part: Part) -> None:
    first = (await api.list_messages(mine, ctx=BOB))[0]
    await api.send_message(mine, [part], after=first.id, ctx=BOB)


async def _queue(api: AgentApi, mine: str, part: Part) -> None:
    await api.send_message(mine, [part], when_busy="queue", ctx=BOB)


async def _add(api: AgentApi, mine: str, part: Part) -> None:
    await api.add_message(mine, {"role": "assistant", "parts": [part]}, ctx=BOB)


async def _edit(api: AgentApi, mine: str, part: Part) -> None:
    first = (await api.list_messages(mine, ctx=BOB))[0]
    await api.edit_message(mine, first.id, [part], ctx=BOB)


async def _resume(api: AgentApi, mine: str, part: Part) -> None:
    await api.resume_thread(mine, [part], ctx=BOB)


async def _schedule(api: AgentApi, mine: str, part: Part) -> None:
    await api.schedules.create(mine, [part], every(hours=1), ctx=BOB)


async def _reschedule(api: AgentApi, mine: str, part: Part) -> None:
    made = await api.schedules.create(mine, "Hi", every(hours=1), ctx=BOB)
    await api.schedules.update(made.id, prompt=[part], ctx=BOB)


async def _http(api: Any, mine: str, part: Part) -> None:
    app = api.http_app(lambda request: BOB)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        said = {"id": "m", "role": "user", "parts": [part]}
        chat = await client.post("/chat", json={"id": mine, "messages": [said]})
        sent = await client.post(f"/threads/{mine}/messages", json={"prompt": [part]})
    assert (chat.status_code, sent.status_code) == (422, 422), (chat.text, sent.text)
    raise ValidationError(f"{chat.json()['error']['message']} attach it again")


WAYS: dict[str, Callable[[Any, str, Part], Awaitable[None]]] = {
    name.strip("_"): way
    for name, way in globals().items()
    if name.startswith("_") and inspect.iscoroutinefunction(way)
}


async def _opened(runtime: Runtime, doors: Doors | None) -> AgentApi:
    api = define_agent_api(
        runtime, Agent("a", ScriptedModel(lambda _: ["Yes."])), authorization_callback=doors
    )
    if doors is not None:
        doors.api = api
    return api


@pytest.mark.parametrize("guarded", [True, False], ids=["authorized", "by owner"])
async def test_another_persons_file_cannot_be_attached_by_its_hash(path: Path, guarded: bool) -> None:
    async with Runtime(prepared(path)) as runtime:
        api = await _opened(runtime, Doors() if guarded else None)
        part = await api.add_file(PNG, media_type="image/png", filename="dot.png", ctx=ANN)
        mine = await idle(api, await api.create_thread("Hi", ctx=BOB), BOB)
        for name, way in WAYS.items():
            with pytest.raises(ValidationError, match="attach it again"):
                await way(api, mine.id, part)
            assert len(await api.list_threads(ctx=BOB)) == 1, name
        hers = await idle(api, await api.create_thread([part], ctx=ANN), ANN)
        for way in WAYS.values():
            with pytest.raises(ValidationError, match="attach it again"):
                await way(api, mine.id, part)
        assert holders(path) == [":ann", hers.id]
        for holder in (":ann", "", mine.id, f"schedule:{mine.id}"):
            with pytest.raises(AgentCoreError) if holder != mine.id else contextlib.nullcontext():
                assert await api.read_file(holder, str(attachment_id(part["url"])), ctx=BOB) is None


async def test_a_reader_of_a_thread_may_attach_its_files_until_access_is_revoked(path: Path) -> None:
    clock = FakeClock()
    async with Runtime(prepared(path), clock=clock) as runtime:
        doors = Doors()
        api = await _opened(runtime, doors)
        part = await api.add_file(PNG, media_type="image/png", ctx=ANN)
        hers = await idle(api, await api.create_thread([part], ctx=ANN), ANN)
        await api.store.writer.run(files.forget, clock.now() + DAY)
        assert holders(path) == [hers.id]
        again = await api.create_thread([part], ctx=ANN)  # a second thread of hers with the file
        await idle(api, again, ANN)

        doors.open = {("bob", hers.id)}
        first = await idle(api, await api.create_thread([part], ctx=BOB), BOB)
        doors.open = set()
        with pytest.raises(ValidationError, match="attach it again"):
            await api.create_thread([{**part, "url": part["url"].replace(part["url"][-1], "0")}], ctx=BOB)
        await api.delete_thread(first.id, ctx=BOB)
        with pytest.raises(ValidationError, match="attach it again"):
            await api.create_thread([part], ctx=BOB)

        doors.open = {("bob", hers.id)}
        await api.delete_thread(hers.id, ctx=ANN)
        await api.delete_thread(again.id, ctx=ANN)
        with pytest.raises(ValidationError, match="attach it again"):  # the granted thread is deleted
            await api.create_thread([part], ctx=BOB)


async def test_a_share_gives_its_files_to_read_and_nothing_once_it_is_taken_back(path: Path) -> None:
    async with Runtime(prepared(path)) as runtime:
        api = await _opened(runtime, None)
        part = await api.add_file(PNG, media_type="image/png", ctx=ANN)
        hers = await idle(api, await api.create_thread([part], ctx=ANN), ANN)
        file_id = str(attachment_id(part["url"]))
        token = await api.shares.create(hers.id, ctx=ANN)
        found = await api.shares.read_file(token, file_id)
        assert found is not None
        assert found.data == PNG
        await api.shares.revoke(hers.id, ctx=ANN)
        assert await api.shares.read_file(token, file_id) is None
        with pytest.raises(ValidationError, match="attach it again"):
            await api.create_thread([part], ctx=BOB)


async def test_a_share_gives_no_file_of_a_message_that_it_does_not_show(path: Path) -> None:
    """After an edit removed the file, the share no longer gives it, but the owner's other branch does."""
    async with Runtime(prepared(path)) as runtime:
        api = await _opened(runtime, None)
        part = await api.add_file(PNG, media_type="image/png", ctx=ANN)
        file_id = str(attachment_id(part["url"]))
        hers = await idle(api, await api.create_thread([part], ctx=ANN), ANN)
        token = await api.shares.create(hers.id, ctx=ANN)
        assert await api.shares.read_file(token, file_id)
        first = (await api.list_messages(hers.id, ctx=ANN))[0]
        await api.edit_message(hers.id, first.id, "Without it.", ctx=ANN)
        await idle(api, hers, ANN)
        assert await api.shares.read_file(token, file_id) is None
        assert await api.read_file(hers.id, file_id, ctx=ANN)
        await api.send_message(hers.id, [part], ctx=ANN)
        assert await api.shares.read_file(token, file_id)
        await idle(api, hers, ANN)


@pytest.mark.parametrize("before", ["unsent", "in a thread"])
async def test_file_that_many_people_send_is_still_its_senders(path: Path, before: str) -> None:
    async with Runtime(prepared(path)) as runtime:
        api = await _opened(runtime, None)
        part = await api.add_file(PNG, media_type="image/png", ctx=ANN)
        if before == "in a thread":
            await idle(api, await api.create_thread([part], ctx=ANN), ANN)
        for number in range(60):
            ctx = CallContext(f"user {number}")
            await api.add_file(PNG, media_type="image/png", ctx=ctx)
        await idle(api, await api.create_thread([part], ctx=ANN), ANN)


async def test_two_people_who_send_equal_bytes_have_each_their_own(path: Path) -> None:
    async with Runtime(prepared(path)) as runtime:
        api = await _opened(runtime, None)
        people = [CallContext(f"user {number}") for number in range(8)]
        parts = await asyncio.gather(
            *(api.add_file(PNG, media_type="image/png", ctx=ctx) for ctx in people for _ in range(2))
        )
        assert len({part["url"] for part in parts}) == 1
        assert holders(path) == [f":user {number}" for number in range(8)]
        threads = await asyncio.gather(*(api.create_thread([parts[0]], ctx=ctx) for ctx in people))
        for thread, ctx in zip(threads, people, strict=True):
            await idle(api, thread, ctx)
            assert await api.read_file(thread.id, str(attachment_id(parts[0]["url"])), ctx=ctx)


async def test_files_belong_to_everybody_without_users(path: Path) -> None:
    async with agent_on(path, lambda _: ["Yes."]) as api:
        part = await api.add_file(PNG, media_type="image/png")
        first = await finished(api, await api.create_thread([part]))
        await api.store.writer.run(files.forget, api.store.clock.now() + DAY)
        second = await finished(api, await api.create_thread([part]))
        assert holders(path) == sorted([first.id, second.id])
        kept = await api.add_file(b"text", media_type="text/plain", ctx=ANN)
        await api.create_thread([kept])  # a call without a context may attach any file


async def test_a_name_cannot_pretend_to_be_another_holder(path: Path) -> None:
    async with Runtime(prepared(path)) as runtime:
        api = await _opened(runtime, None)
        nobodys = await api.add_file(PNG, media_type="image/png")
        for name in ("", ":", "schedule:s"):
            with pytest.raises(ValidationError, match="attach it again"):
                await api.create_thread([nobodys], ctx=CallContext(name))
        hers = await api.add_file(b"x", media_type="text/plain", ctx=ANN)
        for name in (":ann", "ANN", "ann ", ""):
            with pytest.raises(ValidationError, match="attach it again"):
                await api.create_thread([hers], ctx=CallContext(name))


async def test_an_unsent_file_is_forgotten_though_another_person_sent_the_same(path: Path) -> None:
    clock = FakeClock()
    async with agent_on(path, [], runtime={"clock": clock}) as api:
        await api.add_file(PNG, media_type="image/png", ctx=ANN)
        await api.add_file(PNG, media_type="image/png")
        assert holders(path) == ["", ":ann"]
        await api.store.writer.run(files.forget, clock.now() - 1)
        assert holders(path) == ["", ":ann"]
        await api.store.writer.run(files.forget, clock.now() + 1)
        assert holders(path) == []


async def test_a_schedule_keeps_what_it_is_going_to_send(path: Path) -> None:
    clock = FakeClock(1_750_000_000.0)
    async with agent_on(path, lambda _: ["Yes."], runtime={"clock": clock}) as api:
        part = await api.add_file(PNG, media_type="image/png", ctx=ANN)
        made = await api.schedules.create(None, [part], at("2025-06-20T09:00Z"), schedule_id="s", ctx=ANN)
        await api.store.writer.run(files.forget, clock.now() + DAY)
        assert holders(path) == ["schedule:s"]
        clock.advance(7 * DAY)
        over = await ran(api, made.id, 1)
        thread = await finished(api, str(over.last_thread_id))
        assert thread.status == "completed"
        assert await api.read_file(thread.id, str(attachment_id(part["url"])), ctx=ANN)
        await api.schedules.delete("s", ctx=ANN)
        assert holders(path) == [thread.id]

        in_thread = await api.schedules.create(thread.id, [part], every(hours=1), schedule_id="t", ctx=ANN)
        assert holders(path) == sorted(["schedule:t", thread.id])
        assert in_thread.thread_id == thread.id
        await api.delete_thread(thread.id)
        assert holders(path) == []


async def test_a_fork_has_the_files_of_what_it_copies_and_no_later_ones(path: Path) -> None:
    async with agent_on(path, lambda _: ["Yes."]) as api:
        early = await api.add_file(PNG, media_type="image/png")
        late = await api.add_file(b"secret", media_type="text/plain")
        thread = await finished(api, await api.create_thread([early]))
        first = (await api.list_messages(thread.id))[0]
        await api.send_message(thread.id, [late])
        await finished(api, thread)
        fork = await api.fork_thread(thread.id, first.id)
        assert await api.read_file(fork.id, str(attachment_id(early["url"])))
        assert await api.read_file(fork.id, str(attachment_id(late["url"]))) is None
