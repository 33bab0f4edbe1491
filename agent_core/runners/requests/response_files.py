"""Files that a model answers with: their bytes are kept like those of uploads, and its parts name them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib

from agent_core.domain.field_limits import MAX_FILE_BYTES
from agent_core.domain.messages import ATTACHMENT, Chunk, Part, StoredFile
from agent_core.errors import ModelError
from agent_core.store.database.writer import Writer
from agent_core.store.turns import steps
from agent_core.store.turns.steps import Claim

MAX_FILES = 100
"""How many files one answer can have."""


class MadeFiles:
    """The files of one answer.

    Args:
        writer: the store.
        claim: the step that answers.
    """

    def __init__(self, writer: Writer, claim: Claim) -> None:
        self._writer = writer
        self._claim = claim
        self._kept: dict[str, str] = {}  # where each is kept, by the address that it came with

    async def keep(self, chunk: Chunk) -> Chunk:
        """Return a chunk whose file, if it is one that came with its bytes, is kept in the database.

        Raises:
            ModelError: the bytes cannot be read, or they are too many.
        """
        url = chunk.get("url")
        if chunk.get("type") != "file" or not isinstance(url, str) or not url.startswith("data:"):
            return chunk
        if url not in self._kept:
            if len(self._kept) == MAX_FILES:
                raise ModelError(f"The model answered with more than {MAX_FILES} files.")
            data = await asyncio.to_thread(_bytes_of, url)
            file = StoredFile(hashlib.sha256(data).hexdigest(), str(chunk["mediaType"]), data)
            await self._writer.run(steps.keep_file, self._claim, file)
            self._kept[url] = ATTACHMENT + file.id
        return {**chunk, "url": self._kept[url]}

    def named(self, parts: list[Part]) -> list[Part]:
        """Return the step's parts, naming the files where they are kept."""
        return [
            {**part, "url": self._kept[part["url"]]} if part.get("url") in self._kept else part
            for part in parts
        ]


def _bytes_of(url: str) -> bytes:
    head, _, text = url.partition(",")
    if len(text) > 4 * MAX_FILE_BYTES // 3 + 4:
        raise ModelError(f"The model answered with a file of more than {MAX_FILE_BYTES:,} bytes.")
    try:
        if not head.endswith(";base64") or not (data := base64.b64decode(text)):
            raise ValueError("no base64")
    except (binascii.Error, ValueError) as error:
        raise ModelError(
            "The model answered with a file that cannot be read.", kind="truncated", retryable=True
        ) from error
    return data
