"""Assembling tool calls from the fragments in which providers send them.

In OpenAI's form an index tells the calls of one answer apart, and only a call's first fragment has an id
and a name. Many servers keep only some of it: they number every call 0, send no ids, repeat the name
and a fresh id with each fragment, or send the whole call twice. The rules, in one sentence: a fragment
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
    """A tool call while it is being written.

    Attributes:
        index: the provider's number for it.
        given_id: the provider's id for it.
        name: of the tool.
        arguments: the fragments of their JSON text.
        metadata: what the provider wants to see again with it.
        is_repeated: each fragment has all arguments so far.
    """

    index: int
    given_id: str | None = None
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])
    metadata: dict[str, object] = field(default_factory=dict[str, object])
    is_repeated: bool = False

    @property
    def text(self) -> str:
        """The arguments as far as they are written."""
        return "".join(self.arguments)

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are complete JSON."""
        last = next((piece for piece in reversed(self.arguments) if piece.strip()), "")
        return last.rstrip().endswith("}") and _is_json(self.text)

    def add(self, delta: ToolCallDelta) -> None:
        """Take in a fragment."""
        self.given_id = self.given_id or delta.id
        self.name = self.name or delta.name or ""
        if delta.arguments:
            self.arguments.append(delta.arguments)
        if delta.metadata:
            merge_metadata(self.metadata, delta.metadata)


class CallAssembly:
    """The tool calls of one answer.

    Attributes:
        calls: in the order in which they began.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def divide(self, delta: ToolCallDelta) -> list[ToolCallDelta]:
        """Return a fragment in which one call ends and the next begins as a fragment of each.

        Of one that repeats all arguments so far, as some servers send them, only what is new is returned.
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
        """Give a fragment to its call, which may begin with it, and return that call."""
        found = self._owner(delta)
        if found is None:
            latest = self.calls[-1] if self.calls else None
            # Only where the call before is whole can a fragment without a name begin a call.
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
        """Return the call that a fragment goes on with; None: it begins one."""
        here = [call for call in self.calls if delta.index is None or call.index == delta.index]
        if not here:
            latest = self.calls[-1] if self.calls else None
            lost = latest is not None and not delta.name and not delta.id and not latest.is_whole
            return latest if lost else None
        known = [call for call in here if delta.id and call.given_id == delta.id]
        call = known[-1] if known else here[-1]
        if delta.id and call.given_id and not known:
            return call if _goes_on(call, delta) else None
        return call if _belongs(call, delta) else None


def _belongs(call: Call, delta: ToolCallDelta) -> bool:
    """Return whether a fragment with a call's id, or without any, is a piece of it."""
    if delta.name and call.name and delta.name != call.name:
        return False
    if not delta.arguments.strip() or _repeats(call, delta):
        # A name alone after whole arguments begins the next call, unless its id is this one's.
        return not (delta.name and call.is_whole and not (delta.id and delta.id == call.given_id))
    begins = bool(delta.name) or delta.arguments.lstrip().startswith("{")
    return _fills(call, delta) or not (begins and call.is_whole)


def _goes_on(call: Call, delta: ToolCallDelta) -> bool:
    """Return whether a fragment with another id is a piece of a call all the same.

    Some servers make up an id for each fragment. A piece of arguments that is no object of its own, and
    goes on where the call stopped, is no call.
    """
    if delta.name and delta.name != call.name:
        return False
    if not delta.arguments or call.is_whole:
        return False
    if delta.arguments.strip() == call.text.strip():
        return False  # two calls that begin alike
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
    """Return whether a fragment has the arguments for which an empty object held the place."""
    return not delta.name and call.text.strip() == "{}" and delta.arguments.lstrip().startswith("{")


def _ends_of_objects(text: str) -> list[int]:
    """Return where the objects end that stand one after the other in a text, but for the last."""
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
    """Return whether JSON can go on after a text: its only mistake is that it ends."""
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
