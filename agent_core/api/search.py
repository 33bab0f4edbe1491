"""Searching titles and messages."""

from __future__ import annotations

import asyncio

from agent_core.agent import CallContext
from agent_core.api.base import NOBODY, ApiBase, owner_of
from agent_core.domain.field_limits import MAX_QUERY, check_number, check_text
from agent_core.domain.messages import SearchHit
from agent_core.domain.validation import clean_text
from agent_core.store.reads.search import Wanted, search_batch, words_of
from agent_core.support.logs import get_logger

_FIRST_BATCH, _BATCH = 50, 400  # threads looked through at once: few at first, for words that are everywhere
_log = get_logger(__name__)


class SearchMethods(ApiBase):
    """The method that finds threads by what they say."""

    async def search(
        self,
        query: str,
        limit: int = 20,
        *,
        archived: bool | None = None,
        user_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> list[SearchHit]:
        """Return where all words of a query stand: in a title, or in one message that is shown.

        Threads with the newest activity come first, each with up to three hits, the newest message
        first. Accents and capitals do not matter, and a word may be a part of a longer one. Tool calls, reasoning and
        branches that are put aside are not searched. The `authorization_callback` is asked about each
        thread with a hit; a thread that it denies is left out.

        Args:
            query: words, 400 characters at the most; a blank one finds nothing.
            limit: how many hits at the most, from 1.
            archived: only among archived threads, or only among the others; None: among both.
            user_id: only this person's.
            ctx: who calls; if it has a user, only their own threads are searched, whatever `user_id` says.

        Raises:
            ValidationError: the query is too long, or `limit` is below 1.
        """
        check_number("limit", limit)
        check_text("A search", query, MAX_QUERY)
        words, owner = words_of(clean_text(query)), owner_of(ctx, user_id)
        if not words or owner is NOBODY:
            return []
        roles = ("user", "assistant") if self._exclude_system else ("user", "assistant", "system")
        return await self._look(ctx, Wanted(words, archived, owner, roles), limit)

    async def _look(self, ctx: CallContext | None, wanted: Wanted, limit: int) -> list[SearchHit]:
        """Look through batch after batch of threads until there are hits enough, or no threads left."""
        hits, after, size = list[SearchHit](), None, _FIRST_BATCH
        while True:
            found, after = await asyncio.to_thread(self.store.reads.read, search_batch, wanted, after, size)
            hits += await self._allowed(ctx, found)
            if after is None or len(hits) >= limit:
                return hits[:limit]
            size = _BATCH

    async def _allowed(self, ctx: CallContext | None, found: list[SearchHit]) -> list[SearchHit]:
        denied = set[str]()
        for thread_id in dict.fromkeys(hit.thread.id for hit in found):
            try:
                await self._authorize(ctx, thread_id)
            except Exception:
                _log.debug("The caller may not see what the thread %r says.", thread_id)
                denied.add(thread_id)
        return [hit for hit in found if hit.thread.id not in denied]
