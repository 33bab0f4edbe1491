"""Check a history in Gemini's form as strictly as Google's server.

The server refuses with 400 INVALID_ARGUMENT, in the words "Please ensure that function call turn comes
immediately after a user turn or after a function response turn" and "… that the number of function response
parts is equal to the number of function call parts of the function call turn".
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def check_contents(contents: list[Json]) -> None:
    """Check that the next turn answers each turn's function calls: the same number, by name and id.

    Calls without ids are distinguished by position only, so their outcomes must have the same order.

    Raises:
        AssertionError: says which content breaks the rule.
    """
    still_open: list[Json] = []
    before = "nothing"
    for place, content in enumerate(contents):
        assert content.get("parts"), f"content {place} is empty"
        answers, calls = _named(content, "functionResponse"), _named(content, "functionCall")
        _check_answers(place, still_open, answers)
        role = content.get("role", "user")
        assert not answers or role in ("user", "function"), f"content {place} answers, but is not the user's"
        assert not calls or role == "model", f"content {place} calls, but is not the model's"
        assert not calls or before in ("user", "function"), f"content {place} calls after {before}"
        ids = [call["id"] for call in calls if call.get("id")]
        assert len(set(ids)) == len(ids), f"content {place} calls twice with one id"
        still_open, before = calls, role
    assert not still_open, f"the request ends without the outcome of {_names(still_open)}"


def _check_answers(place: int, calls: list[Json], answers: list[Json]) -> None:
    assert len(answers) == len(calls), (
        f"content {place} has {len(answers)} function responses where {len(calls)} calls are open"
    )
    if calls and all(call.get("id") for call in calls):
        wanted = sorted((call["id"], call["name"]) for call in calls)
        given = sorted((answer.get("id") or "", answer["name"]) for answer in answers)
    else:
        wanted, given = _names(calls), _names(answers)
    assert given == wanted, f"content {place} answers {given} where {wanted} are open"
    assert all(isinstance(answer.get("response"), dict) for answer in answers), (
        f"content {place} answers with what is no object"
    )


def _named(content: Json, kind: str) -> list[Json]:
    """Return the calls or outcomes of a content; Google's server accepts both spellings of the key."""
    snake = {"functionCall": "function_call", "functionResponse": "function_response"}[kind]
    return [part[key] for part in content["parts"] for key in (kind, snake) if key in part]


def _names(calls: list[Json]) -> list[str]:
    return [call["name"] for call in calls]
