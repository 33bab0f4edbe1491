"""Test the judge: judge a clean run again with one forged fact, and expect the right complaint."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core import Runtime, define_internal_agent_api
from agent_core.domain.messages import Message, Thread
from agent_core.testing import eventually
from tests.chaos.harness import STORIES, Harness
from tests.chaos.stories import PATIENCE, Approval, Story
from tests.chaos.verdict import Verdict
from tests.chaos.world import make_agent

Case = tuple[list[str], Thread, list[Message]]


def again(verb: str) -> Callable[[Case], Case]:
    """Forge another run of the tool."""

    def forge(case: Case) -> Case:
        lines, thread, _ = case
        return [*lines, next(line for line in lines if line.startswith(f"{verb} {thread.id}:"))], *case[1:]

    return forge


def never(verb: str) -> Callable[[Case], Case]:
    """Forge that the tool never ran."""
    return lambda case: (
        [line for line in case[0] if not line.startswith(f"{verb} {case[1].id}:")],
        *case[1:],
    )


def other_amount(case: Case) -> Case:
    """Forge a payment of an amount that nobody approved."""
    lines = [re.sub(rf"(pay {case[1].id}:\S.*) \d+$", r"\1 7", line) for line in case[0]]
    return lines, *case[1:]


def status(name: Any) -> Callable[[Case], Case]:
    return lambda case: (case[0], replace(case[1], status=name), case[2])


def without_last(case: Case) -> Case:
    return *case[:2], case[2][:-1]


def without_words(case: Case) -> Case:
    *before, last = case[2]
    return *case[:2], [*before, replace(last, parts=last.parts[:-1])]


def another_output(tool: str) -> Callable[[Case], Case]:
    def change(part: dict[str, Any]) -> dict[str, Any]:
        if part["type"] != f"tool-{tool}":
            return part
        kept = {key: value for key, value in part.items() if key != "errorText"}
        return kept | {"state": "output-available", "output": "forged"}

    return lambda case: (
        *case[:2],
        [replace(message, parts=[change(part) for part in message.parts]) for message in case[2]],
    )


def twice(case: Case) -> Case:
    """Repeat the first message and its answer."""
    return *case[:2], [case[2][0], case[2][1], *case[2]]


def went_on(case: Case) -> Case:
    return [*case[0], *[f"ask stop {case[1].id} {step}" for step in (2, 3)]], *case[1:]


class Approved(Approval):
    """Approval story in which the approval comes before the denial, so that something is paid."""

    async def _deny(self, ids: list[str], after: float) -> None:
        await eventually(self._decided, PATIENCE)
        await super()._deny(ids, 0)

    async def _decided(self) -> bool:
        return not await self._all_wait()


FORGED: list[tuple[str, str, Callable[[Case], Case]]] = [
    ("work", "doubled", again("charge")),
    ("work", "lost", never("charge")),
    ("work", "lost", never("measure")),
    ("work", "lost", without_last),
    ("work", "lost", without_words),
    ("work", "stuck", status("streaming")),
    ("work", "stuck", status("failed")),
    ("approval", "doubled", again("pay")),
    ("approval", "doubled", other_amount),
    ("approval", "lost", another_output("pay")),
    ("outside", "lost", another_output("ask")),
    ("outside", "doubled", another_output("remind")),
    ("outside", "doubled", again("asked")),
    ("flaky", "lost", never("flaky")),
    ("queue", "lost", twice),
    ("queue", "lost", without_last),
    ("stop", "doubled", went_on),
    ("stop", "doubled", without_words),
    ("resume", "doubled", again("charge")),
    ("resume", "lost", without_words),
    ("interrupt", "lost", twice),
    ("branch", "doubled", again("charge")),
    ("branch", "lost", without_words),
    ("branch", "lost", twice),
]


@pytest.mark.chaos
async def test_judge_finds_each_forgery(tmp_path: Path) -> None:
    harness = Harness(tmp_path, kills=1, workers=1, pause=(2.5, 2.5), seed=1, rounds=3)
    harness.stories = tuple(Approved if story is Approval else story for story in STORIES)
    verdict = await harness.run()
    assert verdict.clean, verdict.table()
    plan = harness.plan
    async with Runtime(plan.url, work=False) as runtime:
        api = define_internal_agent_api(runtime, make_agent(plan.effects, 0))
        for kind, figure, forge in FORGED:
            seen = 0
            for story in [story for story in harness.lived if story.name == kind]:
                thread = await api.get_thread(story.thread_id)
                assert thread is not None
                case = plan.effects.lines(), thread, await api.list_messages(thread.id)
                assert judged(story, case).clean
                try:
                    forged = forge(case)
                except StopIteration:  # this story never got so far
                    continue
                seen += getattr(judged(story, forged), figure)
            assert seen, (kind, figure, forge)
    assert {kind for kind, *_ in FORGED} == {story.name for story in STORIES}


def judged(story: Story, case: Case) -> Verdict:
    lines, thread, messages = case
    verdict = Verdict()
    verdict.hear(lines)
    story.judge(verdict, thread, messages)
    return verdict
