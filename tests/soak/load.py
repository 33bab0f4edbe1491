"""Visitors who come and go: each visit is one turn, followed to its end by readers who come and go, too."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncGenerator
from typing import Any

from agent_core import Agent, AgentApi, RetryPolicy, StreamingOptions, ToolContext, errors
from agent_core.streaming.fold import ThreadView
from agent_core.testing import Reasoning, ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool, async_tool

KINDS = ("plain", "tools", "busy", "approve", "deny", "outside", "stop", "queue", "delete")
THREADS = 40  # alive at once, so that the database's size can settle
LIFE = 6  # turns until a thread is deleted
_RETRY = RetryPolicy(max_attempts=25, backoff="fixed", initial_delay=0.02, jitter=0)


def make_agent(seed: int | None = None) -> Agent:
    """Return the agent; its model acts on the prompt's first word and keeps no requests."""
    dice = random.Random(seed)

    @action_tool
    async def look(ctx: ToolContext) -> str:
        """Look, and say how far it is."""
        await ctx.report({"done": 0.5})
        return "seen " * 20

    @action_tool(retry=_RETRY)
    async def fetch() -> str:
        """Fail every other time."""
        if dice.random() < 0.5:
            raise OSError("Not now.")
        return "fetched"

    @action_tool(needs_approval=True)
    async def pay() -> str:
        """Wait for a person's yes."""
        return "paid"

    @async_tool(timeout=60)
    async def ask() -> None:
        """Wait for an outcome from outside."""

    uses = {
        "tools": ["look", "fetch", "look"],
        "outside": ["ask"],
        "approve": ["pay"],
        "deny": ["pay", "look"],
    }

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        model.requests.clear()  # kept for tests; here that would be a leak
        asked = max(n for n, message in enumerate(messages) if message["role"] == "user")
        prompt = str(messages[asked]["content"])
        kind = prompt.split()[0]
        if kind in uses and asked == len(messages) - 1:
            return [Reasoning("I need a tool. "), "Wait. ", *(ToolUse(name) for name in uses[kind])]
        if kind == "busy" and dice.random() < 0.5:
            return ["Well, ", 0.01, errors.ModelError("Busy.", kind="rate_limited", retryable=True)]
        pause = 0.2 if kind in ("stop", "delete") else 0.01
        return [
            *(item for word in range(8) for item in (f"Word {word} of an answer. ", pause)),
            f"({prompt})",
        ]

    model = ScriptedModel(turn)
    streaming = StreamingOptions(throttle_ms=50)
    return Agent("soak", model, tools=[look, fetch, pay, ask], retry=_RETRY, save_stream_deltas=streaming)


class Load:
    """Start visits at a steady rate, and count them.

    Args:
        api: API of an open runtime.
        rate: visits per second.
        seed: seed of the random choices.
    """

    def __init__(self, api: AgentApi, rate: float, seed: int | None = None) -> None:
        self.turns = 0
        self.failures: list[str] = []
        self._api, self._rate = api, rate
        self._dice = random.Random(seed)
        self._free: list[tuple[str, int]] = []
        self._names = itertools.count()
        self._visits: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> None:
        """Start visits for `seconds`; some are still going on afterwards."""
        loop = asyncio.get_running_loop()
        until, due = loop.time() + seconds, loop.time()
        while (due := due + 1 / self._rate) < until:
            await asyncio.sleep(max(0.0, due - loop.time()))
            if len(self._visits) < THREADS // 2:
                visit = asyncio.create_task(self._guarded())
                self._visits.add(visit)
                visit.add_done_callback(self._visits.discard)

    async def calm(self) -> None:
        """Wait until the last visit has ended."""
        while self._visits:
            await asyncio.wait(set(self._visits))

    async def _guarded(self) -> None:
        kind = self._dice.choice(KINDS)
        try:
            async with asyncio.timeout(60):
                await self._visit(kind)
        except Exception as error:
            self.failures.append(f"{kind}: {type(error).__name__} {error!s:.300}")

    async def _visit(self, kind: str) -> None:
        thread_id, turns = await self._enter()
        prompt = f"{kind} {next(self._names)}"
        async with self._reader(thread_id) as stays, self._reader(thread_id) as leaves:
            await self._api.send_message(thread_id, prompt)
            await self._take_part(kind, thread_id)
            if self._dice.random() < 0.5:
                leaves.task.cancel()
            self.turns += 1
            if kind == "delete":
                await self._api.delete_thread(thread_id)
                return
            await self._api.wait_until_idle(thread_id)
            await self._check(thread_id, prompt, stays.view)
        if turns + 1 < LIFE:
            self._free.append((thread_id, turns + 1))
        else:
            await self._api.delete_thread(thread_id)

    async def _enter(self) -> tuple[str, int]:
        if (len(self._free) + len(self._visits) < THREADS and self._dice.random() < 0.3) or not self._free:
            return (await self._api.create_thread(title="A visit")).id, 0
        return self._free.pop(self._dice.randrange(len(self._free)))

    async def _take_part(self, kind: str, thread_id: str) -> None:
        api = self._api
        if kind in ("approve", "deny", "outside"):
            tool, state = ("ask", "input-available") if kind == "outside" else ("pay", "approval-requested")
            await eventually(lambda: self._open_call(thread_id, f"tool-{tool}", state), 30)
            call_id = await self._open_call(thread_id, f"tool-{tool}", state)
            if kind == "outside":
                await api.add_tool_result(call_id, "from outside", thread_id=thread_id)
            elif kind == "approve":
                await api.approve_tool_calls(thread_id, [call_id])
            else:
                await api.deny_tool_calls(thread_id, [call_id], "Not today.")
        elif kind == "queue":
            await api.send_message(thread_id, f"queue {next(self._names)}", when_busy="queue")
        elif kind in ("stop", "delete"):
            await asyncio.sleep(0.3)
            if kind == "stop":
                await api.stop_thread(thread_id)
                await api.resume_thread(thread_id)

    async def _open_call(self, thread_id: str, part_type: str, state: str) -> str:
        for message in await self._api.list_messages(thread_id, limit=1):
            for part in message.parts:
                if part["type"] == part_type and part["state"] == state:
                    return part["toolCallId"]
        return ""

    async def _check(self, thread_id: str, prompt: str, view: ThreadView) -> None:
        """Assert that the turn completed and that its follower saw the stored messages."""
        thread = await self._api.get_thread(thread_id)
        assert thread is not None, "it is gone"
        assert thread.status == "completed", thread
        stored = [(message.id, message.parts) for message in await self._api.list_messages(thread_id)]
        ends = [parts[-1].get("text", "") for _, parts in stored]
        assert any(end.endswith(f"({prompt})") for end in ends), ends
        await eventually(lambda: view.cursor >= thread.cursor, 30)
        assert [(message["id"], message["parts"]) for message in view.messages] == stored

    @contextlib.asynccontextmanager
    async def _reader(self, thread_id: str) -> AsyncGenerator[_Reader]:
        reader = _Reader(self._api, thread_id)
        try:
            yield reader
        finally:
            reader.task.cancel()
            await asyncio.gather(reader.task, return_exceptions=True)


class _Reader:
    """Follow a thread, as a tab does."""

    def __init__(self, api: AgentApi, thread_id: str) -> None:
        self.view = ThreadView()
        self._api, self._thread_id = api, thread_id
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async with contextlib.aclosing(self._api.subscribe(self._thread_id)) as updates:
            async for update in updates:
                self.view.apply(update)
