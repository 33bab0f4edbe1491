"""The options with which a thread is answered: model, instructions and temperature.

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
"""The app's own agent."""
_KEY = "answers"
"""The key of the options in a thread's metadata."""
MAX_INSTRUCTIONS = 20_000
_MAX_TEMPERATURE = 2.0


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """The options that a person has chosen for a thread.

    Attributes:
        model: a litellm model name; "" for the one that answers by default.
        instructions: in place of the built-in system prompt; "" for that one.
        temperature: 0 to 2; None leaves it to the provider.
    """

    model: str = ""
    instructions: str = ""
    temperature: float | None = None

    @classmethod
    def of(cls, metadata: Mapping[str, Any] | None) -> AnswerOptions:
        """Read the options from a thread's metadata; an invalid one counts as not chosen."""
        found = (metadata or {}).get(_KEY)
        known = found if isinstance(found, Mapping) else {}
        model, words = known.get("model"), known.get("instructions")
        return cls(
            model if isinstance(model, str) else "",
            words if isinstance(words, str) else "",
            _degrees(known.get("temperature")),
        )

    def metadata(self) -> dict[str, Any]:
        """Return the options as a thread's metadata has them."""
        return {_KEY: {name: value for name, value in asdict(self).items() if value not in ("", None)}}


def parse_options(model: str, instructions: str, temperature: str) -> AnswerOptions:
    """Read the options that a person typed.

    Raises:
        ValidationError: the instructions are too long, or the temperature is no number from 0 to 2.
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
