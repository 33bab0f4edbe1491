"""When a schedule comes due: by a cron expression, every so often, or once.

A trigger is a value: it knows no clock, is asked for the first moment after another, and stands as
JSON in its row. The arithmetic of cron is APScheduler's; the meaning is that of crontab(5), in which
APScheduler differs: there 0 is Monday, a day of the month *and* of the week must both fit, and when
the clocks go back a fixed hour comes twice.
"""

# The border to a library without types:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from agent_core.errors import ValidationError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: dict[str, dict[str, int]] = {
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "day of the week": {name: number for number, name in enumerate(_DAYS)},
}
_RANGES = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "day of the week": (0, 7),  # 0 and 7 are Sunday
}
_ITEM = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([0-9]{1,4}))?")
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_TICK = timedelta(microseconds=1)
_FAR = datetime(9998, 1, 1, tzinfo=UTC).timestamp()  # no datetime reaches further


@dataclass(frozen=True, slots=True)
class Cron:
    """Whenever the clock on the wall of `timezone` fits the expression; made by `cron`."""

    expression: str
    timezone: str = "UTC"

    def next_after(self, moment: float) -> float | None:
        """Return the first moment after `moment` (both seconds since the epoch); None: never again."""
        if moment >= _FAR:
            return None
        found = [find(moment) for find in _compiled(self.expression, self.timezone)]
        return min((at for at in found if at is not None), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the trigger as plain JSON."""
        return {"type": "cron", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Every:
    """Every `seconds`, counted from `start` (seconds since the epoch); made by `every`."""

    seconds: float
    start: float | None = None

    def next_after(self, moment: float) -> float | None:
        """Return the first moment after `moment` (both seconds since the epoch)."""
        start = moment + self.seconds if self.start is None else self.start
        if moment < start:
            return start
        at = start + self.seconds * (math.floor((moment - start) / self.seconds) + 1)
        at = at if at > moment else at + self.seconds  # a quotient may round up
        return at if at < _FAR else None

    def to_dict(self) -> dict[str, Any]:
        """Return the trigger as plain JSON."""
        return {"type": "interval", **asdict(self)}


@dataclass(frozen=True, slots=True)
class At:
    """Once, at `moment` (seconds since the epoch); made by `at`."""

    moment: float

    def next_after(self, moment: float) -> float | None:
        """Return the moment, if it is after this one."""
        return self.moment if self.moment > moment else None

    def to_dict(self) -> dict[str, Any]:
        """Return the trigger as plain JSON."""
        return {"type": "date", **asdict(self)}


Trigger = Cron | Every | At


def cron(expression: str, timezone: str = "UTC") -> Cron:
    """Return a trigger of crontab(5): minute, hour, day, month, day of the week.

    Lists, ranges, steps and names as there, `last` for the last day of a month, and @hourly, @daily,
    @weekly, @monthly, @yearly. Where both days are given, one that fits is enough. In the night when
    the clocks go forward, 02:30 is 03:30 if it is an hour that is named; when they go back, such an
    hour comes once, the first time.

    Args:
        expression: such as "0 9 * * mon-fri".
        timezone: a name of the IANA database, such as "Europe/Berlin".

    Raises:
        ValidationError: the expression or the time zone is none; the sentence says which part.
    """
    if not isinstance(expression, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError('A cron expression is a text such as "0 9 * * mon-fri".')
    _compiled(expression, _zone(timezone).key)
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
    """Return a trigger that comes due every so often: real time, whatever the clocks do.

    Args:
        weeks: the interval is the sum of these, at least a second.
        days: a day is 24 hours.
        hours: 3,600 seconds each.
        minutes: 60 seconds each.
        seconds: may be a fraction.
        start: the first time, as `at` takes it; by default one interval after it is scheduled.
        timezone: of a `start` that has none.

    Raises:
        ValidationError: the interval is too short, too long or no number, or the start is no moment.
    """
    try:
        length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationError(f"An interval is made of numbers: {error}.") from error
    if not 1 <= length.total_seconds() <= 10 * 366 * 86400:
        raise ValidationError("An interval is at least a second and at most ten years.")
    return Every(length.total_seconds(), None if start is None else at(start, timezone).moment)


def at(when: datetime | str, timezone: str | None = None) -> At:
    """Return a trigger that comes due once.

    Args:
        when: a datetime, or its ISO 8601 text.
        timezone: of a moment that has none of its own.

    Raises:
        ValidationError: it is no moment, or nobody says in which time zone.
    """
    try:
        moment = datetime.fromisoformat(when) if isinstance(when, str) else when
        if not isinstance(moment, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError
        if moment.tzinfo is None and timezone is not None:
            moment = moment.replace(tzinfo=_zone(timezone))
        if moment.tzinfo is None:
            raise ValidationError(f"{when} has no time zone; write its offset, or pass timezone= as well.")
        return At(moment.timestamp())
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationError(f"{when!r:.60} is no moment; write 2030-01-31T09:00:00+01:00.") from error


def anchored(trigger: Trigger, now: float) -> Trigger:
    """Return the trigger as it is stored at `now`: an interval is counted from a fixed moment."""
    if isinstance(trigger, Every) and trigger.start is None:
        return replace(trigger, start=now + trigger.seconds)
    return trigger


def trigger_from(data: Any) -> Trigger:
    """Read what `to_dict` returned.

    Raises:
        ValidationError: it is no trigger.
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


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except Exception as error:  # the module raises five kinds, for what is only one mistake
        raise ValidationError(f"{name!r:.60} is no time zone; write one such as Europe/Berlin.") from error


@functools.lru_cache(maxsize=512)
def _compiled(expression: str, timezone: str) -> list[Callable[[float], float | None]]:
    """Return what finds the next moment after another; the earliest that is found counts."""
    fields = _SHORT.get(expression.strip().lower(), expression).lower().split()
    if len(fields) != len(_RANGES):
        raise ValidationError(
            f"{expression!r:.60} is no cron expression: it has five fields, minute, hour, day, month and "
            "day of the week."
        )
    minute, hour, day, month, weekday = (
        _field(text, name) for text, name in zip(fields, _RANGES, strict=True)
    )
    zone, named_hour = _zone(timezone), not fields[1].startswith("*")
    clock = UTC if named_hour else zone
    find = _next_on_the_wall if named_hour else _next_in_time
    days = [{"day": day, "day_of_week": weekday}]
    if not fields[2].startswith("*") and not fields[4].startswith("*"):
        days = [{"day": day}, {"day_of_week": weekday}]
    common = {"minute": minute, "hour": hour, "month": month, "second": "0", "timezone": clock}
    return [functools.partial(find, CronTrigger(**common, **one), zone) for one in days]


def _field(text: str, name: str) -> str:
    """Return a field as APScheduler reads it: a list of numbers, or a star."""
    if text == "*":
        return text
    values: set[int] = set()
    last_day = False
    for item in text.split(","):
        if item == "last" and name == "day":
            last_day = True
        else:
            values.update(_item(item, name))
    if name == "day of the week":
        values = {(value - 1) % 7 for value in values}  # where Monday is 0
    return ",".join([str(value) for value in sorted(values)] + ["last"] * last_day)


def _item(item: str, name: str) -> range:
    low, high = _RANGES[name]
    found = _ITEM.fullmatch(item)
    if found is None:
        raise ValidationError(f"{item!r:.60} is no {name} of a cron expression.")
    first_text, last_text, step_text = cast("tuple[str | None, str | None, str | None]", found.groups())
    first, last = low, high - (name == "day of the week")
    if first_text is not None:
        first = _number(first_text, name)
        if last_text is not None:
            last = _number(last_text, name)
        elif step_text is None:
            last = first
    if last < first and name == "day of the week":  # fri-mon
        last += 7
    step = int(step_text or 1)
    if step < 1 or last < first:
        raise ValidationError(
            f"{item!r:.60} is no {name} of a cron expression: it holds none ({low}-{high})."
        )
    return range(first, last + 1, step)


def _number(text: str, name: str) -> int:
    low, high = _RANGES[name]
    value = _NAMES.get(name, {}).get(text)
    if value is None:
        value = int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else -1
    if not low <= value <= high:
        raise ValidationError(f"{text!r:.60} is no {name} of a cron expression; it is {low} to {high}.")
    return value


def _next_on_the_wall(trigger: CronTrigger, zone: ZoneInfo, moment: float) -> float | None:
    """Return the next moment of a trigger of UTC whose times are read off the wall of `zone`."""
    wall = datetime.fromtimestamp(moment, zone).replace(tzinfo=UTC)
    while (found := _ask(trigger, wall + _TICK)) is not None:
        # What the clocks leave out is read as if they had not been changed yet: an hour later.
        real = found.replace(tzinfo=zone).timestamp()
        if real > moment:
            return real
        wall = found
    return None


def _next_in_time(trigger: CronTrigger, zone: ZoneInfo, moment: float) -> float | None:
    """Return the next moment of a trigger of `zone`, in an hour that comes again too."""
    found = _ask(trigger, (datetime.fromtimestamp(moment, UTC) + _TICK).astimezone(zone))
    if found is not None:
        real = datetime.fromtimestamp(found.timestamp(), zone)
        if (real.hour, real.minute) != (found.hour, found.minute):  # the clocks leave it out
            found = _ask(trigger, real)
    return None if found is None else found.timestamp()


def _ask(trigger: CronTrigger, first: datetime) -> datetime | None:
    return trigger.get_next_fire_time(None, first)  # pyright: ignore[reportUnknownVariableType]
