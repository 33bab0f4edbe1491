"""Store the files of a model's answer like uploads, and put their addresses into its parts."""

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
"""Most files of one answer."""


class ResponseFiles:
    """The files of one answer.

    Args:
        writer: the writer.
        claim: the step.
    """

    def __init__(self, writer: Writer, claim: Claim) -> None:
        self._writer = writer
        self._claim = claim
        self._stored: dict[str, str] = {}  # the address of each stored file, by its data URL

    async def store(self, chunk: Chunk) -> Chunk:
        """Store the file of a chunk that has a data URL; return the chunk with the file's address.

        Raises:
            ModelError: the file cannot be decoded or is too large, or there are too many.
        """
        url = chunk.get("url")
        if chunk.get("type") != "file" or not isinstance(url, str) or not url.startswith("data:"):
            return chunk
        if url not in self._stored:
            if len(self._stored) == MAX_FILES:
                raise ModelError(f"The model answered with more than {MAX_FILES} files.")
            data = await asyncio.to_thread(_bytes_of, url)
            file = StoredFile(hashlib.sha256(data).hexdigest(), str(chunk["mediaType"]), data)
            await self._writer.run(steps.keep_file, self._claim, file)
            self._stored[url] = ATTACHMENT + file.id
        return {**chunk, "url": self._stored[url]}

    def with_stored_urls(self, parts: list[Part]) -> list[Part]:
        """Return the step's parts with the addresses of the stored files."""
        return [
            {**part, "url": self._stored[part["url"]]} if part.get("url") in self._stored else part
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
