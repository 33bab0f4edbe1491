"""Types of the files that a message may have, detected by content and never by name alone."""

from __future__ import annotations

from io import BytesIO
from pathlib import PurePath
from zipfile import BadZipFile, ZipFile

from agent_core.text.conversion import DOCX, HEIC, PPTX, XLSX
from agent_core.text.decoding import decode_text

MAX_BYTES = 10_000_000
"""Maximum size of a file, in bytes."""
MAX_FILES = 10
"""Maximum number of files of a message."""
MAX_NAME = 120

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Media types that a browser may show in the page; none of them can run scripts."""
SHOWN = "shown"
"""Parameter of a file's address: give the picture that the page shows, where that is not the file itself."""
_DOCUMENTS = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX, "ppt/presentation.xml": PPTX}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = {".docx": DOCX, ".xlsx": XLSX, ".pptx": PPTX}
_HEIC = {b"heic", b"heix", b"heim", b"heis"}
_TEXTS = {".md": "text/markdown", ".csv": "text/csv"}


def kind_of(data: bytes, name: str) -> str | None:
    """Return the media type of a picture, a PDF, a document of Office or a text (code is text); None for any other."""
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
    if (kind := _converted_kind(data, name)) is not None:
        return kind
    if decode_text(data) is None:
        return None
    return _TEXTS.get(PurePath(name).suffix.lower(), "text/plain")


def _converted_kind(data: bytes, name: str) -> str | None:
    """Return the media type of a file that has to be converted for models, or None."""
    if data[4:8] == b"ftyp":
        brands = data[8 : min(int.from_bytes(data[:4]), 200)]
        return HEIC if any(brands[n : n + 4] in _HEIC for n in range(0, len(brands), 4)) else None
    if data.startswith(_OLE):  # an encrypted document; others in this form are of the last century
        return _ENCRYPTED.get(PurePath(name).suffix.lower())
    if not data.startswith(b"PK\3\4"):
        return None
    try:
        with ZipFile(BytesIO(data)) as package:
            names = set(package.namelist())
    except (BadZipFile, ValueError, NotImplementedError, OSError):
        return None
    return next((kind for part, kind in _DOCUMENTS.items() if part in names), None)


def plain_name(name: str) -> str:
    """Return the display name of a file: one line without a path, at most `MAX_NAME` characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in name)
    last = line.replace("\\", "/").rsplit("/", 1)[-1].strip() or "file"
    if len(last) <= MAX_NAME:
        return last
    suffix = PurePath(last).suffix[:12]
    return last[: MAX_NAME - len(suffix)] + suffix
