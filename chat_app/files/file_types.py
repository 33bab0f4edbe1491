"""Types of the files that a message may have, detected by content and never by name alone."""

from __future__ import annotations

from pathlib import PurePath

from agent_core.text.decoding import decode_text

MAX_BYTES = 10_000_000
"""Maximum size of a file, in bytes."""
MAX_FILES = 10
"""Maximum number of files of a message."""
MAX_NAME = 120

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Media types that a browser may show in the page; none of them can run scripts."""
_TEXTS = {".md": "text/markdown", ".csv": "text/csv"}


def kind_of(data: bytes, name: str) -> str | None:
    """Return the media type of a file that is a picture, a PDF or text (code is text); None for any other."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith(b"%PDF-"):
        return "application/pdf"
    if decode_text(data) is None:
        return None
    return _TEXTS.get(PurePath(name).suffix.lower(), "text/plain")


def plain_name(name: str) -> str:
    """Return the display name of a file: one line without a path, at most `MAX_NAME` characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in name)
    last = line.replace("\\", "/").rsplit("/", 1)[-1].strip() or "file"
    if len(last) <= MAX_NAME:
        return last
    suffix = PurePath(last).suffix[:12]
    return last[: MAX_NAME - len(suffix)] + suffix
