"""The fingerprint of the agent that ran a step: stored with it, the same for the same agent, new for a changed one."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from agent_core import Agent, action_tool, create_action_tool
from agent_core.errors import ModelError
from agent_core.testing import ScriptedModel, ToolUse
from tests.support.agents import AT_ONCE, agent_on, finished


@action_tool
async def look(place: str) -> str:
    """Look."""
    return place


class Place(BaseModel):
    place: str


def agent(
    name: str = "assistant", system: str | None = "Be brief.", tools: list[object] | None = None
) -> Agent:
    return Agent(name, ScriptedModel([]), system=system, tools=[look] if tools is None else tools)  # pyright: ignore[reportArgumentType]


def test_equal_agents_have_one_fingerprint_and_any_change_has_another() -> None:
    assert agent().fingerprint == agent().fingerprint
    assert len(agent().fingerprint) == 12
    described = create_action_tool(description="Look twice.", args=Place, handler=lambda place: place)
    changed = [
        agent(name="other"),
        agent(system="Be long."),
        agent(system=None),
        agent(tools=[]),
        Agent("assistant", ScriptedModel([], name="newer"), system="Be brief.", tools=[look]),
        Agent("assistant", ScriptedModel([]), system="Be brief.", tools={"look": described}),
    ]
    assert len({one.fingerprint for one in [agent(), *changed]}) == len(changed) + 1


async def test_every_attempt_at_a_step_has_the_fingerprint_of_its_agent(path: Path) -> None:
    turns = [
        [ToolUse("look", {"place": "here"})],
        ["Half", ModelError("busy", kind="rate_limited", retryable=True)],
        ["Done."],
        [ModelError("no", kind="auth")],
    ]
    async with agent_on(path, turns, tools=[look], retry=AT_ONCE) as api:
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        await api.send_message(thread.id, "Again")
        await finished(api, thread)
        spans = [span for span in await api.timeline(thread.id) if span.kind == "model"]
        assert [span.status for span in spans] == ["ok", "retried", "ok", "failed"]
        assert {span.fingerprint for span in spans} == {api.store.agents["assistant"].fingerprint}


async def test_a_step_shows_which_version_of_its_agent_ran_it(path: Path) -> None:
    found = []
    for system in ("Before the deploy.", "After it."):
        async with agent_on(path, [["Yes."]], system=system) as api:
            thread = await finished(api, await api.create_thread("Hi"))
            found += [span.fingerprint for span in await api.timeline(thread.id) if span.kind == "model"]
    assert len(set(found)) == 2
    assert None not in found
