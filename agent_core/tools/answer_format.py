"""Ask a model for an answer of a form, and check the answer."""

from __future__ import annotations

import functools
import json
from typing import Any, cast

from agent_core.support.plain_json import fields_of
from agent_core.tools.json_schema import JsonSchema

_ASK = "Answer with one JSON object and nothing else: no text around it, and no code fence."


class AnswerFormat:
    """Form of an answer; see `TurnOptions.answer_format`.

    Args:
        given: the form.

    Raises:
        ValidationError: its JSON schema is malformed, or is not that of an object.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        schema = fields_of(given.get("json_schema")).get("schema")
        self._schema = None if schema is None else _schema(json.dumps(schema, sort_keys=True))

    @property
    def instruction(self) -> str:
        """Return the instruction for a model that does not take the form as an option."""
        if self._schema is None:
            return _ASK
        schema = json.dumps(self._schema.schema, ensure_ascii=False, separators=(",", ":"))
        return f"{_ASK} It must be valid for this JSON schema:\n{schema}"

    def problem(self, text: str) -> str | None:
        """Return what is wrong with an answer; None if it has the form."""
        try:
            value: Any = json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            return f"it is not JSON ({error})"
        if not isinstance(value, dict):
            return "it is not a JSON object"
        fields = fields_of(cast("object", value))
        problems = [] if self._schema is None else self._schema.problems(fields)
        return "; ".join(problems) or None


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


@functools.lru_cache(maxsize=16)
def _schema(text: str) -> JsonSchema:
    return JsonSchema(json.loads(text))
