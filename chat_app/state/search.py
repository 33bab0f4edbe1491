"""The search in titles and messages."""

from __future__ import annotations

from typing import Any

import reflex as rx

from agent_core import AgentApi
from agent_core.errors import AgentCoreError, words_of
from agent_core.sentences import info_of
from chat_app.state.api_caller import ApiCaller
from chat_app.state.listing import hit_view
from chat_app.state.view import HitView

MAX_HITS = 30
"""How many hits are shown."""
MAX_QUERY = 200
"""More of a query is not looked for, in characters."""


class Search(ApiCaller, rx.State):
    """What a search found.

    Attributes:
        query: what the hits are for; the page tells by it whether they are the newest.
        hits: where all its words stand.
        trouble: why nothing could be searched, as a sentence.
    """

    query: str = ""
    hits: list[HitView] = []
    trouble: str = ""

    @rx.var
    def trouble_info(self) -> dict[str, Any]:
        """Code and params of `trouble`."""
        return info_of(self.trouble) or {}

    @rx.event(background=True, supersedes=True)
    async def find(self, query: str):
        """Look for the words of a query; a newer one takes the place of this."""
        try:
            async with self:
                api = self._api()
            hits, trouble = await hits_for(api, query), ""
        except AgentCoreError as error:
            hits, trouble = [], words_of(error)
        async with self:
            self.query, self.hits, self.trouble = query, hits, trouble


async def hits_for(api: AgentApi, query: str) -> list[HitView]:
    """Return the hits for a query.

    Raises:
        AgentCoreError: nothing could be searched.
    """
    return [hit_view(hit) for hit in await api.search(query[:MAX_QUERY], MAX_HITS)]
