"""People: what an application notes of each, wherever and in however many tabs they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, checked_metadata, user_of
from agent_core.store.database.sql import person_feed
from agent_core.store.threads import preferences


class Preferences(ApiBase):
    """`api.preferences`: what is noted of each person; who calls without a name shares one set with all who do."""

    async def get(self, *, ctx: CallContext | None = None) -> dict[str, Any]:
        """Return what is noted of the caller: plain JSON of the application's own, by key."""
        return await asyncio.to_thread(self.store.reads.read, preferences.read, _name(ctx))

    async def change(self, changes: dict[str, Any], *, ctx: CallContext | None = None) -> dict[str, Any]:
        """Set some keys of the caller's preferences and leave the others, in one transaction.

        Args:
            changes: plain JSON by key; None takes a key out.
            ctx: who calls.

        Returns:
            all of them.

        Raises:
            ValidationError: the changes are no dict of plain JSON, or make all of it too long.
        """
        return await self.store.writer.run(preferences.merge, _name(ctx), checked_metadata(changes))

    async def follow(self, *, ctx: CallContext | None = None) -> AsyncGenerator[dict[str, Any]]:
        """Yield the caller's preferences, and again whenever they have changed, from any process."""
        name, told = _name(ctx), None
        with self.store.feeds.follow(person_feed(name)) as reader:
            while not self.store.feeds.closed:
                reader.start_read()
                found = await asyncio.to_thread(self.store.reads.read, preferences.read, name)
                if found != told:
                    told = found
                    yield found
                await reader.wait()


def _name(ctx: CallContext | None) -> str:
    return user_of(ctx) or ""
