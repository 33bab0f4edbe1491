"""Pure functions that convert the fields of the schedule form to a trigger, and describe triggers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from agent_core import Trigger, at, cron, every
from agent_core.errors import ValidationError, words_of
from agent_core.schedules.triggers import At, Cron, anchored

_UNITS = {"minutes": 60, "hours": 3600, "days": 86400}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
INITIAL_FORM = {
    "agent": "",
    "thread": "",
    "title": "",
    "prompt": "",
    "kind": "daily",
    "time": "09:00",
    "day": "mon",
    "amount": "1",
    "unit": "hours",
    "moment": "",
    "cron": "0 9 * * mon-fri",
}
"""Initial values of the form."""
MAX_UPCOMING = 5
"""Maximum number of upcoming runs that are shown."""


class FieldError(Exception):
    """The value of a form field is invalid.

    Attributes:
        field: name of the field.
        words: "blank", "time", "amount", "moment", "past" or "never", which the page translates; else a
            sentence.
    """

    def __init__(self, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words


def trigger_of(form: Mapping[str, str], timezone: str) -> Trigger:
    """Return the trigger that a form describes.

    Raises:
        FieldError: the value of a field is invalid.
    """
    kind = form.get("kind")
    if kind in ("daily", "weekdays", "weekly"):
        minute, hour = _clock(form.get("time", ""))
        day = form.get("day", "")
        days = {"daily": "*", "weekdays": "mon-fri"}.get(kind) or (day if day in _DAYS else "mon")
        return _checked("time", lambda: cron(f"{minute} {hour} * * {days}", timezone))
    if kind == "every":
        seconds = _amount(form.get("amount", "")) * _UNITS.get(form.get("unit", ""), 3600)
        return _checked("amount", lambda: every(seconds=seconds))
    if kind == "once":
        return _once(form.get("moment", ""), timezone)
    return _checked("cron", lambda: cron(form.get("cron", "").strip(), timezone))


def next_runs(trigger: Trigger, now: float) -> list[float]:
    """Return the next times at which a trigger comes due, in seconds since the epoch; at most `MAX_UPCOMING`."""
    found, moment, placed = list[float](), now, anchored(trigger, now)
    while len(found) < MAX_UPCOMING:
        following = placed.next_after(moment)
        if following is None:
            break
        found.append(following)
        moment = following
    return found


def describe_trigger(trigger: Trigger) -> dict[str, str]:
    """Return a trigger's description for a page: its kind, and the values of that kind.

    A cron expression in the shape that the form writes has the kind daily, weekdays or weekly; weekly also
    has `day`.
    """
    if isinstance(trigger, Cron):
        return _described_cron(trigger)
    if isinstance(trigger, At):
        return {"kind": "once", "words": "", "at": str(trigger.moment)}
    for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if trigger.seconds % seconds == 0:
            return {"kind": unit, "words": f"{trigger.seconds / seconds:g}", "at": ""}
    return {"kind": "seconds", "words": f"{trigger.seconds:g}", "at": ""}


def _described_cron(trigger: Cron) -> dict[str, str]:
    plain = re.fullmatch(r"(\d{1,2}) (\d{1,2}) \* \* (\S+)", trigger.expression, re.ASCII)
    kinds = {"*": "daily", "mon-fri": "weekdays"} | dict.fromkeys(_DAYS, "weekly")
    if not plain or plain[3] not in kinds:
        return {"kind": "cron", "words": f"{trigger.expression} ({trigger.timezone})", "at": ""}
    words = f"{int(plain[2]):02}:{int(plain[1]):02} ({trigger.timezone})"
    return {"kind": kinds[plain[3]], "words": words, "at": "", "day": plain[3]}


def _clock(words: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,2}):(\d{2})(?::\d{2})?", words.strip(), re.ASCII)
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise FieldError("time", "time")
    return int(match[2]), int(match[1])


def _amount(words: str) -> float:
    try:
        amount = float(words.strip().replace(",", "."))
    except ValueError:
        raise FieldError("amount", "amount") from None
    if not 0 < amount < float("inf"):
        raise FieldError("amount", "amount")
    return amount


def _once(words: str, timezone: str) -> Trigger:
    try:
        datetime.fromisoformat(words.strip())
    except ValueError:
        raise FieldError("moment", "moment") from None
    return _checked("moment", lambda: at(words.strip(), timezone))


def _checked(field: str, make: Callable[[], Trigger]) -> Trigger:
    try:
        return make()
    except ValidationError as error:
        raise FieldError(field, words_of(error)) from error
