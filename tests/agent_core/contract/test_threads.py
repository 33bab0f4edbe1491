"""The contract of threads: creating, listing, changing and deleting them, and authorization."""

from __future__ import annotations

from typing import Any

import pytest

from agent_core import CallContext, errors
from tests.agent_core.contract.support import Contract, shown_text

# create_thread


async def test_a_new_thread_is_idle(contract: Contract) -> None:
    async with contract.api([]) as api:
        thread = await api.create_thread(title="Plans", metadata={"colour": "blue"})
        assert (thread.status, thread.title, thread.metadata) == ("completed", "Plans", {"colour": "blue"})
        assert (thread.stop_signal, thread.retry_state, thread.error) == (False, None, None)
        assert await api.get_thread(thread.id) == thread


async def test_a_prompt_starts_the_new_thread(contract: Contract) -> None:
    async with contract.api([["Hello."]]) as api:
        thread = await api.create_thread("Hi")
        assert (await api.wait_until_idle(thread.id, 20)).status == "completed"
        messages = await api.list_messages(thread.id)
        assert [(m.role, shown_text(m)) for m in messages] == [("user", "Hi"), ("assistant", "Hello.")]


@pytest.mark.parametrize("blank", ["", "   ", "\n\t", []])
async def test_a_blank_prompt_creates_nothing(contract: Contract, blank: Any) -> None:
    async with contract.api([]) as api:
        with pytest.raises(errors.ValidationError):
            await api.create_thread(blank)
        assert await api.list_threads() == []


async def test_earlier_messages_wait_for_auto_start(contract: Contract) -> None:
    history = [{"role": "user", "content": "One?"}]
    async with contract.api([["Two."], ["Three."]]) as api:
        idle = await api.create_thread(messages=history)
        started = await api.create_thread(messages=history, auto_start=True)
        assert (await api.wait_until_idle(started.id, 20)).status == "completed"
        assert len(await api.list_messages(started.id)) == 2
        assert (await api.get_thread(idle.id)).status == "completed"  # type: ignore[union-attr]
        assert len(await api.list_messages(idle.id)) == 1


# threads


async def test_threads_are_listed_changed_and_deleted(contract: Contract) -> None:
    async with contract.api([["Hello", 30.0]]) as api:
        one = await api.create_thread(title="Apples")
        two = await api.create_thread(title="Pears")
        assert [t.id for t in await api.list_threads()] == [two.id, one.id]
        assert [t.id for t in await api.list_threads(1, cursor=two.id)] == [one.id]
        assert [t.id for t in await api.list_threads(query="appl")] == [one.id]
        changed = await api.update_thread(
            one.id, title="Plums", pinned=True, archived=True, metadata={"a": 1}
        )
        assert (changed.title, changed.pinned, changed.archived, changed.metadata) == (
            "Plums",
            True,
            True,
            {"a": 1},
        )
        assert [t.id for t in await api.list_threads(archived=True)] == [one.id]
        await api.send_message(two.id, "Hi")
        await api.delete_thread(two.id)
        assert await api.get_thread(two.id) is None
        with pytest.raises(errors.ThreadNotFoundError):
            await api.list_messages(two.id)


async def test_everything_unknown_is_not_found(contract: Contract) -> None:
    async with contract.api([]) as api:
        for call in (
            api.send_message("nope", "Hi"),
            api.add_message("nope", {"role": "user", "content": "Hi"}),
            api.resume_thread("nope"),
            api.stop_thread("nope"),
            api.update_thread("nope", title="x"),
            api.delete_thread("nope"),
            api.list_messages("nope"),
            api.stream_updates("nope"),
            api.wait_until_idle("nope", 1),
            api.edit_message("nope", "m", "x"),
            api.regenerate("nope", "m"),
            api.fork_thread("nope", "m"),
            api.timeline("nope"),
            api.list_messages_with_streams("nope"),
        ):
            with pytest.raises(errors.ThreadNotFoundError):
                await call
        with pytest.raises(errors.ToolCallNotFoundError):
            await api.add_tool_result("nope", 1)
        assert await api.get_thread("nope") is None


# authorization


async def test_the_callback_is_asked_before_anything_happens(contract: Contract) -> None:
    def only_anna(ctx: CallContext | None, thread_id: str) -> None:
        if ctx is None or ctx.user_id != "anna":
            raise errors.AccessDeniedError(f"{thread_id} is Anna's.")

    anna, bob = CallContext("anna"), CallContext("bob", {"role": "guest"})
    async with contract.api([["Hello."]], authorization_callback=only_anna) as api:
        thread = await api.create_thread("Hi", ctx=anna)
        await api.wait_until_idle(thread.id, 20, ctx=anna)
        assert thread.user_id == "anna"
        for caller in (bob, None):
            with pytest.raises(errors.AccessDeniedError):
                await api.send_message(thread.id, "Hi", ctx=caller)
            with pytest.raises(errors.AccessDeniedError):
                async for _ in api.subscribe(thread.id, ctx=caller):
                    pass
        assert await api.list_threads(ctx=bob) == []
        assert [t.id for t in await api.list_threads(ctx=anna)] == [thread.id]
        assert len(await api.list_messages(thread.id, ctx=anna)) == 2
