"""What the pages show, and what their buttons do. Nothing here must survive: rows are the truth."""

from chat_app.state.actions import Actions
from chat_app.state.defaults import Defaults
from chat_app.state.inbox import Inbox
from chat_app.state.offers import Offers
from chat_app.state.open_thread import OpenThread, Stream
from chat_app.state.search import Search
from chat_app.state.threads import Archive, ThreadList
from chat_app.state.timeline import Timeline

__all__ = [
    "Actions",
    "Archive",
    "Defaults",
    "Inbox",
    "Offers",
    "OpenThread",
    "Search",
    "Stream",
    "ThreadList",
    "Timeline",
]
