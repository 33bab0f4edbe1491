"""The search in titles and messages."""

from __future__ import annotations

import reflex as rx

from agent_core.errors import AgentCoreError
from chat_app.state.listing import hit_view
from chat_app.state.service import service
from chat_app.state.view import HitView

MOST = 30
"""How many hits are shown."""
LONGEST = 200
"""More of a query is not looked for, in characters."""


class Search(rx.State):
    """What a search found.

    Attributes:
        query: what the hits are for; the page tells by it whether they are the newest.
        hits: where all its words stand.
        trouble: why nothing could be searched, as a sentence.
    """

    query: str = ""
    hits: list[HitView] = []
    trouble: str = ""

    @rx.event(background=True, supersedes=True)
    async def find(self, query: str):
        """Look for the words of a query; a newer one takes the place of this."""
        hits, trouble = await self.hits_for(query)
        async with self:
            self.query, self.hits, self.trouble = query, hits, trouble

    @staticmethod
    async def hits_for(query: str) -> tuple[list[HitView], str]:
        """Return the hits for a query, or none and why."""
        try:
            return [hit_view(hit) for hit in await service().api.search(query[:LONGEST], MOST)], ""
        except AgentCoreError as error:
            return [], str(error)
