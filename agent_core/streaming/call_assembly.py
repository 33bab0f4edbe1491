"""Assemble tool calls from their streamed fragments.

In OpenAI's format an index distinguishes the calls of one answer, and only a call's first fragment has an id
and a name. Many servers deviate: they number every call 0, send no ids, repeat the name and a new id
with each fragment, or send the whole call twice. The rules in short: a fragment
belongs to the call before it while that one is incomplete, and a named one opens a new call where the
call before has its whole arguments, or another id or name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from itertools import pairwise

from agent_core.domain.model_adapter import ToolCallDelta, merge_metadata

_GLUED = re.compile(r"\}\s*\{")
_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_NUMBER_BREAKS_OFF = re.compile(r"\.|[eE][+-]?")


@dataclass(eq=False, slots=True)
class Call:
    """A tool call that is being assembled.

    Attributes:
        index: the provider's number of the call.
        given_id: the provider's id of the call.
        arguments: fragments of the arguments' JSON text.
        metadata: what the provider expects back with the call.
        is_repeated: whether each fragment repeats all arguments so far.
    """

    index: int
    given_id: str | None = None
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])
    metadata: dict[str, object] = field(default_factory=dict[str, object])
    is_repeated: bool = False

    @property
    def text(self) -> str:
        """The arguments so far."""
        return "".join(self.arguments)

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are complete JSON."""
        last = next((piece for piece in reversed(self.arguments) if piece.strip()), "")
        return last.rstrip().endswith("}") and _is_json(self.text)

    def add(self, delta: ToolCallDelta) -> None:
        """Add a fragment."""
        self.given_id = self.given_id or delta.id
        self.name = self.name or delta.name or ""
        if delta.arguments:
            self.arguments.append(delta.arguments)
        if delta.metadata:
            merge_metadata(self.metadata, delta.metadata)


_EMPTY = ("{}", "[]", "null", '""')
"""Values with which some servers begin a call whose arguments they send later."""


class CallAssembly:
    """Assembly of the tool calls of one answer; `calls` has them in the order of their first fragments."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def divide(self, delta: ToolCallDelta) -> list[ToolCallDelta]:
        """Return the fragments of single calls: a fragment that spans two calls is split.

        Of a fragment that repeats all arguments so far, only the new part is returned.
        """
        delta = self._without_repetition(delta)
        if not _GLUED.search(delta.arguments):
            return [delta]
        owner = self._owner(delta)
        before = owner.text if owner else ""
        name, id = (delta.name or owner.name, delta.id or owner.given_id) if owner else (delta.name, delta.id)
        ends = [end - len(before) for end in _ends_of_objects(before + delta.arguments)]
        places = [0, *(end for end in ends if end > 0), len(delta.arguments)]
        pieces = [delta.arguments[start:end] for start, end in pairwise(places)]
        later = [
            replace(delta, name=name, id=id, arguments=piece, metadata=None) for piece in pieces[1:] if piece
        ]
        return [replace(delta, arguments=pieces[0]), *later]

    def _without_repetition(self, delta: ToolCallDelta) -> ToolCallDelta:
        if not self.calls or not delta.arguments.lstrip().startswith("{"):
            return delta
        latest = next((call for call in reversed(self.calls) if delta.index in (None, call.index)), None)
        if latest is not None and latest.is_repeated and delta.arguments == latest.text:
            return replace(delta, name=None, arguments="")
        owner = self._owner(delta)
        before = owner.text if owner else ""
        if owner is None or not before.strip() or not delta.arguments.startswith(before):
            return delta
        if _is_json(before) or _is_prefix(before + delta.arguments):
            return delta
        owner.is_repeated = True
        return replace(delta, arguments=delta.arguments[len(before) :])

    def take(self, delta: ToolCallDelta) -> Call:
        """Add a fragment to its call, which may be new, and return the call."""
        found = self._owner(delta)
        if found is None:
            latest = self.calls[-1] if self.calls else None
            # A fragment without a name starts a call only if the previous call is complete.
            name = "" if delta.name or latest is None or delta.id else latest.name
            index = delta.index if delta.index is not None else latest.index if latest else 0
            found = Call(index, name=name)
            self.calls.append(found)
        elif _repeats(found, delta):
            return found
        elif _fills(found, delta):
            found.arguments.clear()
        found.add(delta)
        return found

    def _owner(self, delta: ToolCallDelta) -> Call | None:
        """Return the call that a fragment continues; None: it starts a new call."""
        here = [call for call in self.calls if delta.index is None or call.index == delta.index]
        if not here:
            latest = self.calls[-1] if self.calls else None
            lost = latest is not None and not delta.name and not delta.id and not latest.is_whole
            return latest if lost else None
        known = [call for call in here if delta.id and call.given_id == delta.id]
        call = known[-1] if known else here[-1]
        if delta.id and call.given_id and not known:
            return call if _continues(call, delta) else None
        return call if _belongs(call, delta) else None


def _belongs(call: Call, delta: ToolCallDelta) -> bool:
    """Return whether a fragment with the call's id, or without an id, belongs to the call."""
    if delta.name and call.name and delta.name != call.name:
        return False
    if not delta.arguments.strip() or _repeats(call, delta):
        # A lone name after complete arguments starts the next call, unless it has this call's id.
        return not (delta.name and call.is_whole and not (delta.id and delta.id == call.given_id))
    begins = bool(delta.name) or delta.arguments.lstrip().startswith("{")
    return _fills(call, delta) or not (begins and call.is_whole)


def _continues(call: Call, delta: ToolCallDelta) -> bool:
    """Return whether a fragment with another id continues a call anyway.

    Some servers make a new id for each fragment. Arguments that are not an object of their own, and
    continue those of the call, are not a new call.
    """
    if delta.name and delta.name != call.name:
        return False
    if not delta.arguments or call.is_whole:
        return False
    if delta.arguments.strip() == call.text.strip():
        return False  # two calls with the same beginning
    if call.text.strip():
        return _is_prefix(call.text + delta.arguments)
    return not _is_json(delta.arguments)


def _repeats(call: Call, delta: ToolCallDelta) -> bool:
    """Return whether a provider sends a whole call a second time, at the end of its answer."""
    same = delta.id is not None and delta.id == call.given_id and delta.name == call.name
    return same and bool(delta.arguments.strip()) and call.is_whole and call.text == delta.arguments


def _is_json(text: str) -> bool:
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def _fills(call: Call, delta: ToolCallDelta) -> bool:
    """Return whether a fragment has arguments that replace an empty value."""
    return not delta.name and call.text.strip() in _EMPTY and delta.arguments.lstrip().startswith("{")


def _ends_of_objects(text: str) -> list[int]:
    """Return the ends of consecutive JSON objects in a text, except for the last."""
    ends: list[int] = []
    place = len(text) - len(text.lstrip())
    decoder = json.JSONDecoder(strict=False)
    while text.startswith("{", place):
        try:
            _, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        place = end + len(text[end:]) - len(text[end:].lstrip())
        if text.startswith("{", place):
            ends.append(end)
    return ends


def _is_prefix(text: str) -> bool:
    """Return whether a text is a prefix of valid JSON."""
    try:
        json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].strip()
        escape = error.msg.startswith("Invalid \\") and len(rest) <= len("\\uD83")
        number = _NUMBER_BREAKS_OFF.fullmatch(rest) is not None
        word = any(word.startswith(rest) for word in _WORDS)
        return escape or number or word or error.msg.startswith("Unterminated string")
    except RecursionError:
        return False
    return True
