"""Script of a reply, independent of the dialect: text, reasoning and tool calls."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning in a reply; `hidden` is Anthropic's redacted and OpenRouter's encrypted kind."""

    text: str
    hidden: bool = False

    @property
    def signature(self) -> str:
        """Signature that the provider gives the reasoning and requires back."""
        return base64.b64encode(hashlib.sha256(self.text.encode()).digest() * 2).decode()


@dataclass(frozen=True, slots=True)
class Use:
    """Tool call, whose id the dialect fills in if it is empty."""

    name: str
    arguments: Json = field(default_factory=dict[str, Any])
    id: str = ""

    @property
    def signature(self) -> str:
        """Signature by a provider that signs calls, such as Gemini."""
        return base64.b64encode(hashlib.sha256(f"{self.name}{self.id}".encode()).digest()).decode()


@dataclass(frozen=True, slots=True)
class Ran:
    """Call of a tool that the provider runs itself, with the result.

    `half` is "call" if the provider pauses before the result, and "result" if it continues after the pause.
    """

    name: str
    arguments: Json
    result: Any
    id: str
    half: str = ""


Item = str | Thought | Use | Ran
Reply = Sequence[Item]


def with_ids(items: Reply, start: int, form: str) -> list[Item]:
    """Return the reply with an id for each call, made from a number by `form`, such as "call_{:08}"."""
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
