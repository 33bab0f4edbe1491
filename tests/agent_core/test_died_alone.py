"""A death counts only against what died alone: one poison among many costs them time and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent_core import AgentApi, Thread
from tests.agent_core.databases import prepare, url
from tests.agent_core.support import tool_parts
from tests.chaos.colony import Colony, send, settled

MINUTE = 60.0


async def outcome(api: AgentApi, found: dict[str, Thread]) -> dict[str, str]:
    """How each thread ended: its status, or that it is sealed, or that its tool is."""
    ends: dict[str, str] = {}
    for name, thread in found.items():
        ends[name] = "sealed" if thread.error_kind == "PoisonedStepError" else thread.status
        errors = [part.get("errorText", "") for part in await tool_parts(api, thread)]
        if any("ended its process 3 times" in error for error in errors):
            ends[name] = f"tool sealed, {thread.status}"
        elif any(errors):
            ends[name] = f"tool in doubt, {thread.status}"
    return ends


async def run(colony: Colony, prompts: dict[str, str], within: float = MINUTE) -> dict[str, str]:
    """Let a colony work on these prompts and return how they ended."""
    began = time.monotonic()
    async with colony.open() as api:
        await send(api, prompts)
        ends = await outcome(api, await settled(api, list(prompts), within))
    print(f"{len(prompts)} threads, {colony.deaths} deaths, {time.monotonic() - began:.1f} s")
    return ends


def mixed(innocent: str, poison: str, count: int = 30, poisons: int = 1) -> dict[str, str]:
    """Many of one kind, and in their midst some of the other."""
    prompts = {f"t{n:02}": innocent for n in range(count)}
    return prompts | {f"t{7 + 9 * n:02}x": poison for n in range(poisons)}


def expected(prompts: dict[str, str], innocent: str, poison: str) -> dict[str, str]:
    return {name: poison if name.endswith("x") else innocent for name in prompts}


async def check(path: Path, prompts: dict[str, str], workers: int, innocent: str, poison: str) -> None:
    colony = Colony(url(prepare(path)), workers)
    assert await run(colony, prompts) == expected(prompts, innocent, poison)


@pytest.mark.timeout(180)
async def test_one_poison_among_thirty_is_sealed(path: Path) -> None:
    await check(path, mixed("say 0.2", "die 0"), 1, "completed", "sealed")


@pytest.mark.timeout(180)
async def test_one_lethal_tool_among_thirty_is_sealed(path: Path) -> None:
    await check(path, mixed("call 0.2", "call-die 0"), 1, "completed", "tool sealed, completed")


@pytest.mark.postgresql  # where several workers are at home
@pytest.mark.timeout(180)
async def test_three_workers_find_one_poison(path: Path) -> None:
    await check(path, mixed("say 0.2", "die 0"), 3, "completed", "sealed")


@pytest.mark.sqlite  # the other one is no different for it
@pytest.mark.timeout(180)
async def test_two_poisons_are_both_sealed(path: Path) -> None:
    await check(path, mixed("say 0.2", "die 0", poisons=2), 1, "completed", "sealed")


@pytest.mark.sqlite  # as above
@pytest.mark.timeout(180)
async def test_turns_of_many_steps_go_on_beside_a_poison(path: Path) -> None:
    """Each of their steps is fresh when the one before it has completed, and runs beside the suspects."""
    await check(path, mixed("work 6", "die 0.1"), 1, "completed", "sealed")


@pytest.mark.sqlite  # as above
@pytest.mark.timeout(180)
async def test_a_poison_that_dies_slowly_is_sealed(path: Path) -> None:
    await check(path, mixed("say 0.8", "die 0.6", count=10), 1, "completed", "sealed")
