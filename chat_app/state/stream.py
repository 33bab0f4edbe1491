"""The text that is being written, and this tab's subscription to it."""

import logging
from contextlib import aclosing

import reflex as rx

from agent_core import AgentApi
from agent_core.errors import AgentCoreError
from chat_app.state.agents import async_tools
from chat_app.state.follower import Follower, read_times
from chat_app.state.growing import Growing
from chat_app.state.opened import Opened
from chat_app.state.tab_session import tab_session
from chat_app.state.thread import OpenThread

logger = logging.getLogger(__name__)


class Following(Growing, mixin=True):
    """The live text of a thread that is open, and this tab's subscription to it."""

    @classmethod
    def _shown(cls) -> type[Opened]:
        """Return the state that shows the thread, of which this is the text being written."""
        raise NotImplementedError

    @rx.event
    async def open(self):
        """Turn to the thread of the URL, and follow it."""
        opened = await self.get_state(self._shown())
        opened.open(str(self.thread_id or ""))  # pyright: ignore[reportAttributeAccessIssue]  -- the route's argument
        self._forget()
        return type(self).follow if opened.open_id else None

    @rx.event
    async def leave(self):
        """Turn away from the thread: the page that opens shows none."""
        opened = await self.get_state(self._shown())
        opened.open("")
        self._forget()

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Show the open thread and go on showing it, until this tab leaves.

        Reload, a second tab, another browser and a restarted server all come through here: first a
        snapshot, then everything after it. Being part of the page's on_load, it ends by itself with
        navigation, reload and disconnection.
        """
        await self._follow_open()

    async def _follow_open(self) -> None:
        asked, thread_id = set[str](), ""
        follower = Follower(asked.__contains__)
        try:
            async with self:
                opened = await self.get_state(self._shown())
                thread_id, session = opened.open_id, tab_session(self)
                if not thread_id:
                    return
                api = opened._api()
            with session.attached(self._shown(), follower):
                await self._follow(api, thread_id, follower, asked)
        except AgentCoreError as error:
            await self._lose(error)
        except Exception:
            logger.exception("Thread %s can not be followed", thread_id)
            await self._lose(AgentCoreError("The server could not read this thread; its log says why."))

    async def _lose(self, error: AgentCoreError) -> None:
        async with self:
            opened = await self.get_state(self._shown())
            opened.lose(error)

    async def _follow(self, api: AgentApi, thread_id: str, follower: Follower, asked: set[str]) -> None:
        agent, opened = None, None
        async with aclosing(api.subscribe(thread_id)) as updates:
            async for update in updates:
                follower.apply(update)
                if follower.rows_changed:
                    await read_times(api, thread_id, follower)
                if follower.thread.get("agent") != agent:
                    agent = follower.thread.get("agent")
                    asked |= await async_tools(api, follower.thread)
                if opened and not follower.rows_changed and not opened._is_behind(follower):
                    await self._pass_on(follower.piece())
                    continue
                async with self:
                    opened = await self.get_state(self._shown())
                    if opened.open_id != thread_id:
                        return
                    opened.show(follower)
                    self._send(follower.piece())


class Stream(Following, rx.State):
    """The text that is being written in the thread of the app's own pages."""

    @classmethod
    def _shown(cls) -> type[Opened]:
        return OpenThread
