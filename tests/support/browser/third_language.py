"""A third language for tests: English with accents, two fifths longer, in one additional file.

Every plain letter on a page then belongs to a word that is not in the file. Its name is en-XA, as usual for
pseudo-languages, so that the browser can format numbers and dates in it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from chat_app.i18n import HERE, PLACEHOLDER
from tests.support.browser.server import ROOT

CODE = "en-XA"
PARTS = ("chat_app", "agent_core", "examples", "assets", "rxconfig.py", "requirements.txt", "reflex.lock")
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ACCENTED = "áƀçđéƒĝĥíĵķļɱñóþɋŕšŧúṽŵẋýžÁƁÇĐÉƑĜĤÍĴĶĻṀÑÓÞɊŔŠŦÚṼŴẊÝŽ"
_ACCENTS = str.maketrans(_PLAIN, _ACCENTED)
_FILLING = "ëïö üåë ïöüå "


def spoken(messages: dict[str, Any]) -> dict[str, Any]:
    """Return messages translated into the language."""
    return {name: _spoken(text) if isinstance(text, str) else spoken(text) for name, text in messages.items()}


def _spoken(text: str) -> str:
    pieces = PLACEHOLDER.split(text)
    words = "".join(
        f"{{{{{piece}}}}}" if i % 2 else piece.translate(_ACCENTS) for i, piece in enumerate(pieces)
    )
    more = round(0.4 * sum(len(piece) for piece in pieces[::2]))
    filling = (_FILLING * (1 + more // len(_FILLING)))[:more].strip()
    return f"{words} {filling}".strip()


def checkout(folder: Path) -> Path:
    """Copy the app's sources into a folder and add the file; return the copy's path."""
    root = folder / "checkout"
    generated = shutil.ignore_patterns("__pycache__", "external")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=generated)
        else:
            shutil.copy(source, root / part)
    words = spoken(json.loads((HERE / "en.json").read_text(encoding="utf-8")))
    file = root / "chat_app" / "i18n" / f"{CODE}.json"
    file.write_text(json.dumps(words, ensure_ascii=False, indent=2), encoding="utf-8")
    return root
