"""Helpers of the contract tests: an agent on a fresh database, used through public names only.

The tests in this folder are the API's contract, one for each row of its table. They import public names
only, so they apply to any implementation of the library.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypedDict

from agent_core import (
    Agent,
    AgentApi,
    Message,
    RetryPolicy,
    Runtime,
    StreamingOptions,
    Update,
    Workpool,
    define_agent_api,
)
from agent_core.testing import ScriptedModel, eventually


class Pools(TypedDict, total=False):
    """Workpools of a runtime, as keyword arguments."""

    workpool: Workpool
    tool_workpool: Workpool


class Contract:
    """A database, and the model of the agent that runs on it.

    Args:
        url: URL of an empty database.
        pools: Function that returns the workpools of each runtime, as keyword arguments.
    """

    def __init__(self, url: str, pools: Callable[[], Pools] = Pools) -> None:
        self.url = url
        self.pools = pools
        self.model = ScriptedModel([])

    @contextlib.asynccontextmanager
    async def api(self, turns: Any, **options: Any) -> AsyncGenerator[AgentApi]:
        """Run an agent that answers with `turns`; pass other options to the agent or `define_agent_api`."""
        self.model = ScriptedModel(turns)
        ours = {
            name: options.pop(name)
            for name in ("authorization_callback", "on_status_change", "exclude_system_messages")
            if name in options
        }
        options.setdefault("retry", RetryPolicy(max_attempts=3, initial_delay=0.05, jitter=0))
        options.setdefault("save_stream_deltas", StreamingOptions(throttle_ms=20))
        async with Runtime(database_url=self.url, **self.pools()) as runtime:
            yield define_agent_api(runtime, Agent("assistant", self.model, **options), **ours)
        assert not self.model.violations, self.model.violations

    @staticmethod
    async def says(api: AgentApi, thread_id: str, words: str) -> None:
        """Wait until a reader of the thread sees `words`."""
        text = ""
        async for update in api.subscribe(thread_id):
            text += "".join(chunk["delta"] for chunk in update.chunks if chunk["type"] == "text-delta")
            if words in text:
                return

    @staticmethod
    async def status(api: AgentApi, thread_id: str, status: str) -> None:
        """Wait until the thread has this status."""

        async def reached() -> bool:
            thread = await api.get_thread(thread_id)
            return thread is not None and thread.status == status

        await eventually(reached)


def shown_text(message: Message) -> str:
    """Return the text of a message, joined from its documented parts."""
    return "".join(part["text"] for part in message.parts if part["type"] == "text")


def chunk_types(update: Update) -> list[str]:
    """Return the types of an update's chunks."""
    return [chunk["type"] for chunk in update.chunks]
