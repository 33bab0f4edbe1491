"""Findings of the doctor, and how they are printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a check.

    Attributes:
        area: what was checked, such as "database".
        level: "ok"; "note" for what works but may surprise; "problem" for what keeps the app from working.
        text: a sentence; that of a problem says what to do.
    """

    area: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class SettingSource:
    """Setting that has a value.

    Attributes:
        name: the variable.
        value: its value, without secrets.
        source: "environment", or the path of the file.
    """

    name: str
    value: str
    source: str


def as_json(settings: Sequence[SettingSource], findings: Sequence[Finding]) -> str:
    """Return the report as JSON."""
    report = {
        "ok": not has_problems(findings),
        "settings": [asdict(each) for each in settings],
        "findings": [asdict(each) for each in findings],
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


def as_text(settings: Sequence[SettingSource], findings: Sequence[Finding]) -> str:
    """Return the report as lines for a terminal."""
    lines = ["Settings"]
    lines += [f"  {each.name} = {each.value}  ({each.source})" for each in settings]
    lines += [] if settings else ["  none; every setting has its default"]
    lines += ["", "Checks"]
    lines += [f"  {each.level:<8}{each.area:<14}{each.text}" for each in findings]
    problems = sum(each.level == "problem" for each in findings)
    lines += ["", f"{problems} problem{'' if problems == 1 else 's'}." if problems else "No problems."]
    return "\n".join(lines)


def has_problems(findings: Sequence[Finding]) -> bool:
    """Return whether one of the findings is a problem."""
    return any(each.level == "problem" for each in findings)
