"""Tally tokens and costs of model requests, by message, model, day and agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from agent_core.support.plain_json import JsonValue

COUNTS = (
    *("input_tokens", "output_tokens", "total_tokens"),
    *("cached_tokens", "reasoning_tokens", "cache_write_tokens"),
)
"""The counts of a model request, named as in `model_adapter.Usage` and in the rows."""


@dataclass(frozen=True, slots=True)
class Tally(JsonValue):
    """Total usage of some model requests.

    Attributes:
        requests: attempts at model steps, including failed and lost ones.
        metered: requests with token counts from the provider; the others may have cost something, too.
        cost: US dollars, as far as prices are known; None if no price is.
        estimated: requests that ended without counts of the provider, whose tokens and cost are estimated.
    """

    requests: int = 0
    metered: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float | None = None
    cache_write_tokens: int = 0
    estimated: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Return the sum of both tallies."""
        # Written out: a summary adds thousands of them, and reading the fields by name takes three times as long.
        return Tally(
            self.requests + other.requests,
            self.metered + other.metered,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.total_tokens + other.total_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            _cost(self.cost, other.cost),
            self.cache_write_tokens + other.cache_write_tokens,
            self.estimated + other.estimated,
        )

    def __sub__(self, other: Tally) -> Tally:
        """Return what must be added to the other tally to make this one."""
        names = ("requests", "metered", "estimated", *COUNTS)
        counts = {name: getattr(self, name) - getattr(other, name) for name in names}
        return Tally(**counts, cost=None if self.cost is None else self.cost - (other.cost or 0))


@dataclass(frozen=True, slots=True)
class ThreadUsage(JsonValue):
    """Usage of one thread.

    Attributes:
        total: usage of the whole thread.
        by_message: by the id of the assistant's message.
        by_model: by the name of the model; "unknown" for attempts without a name.
    """

    total: Tally = field(default_factory=Tally)
    by_message: dict[str, Tally] = field(default_factory=dict[str, Tally])
    by_model: dict[str, Tally] = field(default_factory=dict[str, Tally])


@dataclass(frozen=True, slots=True)
class UsageSummary(JsonValue):
    """Usage of many threads.

    Attributes:
        total: usage of all threads.
        by_day: by the day (UTC) on which a request started, oldest first.
        by_model: by the name of the model, most expensive first.
        by_agent: by the name of the agent, most expensive first.
    """

    total: Tally = field(default_factory=Tally)
    by_day: dict[date, Tally] = field(default_factory=dict[date, Tally])
    by_model: dict[str, Tally] = field(default_factory=dict[str, Tally])
    by_agent: dict[str, Tally] = field(default_factory=dict[str, Tally])


def _cost(one: float | None, other: float | None) -> float | None:
    return one if other is None else other + (one or 0)


def tally_of(usage: Mapping[str, Any] | None) -> Tally:
    """Return the tally of one attempt from the usage in its row."""
    known = usage or {}
    counts = {name: int(known.get(name) or 0) for name in COUNTS}
    estimated = bool(known.get("estimated"))
    metered = known.get("total_tokens") is not None and not estimated
    return Tally(1, int(metered), **counts, cost=known.get("cost"), estimated=int(estimated))


def dearest_first(tallies: Mapping[str, Tally]) -> dict[str, Tally]:
    """Return the tallies, ordered by cost, then by tokens."""
    ordered = sorted(tallies.items(), key=lambda item: (-(item[1].cost or 0), -item[1].total_tokens, item[0]))
    return dict(ordered)
