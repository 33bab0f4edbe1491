"""Clean and check all input: prompts, model output and tool results.

Checked input can be stored by every database, shown by every browser and sent to every model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from agent_core.domain.field_limits import (
    MAX_DATA,
    MAX_ERROR,
    MAX_ID,
    MAX_MESSAGE,
    MAX_PARTS,
    MAX_PROMPT_CHARS,
    MAX_REASON,
    MAX_TITLE,
    MAX_TURN_PARTS,
    check_count,
    check_json,
    check_text,
)
from agent_core.domain.messages import (
    ATTACHMENT,
    OPEN_TOOL_STATES,
    TOOL_OUTCOME_STATES,
    TOOL_PREFIX,
    Part,
    is_tool_part,
)
from agent_core.errors import ValidationError, words_of
from agent_core.sentences import Sentence, sentence

MAX_FILE_CHARS: Final = 24_000_000
"""Maximum length of the URL of a file part, in characters: a data URL of about 18 MB."""

MAX_DEPTH: Final = 64
"""Maximum nesting of JSON from outside, far below the recursion limit."""


_MAX_BITS: Final = 1_024
"""Maximum size of an integer, in bits: Python converts only integers of up to about 14,000 bits to text."""


def clean_text(text: str) -> str:
    """Replace characters that a database or a browser rejects (NUL, lone surrogates) by U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # UTF-16 joins surrogate pairs and finds lone surrogates
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_words(error: BaseException) -> str:
    """Return the message of an error, as `words_of`, in clean text; a `Sentence` keeps its code and params."""
    words = words_of(error)
    return words.map(clean_text) if isinstance(words, Sentence) else clean_text(words)


def clean_json(value: object, *, depth: int = MAX_DEPTH) -> Any:
    """Return a copy of plain JSON with clean text; raise ValidationError for anything else."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise ValidationError(
                f"A whole number has at most {_MAX_BITS:,} bits; send a longer one as text."
            )
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth == 0:
        raise ValidationError(f"The value is nested deeper than {MAX_DEPTH} levels; make it flatter.")
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {clean_text(str(key)): clean_json(item, depth=depth - 1) for key, item in items}
    if isinstance(value, list | tuple):
        return [clean_json(item, depth=depth - 1) for item in cast("Sequence[object]", value)]
    kind = repr(value) if isinstance(value, float) else type(value).__name__
    raise ValidationError(f"{kind} is not JSON; use text, finite numbers, booleans, lists and dicts.")


def prompt_parts(prompt: str | Sequence[Part]) -> list[Part]:
    """Return a prompt, text or parts of the types text, file, source-url and data-*, as clean parts.

    Raises:
        ValidationError: the prompt is blank (no text and no file), too long, or has other parts.
    """
    return message_parts("user", prompt)


def message_parts(role: str, parts: str | Sequence[Part]) -> list[Part]:
    """Return the parts of a message of any role, cleaned and checked like a prompt.

    Raises:
        ValidationError: as in `prompt_parts`, or the role does not allow a part.
    """
    if role not in _ALLOWED:
        raise ValidationError(f"A message's role is user, assistant or system, not {role!r:.60}.")
    given = _listed(parts, MAX_PARTS)
    clean = [_clean_part(role, part) for part in given]
    for part in clean:
        if part["type"] not in ("text", "reasoning", "file"):
            check_json(f"A part of type {part['type']!r:.60}", part, MAX_DATA)
    if not any(_has_content(part) for part in clean):
        raise ValidationError(sentence("message_blank"))
    check_json("The message", clean, MAX_MESSAGE)
    return clean


def exported_parts(role: str, parts: Any) -> list[Part]:
    """Return the parts of a message of an exported thread, cleaned and checked.

    Everything that a thread can contain is valid: a long turn has more parts than a prompt may have, and a
    stopped turn may have none. The caller checks the total length.

    Raises:
        ValidationError: the role does not allow a part.
    """
    return [_clean_part(role, part) for part in _listed(parts, MAX_TURN_PARTS)]


def _listed(parts: str | Sequence[Part], most: int) -> Sequence[Part]:
    given = [{"type": "text", "text": parts}] if isinstance(parts, str) else parts
    if not isinstance(given, Sequence) or not all(isinstance(part, Mapping) for part in given):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError("A message is text or a list of parts, each a dict with a type.")
    check_count("A message's list of parts", given, most)
    return given


_STRINGS = {
    "text": ("text",),
    "reasoning": ("text",),
    "file": ("url", "mediaType"),
    "source-url": ("sourceId", "url"),
    "source-document": ("sourceId", "mediaType", "title"),
    "step-start": (),
    "tool-": ("toolCallId", "state"),
    "data-": (),
}
"""Types of parts, and their required keys, which have a string as value."""

_Kind = type[bool] | int | Mapping[str, Any]
_METADATA: Mapping[str, Any] = {}
_OPTIONAL: Mapping[str, _Kind] = {
    **dict.fromkeys(("type", "toolCallId", "sourceId", "mediaType", "state", "id"), MAX_ID),
    **{"title": MAX_TITLE, "filename": MAX_TITLE, "errorText": MAX_ERROR},
    **dict.fromkeys(("providerExecuted", "preliminary", "dynamic"), bool),
    **dict.fromkeys(("providerMetadata", "callProviderMetadata", "resultProviderMetadata"), _METADATA),
    "approval": {"id": MAX_ID, "approved": bool, "reason": MAX_REASON, "isAutomatic": bool},
}
"""Optional fields of parts of any type: the maximum length of a string, a boolean, or the fields of an object."""

_ALLOWED = {
    "user": {"text", "file", "source-url", "data-"},
    "system": {"text"},
    "assistant": set(_STRINGS),
}
_SCHEMES = {"file": ("data:", "https://", "http://", ATTACHMENT), "source-url": ("https://", "http://")}
"""Allowed prefixes of URLs: a page links to them, and a model adapter opens them."""

_SIGNED = ("providerMetadata", "callProviderMetadata", "resultProviderMetadata")

_ATTACHED = re.compile(ATTACHMENT + "[0-9a-f]{64}")


def _clean_part(role: str, part: Mapping[str, Any]) -> Part:
    name = part.get("type")
    kind = _kind(name)
    if kind not in _ALLOWED[role]:
        allowed = ", ".join(sorted(_ALLOWED[role]))
        raise ValidationError(f"A {role} message has no parts of type {name!r:.60}; it has: {allowed}.")
    for key in _STRINGS[kind]:
        if not isinstance(part.get(key), str):
            raise ValidationError(f"A part of type {name!r:.60} needs {key!r}, a string.")
    _check_fields(part, _OPTIONAL, f"of a part of type {name!r:.60}")
    _check_limits(kind, part)
    # Only the provider itself may write the metadata that it expects back.
    return clean_json({key: value for key, value in part.items() if key not in _SIGNED})


def _check_fields(given: Mapping[str, Any], kinds: Mapping[str, _Kind], where: str) -> None:
    """Check the types of fields that are present and not null, recursively.

    Raises:
        ValidationError: a field has another type, or is too long.
    """
    for key, kind in kinds.items():
        value = given.get(key)
        if value is None:
            continue
        if isinstance(kind, Mapping):
            if not isinstance(value, Mapping):
                raise ValidationError(f"The field {key!r} {where} must be an object.")
            fields = cast("Mapping[str, Any]", value)
            if key == "approval" and not isinstance(fields.get("id"), str):
                raise ValidationError(f"The field {key!r} {where} needs 'id', a string.")
            _check_fields(fields, kind, f"in {key!r} {where}")
        elif kind is bool:
            if not isinstance(value, bool):
                raise ValidationError(f"The field {key!r} {where} must be true or false.")
        else:
            if not isinstance(value, str):
                raise ValidationError(f"The field {key!r} {where} must be a string.")
            check_text(f"The field {key!r} {where}", value, kind)


def _kind(name: object) -> str:
    """Return the key of `_STRINGS` for a part's type; "" for an unknown type."""
    if not isinstance(name, str):
        return ""
    for prefix in ("tool-", "data-"):
        if name.startswith(prefix) and len(name) > len(prefix):
            return prefix
    return name if name in _STRINGS and not name.endswith("-") else ""


def _check_limits(kind: str, part: Mapping[str, Any]) -> None:
    if kind in ("text", "reasoning"):
        check_text("The text", part["text"], MAX_PROMPT_CHARS)
    if kind in _SCHEMES and not part["url"].lower().startswith(_SCHEMES[kind]):
        raise ValidationError(f"The URL of a {kind} part begins with {' or '.join(_SCHEMES[kind])}.")
    if (
        kind in _SCHEMES
        and part["url"].lower().startswith(ATTACHMENT)
        and not _ATTACHED.fullmatch(part["url"])
    ):
        raise ValidationError(f"The URL of a file that is kept here is {ATTACHMENT} and its SHA-256.")
    if kind == "file":
        check_text("The file's URL", part["url"], MAX_FILE_CHARS)
    if kind == TOOL_PREFIX and part["state"] not in OPEN_TOOL_STATES | TOOL_OUTCOME_STATES:
        raise ValidationError(f"A tool part has no state {part['state']!r:.60}.")


def _has_content(part: Part) -> bool:
    """Return whether the part has content for a model."""
    return part["type"] == "file" or is_tool_part(part) or bool(str(part.get("text", "")).strip())
