"""Decode text files of unknown encoding: UTF-8, UTF-16, Windows code pages, East Asian encodings."""

from __future__ import annotations

import codecs
import re

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = "cp1252"
_CERTAIN = 0.05  # below this confidence the guess of chardet has no evidence
_MIXED_SCRIPTS = re.compile(r"[A-Za-z][\u0370-\u06ff]|[\u0370-\u06ff][A-Za-z]")


def decode_text(data: bytes, charset: str | None = None) -> str | None:
    """Return the text of a file, without its byte order mark; None if the file is not text.

    Args:
        charset: the encoding named by the sender; used if it decodes the bytes.

    A file without a declared encoding is decoded by its byte order mark, else as UTF-8, else as the encoding
    that `chardet` detects among the encodings of the web (https://encoding.spec.whatwg.org/).
    """
    if charset and (text := _decoded(data, charset)) is not None:
        return text.removeprefix("\ufeff")
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    if b"\0" in data:
        return None
    encoding = (
        "iso2022_jp" if b"\x1b$" in data else "utf-8"
    )  # the former is ASCII bytes, so it passes as UTF-8
    text = _decoded(data, encoding)
    return _detected(data) if text is None else text


def _detected(data: bytes) -> str | None:
    from chardet import EncodingEra, detect  # its models take a while to load, and most files are UTF-8

    found = detect(data, encoding_era=EncodingEra.MODERN_WEB)
    encoding = found["encoding"]
    if encoding is None or _has_controls(data):
        return None
    text = _decoded(data, encoding)
    if text is None or (found["confidence"] or 0) < _CERTAIN or _MIXED_SCRIPTS.search(text):
        western = _decoded(data, _WESTERN)
        return text if western is None else western
    return text


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):
        return None


def _has_controls(data: bytes) -> bool:
    """Return whether data has control characters that text does not have."""
    return any(byte < 32 and byte not in b"\t\n\f\r" for byte in set(data))
