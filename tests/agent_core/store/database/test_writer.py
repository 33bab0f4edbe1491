"""The store's single writer, its whole transactions, and hostile text."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import errors
from agent_core.store.threads import thread_row
from agent_core.store.threads.messages import NewMessage
from agent_core.store.turns import turns
from agent_core.testing import ToolUse
from agent_core.tools import action_tool
from tests.support.agents import Follower, agent_on, finished, rows, texts, tool_parts

# Writer


async def test_failing_write_of_a_group_takes_no_other_along(path: Path) -> None:
    def fail(tx: Any) -> None:
        thread_row.change(tx, "t", title="wrong")
        raise KeyError("mine")

    async with agent_on(path, []) as api:
        await api.create_thread(thread_id="t")
        writer = api.store.writer
        message = NewMessage("m", "user", [{"type": "text", "text": "Hi"}], {})
        ends = await asyncio.gather(
            writer.run(thread_row.change, "t", pinned=True),
            writer.run(fail),
            writer.run(turns.add, "t", message),
            writer.run(turns.add, "t", message),
            writer.run(thread_row.change, "t", archived=True),
            return_exceptions=True,
        )
        assert [type(end) for end in ends] == [
            type(None),
            KeyError,
            float,
            errors.DuplicateMessageError,
            type(None),
        ]
        thread = await api.get_thread("t")
        assert thread is not None
        assert (thread.pinned, thread.archived, thread.title) == (True, True, "Hi")


async def test_effects_come_after_the_commit_and_only_then(path: Path) -> None:
    happened: list[str] = []

    def write(tx: Any, name: str, fails: bool) -> None:
        tx.after(happened.append, name)
        if fails:
            raise ValueError(name)

    async with agent_on(path, []) as api:
        with pytest.raises(ValueError, match="bad"):
            await api.store.writer.run(write, "bad", True)
        await api.store.writer.run(write, "good", False)
    assert happened == ["good"]


async def test_a_caller_that_leaves_does_not_undo(path: Path) -> None:
    async with agent_on(path, []) as api:
        await api.create_thread(thread_id="t")
        leaving = asyncio.create_task(api.update_thread("t", title="kept"))
        await asyncio.sleep(0)
        leaving.cancel()
        await api.update_thread("t", pinned=True)
        assert (await api.get_thread("t")).title == "kept"  # type: ignore[union-attr]


async def test_many_writers_of_many_runtimes(path: Path) -> None:
    """No writer fails because the database is locked."""
    async with agent_on(path, []) as one, agent_on(path, []) as two, agent_on(path, []) as three:
        await one.create_thread(thread_id="t")
        apis = (one, two, three)
        adds = [
            apis[n % 3].add_message("t", {"id": f"{n}", "role": "user", "content": f"{n}"})
            for n in range(150)
        ]
        await asyncio.gather(*adds)
        messages = await one.list_messages("t")
        assert {message.id for message in messages} == {str(n) for n in range(150)}
        thread = await one.get_thread("t")
        assert thread is not None
        assert [row[1] for row in rows(path)["agent_delta"]] == list(range(1, thread.cursor + 1))


# Hostile text through the whole stack

HOSTILE = {
    "a megabyte": "word " * 200_000,
    "NUL": "a\0b",
    "lone surrogates": "a\ud800b\udfffc",
    "surrogate pair in halves": "\ud83d\ude00",
    "right to left": "\u202eمرحبا\u202c שלום",
    "emoji": "👩‍👩‍👧‍👦" * 100,
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\u2028\u2029\ufeff",
    "SQL": "'; drop table agent_thread; -- %s :x ? {0}",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "10,000 lines of code": "```\n" + "x = 1\n" * 10_000 + "```",
}


def clean(text: str) -> str:
    """Return the expected text: surrogate pairs joined, lone surrogates and NUL replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


@pytest.mark.parametrize("case", HOSTILE)
async def test_hostile_text(path: Path, case: str) -> None:
    """The text is used as a prompt, title, answer, argument, result, error, metadata and search."""
    given, wanted = HOSTILE[case], clean(HOSTILE[case])

    @action_tool
    async def echo(text: str) -> str:
        """Say it again."""
        assert text == wanted
        return text

    @action_tool
    async def fail(text: str) -> str:
        """Fail with it."""
        raise OSError(given[:5000])

    turns = [
        [given, ToolUse("echo", {"text": given}), ToolUse("fail", {"text": "x"})],
        [given, errors.ModelError(given[:5000], kind="auth")],
    ]
    async with agent_on(path, turns, tools=[echo, fail]) as api:
        thread = await api.create_thread(given, title=given[:5000], metadata={"note": given})
        async with Follower(api, thread.id) as follower:
            failed = await finished(api, thread)
            assert failed.error == clean(given[:5000])
            assert failed.title == clean(given[:5000])
            assert failed.metadata == {"note": wanted}
            question, answer = await texts(api, thread)
            assert question == wanted
            assert answer.count(wanted) == 2
            echoed, broken = await tool_parts(api, thread)
            assert echoed.get("output") == wanted
            assert broken["errorText"] == clean(given[:5000])
            await follower.agrees()
        assert isinstance(await api.list_threads(query=given[:50]), list)


@pytest.mark.parametrize("thread_id", ["\ud800", "a\0b", "", "x" * 10_000, "'; --"])
async def test_hostile_ids(path: Path, thread_id: str) -> None:
    async with agent_on(path, []) as api:
        assert await api.get_thread(thread_id) is None
        for call in (
            api.send_message(thread_id, "Hi"),
            api.list_messages(thread_id),
            api.delete_thread(thread_id),
        ):
            with pytest.raises(errors.ThreadNotFoundError):
                await call
        with pytest.raises(errors.ToolCallNotFoundError):
            await api.add_tool_result(thread_id, 1)


async def test_a_prompt_that_is_too_long_is_refused(path: Path) -> None:
    async with agent_on(path, []) as api:
        with pytest.raises(errors.ValidationError, match="longer than"):
            await api.create_thread("x" * 4_000_001)
        assert not any(rows(path).values())
