"""The script of a reply: text, thoughts and tool calls, in whatever dialect they are then said."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning before or between the rest; `hidden` is Anthropic's redacted and OpenRouter's encrypted kind."""

    text: str
    hidden: bool = False

    @property
    def signature(self) -> str:
        """The signature that its provider gives it and wants to see again."""
        return base64.b64encode(hashlib.sha256(self.text.encode()).digest() * 2).decode()


@dataclass(frozen=True, slots=True)
class Use:
    """A tool call; the dialect gives it an id of its own form where it has none."""

    name: str
    arguments: Json = field(default_factory=dict[str, Any])
    id: str = ""

    @property
    def signature(self) -> str:
        """The signature of a provider that signs calls, which Gemini does."""
        return base64.b64encode(hashlib.sha256(f"{self.name}{self.id}".encode()).digest()).decode()


@dataclass(frozen=True, slots=True)
class Ran:
    """A call of a tool that the provider runs itself, and what came of it.

    `half` is "call" where the provider pauses before the result, "result" where it goes on with it.
    """

    name: str
    arguments: Json
    result: Any
    id: str
    half: str = ""


Item = str | Thought | Use | Ran
Reply = Sequence[Item]


def with_ids(items: Reply, start: int, form: str) -> list[Item]:
    """Return the reply with an id for each call, such as `form` "call_{:08}" makes of a number."""
    numbered = enumerate(items, start)
    return [
        replace(item, id=form.format(n)) if isinstance(item, Use) and not item.id else item
        for n, item in numbered
    ]


def text_of(items: Reply) -> str:
    return "".join(item for item in items if isinstance(item, str))


def thoughts_of(items: Reply) -> list[Thought]:
    return [item for item in items if isinstance(item, Thought)]


def uses_of(items: Reply) -> list[Use]:
    return [item for item in items if isinstance(item, Use)]
