"""Thread titles: a model is asked once, after the first answer, and a person's title is never replaced."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, ModelTitle, define_internal_agent_api, every
from agent_core.context.thread_title import title_in
from agent_core.domain.model_adapter import Usage
from agent_core.errors import ModelError, ValidationError
from agent_core.testing import ScriptedModel, ToolUse, eventually
from tests.support.agents import Follower, agent_on, finished
from tests.support.tools import get_weather

ANSWER = [["Take the train.", Usage(10, 5, 15, cost=0.5)], ["Good."], ["Good."]]


def namer(*turns: Any, **options: Any) -> tuple[ScriptedModel, ModelTitle]:
    model = ScriptedModel(list(turns), name="namer")
    return model, ModelTitle(model, **options)


async def named(api: Any, thread_id: str, title: str) -> None:
    async def so() -> bool:
        thread = await api.get_thread(thread_id)
        return thread is not None and thread.title == title

    await eventually(so)


async def quiet(api: Any) -> None:
    """Wait until no hook is running, after which no title will be requested."""
    await eventually(lambda: not api.store.hooks._newest)


async def test_first_answer_gives_the_thread_a_title_and_the_second_none(path: Path) -> None:
    model, title = namer(['**"A trip to Rome."**', Usage(7, 3, 10, cost=0.25)])
    async with agent_on(path, ANSWER, title=title) as api:
        thread = await api.create_thread("How do I get to Rome?")
        assert thread.title == "How do I get to Rome?"
        await finished(api, thread)
        await named(api, thread.id, "A trip to Rome")
        await api.send_message(thread.id, "Thanks")
        await finished(api, thread)
        await quiet(api)
        assert len(model.requests) == 1
        (system, shown) = model.requests[0]
        assert system["role"] == "system"
        assert "How do I get to Rome?" in shown["content"]
        assert "Take the train." in shown["content"]
        assert [m.role for m in await api.list_messages(thread.id)] == ["user", "assistant"] * 2
        used = (await api.insight.usage(thread.id)).total
        assert (used.requests, used.total_tokens, used.cost) == (2, 25, 0.75), "counted with the answer"


async def test_followers_are_told_of_the_title(path: Path) -> None:
    _, title = namer(["Rome by train"])
    async with agent_on(path, ANSWER, title=title) as api:
        thread = await api.create_thread()
        async with Follower(api, thread.id) as follower:
            await follower.until(
                lambda view: "title" in view.thread
            )  # otherwise the snapshot may already have the new title
            await api.send_message(thread.id, "How do I get to Rome?")
            await follower.until(lambda view: view.thread["title"] == "Rome by train")


async def test_a_turn_with_tools_is_named_after_its_end_by_the_agents_own_model(path: Path) -> None:
    turns = [[ToolUse("get_weather", {"location": "Rome"})], ["Sunny."], ["Weather in Rome"]]
    model = ScriptedModel(turns)
    async with agent_on(path, model, tools=[get_weather], title=ModelTitle()) as api:
        thread = await api.create_thread("The weather?")
        await finished(api, thread)
        await named(api, thread.id, "Weather in Rome")
        assert all("tools" not in message for message in model.requests[-1])


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_a_thread_that_a_person_has_named_keeps_its_name(path: Path, when: str) -> None:
    go, asked = asyncio.Event(), asyncio.Event()

    async def say(_: Any) -> list[Any]:
        asked.set()
        await go.wait()
        return ["A trip to Rome", Usage(7, 3, 10)]

    async def answer(_: Any) -> list[Any]:
        await begun.wait()
        return ["Take the train."]

    begun, model = asyncio.Event(), ScriptedModel(say)
    async with agent_on(path, ScriptedModel(answer), title=ModelTitle(model)) as api:
        thread = await api.create_thread("How do I get to Rome?")
        if when == "before":
            await api.update_thread(thread.id, title="Mine")
        begun.set()
        await finished(api, thread)
        if when == "meanwhile":
            await asyncio.wait_for(asked.wait(), 20)
            await api.update_thread(thread.id, title="Mine")
        go.set()
        await quiet(api)
        found = await api.get_thread(thread.id)
        assert found is not None
        assert found.title == "Mine"
        assert len(model.requests) == (when == "meanwhile")
        assert (await api.insight.usage(thread.id)).total.total_tokens == (10 if when == "meanwhile" else 0)


@pytest.mark.sqlite  # no row is written
@pytest.mark.parametrize(
    "said",
    [
        ModelError("Over quota.", kind="insufficient_credits"),
        "",
        "To get to Rome from here you would first of all take the night train to Milan.",
        60.0,
    ],
)
async def test_unusable_title_changes_nothing_and_fails_nothing(path: Path, said: Any) -> None:
    model, title = namer([said], timeout=0.05)
    async with agent_on(path, ANSWER, title=title) as api:
        thread = await api.create_thread("How do I get to Rome?")
        assert (await finished(api, thread)).status == "completed"
        await eventually(lambda: model.requests)
        await quiet(api)
        found = await api.get_thread(thread.id)
        assert found is not None
        assert (found.title, found.status, found.error) == ("How do I get to Rome?", "completed", None)


async def test_a_given_title_a_schedules_thread_and_one_with_a_history_are_not_asked_about(
    path: Path,
) -> None:
    model, title = namer()
    async with agent_on(path, lambda _: ["Yes."], title=title) as api:
        given = await api.create_thread("How?", title="Help desk")
        before = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "One."}]
        longer = await api.create_thread("Two?", messages=before)
        await api.schedules.run_now((await api.schedules.create(None, "Again?", every(days=1))).id)
        await eventually(lambda: _all_idle(api, 3))
        for thread in (given, longer):
            await finished(api, thread)
        await quiet(api)
        assert model.requests == []


async def _all_idle(api: Any, count: int) -> bool:
    threads = await api.list_threads()
    return len(threads) == count and all(thread.status == "completed" for thread in threads)


async def test_a_thread_that_is_deleted_meanwhile_is_let_go(path: Path) -> None:
    go = asyncio.Event()

    async def say(_: Any) -> list[Any]:
        await go.wait()
        return ["A trip to Rome"]

    model = ScriptedModel(say)
    async with agent_on(path, ANSWER, title=ModelTitle(model)) as api:
        thread = await api.create_thread("How do I get to Rome?")
        await finished(api, thread)
        await eventually(lambda: model.requests)
        await api.delete_thread(thread.id)
        go.set()
        await quiet(api)
        assert await api.get_thread(thread.id) is None


async def test_agent_without_a_title_asks_for_none(path: Path) -> None:
    model = ScriptedModel(list(ANSWER))
    async with agent_on(path, model) as api:
        await finished(api, await api.create_thread("How do I get to Rome?"))
        await quiet(api)
        assert len(model.requests) == 1
        with pytest.raises(ValidationError, match="ModelTitle"):
            define_internal_agent_api(api.store, Agent("other", model, title="yes"))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("The person asks for a title.\n</think>\n\nBeans", "Beans"),
        ("Title: Rome by train.\nMore", "Rome by train"),
        ("\n\n# «Mit dem Zug nach Rom»\n", "Mit dem Zug nach Rom"),
        ("罗马之旅。", "罗马之旅"),
        ("x" * 61, ""),
        ('""', ""),
    ],
)
def test_a_name_is_found_in_what_a_model_says(said: str, name: str) -> None:
    assert title_in(said) == name
