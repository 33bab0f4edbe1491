"""What the demo model says about the outcomes of its tool calls: a sentence or two for each."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

_Fields = dict[str, Any]


def describe(tool: str, content: str) -> str:
    """Put an outcome into markdown; what has not the expected form is quoted as it is."""
    outcome = _read(content)
    if isinstance(outcome, dict):
        with suppress(KeyError, TypeError, IndexError, ValueError):
            return _search(outcome) if tool == "search_docs" else _PHRASES[tool].format_map(outcome)
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


def _search(outcome: _Fields) -> str:
    results: list[_Fields] = outcome["results"]
    if not results:
        return f"The docs say nothing about *{outcome['query']}*."
    sections = [f"**{each['heading']}** (`{each['file']}`)\n\n> {_quoted(each['text'])}" for each in results]
    return f"From the docs about *{outcome['query']}*:\n\n" + "\n\n".join(sections)


_PHRASES = {
    "clock": "It is **{time}** on {date} ({timezone}).",
    "calculator": "`{expression}` is **{result}**.",
    "slow_task": "The slow task is done: {steps} steps in {seconds:g} seconds.",
    "unreliable_service": "The unreliable service answered **{answer}** on attempt {attempts}.",
    "send_email": "The e-mail *{subject}* to {to} is {status}. "
    "(This is a demo: the e-mail was only written to `outbox.jsonl` in the data folder.)",
}
