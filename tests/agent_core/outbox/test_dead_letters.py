"""Operating an outbox: dead letters, access, HTTP paths and metrics; and its arguments."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from agent_core import (
    CallContext,
    Outbox,
    OutboxEvent,
    define_agent_api,
    errors,
)
from agent_core.monitoring import Metrics
from agent_core.store.outbox import dead_letters
from agent_core.testing import FakeClock, eventually
from tests.support.agents import agent_on, finished, runtime_of
from tests.support.outbox import STATUS, Receiver, emptied, on
from tests.support.servers.http_server import served


async def test_an_event_that_is_given_up_is_a_dead_letter_until_it_is_redelivered_or_discarded(
    path: Path,
) -> None:
    accepts, clock = False, FakeClock()

    def fails(event: OutboxEvent) -> BaseException | None:
        if accepts or event.data["status"] == "completed":
            return None
        if event.thread_id == "final":
            return errors.DeliveryError("Gone.", retryable=False)
        return RuntimeError("down")

    receiver = Receiver(fails)
    async with on(path, receiver, outbox={"events": [STATUS]}, runtime={"clock": clock}) as api:
        for name in ("final", "retried"):
            await api.create_thread("Hi", thread_id=name)
            await finished(api, name)
        await eventually(lambda: len(receiver.seen) == 2)  # later events go on

        async def dead() -> Any:
            found = await api.outbox.dead_letters()
            return found if len(found) == 2 else None

        letters = {letter.thread_id: letter for letter in await eventually(dead)}
        assert (letters["final"].attempts, letters["final"].error) == (1, "Gone.")
        assert letters["retried"].attempts == 3
        assert letters["retried"].data == {"status": "streaming", "previous_status": "completed"}
        assert [each.id for each in await api.outbox.dead_letters(1)] == [letters["retried"].id]
        older = await api.outbox.dead_letters(before=letters["retried"].id)
        assert [each.id for each in older] == [letters["final"].id]
        accepts = True
        await api.outbox.redeliver(letters["retried"].id)
        await eventually(lambda: receiver.seen[-1].id == letters["retried"].id)
        assert receiver.seen[-1].attempt == 1
        await api.outbox.discard(letters["final"].id)
        await emptied(path)
        for method in (api.outbox.redeliver, api.outbox.discard):
            with pytest.raises(errors.DeadLetterNotFoundError):
                await method(letters["final"].id)
        assert await api.outbox.redeliver_all() == 0
        accepts = False
        await api.create_thread("Hi", thread_id="expired")
        await eventually(lambda: [event for event in receiver.seen if event.thread_id == "expired"])
        clock.advance(30 * 86_400 - 60)
        assert await api.store.writer.run(dead_letters.expire) == 0
        clock.advance(120)
        assert await api.store.writer.run(dead_letters.expire) == 1


@pytest.mark.sqlite  # the handler does not depend on the database
async def test_a_sync_handler_runs_in_a_thread_and_a_late_one_fails(path: Path) -> None:
    seen: list[str] = []

    def receive(event: OutboxEvent) -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        seen.append(event.type)

    async with on(path, receive, outbox={"events": [STATUS]}) as api:
        await finished(api, await api.create_thread("Hi"))
        await emptied(path)
    assert seen == [STATUS, STATUS]
    late = Outbox(lambda event: asyncio.Event().wait(), timeout=0.01)
    with pytest.raises(errors.DeliveryError, match=r"within 0\.01 s") as caught:
        await late.deliver(Any)  # pyright: ignore[reportArgumentType]
    assert caught.value.code == "delivery_timed_out"


@pytest.mark.parametrize(
    "wrong",
    [{"events": []}, {"events": ["turn.ended"]}, {"timeout": 0}, {"retry": 3}, {"handler": None}],
    ids=str,
)
def test_an_invalid_argument_of_an_outbox_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.ValidationError, match="of Outbox must be"):
        Outbox(**{"handler": print, **wrong})


async def test_users_have_no_access_to_the_outbox_unless_a_callback_allows_it(path: Path) -> None:
    def admins(ctx: CallContext | None) -> None:
        if ctx is None or ctx.user_id != "admin":
            raise errors.AccessDeniedError("Admins only.")

    ann = CallContext("ann")
    async with agent_on(path, []) as internal:
        agent: Any = internal.agent
        calls: list[tuple[str, Any]] = [("redeliver", "e"), ("discard", "e"), ("dead_letters", 1)]
        calls += [(name, None) for name in ("status", "redeliver_all", "switch_off")]
        for name, argument in calls:
            arguments = () if argument is None else (argument,)
            api = define_agent_api(internal.store, agent)
            with pytest.raises(errors.AccessDeniedError, match="may not see or change the outbox"):
                await getattr(api.outbox, name)(*arguments, ctx=ann)
            api = define_agent_api(internal.store, agent, outbox_callback=admins)
            for ctx in (ann, None):
                with pytest.raises(errors.AccessDeniedError, match="Admins only"):
                    await getattr(api.outbox, name)(*arguments, ctx=ctx)
            with contextlib.suppress(errors.DeadLetterNotFoundError):
                await getattr(api.outbox, name)(*arguments, ctx=CallContext("admin"))


async def test_the_outbox_is_operated_over_http_and_shown_in_the_metrics(path: Path) -> None:
    accepts = False

    def fails(event: OutboxEvent) -> BaseException | None:
        return None if accepts else errors.DeliveryError("No.", retryable=False)

    receiver = Receiver(fails)
    async with on(path, receiver, outbox={"events": ["turn.completed"]}) as internal:
        metrics = Metrics(runtime_of(internal))
        closed = define_agent_api(internal.store, internal.agent)
        async with served(closed.http_app()) as client:
            for method, place in (("GET", ""), ("DELETE", ""), ("POST", "/dead-letters/redeliver")):
                assert (await client.request(method, f"/outbox{place}")).status_code == 403
        api = define_agent_api(internal.store, internal.agent, outbox_callback=lambda _: True, replace=True)
        async with served(api.http_app()) as client:
            for _ in range(3):
                await finished(api, await api.create_thread("Hi"))

            async def dead() -> Any:
                found = (await client.get("/outbox/dead-letters")).json()["dead_letters"]
                return found if len(found) == 3 else None

            letters = await eventually(dead)
            assert 'agent_core_outbox_events{state="dead"} 3\n' in await metrics.text()
            assert "agent_core_oldest_outbox_event_seconds 0\n" in await metrics.text()
            status = (await client.get("/outbox")).json()
            assert status == {"events": ["turn.completed"], "pending": 0, "oldest_at": None, "dead": 3}
            assert (await client.delete(f"/outbox/dead-letters/{letters[0]['id']}")).status_code == 204
            missing = await client.post(f"/outbox/dead-letters/{letters[0]['id']}/redeliver")
            assert (missing.status_code, missing.json()["error"]["code"]) == (404, "dead_letter_not_found")
            accepts = True
            assert (
                await client.post(f"/outbox/dead-letters/{letters[1]['id']}/redeliver")
            ).status_code == 204
            assert (await client.post("/outbox/dead-letters/redeliver")).json() == {"redelivered": 1}
            await eventually(
                lambda: {event.id for event in receiver.seen} == {each["id"] for each in letters[1:]}
            )
            assert (await client.get("/outbox/dead-letters?limit=0")).status_code == 422
            assert (await client.delete("/outbox")).status_code == 204
            assert (await client.get("/outbox")).json()["events"] == []
        metrics.close()
