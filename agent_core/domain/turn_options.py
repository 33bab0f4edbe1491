"""Define what the caller of one turn asks for beyond the agent: tools of its own, and the form of the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from agent_core.support.argument_checks import known_options

CLIENT_CALL = "fcall"
"""Prefix of the ids of calls of the caller's tools.

Such an id is always made here, so it is unique among all threads, and says whose call it is.
"""


@known_options
@dataclass(frozen=True, slots=True)
class TurnOptions:
    """Options of one turn, stored with its thread; all fields are plain JSON in OpenAI's form.

    Attributes:
        tools: function tools of the caller: {"name", "description", "parameters"}. A call of one waits for its outcome
            from outside, as that of an async tool, whose name it must not have.
        tool_choice: "auto", "required", or the name of one of `tools`. A choice holds for the first model step,
            and for the first one after the caller's outcomes.
        parallel_tool_calls: whether one step may call several tools.
        answer_format: {"type": "json_object"}, or {"type": "json_schema", "json_schema": {"name", "schema"}}; the
            answer is checked, and an attempt with another one fails. None: any text.
    """

    tools: Sequence[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    answer_format: dict[str, Any] | None = None

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.tools) or self.answer_format is not None

    def as_json(self) -> str | None:
        """Return the options as they are stored; None if nothing is asked for."""
        return json.dumps(asdict(self), separators=(",", ":")) if self else None

    @staticmethod
    def of(text: str | None) -> TurnOptions | None:
        """Return stored options."""
        return None if text is None else TurnOptions(**json.loads(text))


def is_client_call(call_id: object) -> bool:
    """Whether a tool call has to be run by the caller of its turn."""
    return isinstance(call_id, str) and call_id.startswith(f"{CLIENT_CALL}_")
