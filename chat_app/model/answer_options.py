"""Options with which a thread is answered: model, instructions and temperature.

The options are kept in the thread's metadata, so that every tab and process uses them; options that are
chosen while the agent runs take effect with its next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from agent_core.errors import ValidationError
from agent_core.sentences import compose
from chat_app.plain_text import clean_text

ASSISTANT = "assistant"
"""Name of the app's own agent."""
_KEY = "answers"
"""Key of the options in a thread's metadata."""
MAX_INSTRUCTIONS = 20_000
_MAX_TEMPERATURE = 2.0


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """Options that a user has chosen for a thread.

    Attributes:
        model: litellm model name; "" for the default model.
        instructions: system prompt in place of the built-in one; "" for the built-in one.
        temperature: 0 to 2; None for the provider's default.
    """

    model: str = ""
    instructions: str = ""
    temperature: float | None = None

    @classmethod
    def of(cls, metadata: Mapping[str, Any] | None) -> AnswerOptions:
        """Read the options from a thread's metadata; an invalid option counts as not chosen."""
        found = (metadata or {}).get(_KEY)
        known = found if isinstance(found, Mapping) else {}
        model, words = known.get("model"), known.get("instructions")
        return cls(
            model if isinstance(model, str) else "",
            words if isinstance(words, str) else "",
            _degrees(known.get("temperature")),
        )

    def metadata(self) -> dict[str, Any]:
        """Return the options in the form in which a thread's metadata stores them."""
        return {_KEY: {name: value for name, value in asdict(self).items() if value not in ("", None)}}


def parse_options(model: str, instructions: str, temperature: str) -> AnswerOptions:
    """Parse the options that a user typed.

    Raises:
        ValidationError: the instructions are too long, or the temperature is not a number from 0 to 2.
    """
    words = clean_text(instructions).strip()
    if len(words) > MAX_INSTRUCTIONS:
        raise ValidationError(
            compose(
                "instructions_too_long",
                "The instructions have {count} characters; {most} is the most.",
                count=len(words),
                most=MAX_INSTRUCTIONS,
            )
        )
    typed = temperature.strip().replace(",", ".")
    degrees = _degrees(typed) if typed else None
    if typed and degrees is None:
        raise ValidationError(
            compose(
                "temperature_invalid",
                "The temperature is '{typed}'; it must be a number from 0 to 2, or nothing.",
                typed=typed,
            )
        )
    return AnswerOptions(model, words, degrees)


def _degrees(value: Any) -> float | None:
    try:
        degrees = float(value)
    except (TypeError, ValueError):
        return None
    return degrees if 0 <= degrees <= _MAX_TEMPERATURE else None
