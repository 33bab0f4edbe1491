"""The search in titles and messages, and the dialog of Ctrl+K for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reflex as rx

from agent_core import AgentApi
from agent_core.domain.messages import SearchHit
from agent_core.errors import AgentCoreError, words_of
from chat_app.i18n import say
from chat_app.plain_text import clean_text, one_line
from chat_app.scripts import react_component
from chat_app.session.service import CommandState

_MAX_HITS = 30
"""How many hits are shown."""
_MAX_QUERY = 200
"""More of a query is not looked for, in characters."""


@dataclass(frozen=True)
class HitView:
    """Where a search found its words: in a thread's title, or in a message of it.

    Attributes:
        message_id: "" for the title.
        snippet: the words with their context; "" for a title.
        at: the thread's last activity, in seconds since the epoch.
    """

    thread_id: str
    title: str
    message_id: str = ""
    snippet: str = ""
    at: float = 0
    archived: bool = False


class Search(CommandState, rx.State):
    """What a search found.

    Attributes:
        query: what the hits are for; the page tells by it whether they are the newest.
        hits: the titles and messages with all of its words.
    """

    query: str = ""
    hits: list[HitView] = []

    @rx.event(background=True, supersedes=True)
    async def find(self, query: str):
        """Look for the words of a query; a newer one takes the place of this."""
        try:
            async with self:
                api = self._api()
            hits, notice = await hits_for(api, query), ""
        except AgentCoreError as error:
            hits, notice = [], words_of(error)
        async with self:
            self.query, self.hits, self.notice = query, hits, notice


async def hits_for(api: AgentApi, query: str) -> list[HitView]:
    """Return the hits for a query.

    Raises:
        AgentCoreError: nothing could be searched.
    """
    return [_hit_view(hit) for hit in await api.search(query[:_MAX_QUERY], _MAX_HITS)]


def _hit_view(hit: SearchHit) -> HitView:
    """Return the row of a search hit."""
    return HitView(
        thread_id=hit.thread.id,
        title=one_line(hit.thread.title),
        message_id=hit.message_id or "",
        snippet=clean_text(hit.snippet),
        at=hit.thread.updated_at.timestamp(),
        archived=hit.thread.archived,
    )


_COMMANDS = (
    ("new", "sidebar.new_chat", "/"),
    ("inbox", "inbox.title", "/inbox"),
    ("archive", "sidebar.archived", "/archive"),
    ("schedules", "schedules.title", "/schedules"),
    ("usage", "usage.title", "/usage"),
    ("settings", "settings.title", "/settings"),
    ("theme", "sidebar.theme", ""),
)
"""Name and icon, key of the words, and path of what can be done from anywhere."""

_palette = react_component(
    "search/palette.jsx",
    "Palette",
    commands=list[dict[str, Any]],
    query=str,
    hits=list[HitView],
    trouble=str,
    trouble_info=dict[str, Any],
    on_query=(str,),
    on_theme=(),
)
"""The dialog of Ctrl+K: commands, the newest threads, and what a search finds.

`commands` are {"name", "label", "icon", "to" (a path, or "" for the theme)}; `hits` are those of `query`.
"""


def search_dialog() -> rx.Component:
    """The search dialog, which Ctrl+K opens on every page."""
    return _palette(
        commands=[
            {"name": name, "icon": name, "label": say(label), "to": path} for name, label, path in _COMMANDS
        ],
        query=Search.query,
        hits=Search.hits,
        trouble=Search.notice,
        trouble_info=Search.notice_info,
        on_query=Search.find,
        on_theme=rx.toggle_color_mode,
    )
