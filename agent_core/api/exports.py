"""Exporting: a thread as a document of plain JSON, and a document as a new thread."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, user_of
from agent_core.api.thread_documents import read_document, write_document
from agent_core.domain.messages import Thread
from agent_core.store.turns import imports
from agent_core.support.faults import crash_point
from agent_core.support.ids import new_id


class ExportMethods(ApiBase):
    """The methods for a thread that leaves its database, and for one that comes into another."""

    _takes_system: ClassVar[bool] = True

    async def export_thread(
        self, thread_id: str, *, signatures: bool = False, ctx: CallContext | None = None
    ) -> dict[str, Any]:
        """Return a thread as plain JSON, from which `import_thread` makes an equal one, also elsewhere.

        The document has the shown messages as far as they are committed and the bytes of their files;
        `agent_core.api.thread_documents` describes its form. The token of a share link is left out, and so
        are system messages where readers don't get them.

        Args:
            thread_id: the thread.
            signatures: whether the document also has what providers must see again. Ask for them to move a
                thread between databases, and never hand such a document to a reader. Neither HTTP nor the
                page asks.
            ctx: who calls.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        thread = await self._thread(thread_id)
        messages, files = await asyncio.to_thread(self.store.reads.exported, thread_id)
        return await asyncio.to_thread(
            write_document, thread, self._shown(messages), files, signatures=signatures
        )

    async def import_thread(
        self, document: dict[str, Any], *, signatures: bool = False, ctx: CallContext | None = None
    ) -> Thread:
        """Create a thread from a document of `export_thread`; it is idle, and nothing of it runs.

        The thread and its messages have new ids; the messages keep their moments. A call that was open
        has failed. The agent is the one that the document names, if the runtime knows it, else this API's.

        Args:
            document: it may come from anywhere, and is checked like everything from outside.
            signatures: whether to take the document's signatures, too. One that its provider refuses is
                forgotten, and the thread goes on without it. Without them the model reads the thread like
                one that another model wrote.
            ctx: who calls; the thread becomes theirs.

        Raises:
            ValidationError: it is no such document, of another version, has a system message, which only
                the internal API accepts, or something in it is not acceptable; nothing was created.
        """
        owner = user_of(ctx)
        read = await asyncio.to_thread(
            read_document, document, takes_system=self._takes_system, signatures=signatures
        )
        thread_id = new_id("thread")
        await self.store.writer.run_for(
            thread_id,
            imports.store,
            thread_id,
            agent=read.agent if read.agent in self.store.agents else self.agent.name,
            title=read.title,
            user_id=owner,
            metadata=read.metadata,
            messages=read.messages,
            attached=read.files,
        )
        crash_point("send.after")
        return await self._thread(thread_id)
