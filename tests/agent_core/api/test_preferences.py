"""Preferences: kept per person, merged when different keys change at once, and sent to followers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agent_core import CallContext
from agent_core.errors import ValidationError
from agent_core.store.database.open import opened
from tests.agent_core.store.database.test_migrations import ROWS, make
from tests.support.agents import agent_on
from tests.support.databases import url

ADA, BOB = CallContext("ada"), CallContext("bob")


async def test_each_person_has_their_own_and_they_outlive_a_restart(path: Path) -> None:
    async with agent_on(path, []) as api:
        assert await api.preferences.get(ctx=ADA) == {}
        assert await api.preferences.change({"a": 1, "b": {"c": [None]}}, ctx=ADA) == {
            "a": 1,
            "b": {"c": [None]},
        }
        await api.preferences.change({"a": 2}, ctx=BOB)
        await api.preferences.change({"a": 3})
    async with agent_on(path, []) as api:
        assert await api.preferences.change({"a": None, "d": "x"}, ctx=ADA) == {"b": {"c": [None]}, "d": "x"}
        assert [await api.preferences.get(ctx=ctx) for ctx in (ADA, BOB, None)] == [
            {"b": {"c": [None]}, "d": "x"},
            {"a": 2},
            {"a": 3},
        ]


async def test_changes_of_different_keys_at_once_are_both_kept(path: Path) -> None:
    async with agent_on(path, []) as one, agent_on(path, []) as two:
        await asyncio.gather(
            *(api.preferences.change({f"{n}": n}, ctx=ADA) for n, api in enumerate([one, two] * 10))
        )
        assert len(await one.preferences.get(ctx=ADA)) == 20


async def test_a_follower_in_another_process_is_told_once_of_each_change(path: Path) -> None:
    async with (
        asyncio.timeout(30),
        agent_on(path, []) as one,
        agent_on(path, []) as two,
        aclosing(two.preferences.follow(ctx=ADA)) as told,
    ):
        assert await anext(told) == {}
        await one.preferences.change({"a": 1}, ctx=BOB)
        await one.preferences.change({"a": 2}, ctx=ADA)
        assert await anext(told) == {"a": 2}
        await one.preferences.change({"a": 2}, ctx=ADA)
        await one.preferences.change({"a": None}, ctx=ADA)
        assert await anext(told) == {}


@pytest.mark.parametrize("wrong", ["text", {"a": object()}, {"a": "x" * 200_001}])
async def test_values_that_are_no_short_plain_json_are_refused(path: Path, wrong: Any) -> None:
    async with agent_on(path, []) as api:
        await api.preferences.change({"a": 1}, ctx=ADA)
        with pytest.raises(ValidationError):
            await api.preferences.change(wrong, ctx=ADA)
        with pytest.raises(ValidationError, match="name"):
            await api.preferences.get(ctx=CallContext("a\0b"))
        assert await api.preferences.get(ctx=ADA) == {"a": 1}


async def test_a_database_of_0004_gets_the_table_and_keeps_its_rows(path: Path) -> None:
    with opened(url(path), "NORMAL") as (engine, *_):
        make(engine, "0004", ROWS)
    async with agent_on(path, []) as api:
        assert {thread.id for thread in await api.list_threads()} == {"talk", "failed", "stopped", "waiting"}
        assert await api.preferences.change({"a": 1}, ctx=ADA) == {"a": 1}
