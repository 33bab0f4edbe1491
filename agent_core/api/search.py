"""Search the titles and messages of threads."""

from __future__ import annotations

from agent_core.agent import CallContext
from agent_core.api.base import NOBODY, ApiBase, owner_of
from agent_core.domain.field_limits import MAX_QUERY, check_number, check_text
from agent_core.domain.messages import SearchHit
from agent_core.domain.validation import clean_text
from agent_core.store.reads.search import Search, search_batch, words_of
from agent_core.support.logs import get_logger

_FIRST_BATCH, _BATCH = 20, 400  # threads searched at once: few at first, for words that are in most threads
_log = get_logger(__name__)


class SearchMethods(ApiBase):
    """Method for finding threads by their text."""

    async def search(
        self,
        query: str,
        limit: int = 20,
        *,
        archived: bool | None = None,
        user_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> list[SearchHit]:
        """Return titles, and shown messages, that contain all words of a query.

        Threads are ordered by their newest activity, each with up to three hits, newest message first. Accents
        and case are ignored, and a word may be a part of a longer one. Tool calls, reasoning and branches that
        were put aside are not searched. The `authorization_callback` is called for each thread with a hit; a
        thread that it denies is left out.

        Args:
            query: words, at most 400 characters; a blank query finds nothing.
            limit: maximum number of hits, at least 1.
            archived: only archived threads, or only the others; None: both.
            user_id: only this user's threads.
            ctx: the caller; if it has a user, only that user's threads are searched, regardless of `user_id`.

        Raises:
            ValidationError: the query is too long, or `limit` is below 1.
        """
        check_number("limit", limit)
        check_text("A search", query, MAX_QUERY)
        words, owner = words_of(clean_text(query)), owner_of(ctx, user_id)
        if not words or owner is NOBODY:
            return []
        roles = ("user", "assistant") if self._exclude_system else ("user", "assistant", "system")
        return await self._search(ctx, Search(words, archived, owner, roles), limit)

    async def _search(self, ctx: CallContext | None, search: Search, limit: int) -> list[SearchHit]:
        """Search batch after batch of threads until there are enough hits, or no threads left."""
        hits, after, size, indexed = list[SearchHit](), None, _FIRST_BATCH, False
        while True:
            batch = await self.store.read(search_batch, search, after, size, indexed=indexed)
            hits, after = hits + await self._allowed(ctx, batch.hits), batch.last
            if after is None or len(hits) >= limit:
                return hits[:limit]
            size, indexed = _BATCH, True

    async def _allowed(self, ctx: CallContext | None, found: list[SearchHit]) -> list[SearchHit]:
        denied = set[str]()
        for thread_id in dict.fromkeys(hit.thread.id for hit in found):
            try:
                await self._authorize(ctx, thread_id)
            except Exception:
                _log.debug(
                    "Left the thread %r out of a search, because the caller may not read it.", thread_id
                )
                denied.add(thread_id)
        return [hit for hit in found if hit.thread.id not in denied]
