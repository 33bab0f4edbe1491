"""Test a thread that every model answers in turn, there and back, with reasoning and tool calls."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from agent_core import Agent, AgentApi, Runtime, define_internal_agent_api
from agent_core.domain.messages import Thread
from agent_core.tools import action_tool
from tests.providers.dialects import DIALECTS, DialectServer, Thought, Use, serving
from tests.providers.history.test_model_switch import complaints
from tests.support.agents import AT_ONCE, finished, texts
from tests.support.databases import prepared

TOUR = [*DIALECTS, *reversed(DIALECTS)]


@action_tool
async def clock(zone: str) -> str:
    """Tell the time."""
    return f"12 in {zone}"


def agent(name: str, server: DialectServer) -> Agent:
    return Agent(
        name, server.dialect.model, tools=[clock], system="Be brief.", retry=AT_ONCE, **server.options
    )


async def answered(api: AgentApi, thread: Thread, server: DialectServer, turn: int) -> None:
    """Run a turn with reasoning, two calls and an answer; check that the provider accepts its requests."""
    zones = [
        Use("clock", {"zone": zone}, id=f"turn{turn:02}no{n}")
        for n, zone in enumerate((f"zone {turn}", "UTC"))
    ]
    server.then(
        [Thought(f"Thought {turn}."), "I look. ", *zones],
        [Thought("So."), f"Answer {turn}."],
    )
    await api.send_message(thread.id, f"Question {turn}")
    thread = await finished(api, thread)
    assert (thread.status, thread.error) == ("completed", None), server.dialect.model
    assert server.violations == [], server.dialect.model


async def test_thread_goes_through_all_models_and_back_over_restarts(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(serving(DIALECTS[name])) for name in DIALECTS}
        thread: Any = None
        turn = 0
        for half in (TOUR[: len(DIALECTS)], TOUR[len(DIALECTS) :]):
            async with Runtime(prepared(tmp_path / "agents.db")) as runtime:
                apis = {
                    name: define_internal_agent_api(runtime, agent(name, servers[name])) for name in DIALECTS
                }
                thread = thread or await apis[TOUR[0]].create_thread()
                for name in half:
                    turn += 1
                    await apis[name].update_thread(thread.id, agent=name)
                    await answered(apis[name], thread, servers[name], turn)
                said = await texts(apis[half[0]], thread)
        found = {
            name: [c for body in server.requests for c in complaints(name, body)]
            for name, server in servers.items()
        }
        assert found == {name: [] for name in DIALECTS}
        assert len(said) == 2 * len(TOUR)
        last = json.dumps(servers[TOUR[-1]].requests[-1])
        missing = [n for n in range(1, turn) if f"12 in zone {n}" not in last]
        assert missing == [], "nothing was lost on the way"
