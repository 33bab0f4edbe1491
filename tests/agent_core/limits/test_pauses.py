"""Threads that limits and budgets pause: why, until when, and what ends the pause."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, Budget, CallContext, Limit, ModelTitle, define_agent_api, errors
from agent_core.domain.limits import Scope
from agent_core.store.database.sql import ADMISSION, COUNTER, STREAM
from agent_core.store.database.transaction import Tx
from agent_core.store.limits import admissions, changes, counters
from agent_core.store.limits.rules import Rule, Subject
from agent_core.testing import FakeClock, ScriptedModel, eventually
from tests.support.agents import EAGER, Follower, agent_on, finished, rows, texts
from tests.support.limits import ANN, BOB, COST, EVENING, NOON, answer, asked, on, state_of


async def test_a_thread_beyond_the_budget_of_a_day_goes_on_the_next_day(path: Path) -> None:
    clock = FakeClock(NOON)
    async with on(path, clock=clock) as api:
        await api.limits.set_budget(Budget(usd=1.0), user_id="*")
        for _ in range(2):
            assert (await finished(api, await asked(api))).status == "completed"
        paused = await asked(api)
        async with Follower(api, paused) as follower:
            state = await state_of(api, paused)
            assert (state["kind"], state["next_at"], state["attempt"]) == ("budget", EVENING, 0)
            assert state["error"] == "Today's budget of $1.00 for this person is used up."
            assert state["error_info"]["code"] == "budget_spent_day"
            assert state["scope"] == {"kind": "user", "name": "ann"}
            assert state["budget"] == {"usd": 1.0, "tokens": None, "per": "day"}
            await follower.until(lambda view: view.thread["retry_state"] == state)
            assert (await finished(api, await asked(api, ctx=BOB))).status == "completed"
            clock.advance(12 * 3600)
            done = await finished(api, paused)
            assert (done.status, done.retry_state) == ("completed", None)
            await follower.agrees()
        (use,) = await api.limits.list_budgets(user_id="ann")
        assert (use.name, use.usd, use.tokens, use.resets_at) == ("ann", 0.5, 15, EVENING + 86_400)


async def test_a_clock_that_was_ahead_lifts_no_budget_and_no_limit(path: Path) -> None:
    """What was counted in the future counts now, and the limit of a minute begins anew."""
    clock = FakeClock(NOON + 86_400)
    async with on(path, clock=clock) as api:
        await api.limits.set_budget(Budget(usd=1.0), user_id="ann")
        await api.limits.set_limit("scripted", Limit(requests_per_minute=2))
        await finished(api, await asked(api))
        clock.advance(-86_400)
        assert (await finished(api, await asked(api))).status == "completed"
        state = await state_of(api, await asked(api))
        assert (state["kind"], state["next_at"]) == ("budget", EVENING)
        assert (await finished(api, await asked(api, ctx=BOB))).status == "completed"
        assert (await state_of(api, await asked(api, ctx=BOB)))["kind"] == "limit"


async def test_an_older_turn_that_is_resumed_has_what_is_left_of_its_budget(path: Path) -> None:
    """Its branch may be shown and resumed after a newer turn, whose usage the counter has."""
    budget = Budget(usd=9, per="turn")
    async with on(path) as api:
        await api.limits.set_budget(budget, agent="assistant")
        thread_id = await asked(api)
        await finished(api, thread_id)
        await api.send_message(thread_id, "Again", ctx=ANN)
        await finished(api, thread_id)
        replies = [each.id for each in await api.list_messages(thread_id) if each.role == "assistant"]

        def used(tx: Tx) -> list[float]:
            admissions.count_ended(tx)
            rule = Rule(Scope("agent", "assistant"), budget)
            turns = (Subject("scripted", "ann", "assistant", thread_id, reply) for reply in replies[::-1])
            return [counters.used_by(tx, rule, turn).usd for turn in turns]

        assert await api.store.writer.run(used) == [0.5, 0.5]


async def test_a_raised_budget_wakes_its_threads_in_another_process_at_once(path: Path) -> None:
    async with on(path) as api, on(path, runtime={"work": False}) as other:
        await api.limits.set_budget(Budget(tokens=15), user_id="ann")
        await finished(api, await asked(api))
        paused = [await asked(api) for _ in range(3)]
        for thread_id in paused:
            await state_of(api, thread_id)
        await other.limits.set_budget(Budget(tokens=1_000_000), user_id="ann")
        for thread_id in paused:
            assert (await finished(api, thread_id)).status == "completed"


async def test_a_removed_budget_pauses_nothing(path: Path) -> None:
    async with on(path) as api:
        await api.limits.set_budget(Budget(usd=0), agent="assistant")
        paused = await asked(api)
        await state_of(api, paused)
        await api.limits.remove_budget("day", agent="assistant")
        assert (await finished(api, paused)).status == "completed"
        assert await api.limits.list_budgets() == []


async def test_the_budget_of_a_turn_waits_for_a_person_over_restarts(path: Path) -> None:
    model, clock = ScriptedModel(answer), FakeClock(NOON)
    async with on(path, model, clock) as api:
        await api.limits.set_budget(Budget(usd=0.5, per="turn"), thread_id="*")
        thread_id = await asked(api, "Use it")
        state = await state_of(api, thread_id)
        assert (state["next_at"], state["error_info"]["code"]) == (None, "budget_spent_turn")
    clock.advance(400 * 86_400.0)
    async with on(path, model, clock) as api:
        assert (await finished(api, await asked(api))).status == "completed"
        assert await state_of(api, thread_id) == state
        assert len(model.requests) == 2, "nothing was asked for the paused turn"
        await api.limits.set_budget(Budget(usd=5, per="turn"), thread_id=thread_id)
        assert (await finished(api, thread_id)).status == "completed"
        assert await texts(api, thread_id) == ["Use it", "Well."]
        assert len(model.requests) == 3


async def test_paused_threads_can_be_stopped_resumed_interrupted_and_deleted(path: Path) -> None:
    async with on(path) as api:
        await api.limits.set_budget(Budget(usd=0), user_id="ann")
        first, second, third = [await asked(api) for _ in range(3)]
        for thread_id in (first, second, third):
            await state_of(api, thread_id)
        await api.stop_thread(first)
        stopped = await api.get_thread(first)
        assert stopped is not None
        assert (stopped.status, stopped.retry_state) == ("stopped", None)
        await api.resume_thread(first)
        await state_of(api, first)
        await api.send_message(second, "Instead", when_busy="interrupt")
        await state_of(api, second)
        await api.delete_thread(third)
        await api.limits.set_budget(Budget(usd=9), user_id="ann")
        assert (await finished(api, first)).status == "completed"
        assert (await finished(api, second)).status == "completed"
        assert await texts(api, second) == ["Hi", "Instead", "Well."]
        assert await api.get_thread(third) is None


async def test_a_pause_leaves_no_attempt(path: Path) -> None:
    async with on(path) as api:
        await api.limits.set_budget(Budget(usd=0), user_id="ann")
        thread_id = await asked(api)
        await state_of(api, thread_id)
        assert rows(path, STREAM)[STREAM.name] == []
        assert (await api.insight.usage(thread_id)).total.requests == 0
        await api.limits.set_budget(Budget(usd=1), user_id="ann")
        await finished(api, thread_id)
        assert [span.status for span in await api.timeline(thread_id) if span.kind == "model"] == ["ok"]


async def test_looks_at_a_limit_do_not_move_a_thread_and_its_pause_is_one_span(path: Path) -> None:
    clock, crowd = FakeClock(NOON), Crowd(2)
    async with on(path, crowd, clock) as api:
        await api.limits.set_limit("scripted", Limit(concurrency=1))
        first = await asked(api)
        await eventually(lambda: crowd.now)
        clock.advance(1)
        waiting = await asked(api)
        state = await state_of(api, waiting)
        assert (state["awaits_room"], state["since"]) == (True, NOON + 1)
        before = await api.get_thread(waiting)
        (_, pause) = await api.timeline(waiting)
        assert (pause.kind, pause.name, pause.status, pause.ended_at) == ("pause", "limit", "waiting", None)
        clock.advance(5)

        async def is_looked_at() -> Any:
            again = await api.get_thread(waiting)
            return again if again and before and again.seq > before.seq and again.retry_state else None

        again = await eventually(is_looked_at)
        assert before is not None
        assert (again.updated_at, again.cursor) == (before.updated_at, before.cursor)
        crowd.enough.set()
        for thread_id in (first, waiting):
            assert (await finished(api, thread_id)).status == "completed"
        spans = await api.timeline(waiting)
        assert [span.kind for span in spans if span.kind != "turn"] == ["pause", "model"]
        (over,) = [span for span in spans if span.kind == "pause"]
        assert (over.id, over.status, over.seconds) == (pause.id, "ok", 5.0)
        assert over.error == "scripted already has the 1 requests that it may have at once."


async def test_requests_beyond_those_of_a_minute_wait_for_the_next(path: Path) -> None:
    clock = FakeClock(NOON + 48)
    async with on(path, clock=clock) as api:
        await api.limits.set_limit("scripted", Limit(requests_per_minute=2))
        for _ in range(2):
            await finished(api, await asked(api))
        paused = await asked(api)
        state = await state_of(api, paused)
        assert (state["kind"], state["next_at"]) == ("limit", NOON + 60)
        assert state["error"] == "scripted has had its 2 requests of this minute."
        clock.advance(12)
        await finished(api, paused)
        (use,) = await api.limits.list_limits()
        assert (use.requests, use.tokens, use.running, use.resets_at) == (1, 15, 0, NOON + 120)
        await api.limits.remove_limit("scripted")
        assert await api.limits.list_limits() == []


async def test_tokens_beyond_those_of_a_minute_wait_for_the_next(path: Path) -> None:
    clock = FakeClock(NOON)
    async with on(path, clock=clock) as api:
        await api.limits.set_limit("scripted", Limit(tokens_per_minute=20))
        for _ in range(2):  # the second one begins with tokens left
            await finished(api, await asked(api))
        paused = await asked(api)
        assert (await state_of(api, paused))["error_info"]["code"] == "limit_tokens"
        clock.advance(60)
        await finished(api, paused)


class Crowd:
    """A model that counts its requests at once, and answers none before there were `least` at once."""

    def __init__(self, least: int = 1) -> None:
        self.now = self.most = 0
        self.least = least
        self.enough = asyncio.Event()

    async def __call__(self, messages: list[dict[str, Any]]) -> list[Any]:
        self.now += 1
        self.most = max(self.most, self.now)
        if self.most >= self.least:
            self.enough.set()
        await self.enough.wait()
        await asyncio.sleep(0.02)
        self.now -= 1
        return ["Well.", COST]


async def test_workers_share_the_concurrency_of_a_model(path: Path) -> None:
    crowd = Crowd(2)
    async with agent_on(path, crowd, settings=EAGER) as api, agent_on(path, crowd, settings=EAGER) as other:
        await api.limits.set_limit("scripted", Limit(concurrency=2))
        await eventually(lambda: other.store.limits.active)
        threads = [await asked(one) for _ in range(6) for one in (api, other)]
        for thread_id in threads:
            assert (await finished(api, thread_id)).status == "completed"
        assert crowd.most == 2
        (use,) = await api.limits.list_limits()
        assert use.running == 0


async def test_threads_of_one_person_overrun_a_budget_by_one_step_at_most(path: Path) -> None:
    crowd = Crowd()
    async with agent_on(path, crowd, settings=EAGER) as api, agent_on(path, crowd, settings=EAGER) as other:
        await api.limits.set_budget(Budget(usd=1.2, per="month"), user_id="ann")
        await eventually(lambda: other.store.limits.active)
        threads = [await asked(one) for _ in range(4) for one in (api, other)]

        async def spent() -> bool:
            found = [await api.get_thread(thread_id) for thread_id in threads]
            return all(one and (one.retry_state or one.status == "completed") for one in found)

        await eventually(spent)
        codes = {
            (one.retry_state or {}).get("error_info", {}).get("code")
            for thread_id in threads
            if (one := await api.get_thread(thread_id))
        }
        while codes != {None, "budget_spent_month"}:
            await asyncio.sleep(0.05)
            found = [await api.get_thread(thread_id) for thread_id in threads]
            codes = {((one and one.retry_state) or {}).get("error_info", {}).get("code") for one in found}
        (use,) = await api.limits.list_budgets(user_id="ann")
        assert use.usd == 1.5, "three steps of 0.50 dollars: the third began with 0.20 dollars left"


async def test_a_429_with_a_retry_after_holds_back_every_thread_of_the_model(path: Path) -> None:
    clock = FakeClock(NOON)
    refusal = errors.ModelError("Slow down.", kind="rate_limited", retryable=True, retry_after=30.0)
    async with on(path, [[refusal], ["One."], ["Two."]], clock) as api:
        await api.limits.set_limit("scripted", Limit())
        first = await asked(api)
        assert (await state_of(api, first))["kind"] == "rate_limited"
        await eventually(lambda: _blocked(api))
        second = await asked(api)
        state = await state_of(api, second)
        assert (state["error_info"]["code"], state["next_at"]) == ("limit_provider", NOON + 30)
        clock.advance(30)
        for thread_id in (first, second):
            assert (await finished(api, thread_id)).status == "completed"


async def _blocked(api: AgentApi) -> bool:
    (use,) = await api.limits.list_limits()
    return use.blocked_until is not None


async def test_a_title_beyond_the_budget_is_not_asked_for(path: Path) -> None:
    model = ScriptedModel(answer)
    async with on(path, model, title=ModelTitle()) as api:
        await api.limits.set_budget(Budget(usd=0.5), user_id="ann")
        await finished(api, await asked(api))
    assert len(model.requests) == 1


async def test_without_limits_no_step_is_weighed_or_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("admit", "admit_title", "end"):
        monkeypatch.delattr(admissions, name)
    monkeypatch.delattr(changes, "waits_for_room")
    async with on(path, title=ModelTitle()) as api:
        assert (await finished(api, await asked(api, "Use it"))).status == "completed"
    assert rows(path, ADMISSION, COUNTER) == {ADMISSION.name: [], COUNTER.name: []}


async def test_another_process_notices_the_first_limit(path: Path) -> None:
    async with on(path) as api, on(path, runtime={"work": False}) as other:
        assert not api.store.limits.active
        await other.limits.set_budget(Budget(usd=0), user_id="*")
        await eventually(lambda: api.store.limits.active)
        await state_of(api, await asked(api))


async def test_only_those_may_change_limits_whom_the_callback_lets(path: Path) -> None:
    def admins(ctx: CallContext | None) -> None:
        if ctx is None or ctx.user_id != "ann":
            raise errors.AccessDeniedError("Ask an admin.")

    async with on(path) as internal:
        agent = internal.agent
        open_api = define_agent_api(internal.store, agent)
        await open_api.limits.set_budget(Budget(usd=1), user_id="bob")
        for call in (
            open_api.limits.set_budget(Budget(usd=9), user_id="bob", ctx=BOB),
            open_api.limits.remove_budget("day", user_id="bob", ctx=BOB),
            open_api.limits.list_budgets(ctx=BOB),
            open_api.limits.set_limit("m", Limit(), ctx=BOB),
            open_api.limits.remove_limit("m", ctx=BOB),
            open_api.limits.list_limits(ctx=BOB),
        ):
            with pytest.raises(errors.AccessDeniedError):
                await call
        api = define_agent_api(internal.store, agent, limits_callback=admins)
        await api.limits.set_limit("m", Limit(), ctx=ANN)
        with pytest.raises(errors.AccessDeniedError, match="Ask an admin"):
            await api.limits.set_limit("m", Limit(), ctx=BOB)
        refuses = define_agent_api(internal.store, agent, limits_callback=lambda ctx: False)
        with pytest.raises(errors.AccessDeniedError):
            await refuses.limits.list_limits(ctx=ANN)


async def test_arguments_are_checked(path: Path) -> None:
    async with on(path) as api:
        limits = api.limits
        for call in (
            limits.set_budget(Budget(usd=1)),
            limits.set_budget(Budget(usd=1), user_id="a", agent="b"),
            limits.set_budget(Budget(usd=1), user_id="a\0"),
            limits.set_limit("", Limit()),
            limits.set_limit("m", None),  # type: ignore[arg-type]
            limits.remove_budget("week", user_id="a"),  # type: ignore[arg-type]
        ):
            with pytest.raises(errors.ValidationError):
                await call
        with pytest.raises(errors.ThreadNotFoundError):
            await limits.set_budget(Budget(usd=1), thread_id="nowhere")
