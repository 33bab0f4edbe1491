"""Helpers for the tests of state handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing

from chat_app.session.service import Service
from chat_app.thread.follower import Follower
from chat_app.thread.open_thread import OpenThread, OpenThreadText
from chat_app.thread.subscription import ThreadReader
from chat_app.thread_list.thread_list import ThreadList

Serve = Callable[..., AbstractAsyncContextManager[Service]]


class Tab:
    """One browser tab: its states, and a follower that the test advances by hand."""

    def __init__(self, thread: OpenThread, stream: OpenThreadText, threads: ThreadList) -> None:
        self.thread = thread
        self.stream = stream
        self.threads = threads
        self.follower = Follower()

    async def read(self, service: Service, until: Callable[[], bool], *, seconds: float = 20) -> None:
        """Follow the open thread until a condition holds."""
        reader = ThreadReader(service.api, self.thread.open_id)
        self.follower = reader.follower
        async with asyncio.timeout(seconds), aclosing(reader.read()) as readings:
            async for _ in readings:
                self.thread._show(self.follower)
                if until():
                    return
