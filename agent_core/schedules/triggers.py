"""Define the triggers of schedules: a cron expression, an interval, or one moment.

A trigger is a value without a clock: it returns the first moment after another, and is stored as JSON.
`agent_core.schedules.cron` parses cron expressions.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from agent_core.errors import ValidationError
from agent_core.schedules.cron import compiled, zone_of
from agent_core.sentences import sentence

_FAR = datetime(9998, 1, 1, tzinfo=UTC).timestamp()  # near the maximum of datetime


@dataclass(frozen=True, slots=True)
class Cron:
    """Trigger of the local times in `timezone` that match a cron expression; made by `cron`."""

    expression: str
    timezone: str = "UTC"

    def next_after(self, moment: float) -> float | None:
        """Return the first moment after `moment` (both seconds since the epoch); None: never again."""
        if moment >= _FAR:
            return None
        found = [find(moment) for find in compiled(self.expression, self.timezone)]
        return min((at for at in found if at is not None), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the trigger as plain JSON."""
        return {"type": "cron", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Every:
    """Trigger of every `seconds` from `start` (seconds since the epoch) on; made by `every`."""

    seconds: float
    start: float | None = None

    def next_after(self, moment: float) -> float | None:
        """Return the first moment after `moment` (both seconds since the epoch)."""
        start = moment + self.seconds if self.start is None else self.start
        if moment < start:
            return start
        at = start + self.seconds * (math.floor((moment - start) / self.seconds) + 1)
        at = at if at > moment else at + self.seconds  # the quotient may round up
        return at if at < _FAR else None

    def to_dict(self) -> dict[str, Any]:
        """Return the trigger as plain JSON."""
        return {"type": "interval", **asdict(self)}


@dataclass(frozen=True, slots=True)
class At:
    """Trigger of one `moment` (seconds since the epoch); made by `at`."""

    moment: float

    def next_after(self, moment: float) -> float | None:
        """Return the trigger's moment if it is after `moment`, else None."""
        return self.moment if self.moment > moment else None

    def to_dict(self) -> dict[str, Any]:
        """Return the trigger as plain JSON."""
        return {"type": "date", **asdict(self)}


Trigger = Cron | Every | At


def cron(expression: str, timezone: str = "UTC") -> Cron:
    """Return a trigger of crontab(5): minute, hour, day, month, day of the week.

    Supports lists, ranges, steps and names, `last` for the last day of a month, and @hourly, @daily,
    @weekly, @monthly, @yearly. If both days are given, either may match. When the clocks go forward, a
    fixed hour that is skipped runs an hour later (02:30 at 03:30); when they go back, a fixed hour runs
    once, the first time.

    Args:
        expression: such as "0 9 * * mon-fri".
        timezone: a name in the IANA database, such as "Europe/Berlin".

    Raises:
        ValidationError: the expression or the time zone is invalid; the message names the part.
    """
    if not isinstance(expression, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError('A cron expression is a text such as "0 9 * * mon-fri".')
    compiled(expression, zone_of(timezone).key)
    return Cron(expression, timezone)


def every(
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
    start: datetime | str | None = None,
    timezone: str | None = None,
) -> Every:
    """Return a trigger that comes due at an interval of elapsed time, regardless of clock changes.

    Args:
        weeks: 7 days each. The interval is the sum of all units, at least a second.
        days: a day is 24 hours.
        hours: 3,600 seconds each.
        minutes: 60 seconds each.
        seconds: may be a fraction.
        start: the first moment, as in `at`; by default one interval after scheduling.
        timezone: time zone of a `start` without one.

    Raises:
        ValidationError: the interval is too short, too long or not a number, or the start is not a moment.
    """
    try:
        length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationError(f"An interval is made of numbers: {error}.") from error
    if not 1 <= length.total_seconds() <= 10 * 366 * 86400:
        raise ValidationError(sentence("interval_out_of_range"))
    return Every(length.total_seconds(), None if start is None else at(start, timezone).moment)


def at(when: datetime | str, timezone: str | None = None) -> At:
    """Return a trigger that comes due once.

    Args:
        when: a datetime, or its ISO 8601 text.
        timezone: time zone of a moment without one.

    Raises:
        ValidationError: the moment is invalid, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(when) if isinstance(when, str) else when
        if not isinstance(moment, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError
        if moment.tzinfo is None and timezone is not None:
            moment = moment.replace(tzinfo=zone_of(timezone))
        if moment.tzinfo is None:
            raise ValidationError(f"{when} has no time zone; write its offset, or pass timezone= as well.")
        return At(moment.timestamp())
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationError(sentence("moment_invalid", when=when)) from error


def anchored(trigger: Trigger, now: float) -> Trigger:
    """Return the trigger to store at `now`: an interval gets a fixed start."""
    if isinstance(trigger, Every) and trigger.start is None:
        return replace(trigger, start=now + trigger.seconds)
    return trigger


def trigger_from(data: Any) -> Trigger:
    """Return the trigger that `to_dict` returned as JSON.

    Raises:
        ValidationError: the data is not a trigger.
    """
    kinds = {"cron": Cron, "interval": Every, "date": At}
    try:
        fields = dict(data)
        trigger: Trigger = kinds[fields.pop("type")](**fields)
        if isinstance(trigger, Cron):
            return cron(trigger.expression, trigger.timezone)
        trigger.next_after(0.0)
    except (TypeError, KeyError, ValueError, ArithmeticError) as error:
        raise ValidationError(f"{data!r:.80} is no trigger.") from error
    return trigger
