"""Context of branches and forks: each uses the cut of its own history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent_core.context import SummariseOldest, TrimOldest
from agent_core.context.cut import SUMMARY
from agent_core.context.summary import INSTRUCTIONS
from agent_core.testing import ScriptedModel
from tests.agent_core.context.test_threads import notes, old_messages, sizes
from tests.support.agents import agent_on, finished

POLICY = TrimOldest(max_tokens=1_500)


def words(request: list[dict[str, Any]]) -> list[str]:
    """Return the texts of a request without their padding."""
    return [str(message["content"]).split(" word")[0] for message in request]


async def test_an_edited_message_is_sent_with_the_same_past(path: Path):
    model = ScriptedModel(lambda _: ["Well."])
    async with agent_on(path, model, context=POLICY) as api:
        thread = await api.create_thread("one", messages=old_messages(60))
        await finished(api, thread)
        await api.send_message(thread.id, "two")
        await finished(api, thread)
        second = (await api.list_messages(thread.id))[-2]
        await api.edit_message(thread.id, second.id, "instead")
        await finished(api, thread)
        assert model.requests[2][:-1] == model.requests[1][:-1]
        assert model.requests[2][-1]["content"] == "instead"
        assert len(notes(await api.list_messages(thread.id))) == 1


async def test_branch_from_before_the_cut_has_a_cut_of_its_own(path: Path):
    """The cut was made after the edited message, so it does not apply to the new branch."""
    model = ScriptedModel(lambda _: ["Well."])
    async with agent_on(path, model, context=POLICY) as api:
        thread = await api.create_thread("one", messages=old_messages(60))
        await finished(api, thread)
        shown = await api.list_messages(thread.id)
        await api.edit_message(thread.id, shown[4].id, "instead")
        await finished(api, thread)
        assert words(model.requests[1]) == ["0", "1", "2", "3", "instead"]
        assert notes(await api.list_messages(thread.id)) == []
        await api.select_branch(thread.id, shown[-1].id)
        await api.send_message(thread.id, "two")
        await finished(api, thread)
        assert model.requests[2][: len(model.requests[0])] == model.requests[0]
        assert len(notes(await api.list_messages(thread.id))) == 1
    assert max(sizes(model)) <= 1_500


async def test_an_answer_that_is_made_again_is_cut_again_and_summed_up_once(path: Path):
    asked: list[int] = []

    def answer(messages: list[dict[str, Any]]) -> list[str]:
        if messages[0]["content"] != INSTRUCTIONS:
            return ["Well."]
        asked.append(1)
        return ["They count."]

    model = ScriptedModel(answer)
    async with agent_on(path, model, context=SummariseOldest(max_tokens=8_000)) as api:
        thread = await api.create_thread("one", messages=old_messages(100))
        await finished(api, thread)
        (note,) = notes(await api.list_messages(thread.id))
        await api.regenerate(thread.id, (await api.list_messages(thread.id))[-1].id)
        await finished(api, thread)
        assert notes(await api.list_messages(thread.id)) == [note]
    assert model.requests[-1] == model.requests[-2]
    assert len(asked) == 1


async def test_a_fork_goes_on_from_the_cut(path: Path):
    model = ScriptedModel(
        lambda messages: ["They count." if messages[0]["content"] == INSTRUCTIONS else "Well."]
    )
    async with agent_on(path, model, context=SummariseOldest(max_tokens=8_000)) as api:
        thread = await api.create_thread("one", messages=old_messages(100))
        await finished(api, thread)
        fork = await api.fork_thread(thread.id, (await api.list_messages(thread.id))[-1].id)
        await api.send_message(fork.id, "two")
        await finished(api, fork)
        assert len(notes(await api.list_messages(fork.id))) == 1
    summing, first, second = model.requests
    assert summing[0]["content"] == INSTRUCTIONS
    assert second[: len(first)] == first
    assert second[0]["content"] == SUMMARY + "They count."
