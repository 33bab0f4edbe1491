"""Decode text files of unknown encoding: UTF-8, UTF-16, code pages of Windows, Mac and DOS, East Asian encodings."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chardet import EncodingEra

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ESCAPED = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp"))
"""Encodings whose bytes are ASCII, so that they pass as UTF-8, by what they contain."""

_WESTERN = "cp1252"
_CERTAIN = 0.05  # below this confidence the guess of chardet has no evidence
_CERTAIN_LEGACY = 0.08  # for encodings that the web no longer has
_MIXED_SCRIPTS = re.compile(r"[A-Za-z][\u0370-\u06ff]|[\u0370-\u06ff][A-Za-z]")
_C1 = re.compile(r"[\x80-\x9f]")
_NO_TEXT = {"Cc", "Cn", "Co", "Cs"}
"""Categories of characters that no text has: controls, unassigned, private use, halves of pairs."""


def decode_text(data: bytes, charset: str | None = None) -> str | None:
    """Return the text of a file, without its byte order mark; None if the file is not text.

    Args:
        charset: the encoding named by the sender; used if it decodes the bytes.

    A file without a declared encoding is decoded by its byte order mark, else as UTF-8, else as the encoding
    that `chardet` detects among the encodings of the web (https://encoding.spec.whatwg.org/), UTF-16 and UTF-32
    without a mark, and the older encodings of ISO 8859, Mac OS and DOS.
    """
    if charset and (text := _decoded(data, charset)) is not None:
        return text.removeprefix("\ufeff")
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    if b"\0" in data:
        return _wide(data)
    encoding = next((encoding for sign, encoding in _ESCAPED if sign in data), "utf-8")
    text = _decoded(data, encoding)
    return _detected(data) if text is None else text


def _detected(data: bytes) -> str | None:
    from chardet import EncodingEra  # its models take a while to load, and most files are UTF-8

    if (text := _wide(data)) is not None:
        return text
    if _has_controls(data):
        return None
    text, confidence = _guess(data, EncodingEra.MODERN_WEB)
    older = EncodingEra.MODERN_WEB | EncodingEra.LEGACY_ISO | EncodingEra.LEGACY_MAC | EncodingEra.DOS
    legacy, legacy_confidence = _guess(data, older)
    is_evident = legacy_confidence > max(confidence, _CERTAIN_LEGACY) and len(_beyond_ascii(data)) > 2
    if is_evident and legacy and not _MIXED_SCRIPTS.search(legacy) and not _C1.search(legacy):
        return legacy
    if text is None or confidence < _CERTAIN or _MIXED_SCRIPTS.search(text):
        western = _decoded(data, _WESTERN)
        return text if western is None else western
    return text


def _guess(data: bytes, era: EncodingEra) -> tuple[str | None, float]:
    """Return the text in the encoding that fits best, and chardet's confidence in it."""
    from chardet import detect

    found = detect(data, encoding_era=era)
    return found["encoding"] and _decoded(data, found["encoding"]), found["confidence"] or 0.0


def _beyond_ascii(data: bytes) -> set[int]:
    return {byte for byte in set(data) if byte > 127}


def _wide(data: bytes) -> str | None:
    """Return a text in UTF-16 or UTF-32 without a byte order mark; None for anything else."""
    from chardet import EncodingEra, detect

    encoding = detect(data, encoding_era=EncodingEra.MODERN_WEB)["encoding"] or ""
    text = _decoded(data, encoding) if encoding.lower().startswith(("utf-16", "utf-32")) else None
    letters = set(text or "") - set("\t\n\f\r")
    return None if any(unicodedata.category(letter) in _NO_TEXT for letter in letters) else text


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):
        return None


def _has_controls(data: bytes) -> bool:
    """Return whether data has control characters that text does not have."""
    return any(byte < 32 and byte not in b"\t\n\f\r" for byte in set(data))
