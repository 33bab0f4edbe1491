"""Readers of answers: what they all have, and how plain JSON is looked into."""

from __future__ import annotations

from typing import Any, cast

from agent_core.domain.model_adapter import ModelEvent

Json = dict[str, Any]


class AnswerReader:
    """Turns the JSON values of an answer into events.

    Attributes:
        finish: the newest finish reason, as the provider wrote it.
        message: the provider's words for the finish, if it has any.
        usages: every report of usage; some providers send one with each chunk.
        about: what the provider says of the answer: its id, the model that served it, …
    """

    def __init__(self) -> None:
        self.finish: str | None = None
        self.message = ""
        self.usages: list[Json] = []
        self.about: Json = {}

    def read(self, value: Json, /) -> list[ModelEvent]:
        """Return the events of one value."""
        raise NotImplementedError

    def end(self) -> list[ModelEvent]:
        """Return the events that the end of the answer brings."""
        return []

    def count(self, usage: object) -> None:
        """Note a report of usage."""
        if isinstance(usage, dict):
            self.usages.append(cast(Json, usage))


def fields_of(value: object) -> Json:
    """Return a JSON object; {} in place of anything else."""
    return cast(Json, value) if isinstance(value, dict) else {}


def items_of(value: object) -> list[Any]:
    """Return a JSON array; [] in place of anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else []
