"""Find the tool that a model means: names come with a namespace, marks of a chat template, in another spelling.

A model that was trained on another form of calls writes `functions.get_weather`, `get_weather<|channel|>json`
or `GetWeather`. `find_tool` says which tool is meant where only one can be; `wire_name` writes any name so
that a provider takes it. Both depend on their arguments alone, so that a history is sent the same each time.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection

WIRE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A name that every provider takes, but for the few that want a letter first."""

_MARK = re.compile(r"<\|[^<>|]*(?:\|>)?|\|>|</?\w[^<>]*>|\[/?[A-Z_]+\]")
"""Marks that chat templates put around a name: <|channel|>, <tool_call>, [TOOL_CALLS]."""

_FUNCTION_TAG = re.compile(r"<function=([^<>]*)>")
_RECIPIENT = re.compile(r"^.*\bto=")
_NAMESPACE = re.compile(r"(?:[\w-]+(?:\.|::?|/))+(?=[\w-])")
_SEPARATOR = re.compile(r"[.:/]+")
_INDEX = re.compile(r"(?<=[A-Za-z_])[:.#]\d+$")
_AROUND = "“”‘’«»?!$@&|\\~→\u200b\u200c\u200d\u2060\ufeff\ufffd\xa0 \t\r\n\"'`*()[]{}<>,;:.=#"
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_ARGUMENTS = re.compile(r"\([^()]*\)?$")
_FIELD = re.compile(r"[\"']name[\"']\s*:\s*[\"']([^\"']+)[\"']")
_BESIDE = frozenset(
    {"json", "code", "commentary", "analysis", "final", "function", "tool", "call", "tool_call"}
)
"""Words of chat templates that stay beside a name when their marks are dropped."""

_MAX_NAME = 500
"""Characters of a name that are looked at; what is longer is no tool's."""


def find_tool(written: str, tools: Collection[str]) -> str | None:
    """Return the tool that a name plainly means; None: it means none of them, or more than one.

    Taken for the same: a namespace before the name (`functions.`, `default_api:`), an index behind it, marks
    of a chat template, blanks and quotes around it, the name written twice, and another spelling (upper
    case, `-` for `_`, neither) that only one tool has.

    Args:
        written: what the model wrote.
        tools: the names of the tools.
    """
    if written in tools:
        return written
    if len(written) > _MAX_NAME:
        return None
    text = unicodedata.normalize("NFKC", written)
    if field := _FIELD.search(text):
        text = field[1]
    pieces = [piece for piece in _MARK.split(_FUNCTION_TAG.sub(r" \1<>", text)) if piece.strip(_AROUND)]
    found = {tool for piece in pieces if (tool := _plain(piece, tools)) is not None}
    return found.pop() if len(found) == 1 else None


def wire_name(written: str) -> str:
    """Return a name that providers take: `written` itself where it fits, else one that only it has."""
    if WIRE_NAME.fullmatch(written):
        return written
    readable = _UNFIT.sub("_", written).strip("_")[:48] or "tool"
    return f"{readable}_{_digest(written)}"


def _plain(piece: str, tools: Collection[str]) -> str | None:
    piece = _ARGUMENTS.sub("", _RECIPIENT.sub("", piece)).strip(_AROUND)
    words = piece.split()
    if len(words) > 1 and (named := [word for word in words if word.lower() not in _BESIDE]):
        piece = " ".join(named).strip(_AROUND)
    bare = _INDEX.sub("", piece)
    space = _NAMESPACE.match(bare)
    if space and not set(_SEPARATOR.split(space.group())).isdisjoint(tools):
        return None  # two tools, one before the other
    for name in (piece, bare, bare[space.end() :] if space else bare, _once(bare)):
        if name in tools:
            return name
        same = [tool for tool in tools if _spelling(tool) == _spelling(name)]
        if same and _spelling(name):
            return same[0] if len(same) == 1 else None
    return None


def _once(name: str) -> str:
    """Return the name that was written several times without a gap, as broken streams do."""
    period = (name + name).find(name, 1)
    return name[:period] if 0 < period < len(name) else name


def _spelling(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
