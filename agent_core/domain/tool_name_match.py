"""Match the tool names that models write to the names of tools.

A model that was trained on another call format writes `functions.get_weather`, `get_weather<|channel|>json`
or `GetWeather`. `find_tool` returns the tool if only one can be meant; `wire_name` turns any name into one
that providers accept. Both are pure, so that a history is sent the same way each time.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection
from urllib.parse import unquote

WIRE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names that every provider accepts, but for the few that require a letter first."""

_MARK = re.compile(r"<\|[^<>|]*(?:\|>)?|\|>|</?\w[^<>]*>|\[/?[A-Z_]+\]")
"""Marks that chat templates put around a name: <|channel|>, <tool_call>, [TOOL_CALLS]."""

_FUNCTION_TAG = re.compile(r"<function=([^<>]*)>|<\w+ name=[\"']([^\"'<>]*)[\"'] ?/?>")
_RECIPIENT = re.compile(r"^.*\bto=")
_NAMESPACE = re.compile(r"(?:[\w-]+ ?(?:\.|::?|/|=) ?)+(?=[\w-])")
_PREFIX = re.compile(r"(?:functions?|default_api|tools?|mcp__[A-Za-z0-9-]+_)[_-]+(?=\w)")
"""Namespaces that are joined to the name by a character that names have."""

_SEPARATOR = re.compile(r"[.:/= ]+")
_INDEX = re.compile(r"(?<=[A-Za-z_])[:.#](?:call_?)?\d+$")
_AROUND = re.compile(r"^[^\w-]+|[^\w-]+$")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\\[nrt]|[▁ĠĊ]")
"""Colours of a terminal, line breaks as text, and what tokenizers write for blanks and line breaks."""

_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_ARGUMENTS = re.compile(r"(?<=\w)\s*(?:\(.*\)|\([^()]*|\{.*\}|\{[^{}]*)$", re.S)
_FIELD = re.compile(r"[\"']name[\"']\s*:\s*[\"']([^\"']+)[\"']")
_BESIDE = frozenset(
    {"json", "code", "commentary", "analysis", "final", "function", "tool", "call", "tool_call"}
)
"""Words of chat templates that remain beside a name when the markers are dropped."""

_MAX_NAME = 500
"""Maximum length of a name that is matched."""


def find_tool(written: str, tools: Collection[str]) -> str | None:
    """Return the one tool that matches a written name; None if no tool or several tools match.

    Ignored are: a namespace before the name (`functions.`, `default_api:`), an index behind it, markers of a
    chat template, whitespace and quotes around it, a repetition of the name, and another spelling (upper
    case, `-`, `.` or `/` for `_`, none of them) if only one tool has it.
    """
    if written in tools:
        return written
    if len(written) > _MAX_NAME:
        return None
    text = _readable(written)
    field = _FIELD.search(text)
    return _only(text, tools) or (_only(field[1], tools) if field else None)


def _readable(written: str) -> str:
    """Return a text without encodings and without characters that cannot be seen."""
    text = _ESCAPES.sub(" ", unicodedata.normalize("NFKC", unquote(written)))
    spaced = (" " if letter.isspace() else letter for letter in text)
    return "".join(letter for letter in spaced if unicodedata.category(letter) not in ("Cc", "Cf"))


def _only(text: str, tools: Collection[str]) -> str | None:
    """Return the tool of the pieces between the marks in a text, if they name only one."""
    pieces = [_AROUND.sub("", piece) for piece in _MARK.split(_FUNCTION_TAG.sub(r" \1\2<>", text))]
    found = {tool for piece in pieces if piece and (tool := _plain(piece, tools)) is not None}
    return found.pop() if len(found) == 1 else None


def wire_name(written: str) -> str:
    """Return a name that providers accept: `written` itself if it fits, else a unique replacement."""
    if WIRE_NAME.fullmatch(written):
        return written
    readable = _UNFIT.sub("_", written).strip("_")[:48] or "tool"
    return f"{readable}_{_digest(written)}"


def _plain(piece: str, tools: Collection[str]) -> str | None:
    piece = _AROUND.sub("", _ARGUMENTS.sub("", _RECIPIENT.sub("", piece)))
    words = list(dict.fromkeys(piece.split()))
    if named := [word for word in words if len(words) == 1 or word.lower() not in _BESIDE]:
        piece = _AROUND.sub("", " ".join(named))
    bare = _INDEX.sub("", piece)
    space = _NAMESPACE.match(bare)
    inner = bare[space.end() :] if space else bare
    if space and not (before := set(_SEPARATOR.split(space.group())) - {""}).isdisjoint(tools):
        return inner if before == {inner} else None  # two tools in a row
    for name in (piece, bare, inner, _PREFIX.sub("", inner, count=1), _once(bare)):
        if name in tools:
            return name
        same = [tool for tool in tools if _spelling(tool) == _spelling(name)]
        if same and _spelling(name):
            return same[0] if len(same) == 1 else None
    return None


def _once(name: str) -> str:
    """Return the name that a broken stream repeated several times without a gap."""
    period = (name + name).find(name, 1)
    return name[:period] if 0 < period < len(name) else name


def _spelling(name: str) -> str:
    return re.sub(r"[\s_.:/-]+", "", name).casefold()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
