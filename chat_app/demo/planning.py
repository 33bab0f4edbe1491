"""Planner of the demo model's tool calls for a message, in batches.

It matches patterns of words, so that the same message always gets the same plan, before and after a crash.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class _PlannedCall:
    """Planned tool call, with its purpose in a few words."""

    tool: str
    purpose: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


Batch = list[_PlannedCall]

_THEN = re.compile(r"[,.;]?\s*\b(?:and then|then|after that|afterwards)\b[,:]?", re.I)
_ZONES = {
    "berlin": "Europe/Berlin",
    "china": "Asia/Shanghai",
    "delhi": "Asia/Kolkata",
    "india": "Asia/Kolkata",
    "london": "Europe/London",
    "los angeles": "America/Los_Angeles",
    "new york": "America/New_York",
    "paris": "Europe/Paris",
    "san francisco": "America/Los_Angeles",
    "sydney": "Australia/Sydney",
    "tokyo": "Asia/Tokyo",
}
_ZONE_NAME = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?\b")
_SUM = re.compile(
    r"(?:\b(?:sqrt|sin|cos|tan|log10|log|exp|abs|round|floor|ceil|min|max)\s*\(|[-−]?\(|[-−]?\d)"
    r"(?:[\d\s.,+\-−*/%^×÷()]|\b(?:sqrt|sin|cos|tan|log10|log|exp|abs|round|floor|ceil|min|max|pi|e)\b)*"
)
_OPERATOR = re.compile(r"[\d)]\s*[+\-−*/%^×÷]\s*[-−]?[\d(a-z]|\b(?:sqrt|sin|cos|tan|log|exp)\s*\(", re.I)
_SEARCH_WORDS = re.compile(
    r"^(?:please\s+)?(?:search|look up|look in|find)\b\s*"
    r"(?:(?:in\s+)?(?:the\s+|your\s+)?(?:docs?|documentation|readme)\b\s*)?(?:for|about|on)?\b\s*",
    re.I,
)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:s\b|sec)", re.I)
_FOR_ME = re.compile(r"^((?:which|what|who)\b[^.,;:?!]*?) I (\w+)$", re.I)
_TIMES = re.compile(r"(\d+)\s*(?:times|failures)", re.I)


def plan(text: str, available: set[str]) -> list[Batch]:
    """Return the batches of tool calls that a message asks for; the calls of a batch run in parallel.

    Args:
        text: the user's message.
        available: the names of the tools that the request offers; no others are planned.
    """
    batches = (_batch(piece, available) for piece in _THEN.split(text))
    return [batch for batch in batches if batch]


def _batch(piece: str, available: set[str]) -> Batch:
    for rule in _ALONE:
        if use := rule(piece):
            return [use] if use.tool in available else []
    return [use for rule in _TOGETHER if (use := rule(piece)) and use.tool in available]


def _clock(text: str) -> _PlannedCall | None:
    if not re.search(
        r"\b(?:what|which|tell|current|now)\b.*\b(?:time|date|day)\b|\bclock\b|\btoday'?s date\b", text, re.I
    ):
        return None
    named = _ZONE_NAME.search(text)
    known = next((zone for place, zone in _ZONES.items() if place in text.lower()), "UTC")
    return _PlannedCall("clock", "the clock", {"timezone": named.group() if named else known})


def _calculator(text: str) -> _PlannedCall | None:
    asked = re.search(r"\b(?:calculate|compute|evaluate)\b:?\s*(.+)", text, re.I)
    found = max((match.group().strip(" .,") for match in _SUM.finditer(text)), key=len, default="")
    if _OPERATOR.search(found):
        return _PlannedCall("calculator", "arithmetic", {"expression": found})
    return (
        _PlannedCall("calculator", "arithmetic", {"expression": asked.group(1).strip(" ?.!")})
        if asked
        else None
    )


def _search(text: str) -> _PlannedCall | None:
    if not re.search(r"\b(?:docs?|documentation|readme)\b|\b(?:search|look up)\b", text, re.I):
        return None
    query = _SEARCH_WORDS.sub("", text.strip()).strip(" ?.!:,")
    return _PlannedCall("search_docs", "the documentation", {"query": query[:300] or text.strip()[:300]})


def _slow(text: str) -> _PlannedCall | None:
    if not re.search(r"\b(?:slow|long-running|progress|takes? (?:a while|some time|long))\b", text, re.I):
        return None
    seconds = _SECONDS.search(text)
    return _PlannedCall("slow_task", "slow work", {"seconds": float(seconds.group(1))} if seconds else {})


def _unreliable(text: str) -> _PlannedCall | None:
    if not re.search(r"\b(?:unreliable|flaky|fails? (?:sometimes|at first))\b", text, re.I):
        return None
    times = _TIMES.search(text)
    return _PlannedCall(
        "unreliable_service", "the unreliable service", {"failures": int(times.group(1))} if times else {}
    )


def _ask(text: str) -> _PlannedCall | None:
    asked = re.search(
        r"\bask (?:me|us|a human|a person|somebody|someone|the user)\b:?\s*(.*)", text, re.I | re.S
    )
    if not asked:
        return None
    about = _FOR_ME.sub(r"\1 do you \2", asked.group(1).strip(" .?!\n"))
    question = f"{about[0].upper()}{about[1:]}?" if about else "What should I do next?"
    return _PlannedCall("ask_human", "your answer", {"question": question[:300]})


def _email(text: str) -> _PlannedCall | None:
    if not re.search(r"\be-?mail\b|\bsend a mail\b", text, re.I):
        return None
    address = _ADDRESS.search(text)
    said = re.search(r"\b(?:saying|that says|with the text|:)\s*[\"“]?(.+?)[\"”]?\s*$", text, re.I | re.S)
    body = said.group(1) if said else "Hello from the demo assistant."
    to = address.group() if address else "someone@example.com"
    return _PlannedCall(
        "send_email", "an e-mail", {"to": to, "subject": "A message from the demo", "body": body[:2000]}
    )


_Rule = Callable[[str], _PlannedCall | None]

# A rule of _ALONE takes the whole sentence: the text of an e-mail must not reach the calculator.
_ALONE: tuple[_Rule, ...] = (_email, _ask, _unreliable, _slow)
_TOGETHER: tuple[_Rule, ...] = (_clock, _calculator, _search)
