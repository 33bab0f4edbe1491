"""Hold the history of a thread in the provider's form, with the facts about it that every request needs.

The facts are found when a message is added, so a step of a long thread costs no more than one of a short thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple, cast

from agent_core.context.provider_messages import take_note
from agent_core.context.token_meter import about, at_most
from agent_core.domain.messages import Part
from agent_core.domain.model_adapter import ProviderMessage
from agent_core.domain.signatures import is_signed
from agent_core.runners.file_parts import has_files

_BYTES_EACH = 256  # bytes of a dict or a list without its contents


class History(NamedTuple):
    """The messages of a thread in the provider's form; they are never changed in place.

    Attributes:
        messages: the messages, in the form of `to_provider` without its notes.
        call_ids: the ids of all tool calls of the thread.
        note: the data of the newest note of a context policy; None if there is none.
        size: about how many bytes the messages take in memory.
        most_tokens: upper bound of their tokens.
        has_files: whether any message has a file.
        is_signed: whether any message has a signature of a model.
        tool_names: the names of the tools that were called.
        about_tokens: an estimate of their tokens.
    """

    messages: list[ProviderMessage]
    call_ids: Collection[str] = frozenset()
    note: Any = None
    size: int = 0
    most_tokens: int = 0
    has_files: bool = False
    is_signed: bool = False
    tool_names: frozenset[str] = frozenset()
    about_tokens: int = 0

    @staticmethod
    def of(messages: list[ProviderMessage], call_ids: Collection[str] = frozenset()) -> History:
        """Return the history with these messages, which may contain notes."""
        return History([]).plus(messages, call_ids)

    def plus(self, messages: list[ProviderMessage], call_ids: Collection[str] = frozenset()) -> History:
        """Return the history with more messages at its end; only these are looked at."""
        new, note = take_note(messages)
        return History(
            self.messages + new,
            self.call_ids if not call_ids else {*self.call_ids, *call_ids},
            self.note if note is None else note,
            self.size + size_of_messages(new),
            self.most_tokens + at_most(new, []),
            self.has_files or has_files(new),
            self.is_signed or is_signed(new),
            self.tool_names | _tool_names(new),
            self.about_tokens + about(new, []),
        )


def call_ids_of(parts: Sequence[Part]) -> set[str]:
    """Return the ids of the tool calls among parts."""
    return {part["toolCallId"] for part in parts if "toolCallId" in part}


def _tool_names(messages: Sequence[ProviderMessage]) -> set[str]:
    return {call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}


def size_of(value: object) -> int:
    """Return about how many bytes a JSON value takes in memory."""
    size, left = 0, [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            size += _BYTES_EACH
            left += cast("dict[str, object]", item).values()
        elif isinstance(item, list):
            size += _BYTES_EACH
            left += cast("list[object]", item)
    return size


def size_of_messages(messages: Iterable[ProviderMessage]) -> int:
    """Return about how many bytes messages take."""
    return sum(map(size_of, messages))
