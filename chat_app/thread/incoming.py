"""What a page sends, made safe."""

from __future__ import annotations

import re
from typing import Any


def begun_by(message_id: str) -> str | None:
    """Return the id of the thread that a page's message begins: one message, one thread. None: any."""
    made = re.fullmatch(r"msg_([0-9A-HJKMNP-TV-Z]{26})", message_id)
    return f"thread_{made[1]}" if made else None


def attached(part: dict[str, Any]) -> dict[str, Any]:
    """Return a file's part as our server gave it to the page; what else a page may add is left out."""
    return {"type": "file"} | {
        key: part.get(key) for key in ("mediaType", "url", "filename") if part.get(key)
    }
