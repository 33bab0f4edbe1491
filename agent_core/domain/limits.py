"""Decide whether a model step may run now, under the limits of its model and the budgets it counts against.

Pure functions. What a step will use is known only when it has ended, so a step that runs beside others is
admitted with an estimate. The rule for anything that is used up: with no other step running, a step is admitted
as long as something is left, so it may exceed what is left; beside others it is admitted only if what is left
suffices for all estimates. So the total exceeds a budget by at most one step, as far as estimates are not too low.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from agent_core.errors import ValidationError
from agent_core.sentences import Sentence, sentence
from agent_core.support.argument_checks import check_fields, known_options
from agent_core.support.plain_json import JsonValue, is_finite

Period = Literal["turn", "day", "month"]
Kind = Literal["model", "user", "agent", "thread"]
EACH = "*"
"""The name in a budget for each user, agent or thread that has no budget of its own for the same period."""

RECHECK_INTERVAL = 5.0
"""Seconds after which a step that waits for running steps is weighed again, because their processes may have died."""


@known_options
@dataclass(frozen=True, slots=True)
class Limit(JsonValue):
    """Limit of the requests to one model, over all workers of a database.

    A model with a limit also waits in every worker when its provider answers 429 with a Retry-After, so a
    `Limit()` without numbers is useful, too.

    Args:
        requests_per_minute: most requests in a minute of the clock.
        tokens_per_minute: most tokens, of requests and answers, in a minute of the clock.
        concurrency: most requests at once.

    Raises:
        ValidationError: a number is below 1.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self)
        for name in ("requests_per_minute", "tokens_per_minute", "concurrency"):
            number = getattr(self, name)
            if number is not None and not 1 <= number <= _MAX_COUNT:
                raise ValidationError(
                    f"{name} of a Limit must be a number from 1 to {_MAX_COUNT:,}, or None."
                )


@known_options
@dataclass(frozen=True, slots=True)
class Budget(JsonValue):
    """Money and tokens that model steps may use in a period; 0 admits none.

    Args:
        usd: US dollars, by the prices that the provider or litellm names; requests without a known price count
            nothing.
        tokens: tokens of requests and answers.
        per: "turn" is one message and everything it causes; days and months are those of UTC.

    Raises:
        ValidationError: neither is given, or a value is negative or not finite.
    """

    usd: float | None = None
    tokens: int | None = None
    per: Period = "day"

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self)
        if self.usd is None and self.tokens is None:
            raise ValidationError("A Budget needs usd, tokens, or both.")
        for name, most in (("usd", self.usd), ("tokens", self.tokens)):
            if most is not None and not (is_finite(most) and 0 <= most <= _MAX_COUNT):
                raise ValidationError(f"{name} of a Budget must be a number from 0 to {_MAX_COUNT:,}.")


_MAX_COUNT = 10**12


class Window(NamedTuple):
    """A period of time: its key, which sorts by time, its start, and its end; None: it has no end."""

    key: str
    starts_at: float
    ends_at: float | None


def window_of(period: Period | Literal["minute"], now: float, turn: str = "") -> Window:
    """Return the window of a period at a moment; that of a turn is named by the id of its reply."""
    if period == "turn":
        return Window(turn, 0.0, None)
    moment = datetime.fromtimestamp(now, UTC)
    if period == "minute":
        start = moment.replace(second=0, microsecond=0)
        return Window(
            f"{start:%Y-%m-%dT%H:%M}", start.timestamp(), (start + timedelta(minutes=1)).timestamp()
        )
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return Window(f"{day:%Y-%m-%d}", day.timestamp(), (day + timedelta(days=1)).timestamp())
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Window(f"{first:%Y-%m}", first.timestamp(), following.timestamp())


class Used(NamedTuple):
    """Usage of the ended steps of a window."""

    requests: int = 0
    tokens: int = 0
    usd: float = 0.0

    def plus(self, other: Used) -> Used:
        """Return the sum of both."""
        return Used(self.requests + other.requests, self.tokens + other.tokens, self.usd + other.usd)


class Running(NamedTuple):
    """The estimates of the steps that run; `unpriced` are the tokens of those without an estimate in dollars."""

    steps: int = 0
    tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0


class Prompt(NamedTuple):
    """About what a request costs without its answer; prices in US dollars, None if they are unknown.

    tokens      of the request
    usd         their price
    answer_usd  the price of one token of the answer
    """

    tokens: int = 0
    usd: float | None = None
    answer_usd: float | None = None

    def price_with(self, answer: int) -> float | None:
        """Return the price of the request and of the tokens of an answer."""
        if self.usd is None or self.answer_usd is None:
            return None
        return self.usd + answer * self.answer_usd


class Estimate(NamedTuple):
    """Upper bounds of what a step will use; without a known price `usd` is None.

    `prompt` is no bound but an estimate: what a step counts at least that ends without counts of its provider.
    """

    tokens: int
    usd: float | None = None
    prompt: Prompt = Prompt()


class Scope(NamedTuple):
    """Subject of a limit (a model) or of a budget (a user, an agent or a thread)."""

    kind: Kind
    name: str


class Pause(NamedTuple):
    """Why a step may not run now.

    kind         "limit" or "budget"
    scope        the scope whose limit or budget is reached; its change ends the pause
    words        a sentence for people
    until        when the step may look again; None: when the scope's budget is raised
    awaits_room  whether it waits for other running steps, whose end may come earlier than `until`
    budget       the budget that is reached
    """

    kind: Literal["limit", "budget"]
    scope: Scope
    words: Sentence
    until: float | None
    awaits_room: bool = False
    budget: Budget | None = None

    @property
    def next_at(self) -> float | None:
        """The moment at which the step goes on, if it is known."""
        return None if self.awaits_room else self.until


def limit_pause(
    limit: Limit,
    model: str,
    used: Used,
    running: Running,
    estimate: Estimate,
    now: float,
    blocked_until: float | None = None,
) -> Pause | None:
    """Return why a request to a model has to wait; None: it need not.

    Args:
        used: of this minute.
        running: the requests that run.
        blocked_until: the moment that the provider named in a 429.
    """
    scope, minute = Scope("model", model), window_of("minute", now)
    if blocked_until is not None and blocked_until > now:
        return Pause("limit", scope, sentence("limit_provider", model=model), blocked_until)
    if (most := limit.requests_per_minute) is not None and used.requests >= most:
        return Pause("limit", scope, sentence("limit_requests", model=model, most=most), minute.ends_at)
    if (most := limit.tokens_per_minute) is not None:
        match _left(most, used.tokens, running.tokens, estimate.tokens, running.steps):
            case "spent":
                return Pause("limit", scope, sentence("limit_tokens", model=model, most=most), minute.ends_at)
            case "reserved":
                words = sentence("limit_tokens_reserved", model=model, most=most)
                return Pause("limit", scope, words, now + RECHECK_INTERVAL, awaits_room=True)
            case "enough":
                pass
    if (most := limit.concurrency) is not None and running.steps >= most:
        words = sentence("limit_concurrency", model=model, most=most)
        return Pause("limit", scope, words, now + RECHECK_INTERVAL, awaits_room=True)
    return None


def budget_pause(
    budget: Budget, scope: Scope, used: Used, running: Running, estimate: Estimate, now: float
) -> Pause | None:
    """Return why a step has to wait for a budget; None: it need not.

    Args:
        used: of the budget's current window.
        running: the steps that count against it and run; for a turn none, because its steps follow each other.
    """
    found = {_of_tokens(budget, used, running, estimate), _of_money(budget, used, running, estimate)}
    if "spent" in found:
        until = window_of(budget.per, now).ends_at
        return Pause("budget", scope, _spent(budget, scope, used), until, budget=budget)
    if "reserved" in found:
        words = sentence("budget_reserved", amount=_amount(budget, used))
        until = now + RECHECK_INTERVAL
        return Pause("budget", scope, words, until, awaits_room=True, budget=budget)
    return None


_Left = Literal["enough", "reserved", "spent"]


def _left(most: float, used: float, running: float, own: float, steps: int) -> _Left:
    if used >= most:
        return "spent"
    return "enough" if not steps or used + running + own <= most else "reserved"


def _of_tokens(budget: Budget, used: Used, running: Running, estimate: Estimate) -> _Left:
    if budget.tokens is None:
        return "enough"
    return _left(budget.tokens, used.tokens, running.tokens, estimate.tokens, running.steps)


def _of_money(budget: Budget, used: Used, running: Running, estimate: Estimate) -> _Left:
    if budget.usd is None:
        return "enough"
    # Without a price list: at the price of what the window has used. Before the first step there is none, so
    # that step runs alone.
    price = used.usd / used.tokens if used.tokens else math.inf
    unpriced = running.unpriced + (estimate.tokens if estimate.usd is None else 0)
    guess = unpriced * price if unpriced else 0.0
    return _left(budget.usd, used.usd, running.usd + guess, estimate.usd or 0.0, running.steps)


def longest(pauses: Iterable[Pause | None]) -> Pause | None:
    """Return the pause that lasts longest; None if there is none."""
    found = [pause for pause in pauses if pause is not None]
    return max(found, key=lambda pause: math.inf if pause.until is None else pause.until, default=None)


def _spent(budget: Budget, scope: Scope, used: Used) -> Sentence:
    amount = _amount(budget, used)
    if budget.per == "turn":
        return sentence("budget_spent_turn", amount=amount)
    whose = (
        sentence("budget_of_agent", agent=scope.name)
        if scope.kind == "agent"
        else sentence("budget_of_thread" if scope.kind == "thread" else "budget_of_user")
    )
    return sentence(
        "budget_spent_day" if budget.per == "day" else "budget_spent_month", amount=amount, whose=whose
    )


def _amount(budget: Budget, used: Used) -> Sentence:
    """Return the part of the budget that is nearest to its end, for people."""
    by_money = budget.usd is not None and (
        budget.tokens is None or used.usd * budget.tokens >= used.tokens * budget.usd
    )
    if by_money:
        return sentence("amount_usd", usd=dollars(budget.usd or 0.0))
    return sentence("amount_tokens", tokens=budget.tokens)


def dollars(usd: float) -> str:
    """Return an amount with two decimals, and with more if it is below a cent."""
    text = f"{usd:,.6f}".rstrip("0")
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents:0<2}"


@dataclass(frozen=True, slots=True)
class LimitUse(JsonValue):
    """The limit of a model, and what is used of it.

    Attributes:
        model: name of the model.
        limit: the limit.
        requests, tokens: used in this minute.
        running: requests that run, in all workers.
        resets_at: end of this minute, in seconds since the epoch.
        blocked_until: moment until which the provider has asked to wait; None: it has not.
    """

    model: str
    limit: Limit
    requests: int
    tokens: int
    running: int
    resets_at: float
    blocked_until: float | None = None


@dataclass(frozen=True, slots=True)
class BudgetUse(JsonValue):
    """A budget, and what is used of it.

    Attributes:
        kind: "user", "agent" or "thread".
        name: name or id of the user, the agent or the thread; "*" for each one without a budget of its own.
        budget: the budget.
        usd, tokens: used in the current day or month; 0 for turns and for "*", which are counted one by one.
        resets_at: end of the day or month, in seconds since the epoch; None for turns.
    """

    kind: Kind
    name: str
    budget: Budget
    usd: float
    tokens: int
    resets_at: float | None
