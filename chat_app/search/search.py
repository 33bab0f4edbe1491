"""Search in titles and messages, and its dialog, which Ctrl+K opens."""

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
"""Maximum number of hits that are shown."""
_MAX_QUERY = 200
"""Maximum length of a query, in characters; the rest is ignored."""


@dataclass(frozen=True)
class HitView:
    """Search hit in the title of a thread, or in one of its messages.

    Attributes:
        message_id: id of the message; "" for a hit in the title.
        snippet: matching words with their context; "" for a hit in the title.
        at: time of the thread's last activity, in seconds since the epoch.
    """

    thread_id: str
    title: str
    message_id: str = ""
    snippet: str = ""
    at: float = 0
    archived: bool = False


class Search(CommandState, rx.State):
    """State of the search dialog.

    Attributes:
        query: query of the hits, by which the page recognizes outdated hits.
        hits: titles and messages that contain every word of the query.
    """

    query: str = ""
    hits: list[HitView] = []

    @rx.event(background=True, supersedes=True)
    async def find(self, query: str):
        """Search for the words of a query; a newer search supersedes an older one."""
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
        AgentCoreError: the search failed.
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
"""Commands that are available on every page: name and icon, key of the label, and path."""

_palette = react_component(
    "search/palette.jsx",
    "Palette",
    commands=list[dict[str, Any]],
    query=str,
    hits=list[HitView],
    error=str,
    error_info=dict[str, Any],
    on_query=(str,),
    on_theme=(),
)
"""Dialog of Ctrl+K: commands, the newest threads, and search hits.

`commands` are {"name", "label", "icon", "to" (a path, or "" for the theme)}; `hits` are the hits of `query`.
"""


def search_dialog() -> rx.Component:
    """Render the search dialog, which Ctrl+K opens on every page."""
    return _palette(
        commands=[
            {"name": name, "icon": name, "label": say(label), "to": path} for name, label, path in _COMMANDS
        ],
        query=Search.query,
        hits=Search.hits,
        error=Search.notice,
        error_info=Search.notice_info,
        on_query=Search.find,
        on_theme=rx.toggle_color_mode,
    )
