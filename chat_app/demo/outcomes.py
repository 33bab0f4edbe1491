"""What the demo model says about the outcomes of its tool calls: a sentence or two for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Fields = dict[str, Any]


def describe(tool: str, content: str) -> str:
    """Put an outcome into markdown; what has not the expected form is quoted as it is."""
    outcome = _read(content)
    if isinstance(outcome, dict) and (phrase := _PHRASES.get(tool)):
        try:
            return phrase(outcome)
        except (KeyError, TypeError, IndexError):
            pass
    if tool == "ask_human":
        return f"You answered: **{_text(outcome)}**. Thank you."
    return f"`{tool}` returned:\n\n> {_quoted(_text(outcome))}"


def _read(content: str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content


def _text(outcome: Any) -> str:
    if isinstance(outcome, dict) and set(outcome) == {"answer"}:
        outcome = outcome["answer"]
    return outcome if isinstance(outcome, str) else json.dumps(outcome, ensure_ascii=False)


def _quoted(text: str) -> str:
    return text.strip().replace("\n", "\n> ") or "(nothing)"


def _clock(outcome: Fields) -> str:
    return f"It is **{outcome['time']}** on {outcome['date']} ({outcome['timezone']})."


def _calculator(outcome: Fields) -> str:
    return f"`{outcome['expression']}` is **{outcome['result']}**."


def _search(outcome: Fields) -> str:
    results: list[Fields] = outcome["results"]
    if not results:
        return f"The docs say nothing about *{outcome['query']}*."
    sections = [f"**{each['heading']}** (`{each['file']}`)\n\n> {_quoted(each['text'])}" for each in results]
    return f"From the docs about *{outcome['query']}*:\n\n" + "\n\n".join(sections)


def _slow(outcome: Fields) -> str:
    return f"The slow task is done: {outcome['steps']} steps in {outcome['seconds']:g} seconds."


def _unreliable(outcome: Fields) -> str:
    return f"The unreliable service answered **{outcome['answer']}** on attempt {outcome['attempts']}."


def _email(outcome: Fields) -> str:
    return (
        f"The e-mail *{outcome['subject']}* to {outcome['to']} is {outcome['status']}. "
        "(This is a demo: the e-mail was only written to `outbox.jsonl` in the data folder.)"
    )


_PHRASES: dict[str, Callable[[Fields], str]] = {
    "clock": _clock,
    "calculator": _calculator,
    "search_docs": _search,
    "slow_task": _slow,
    "unreliable_service": _unreliable,
    "send_email": _email,
}
