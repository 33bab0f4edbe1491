"""Triggers: cron expressions as crontab(5) defines them, even when local clocks change."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent_core import errors
from agent_core.schedules.triggers import (
    At,
    Cron,
    Every,
    Trigger,
    anchored,
    at,
    cron,
    every,
    trigger_from,
)

BERLIN = "Europe/Berlin"


def moment(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def times(trigger: Trigger, after: float, count: int, zone: str = "UTC") -> list[str]:
    """Return the next moments in local time."""
    found: list[str] = []
    while len(found) < count and (following := trigger.next_after(after)) is not None:
        assert following > after
        found.append(datetime.fromtimestamp(following, ZoneInfo(zone)).strftime("%a %d %b %H:%M:%S %z"))
        after = following
    return found


CRONS = {
    "0 9 * * mon-fri": ["Thu 01 Jan 09:00", "Fri 02 Jan 09:00", "Mon 05 Jan 09:00"],
    "*/15 * * * *": ["Thu 01 Jan 00:15", "Thu 01 Jan 00:30", "Thu 01 Jan 00:45"],
    "5/20 8 * * *": ["Thu 01 Jan 08:05", "Thu 01 Jan 08:25", "Thu 01 Jan 08:45"],
    "0 0 * * 0": ["Sun 04 Jan 00:00", "Sun 11 Jan 00:00", "Sun 18 Jan 00:00"],
    "0 0 * * 7": ["Sun 04 Jan 00:00", "Sun 11 Jan 00:00", "Sun 18 Jan 00:00"],
    "0 0 * * 1-5/2": ["Fri 02 Jan 00:00", "Mon 05 Jan 00:00", "Wed 07 Jan 00:00"],
    "0 0 * * FRI-mon": ["Fri 02 Jan 00:00", "Sat 03 Jan 00:00", "Sun 04 Jan 00:00"],
    "0 0 * * 5-7": ["Fri 02 Jan 00:00", "Sat 03 Jan 00:00", "Sun 04 Jan 00:00"],
    "0 0 3 * fri": ["Fri 02 Jan 00:00", "Sat 03 Jan 00:00", "Fri 09 Jan 00:00"],
    "0 0 last * *": ["Sat 31 Jan 00:00", "Sat 28 Feb 00:00", "Tue 31 Mar 00:00"],
    "0 0 29 feb *": ["Tue 29 Feb 00:00", "Sun 29 Feb 00:00", "Fri 29 Feb 00:00"],
    "0,30 23 1 jan,jul *": ["Thu 01 Jan 23:00", "Thu 01 Jan 23:30", "Wed 01 Jul 23:00"],
    "@daily": ["Fri 02 Jan 00:00", "Sat 03 Jan 00:00", "Sun 04 Jan 00:00"],
    "@weekly": ["Sun 04 Jan 00:00", "Sun 11 Jan 00:00", "Sun 18 Jan 00:00"],
}


@pytest.mark.parametrize("expression", CRONS)
def test_an_expression_means_what_crontab_says(expression: str) -> None:
    assert times(cron(expression), moment("2026-01-01 00:00"), 3) == [
        f"{text}:00 +0000" for text in CRONS[expression]
    ]


BAD = {
    "five fields": lambda: cron("0 9 * *"),
    "not a valid minute": lambda: cron("60 * * * *"),
    "not a valid hour of": lambda: cron("0 24 * * *"),
    "not a valid day of": lambda: cron("0 0 0 * *"),
    "not a valid month": lambda: cron("0 0 1 13 *"),
    "not a valid day of the week": lambda: cron("0 0 * * 8"),
    "'monday' is not a valid day of the week": lambda: cron("0 0 * * monday"),
    "'mon/x' is not a valid day of the week": lambda: cron("0 0 * * mon/x"),
    "matches no value": lambda: cron("30-10 * * * *"),
    "'\\*/0' is not a valid minute": lambda: cron("*/0 * * * *"),
    "'\\*/9999": lambda: cron("*/" + "9" * 5000 + " * * * *"),
    "'' is not a valid minute": lambda: cron("1,,2 * * * *"),
    "'١' is not a valid minute": lambda: cron("١ * * * *"),
    "not a valid day of the week of": lambda: cron("* * * * 1\0"),
    "not a time zone": lambda: cron("0 9 * * *", "Europe/Paname"),
    "'../../etc/passwd' is not a time zone": lambda: cron("0 9 * * *", "../../etc/passwd"),
    "is a text": lambda: cron(None),  # type: ignore[arg-type]
    "at least a second": lambda: every(),
    "at most ten years": lambda: every(weeks=10_000),
    "made of numbers": lambda: every(minutes=float("nan")),
    "made of numbers: ": lambda: every(minutes="5"),  # type: ignore[arg-type]
    "has no time zone": lambda: at("2030-01-01T09:00"),
    "is not a moment": lambda: at("tomorrow"),
    "'5' is not a moment": lambda: at(5),  # type: ignore[arg-type]
    "is not a moment;": lambda: at("2030-02-30"),
    "is no trigger": lambda: trigger_from({"type": "cron"}),
    "None is no trigger": lambda: trigger_from(None),
    "'lunar'": lambda: trigger_from({"type": "lunar"}),
    "'x'": lambda: trigger_from({"type": "date", "moment": "x"}),
    "interval": lambda: trigger_from({"type": "interval", "seconds": 0, "start": 0}),
}


@pytest.mark.parametrize("words", BAD)
def test_unusable_trigger_is_refused_with_a_sentence(words: str) -> None:
    with pytest.raises(errors.ValidationError, match=words):
        BAD[words]()


def test_an_expression_that_never_fits() -> None:
    assert cron("0 0 30 2 *").next_after(moment("2026-01-01 00:00")) is None


def test_cron_hour_that_the_clocks_leave_out_comes_an_hour_later() -> None:
    found = times(cron("30 2 * * *", BERLIN), moment("2026-03-28 12:00"), 2, BERLIN)
    assert found == ["Sun 29 Mar 03:30:00 +0200", "Mon 30 Mar 02:30:00 +0200"]


def test_cron_hour_that_the_clocks_repeat_comes_once() -> None:
    found = times(cron("30 2 * * *", BERLIN), moment("2026-10-24 12:00"), 2, BERLIN)
    assert found == ["Sun 25 Oct 02:30:00 +0200", "Mon 26 Oct 02:30:00 +0100"]


def test_hourly_cron_keeps_its_hours_when_the_clocks_go_back() -> None:
    found = times(cron("30 * * * *", BERLIN), moment("2026-10-24 23:45"), 3, BERLIN)
    assert [text[-14:] for text in found] == ["02:30:00 +0200", "02:30:00 +0100", "03:30:00 +0100"]


def fits(expression: str, local: datetime) -> bool:
    minute, hour = expression.split()[:2]
    return _has(minute, local.minute) and _has(hour, local.hour)


def _has(field: str, value: int) -> bool:
    if field.startswith("*"):
        return value % int(field[2:] or 1) == 0
    return str(value) in field.split(",")


field = st.one_of(
    st.just("*"),
    st.sampled_from([2, 3, 7, 20]).map(lambda n: f"*/{n}"),
    st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True).map(
        lambda values: ",".join(map(str, values))
    ),
)
NIGHTS = [
    (BERLIN, "2026-03-29"),
    (BERLIN, "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),  # a shift of half an hour
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2018-11-04"),  # a shift at midnight
    ("Africa/Cairo", "2026-04-24"),
]


@settings(max_examples=60)
@given(field, field, st.sampled_from(NIGHTS))
@example("30", "2", NIGHTS[0])
@example("0", "0,1,2,3", NIGHTS[1])
def test_against_every_minute_of_a_night_when_the_clocks_change(
    minute: str, hour: str, night: tuple[str, str]
) -> None:
    zone, date = ZoneInfo(night[0]), night[1]
    trigger = cron(f"{minute} {hour} * * *", night[0])
    begin = datetime.fromisoformat(f"{date}T00:00").replace(tzinfo=UTC) - timedelta(hours=14)
    fixed = not hour.startswith("*")
    wanted, left_out = set[float](), set[float]()
    for number in range(36 * 60):
        instant = begin + timedelta(minutes=number)
        local = instant.astimezone(zone)
        if fits(trigger.expression, local) and not (fixed and local.fold):
            wanted.add(instant.timestamp())
        wall = (begin + timedelta(minutes=number)).replace(tzinfo=zone)  # every minute of local time, too
        there_is = datetime.fromtimestamp(wall.timestamp(), zone).replace(fold=0) == wall
        inside = begin.timestamp() <= wall.timestamp() < begin.timestamp() + 36 * 3600
        if fixed and not there_is and inside and fits(trigger.expression, wall):
            left_out.add(wall.timestamp())
    wanted |= {min(left_out)} if left_out else set()
    found, after = set[float](), begin.timestamp() - 1
    while (after := trigger.next_after(after) or 0.0) < begin.timestamp() + 36 * 3600:
        found.add(after)
    assert found == wanted


def test_an_interval_is_counted_from_its_start() -> None:
    now = moment("2026-01-01 12:00:07")
    trigger = anchored(every(minutes=5), now)
    assert times(trigger, now, 2) == ["Thu 01 Jan 12:05:07 +0000", "Thu 01 Jan 12:10:07 +0000"]
    assert times(trigger, now + 86400, 1) == ["Fri 02 Jan 12:05:07 +0000"]
    late = every(days=1, start="2026-02-01T09:00", timezone=BERLIN)
    assert times(late, now, 2) == ["Sun 01 Feb 08:00:00 +0000", "Mon 02 Feb 08:00:00 +0000"]
    assert anchored(late, now) == late


@given(st.floats(1, 1e8), st.floats(0, 4e9), st.floats(0, 4e9))
def test_an_interval_always_goes_on(seconds: float, start: float, after: float) -> None:
    following = Every(seconds, start).next_after(after)
    assert following is not None
    assert after < following <= max(start, after + seconds * (1 + 1e-9) + 1e-3)


def test_once_is_due_at_its_time_only() -> None:
    when = at("2026-03-01T09:00", BERLIN)
    assert when == at(datetime(2026, 3, 1, 8, tzinfo=UTC))
    assert when.next_after(when.moment - 1) == when.moment
    assert when.next_after(when.moment) is None


@pytest.mark.parametrize("trigger", [Cron("0 9 * * mon", BERLIN), Every(300.0, 17.5), At(1e9)])
def test_trigger_comes_back_from_its_json(trigger: Any) -> None:
    assert trigger_from(json.loads(json.dumps(trigger.to_dict()))) == trigger
