"""Parse cron expressions as in crontab(5), and find their next moment in a time zone.

The arithmetic is APScheduler's, whose semantics differ: there 0 is Monday, the day of the month
*and* of the week must both match, and a fixed hour occurs twice when the clocks go back.
"""

# Boundary to an untyped library:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from agent_core.errors import ValidationError
from agent_core.sentences import sentence

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: dict[str, dict[str, int]] = {
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "weekday": {name: number for number, name in enumerate(_DAYS)},
}
_RANGES = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "weekday": (0, 7),  # 0 and 7 are Sunday
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


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of a name of the IANA database.

    Raises:
        ValidationError: the name is unknown.
    """
    try:
        return ZoneInfo(name)
    except Exception as error:  # the module raises five classes for the same mistake
        raise ValidationError(sentence("time_zone_unknown", zone=name)) from error


@functools.lru_cache(maxsize=512)
def compiled(expression: str, timezone: str) -> list[Callable[[float], float | None]]:
    """Return functions that find the next moment after another (seconds since the epoch).

    The earliest result counts: if both days are given, each has a function of its own.

    Raises:
        ValidationError: the expression or the time zone is invalid; the message names the part.
    """
    fields = _SHORT.get(expression.strip().lower(), expression).lower().split()
    if len(fields) != len(_RANGES):
        raise ValidationError(sentence("cron_field_count", expression=expression))
    minute, hour, day, month, weekday = (
        _field(text, name) for text, name in zip(fields, _RANGES, strict=True)
    )
    zone, named_hour = zone_of(timezone), not fields[1].startswith("*")
    clock = UTC if named_hour else zone
    find = _next_on_the_wall if named_hour else _next_in_time
    days = [{"day": day, "day_of_week": weekday}]
    if not fields[2].startswith("*") and not fields[4].startswith("*"):
        days = [{"day": day}, {"day_of_week": weekday}]
    common = {"minute": minute, "hour": hour, "month": month, "second": "0", "timezone": clock}
    return [functools.partial(find, CronTrigger(**common, **one), zone) for one in days]


def _field(text: str, name: str) -> str:
    """Return a field in the form of APScheduler: a list of numbers, or a star."""
    if text == "*":
        return text
    values: set[int] = set()
    last_day = False
    for item in text.split(","):
        if item == "last" and name == "day":
            last_day = True
        else:
            values.update(_item(item, name))
    if name == "weekday":
        values = {(value - 1) % 7 for value in values}  # Monday is 0 there
    return ",".join([str(value) for value in sorted(values)] + ["last"] * last_day)


def _item(item: str, name: str) -> range:
    low, high = _RANGES[name]
    found = _ITEM.fullmatch(item)
    if found is None:
        raise ValidationError(sentence("cron_item_invalid", item=item, field=sentence(f"cron_{name}")))
    first_text, last_text, step_text = cast("tuple[str | None, str | None, str | None]", found.groups())
    first, last = low, high - (name == "weekday")
    if first_text is not None:
        first = _number(first_text, name)
        if last_text is not None:
            last = _number(last_text, name)
        elif step_text is None:
            last = first
    if last < first and name == "weekday":  # fri-mon
        last += 7
    step = int(step_text or 1)
    if step < 1 or last < first:
        raise ValidationError(
            sentence("cron_item_empty", item=item, field=sentence(f"cron_{name}"), low=low, high=high)
        )
    return range(first, last + 1, step)


def _number(text: str, name: str) -> int:
    low, high = _RANGES[name]
    value = _NAMES.get(name, {}).get(text)
    if value is None:
        value = int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else -1
    if not low <= value <= high:
        raise ValidationError(
            sentence("cron_item_out_of_range", item=text, field=sentence(f"cron_{name}"), low=low, high=high)
        )
    return value


def _next_on_the_wall(trigger: CronTrigger, zone: ZoneInfo, moment: float) -> float | None:
    """Return the next moment of a UTC trigger whose times are local times in `zone`."""
    wall = datetime.fromtimestamp(moment, zone).replace(tzinfo=UTC)
    while (found := _ask(trigger, wall + _TICK)) is not None:
        # A local time skipped by the clock change keeps the old offset, so it is an hour later.
        real = found.replace(tzinfo=zone).timestamp()
        if real > moment:
            return real
        wall = found
    return None


def _next_in_time(trigger: CronTrigger, zone: ZoneInfo, moment: float) -> float | None:
    """Return the next moment of a trigger in `zone`, also in the repeated hour when the clocks go back."""
    found = _ask(trigger, (datetime.fromtimestamp(moment, UTC) + _TICK).astimezone(zone))
    if found is not None:
        real = datetime.fromtimestamp(found.timestamp(), zone)
        if (real.hour, real.minute) != (found.hour, found.minute):  # skipped by the clock change
            found = _ask(trigger, real)
    return None if found is None else found.timestamp()


def _ask(trigger: CronTrigger, first: datetime) -> datetime | None:
    return trigger.get_next_fire_time(None, first)  # pyright: ignore[reportUnknownVariableType]
