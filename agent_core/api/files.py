"""Files that messages have: kept before they are sent, read by whoever may see their thread."""

from __future__ import annotations

import asyncio
import hashlib

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, checked_media_type, storable, user_of
from agent_core.domain.field_limits import MAX_FILE_BYTES
from agent_core.domain.messages import ATTACHMENT, Part, StoredFile
from agent_core.domain.validation import clean_text
from agent_core.errors import ValidationError
from agent_core.store.threads import files


class FileMethods(ApiBase):
    """The methods for the bytes of files; a message names them by their part."""

    async def add_file(
        self,
        data: bytes,
        *,
        media_type: str,
        filename: str | None = None,
        ctx: CallContext | None = None,
    ) -> Part:
        """Keep a file in the database and return the part to send it with, within a day.

        Only who has sent it, or may read a thread that has it, can put its part into a message.

        The message that has the part takes the file over: it lives, is forked and is deleted with its
        thread, and the model gets its bytes (a picture, a PDF, or the words of a text).

        Args:
            data: 1 to `MAX_FILE_BYTES` bytes.
            media_type: such as "image/png"; it is what the model is told.
            filename: what the person calls it.
            ctx: who calls.

        Raises:
            ValidationError: it is empty or too large, or the type is none.
        """
        if not 0 < len(data) <= MAX_FILE_BYTES:
            raise ValidationError(f"A file has 1 to {MAX_FILE_BYTES:,} bytes, not {len(data):,}.")
        checked_media_type(media_type)
        file_id = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        file = StoredFile(file_id, media_type, bytes(data))
        await self.store.writer.run(files.keep, file, user_of(ctx))
        name = {"filename": clean_text(filename)[:200]} if filename else {}
        return {"type": "file", "mediaType": media_type, "url": ATTACHMENT + file_id, **name}

    async def read_file(
        self, thread_id: str, file_id: str, *, ctx: CallContext | None = None
    ) -> StoredFile | None:
        """Return a file of a thread by the id in its part's URL; None if the thread has no such file.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self._thread(thread_id)
        if not storable(file_id):
            return None
        found = await asyncio.to_thread(self.store.reads.read, files.read, thread_id, [file_id])
        return found.get(file_id)
