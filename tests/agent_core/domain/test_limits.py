"""Limits and budgets: admitted steps exceed them by at most one step, and every pause ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core import Budget, Limit, errors
from agent_core.domain.limits import (
    RECHECK_INTERVAL,
    Estimate,
    Pause,
    Running,
    Scope,
    Used,
    budget_pause,
    dollars,
    limit_pause,
    longest,
    window_of,
)

NOON = datetime(2026, 2, 28, 12, 0, 30, tzinfo=UTC).timestamp()
ANN = Scope("user", "ann")


@dataclass
class World:
    """Steps that count against one budget and one limit, as the store keeps them."""

    now: float = NOON
    running: list[tuple[Estimate, int, float]] = field(default_factory=list[tuple[Estimate, int, float]])
    ended: list[tuple[float, int, float]] = field(default_factory=list[tuple[float, int, float]])
    begun: list[float] = field(default_factory=list[float])

    def used(self, period: Any) -> Used:
        """Return what ended steps have used in the current window."""
        window = window_of(period, self.now)
        ended = [step for step in self.ended if window_of(period, step[0]).key == window.key]
        begun = [at for at in self.begun if window_of(period, at).key == window.key]
        return Used(len(begun), sum(step[1] for step in ended), sum(step[2] for step in ended))

    def reserved(self) -> Running:
        """Return the estimates of the running steps."""
        estimates = [step[0] for step in self.running]
        return Running(
            len(estimates),
            sum(one.tokens for one in estimates),
            sum(one.usd or 0.0 for one in estimates),
            sum(one.tokens for one in estimates if one.usd is None),
        )


steps = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(1, 60), st.integers(0, 40)),
        st.tuples(st.just("end"), st.integers(0, 5)),
        st.tuples(st.just("advance"), st.sampled_from([1.0, 31.0, 61.0, 40_000.0, 90_000.0])),
    ),
    max_size=60,
)


@given(steps, st.integers(0, 100), st.integers(0, 80), st.sampled_from(["day", "month"]))
def test_a_budget_is_exceeded_by_at_most_one_step(
    moves: list[Any], tokens: int, cents: int, per: Any
) -> None:
    world, budget, largest = World(), Budget(usd=cents / 100, tokens=tokens, per=per), (0, 0.0)
    for move in moves:
        if move[0] == "advance":
            world.now += move[1]
        elif move[0] == "begin":
            _, size, price = move
            estimate = Estimate(size, price / 100)
            if budget_pause(budget, ANN, world.used(per), world.reserved(), estimate, world.now) is None:
                world.running.append((estimate, size, price / 100))
                largest = max(largest[0], size), max(largest[1], price / 100)
        elif world.running:
            _, size, usd = world.running.pop(move[1] % len(world.running))
            world.ended.append((world.now, size, usd))
            used = world.used(per)
            assert used.tokens < tokens + largest[0] or used.tokens <= tokens
            assert used.usd <= cents / 100 + largest[1] + 1e-9


limits = st.builds(
    Limit,
    st.none() | st.integers(1, 4),
    st.none() | st.integers(1, 90),
    st.none() | st.integers(1, 3),
)


@given(steps, limits)
def test_a_limit_is_exceeded_by_at_most_the_tokens_of_one_step(moves: list[Any], limit: Limit) -> None:
    world, largest = World(), 0
    for move in moves:
        if move[0] == "advance":
            world.now += move[1]
        elif move[0] == "begin":
            estimate = Estimate(move[1])
            used, running = world.used("minute"), world.reserved()
            if limit_pause(limit, "m", used, running, estimate, world.now) is None:
                world.running.append((estimate, move[1], 0.0))
                world.begun.append(world.now)
                largest = max(largest, move[1])
            assert world.used("minute").requests <= (limit.requests_per_minute or math.inf)
            assert len(world.running) <= (limit.concurrency or math.inf)
        elif world.running:
            _, size, usd = world.running.pop(move[1] % len(world.running))
            world.ended.append((world.now, size, usd))
            assert world.used("minute").tokens <= (limit.tokens_per_minute or math.inf) + largest


used = st.builds(Used, st.integers(0, 200), st.integers(0, 200), st.floats(0, 5))
running = st.builds(
    Running, st.integers(1, 5), st.integers(0, 200), st.floats(0, 5), st.integers(0, 200)
) | st.just(Running())
estimates = st.builds(Estimate, st.integers(0, 100_000), st.none() | st.floats(0, 50))
budgets = st.builds(
    Budget, st.floats(0.01, 5), st.integers(1, 100), st.sampled_from(["turn", "day", "month"])
)
moments = st.floats(0, 4e9)


@given(budgets, used, running, estimates, moments)
def test_a_pause_by_a_budget_ends(
    budget: Budget, spent: Used, others: Running, own: Estimate, now: float
) -> None:
    pause = budget_pause(budget, ANN, spent, others, own, now)
    if pause is None:
        return
    assert pause.words.code in {
        "budget_spent_turn",
        "budget_spent_day",
        "budget_spent_month",
        "budget_reserved",
    }
    if pause.until is None:  # a person has to raise it, which suffices
        assert budget.per == "turn"
        assert not pause.awaits_room
        higher = Budget(usd=spent.usd + 1, tokens=spent.tokens + 1, per="turn")
        assert budget_pause(higher, ANN, spent, Running(), own, now) is None
        return
    assert pause.until > now
    if pause.awaits_room:  # the end of the other steps suffices
        assert pause.next_at is None
        assert pause.until == now + RECHECK_INTERVAL
        assert budget_pause(budget, ANN, spent, Running(), own, now) is None
    else:  # the next window does, in which nothing is used
        assert window_of(budget.per, pause.until).key > window_of(budget.per, now).key
        assert budget_pause(budget, ANN, Used(), Running(), own, pause.until) is None


@given(limits, used, running, estimates, moments, st.none() | st.floats(0, 100))
def test_a_pause_by_a_limit_ends(
    limit: Limit, spent: Used, others: Running, own: Estimate, now: float, asked: float | None
) -> None:
    blocked = None if asked is None else now + asked
    pause = limit_pause(limit, "m", spent, others, own, now, blocked)
    if pause is None:
        return
    assert pause.until is not None
    assert pause.until > now
    if pause.words.code == "limit_provider":
        assert pause.next_at == blocked
    elif pause.awaits_room:
        assert limit_pause(limit, "m", spent, Running(), own, now, blocked) is None
    assert limit_pause(limit, "m", Used(), Running(), own, pause.until, blocked) is None


def test_without_a_price_the_first_step_of_a_window_runs_alone() -> None:
    budget, one = Budget(usd=1), Running(1, 10, 0.0, 10)
    alone = budget_pause(budget, ANN, Used(), one, Estimate(10), NOON)
    assert alone is not None
    assert alone.awaits_room
    assert budget_pause(budget, ANN, Used(0, 100, 0.1), one, Estimate(10), NOON) is None
    assert budget_pause(budget, ANN, Used(0, 100, 0.99), one, Estimate(10), NOON) is not None
    assert budget_pause(budget, ANN, Used(0, 100, 0.0), one, Estimate(10), NOON) is None


@pytest.mark.parametrize(
    ("period", "key", "seconds"),
    [
        ("minute", "2026-02-28T12:00", 30),
        ("day", "2026-02-28", 12 * 3600 - 30),
        ("month", "2026-02", 12 * 3600 - 30),
    ],
)
def test_windows_are_those_of_utc(period: Any, key: str, seconds: float) -> None:
    window = window_of(period, NOON)
    assert (window.key, window.ends_at) == (key, NOON + seconds)
    assert window.starts_at <= NOON


def test_the_window_of_a_turn_has_no_end() -> None:
    assert window_of("turn", NOON, "msg_1") == ("msg_1", 0.0, None)


def test_the_pause_that_lasts_longest_is_shown() -> None:
    def pause(until: float | None) -> Pause:
        made = budget_pause(Budget(usd=0), ANN, Used(), Running(), Estimate(1), NOON)
        assert made is not None
        return made._replace(until=until)

    assert longest([None, None]) is None
    assert longest([pause(1.0), None, pause(2.0)]) == pause(2.0)
    assert longest([pause(None), pause(2.0)]) == pause(None)


@pytest.mark.parametrize(
    ("usd", "text"), [(5, "5.00"), (1234.5, "1,234.50"), (0.001, "0.001"), (0, "0.00"), (0.25, "0.25")]
)
def test_amounts_have_two_decimals_or_more(usd: float, text: str) -> None:
    assert dollars(usd) == text


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Budget, {}),
        (Budget, {"usd": -1}),
        (Budget, {"usd": math.nan}),
        (Budget, {"usd": math.inf}),
        (Budget, {"tokens": -1}),
        (Budget, {"tokens": 1, "per": "week"}),
        (Budget, {"usd": "5"}),
        (Limit, {"requests_per_minute": 0}),
        (Limit, {"concurrency": -1}),
        (Limit, {"tokens_per_minute": 1.5}),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(kind: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(errors.ValidationError):
        kind(**fields)
