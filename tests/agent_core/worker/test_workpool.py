"""The workpool: limited, fair between threads, and never dropping submitted work."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core import Workpool, errors
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, WakeUpKind, step_key, tool_key
from agent_core.testing import eventually


class Log:
    """Handler that records each run, and holds it until released."""

    def __init__(self, *, held: bool = True) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.go = asyncio.Event()
        if not held:
            self.go.set()

    async def __call__(self, key: WakeUpKey) -> None:
        self.began.append(key.call_id)
        try:
            await self.go.wait()
        finally:
            self.ended.append(key.call_id)


async def idle(pool: Workpool) -> None:
    await eventually(lambda: not pool.busy)


@pytest.mark.parametrize("most", [0, -1])
def test_workpool_needs_room_for_one(most: int) -> None:
    with pytest.raises(errors.ValidationError):
        Workpool(most)


async def test_workpool_runs_no_more_than_its_limit_at_once() -> None:
    pool, log = Workpool(2), Log()
    for number in range(5):
        pool.submit(tool_key(f"t{number}", f"k{number}"), log)
    await asyncio.sleep(0)
    assert log.began == ["k0", "k1"]
    assert pool.free == 0
    log.go.set()
    await idle(pool)
    assert log.began == [f"k{number}" for number in range(5)]
    assert pool.free == 2


async def test_fifty_calls_of_one_thread_do_not_hold_up_anothers_only_one() -> None:
    pool, log = Workpool(1), Log(held=False)
    for number in range(50):
        pool.submit(tool_key("big", f"big{number}"), log)
    pool.submit(tool_key("small", "small"), log)
    await idle(pool)
    assert log.began.index("small") <= 2


async def test_a_key_submitted_again_while_it_waits_runs_once() -> None:
    pool, log = Workpool(1), Log()
    pool.submit(tool_key("t", "first"), log)
    for _ in range(3):
        pool.submit(tool_key("t", "second"), log)
    log.go.set()
    await idle(pool)
    assert log.began == ["first", "second"]


async def test_a_key_submitted_again_while_it_runs_runs_once_more() -> None:
    pool, log = Workpool(1), Log()
    pool.submit(tool_key("t", "k"), log)
    await asyncio.sleep(0)
    for _ in range(3):
        pool.submit(tool_key("t", "k"), log)
    assert pool.holds(tool_key("t", "k"))
    log.go.set()
    await idle(pool)
    assert log.began == ["k", "k"]
    assert not pool.holds(tool_key("t", "k"))


async def test_a_key_cancelled_before_it_began_is_free_again() -> None:
    pool, log = Workpool(1), Log(held=False)
    pool.submit(tool_key("t", "k"), log)
    pool.cancel("t")  # its task exists but has not started
    await idle(pool)
    assert log.began == []
    pool.submit(tool_key("t", "k"), log)
    await idle(pool)
    assert log.began == ["k"]


async def test_a_cancelled_thread_loses_its_waiting_work() -> None:
    pool, log = Workpool(1), Log()
    for key, thread in (("a", "t"), ("b", "t"), ("c", "u")):
        pool.submit(tool_key(thread, key), log)
    await asyncio.sleep(0)
    pool.cancel("t")
    await eventually(lambda: log.began == ["a", "c"])
    assert log.ended == ["a"]
    log.go.set()
    await idle(pool)
    assert log.began == ["a", "c"]


async def test_a_key_that_was_ended_still_runs_again_if_submitted_again() -> None:
    pool, log = Workpool(1), Log()
    pool.submit(tool_key("t", "k"), log)
    await asyncio.sleep(0)
    pool.submit(tool_key("t", "k"), log)
    pool.cancel_key(tool_key("t", "k"))
    pool.cancel_key(tool_key("t", "unknown"))
    await eventually(lambda: log.began == ["k", "k"])
    log.go.set()
    await idle(pool)


async def test_a_handler_that_fails_frees_its_place(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(key: WakeUpKey) -> None:
        raise KeyError(key)

    pool, log = Workpool(1), Log(held=False)
    pool.submit(tool_key("t", "bad"), fail)
    pool.submit(tool_key("t", "good"), log)
    await idle(pool)
    assert log.began == ["good"]
    assert "Unexpected error in tool:t:bad" in caplog.text


async def test_closing_takes_nothing_new_and_ends_what_runs() -> None:
    pool, step, tool = Workpool(2), Log(), Log()
    pool.submit(step_key("t"), step)
    pool.submit(tool_key("t", "c"), tool)
    pool.submit(tool_key("t", "d"), tool)
    await asyncio.sleep(0)
    closing = asyncio.create_task(pool.close(5, WakeUpKind.STEP))
    await eventually(lambda: step.ended)  # at once; a tool gets a grace period
    assert not tool.ended
    pool.submit(tool_key("t", "late"), tool)
    tool.go.set()
    await closing
    assert tool.began == ["c"]


async def test_tool_is_cancelled_after_its_grace() -> None:
    pool, tool = Workpool(2), Log()
    pool.submit(tool_key("t", "c"), tool)
    await asyncio.sleep(0)
    await pool.close(0.01, WakeUpKind.STEP)
    assert tool.ended == ["c"]


events = st.lists(
    st.tuples(st.sampled_from(["submit", "cancel", "end", "turn"]), st.integers(0, 5), st.integers(0, 2)),
    max_size=60,
)


@settings(max_examples=60)
@given(events, st.integers(1, 3))
def test_workpool_comes_to_rest_and_forgets_no_key(moves: list[tuple[str, int, int]], most: int) -> None:
    """Every key submitted and not cancelled runs after its last submission, within the limit."""

    async def main() -> None:
        pool, owed, running = Workpool(most), defaultdict[WakeUpKey, int](int), set[WakeUpKey]()

        async def handler(key: WakeUpKey) -> None:
            owed.pop(key, None)
            assert key not in running
            running.add(key)
            assert len(running) <= most
            try:
                await asyncio.sleep(0)
            finally:
                running.discard(key)

        for move, number, thread in moves:
            key, owner = tool_key(f"t{thread}", f"{number}"), f"t{thread}"
            if move == "submit":
                pool.submit(key, handler)
                owed[key] += 1
            elif move == "cancel":
                pool.cancel(owner)
                for lost in [key for key in owed if key.thread_id == owner]:
                    del owed[lost]
            elif move == "end":
                pool.cancel_key(key)
                owed.pop(key, None)
            else:
                await asyncio.sleep(0)
        await idle(pool)
        assert not owed
        assert not any(
            pool.holds(tool_key(f"t{thread}", f"{number}")) for thread in range(3) for number in range(6)
        )
        assert pool.free == most

    asyncio.run(main())
