"""Define the base class of readers, and accessors for plain JSON."""

from __future__ import annotations

from typing import Any, cast

from agent_core.domain.model_adapter import ModelEvent

Json = dict[str, Any]


class AnswerReader:
    """Base of readers, which turn the JSON values of an answer into events.

    Attributes:
        finish: the provider's newest finish reason.
        message: the provider's explanation of the finish, if there is one.
        usages: all reports of usage; some providers send one with each chunk.
        about: metadata of the answer: its id, the model that served it, …
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
        """Return the events at the end of the answer."""
        return []

    def count(self, usage: object) -> None:
        """Add a report of usage."""
        if isinstance(usage, dict):
            self.usages.append(cast(Json, usage))


def fields_of(value: object) -> Json:
    """Return a JSON object; {} for any other value."""
    return cast(Json, value) if isinstance(value, dict) else {}


def items_of(value: object) -> list[Any]:
    """Return a JSON array; [] for any other value."""
    return cast("list[Any]", value) if isinstance(value, list) else []
