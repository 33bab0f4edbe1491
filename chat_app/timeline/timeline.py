"""Run drawer: the timeline, the lease of the thread, and the demo's crash button."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress

import reflex as rx

from agent_core import AgentApi, Message
from agent_core.domain.messages import text_of
from agent_core.domain.spans import Span
from agent_core.errors import AgentCoreError
from chat_app.plain_text import clean_text, shorten
from chat_app.scripts import react_component
from chat_app.session.service import ApiCaller, service
from chat_app.session.tab_session import background_task, tab_session
from chat_app.thread.open_thread import OpenThread
from chat_app.thread.thread_state import RUNNING
from chat_app.thread.tool_kinds import answering_agent, async_tools
from chat_app.timeline.span_views import DurabilityView, TurnView, durability_view, turn_views, with_labels

_log = logging.getLogger(__name__)

TURNS_PER_PAGE = 5
"""Number of turns that are shown at first, and that each further page adds."""
MAX_CAPTION = 80
"""Length to which the prompt above a turn is cut, in characters."""
_READ_INTERVAL = 0.5
"""Minimum time between two reads, in seconds: a streamed answer changes ten times a second."""
_LEASE_INTERVAL = 2.0
"""Interval of reads of a running thread, in seconds: renewing a lease sends no notification."""


class _DrawerWatch:
    """Events of one tab's drawer: `shown` while it is open, `changed` when the thread may have changed."""

    def __init__(self, shown: bool) -> None:
        self.shown = asyncio.Event()
        self.changed = asyncio.Event()
        self.show(shown)

    def show(self, shown: bool) -> None:
        """Note that the drawer was opened or closed."""
        self.shown.set() if shown else self.shown.clear()
        self.changed.set()

    async def wait(self, timeout: float | None) -> None:
        """Wait until the thread may have changed, for at most `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.changed.wait()
        self.changed.clear()


async def _watch_thread(api: AgentApi, thread_id: str, watch: _DrawerWatch) -> None:
    """Set `watch.changed` at every update of the thread."""
    with suppress(AgentCoreError):  # the thread was deleted; the next read raises, too
        async for _ in api.subscribe(thread_id, limit=1):
            watch.changed.set()


class TurnLabels:
    """Cache of the labels of turns and attempts, each read once while the drawer is open.

    A model's name is stored with the usage of its step, so an attempt under way has none yet.

    Attributes:
        prompts: the first words of a turn's prompt, by the id of its reply; "" if there are none.
        models: the name of the model of an attempt under way, by the id of its span.
    """

    def __init__(self, api: AgentApi, thread_id: str) -> None:
        self.prompts: dict[str, str] = {}
        self.models: dict[str, str] = {}
        self._api = api
        self._thread_id = thread_id

    async def read(self, spans: Sequence[Span]) -> None:
        """Read the labels of these spans that are not cached yet."""
        turns = [span.message_id for span in spans if span.kind == "turn" and span.message_id]
        if not self.prompts.keys() >= set(turns):
            await self._read_prompts(turns)
        at_work = [span.id for span in spans if span.kind == "model" and not span.name and not span.ended_at]
        if not self.models.keys() >= set(at_work):
            await self._read_model(at_work)

    async def _read_prompts(self, turns: Sequence[str]) -> None:
        messages = await self._api.list_messages(self._thread_id, limit=2 * len(turns) + 2)
        found = first_words(messages)
        for turn in turns:
            self.prompts.setdefault(turn, found.get(turn, found[""] if turn == turns[-1] else ""))

    async def _read_model(self, spans: Iterable[str]) -> None:
        thread = await self._api.get_thread(self._thread_id)
        agent = await answering_agent(self._api, thread.to_dict()) if thread else None
        for span in spans:
            self.models.setdefault(span, agent.model.name if agent else "")


def first_words(messages: Iterable[Message]) -> dict[str, str]:
    """Return the first words of the prompts by the ids of their replies; the key "" has the newest prompt.

    A reply may be stored only with its first committed step, so the newest turn's may be missing.
    """
    newest, found = "", dict[str, str]()
    for message in messages:
        if message.role == "user" and not message.metadata.get("queued"):
            newest = shorten(clean_text(" ".join(text_of(message.parts)[:400].split())), MAX_CAPTION)
        elif message.role == "assistant":
            found[message.id] = newest
    return found | {"": newest}


class Timeline(ApiCaller, rx.State):
    """State of the drawer, separate from other states because it changes twice a second while a turn runs.

    Attributes:
        shown: whether this tab's drawer is open; the browser remembers it and reports it.
        turn: the newest turn; `earlier` has the turns before it, newest first.
        more: whether there are turns before those.
        durability: the lease of the thread and the work queue.
        at: time of the read, in seconds since the epoch by the server's clock.
        demo: whether the page offers the crash button.
    """

    shown: bool = False
    turn: TurnView = TurnView()
    earlier: list[TurnView] = []
    more: bool = False
    durability: DurabilityView = DurabilityView()
    at: float = 0
    demo: bool = False
    _thread_id: str = ""
    _limit: int = TURNS_PER_PAGE

    @rx.event
    async def open(self):
        """Open the thread of the page, and follow it while the drawer is open."""
        opened = await self.get_state(OpenThread)
        if opened.open_id != self._thread_id:
            self._clear(opened.open_id)
        self.demo = service().settings.demo
        return Timeline.follow if self._thread_id else None

    def _clear(self, thread_id: str) -> None:
        self._thread_id, self._limit = thread_id, TURNS_PER_PAGE
        self.turn, self.earlier, self.more, self.durability, self.at = (
            TurnView(),
            [],
            False,
            DurabilityView(),
            0,
        )

    @rx.event
    def show(self, shown: bool):
        """Note that the drawer was opened or closed in this tab."""
        self.shown = shown
        self._notify()

    @rx.event
    def show_earlier(self):
        """Show another page of earlier turns."""
        self._limit += TURNS_PER_PAGE
        self._notify()

    def _notify(self) -> None:
        if watch := tab_session(self).find(Timeline, _DrawerWatch):
            watch.show(self.shown)

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Show the timeline of the open thread until this tab leaves; a closed drawer reads nothing."""
        await self._follow_open()

    async def _follow_open(self) -> None:
        async with self:
            thread_id, session, watch = self._thread_id, tab_session(self), _DrawerWatch(self.shown)
        with session.attached(Timeline, watch):
            try:
                async with self:
                    api = self._api()
                while True:
                    await watch.shown.wait()
                    async with background_task(_watch_thread(api, thread_id, watch)):
                        await self._follow(api, thread_id, watch)
            except AgentCoreError:  # deleted or another user's thread, which the page itself shows
                async with self:
                    self._clear(thread_id)

    async def _follow(self, api: AgentApi, thread_id: str, watch: _DrawerWatch) -> None:
        thread = await api.get_thread(thread_id)
        async_names = await async_tools(api, thread.to_dict()) if thread else set()
        labels = TurnLabels(api, thread_id)
        while watch.shown.is_set():
            running = await self._read(api, thread_id, async_names, labels)
            await asyncio.sleep(_READ_INTERVAL)
            await watch.wait(_LEASE_INTERVAL if running else None)

    async def _read(self, api: AgentApi, thread_id: str, async_names: set[str], labels: TurnLabels) -> bool:
        """Read the thread, show its changes, and return whether it is running."""
        async with self:
            limit = self._limit
        at = api.store.clock.now()
        spans = await api.timeline(thread_id, turns=limit + 1)
        found, queue = await api.insight.durability(thread_id), await service().runtime.queue()
        await labels.read(spans)
        turns = with_labels(turn_views(spans, async_names), labels.prompts, labels.models)
        busy = sum(kind.running for kind in queue.values()), sum(kind.depth for kind in queue.values())
        durability = durability_view(found, *busy)
        async with self:
            if self._thread_id == thread_id:
                newest = turns[0] if turns else TurnView()
                self._show(
                    at, turn=newest, earlier=turns[1:limit], more=len(turns) > limit, durability=durability
                )
        return found.status in RUNNING

    def _show(self, at: float, **values: object) -> None:
        changed = {name: value for name, value in values.items() if getattr(self, name) != value}
        for name, value in changed.items():
            setattr(self, name, value)
        if changed:
            self.at = at

    @rx.event
    def crash(self):
        """Kill this server with SIGKILL to simulate a crash; only in the demo."""
        if service().settings.demo:
            _log.warning("Killing the server on request of the demo's page")
            service().runtime.leave()  # so that the running turns are not suspected of causing the crash
            os.kill(os.getpid(), signal.SIGKILL)


run_toggle = react_component("timeline/drawer.jsx", "RunToggle")
"""Button that opens and closes the drawer."""

_run_drawer = react_component(
    "timeline/drawer.jsx",
    "RunDrawer",
    shown=bool,
    turn=TurnView,
    earlier=list[TurnView],
    more=bool,
    durability=DurabilityView,
    at=float,
    demo=bool,
    on_show=(bool,),
    on_more=(),
    on_crash=(),
)
"""Drawer with the durability panel and the turns, newest first.

The browser remembers whether the drawer is open and calls `on_show` whenever `shown` differs, so that a
restarted server is informed, too. `at` is a time of the server's clock.
"""


@rx.memo
def run_drawer() -> rx.Component:
    """Render the drawer, the only component that reads `Timeline`, so that only it renders on a change."""
    return _run_drawer(
        shown=Timeline.shown,
        turn=Timeline.turn,
        earlier=Timeline.earlier,
        more=Timeline.more,
        durability=Timeline.durability,
        at=Timeline.at,
        demo=Timeline.demo,
        on_show=Timeline.show,
        on_more=Timeline.show_earlier,
        on_crash=Timeline.crash,
    )
