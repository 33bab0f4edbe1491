"""Wake-up keys: a value in the program, a text and columns in the row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.domain.wake_ups.wake_up_key import (
    WakeUpKey,
    WakeUpKind,
    schedule_key,
    step_key,
    timeout_key,
    tool_key,
)
from agent_core.store.database.sql import WAKE_UP
from agent_core.store.database.transaction import Tx
from agent_core.store.wake_ups import wake_ups as store
from tests.support.agents import agent_on, finished, rows

TEXTS = {
    "step:t": step_key("t"),
    "tool:t:c": tool_key("t", "c"),
    "tool:t:functions.look:0": tool_key("t", "functions.look:0"),  # a call id in Kimi's format
    "timeout:t:c": timeout_key("t", "c"),
    "schedule:s": schedule_key("s"),
}
ids = st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"]), min_size=1)
call_ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize("text", TEXTS)
def test_a_key_reads_and_writes_its_text(text: str) -> None:
    assert WakeUpKey.parse(text) == TEXTS[text]
    assert str(TEXTS[text]) == f"{TEXTS[text]}" == text


@given(st.sampled_from(WakeUpKind), ids, call_ids)
def test_any_key_survives_its_text(kind: WakeUpKind, thread_id: str, call_id: str) -> None:
    for key in (WakeUpKey(kind, thread_id), WakeUpKey(kind, thread_id, call_id)):
        assert WakeUpKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "step", "nothing:t", "STEP:t"])
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not enough values|is not a valid WakeUpKind"):
        WakeUpKey.parse(text)


def columns(path: Path) -> dict[str, tuple[str | None, str | None, str | None]]:
    """Return kind, thread id and call id of the wake-ups, by wake-up id."""
    places = [WAKE_UP.c.keys().index(name) for name in ("kind", "thread_id", "call_id")]
    found: Any = {row[0]: tuple(row[place] for place in places) for row in rows(path)["agent_wake_up"]}
    return found


async def test_a_wake_up_carries_its_key_in_columns(path: Path) -> None:
    async with agent_on(path, [], runtime={"work": False}) as api:

        def put(tx: Tx) -> None:
            for text, key in TEXTS.items():
                tx.wake.enqueue(tx, text if key.kind == "step" else key, tx.now + 60)

        await api.store.writer.run(put)
    assert columns(path) == {
        text: (str(key.kind), key.thread_id, key.call_id or None) for text, key in TEXTS.items()
    }


OLD = "insert into agent_wake_up (id, next_run_time, thread_id, worker, job_state) values "


async def test_the_row_of_an_older_version_is_named_and_runs(path: Path) -> None:
    """An older version that still runs beside this one writes no key columns, and may end before its work."""
    async with agent_on(path, ["Hello."]) as api:
        await api.create_thread(thread_id="t")

        def strand(tx: Tx) -> None:
            tx.cursor.execute("update agent_thread set status = 'streaming', message_id = 'm', position = 2")
            tx.cursor.execute(
                f"{OLD} ('step:t', 0, 't', null, '{{}}'), ('timeout:t:a:b', 9e9, 't', null, '{{}}')"
            )

        await api.store.writer.run(strand)
        assert (await finished(api, "t")).status == "completed"
    assert columns(path) == {"timeout:t:a:b": ("timeout", "t", "a:b")}


async def test_the_unnamed_lease_of_an_older_version_is_not_taken_for_missing(path: Path) -> None:
    """Such a row could be written between the search for unnamed rows and the search for missing ones."""
    async with agent_on(path, [], runtime={"work": False}) as api:
        await api.create_thread(thread_id="t")
        wake_ups = api.store.wake_ups

        def strand(tx: Tx) -> int:
            tx.cursor.execute("update agent_thread set status = 'streaming'")
            tx.cursor.execute(f"{OLD} ('step:t', 9e9, 't', 'old', '{{}}')")
            return wake_ups.missing(_Blind(tx.cursor, tx.dialect, tx.wake, tx.now))

        assert await api.store.writer.run(strand) == 0
    assert [row[4] for row in rows(path)["agent_wake_up"]] == ["old"]


class _Blind(Tx):
    """Transaction whose search for unnamed rows finds none."""

    def all(self, statement: Any, **values: Any) -> Any:
        return [] if statement is store._UNNAMED else super().all(statement, **values)  # pyright: ignore[reportPrivateUsage]
