"""What the tests of the state handlers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from chat_app.state import OpenThread, Stream, ThreadList
from chat_app.state.agents import async_tools
from chat_app.state.follower import Follower, read_times
from chat_app.state.service import Service

Serve = Callable[..., AbstractAsyncContextManager[Service]]


class Tab:
    """One browser tab: its state, and a follower that the test moves by hand."""

    def __init__(self, thread: OpenThread, stream: Stream, threads: ThreadList) -> None:
        self.thread = thread
        self.stream = stream
        self.threads = threads
        self.follower = Follower()

    async def read(self, service: Service, until: Callable[[], bool], *, seconds: float = 20) -> None:
        """Follow the open thread until something holds."""
        thread = await service.api.get_thread(self.thread.open_id)
        asked = await async_tools(service.api, thread.to_dict() if thread else {})
        self.follower = Follower(asked.__contains__)
        async with asyncio.timeout(seconds):
            async for update in service.api.subscribe(self.thread.open_id):
                self.follower.apply(update)
                await read_times(service.api, self.thread.open_id, self.follower)
                self.thread.show(self.follower)
                if until():
                    return
