"""Branches: edit, regenerate and select, without losing messages and with the same view for every reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_core import errors
from agent_core.store.database.sql import STREAM
from tests.support.agents import Follower, agent_on, finished, rows, shown, texts
from tests.support.branches import alternatives, ids, numbered, talk

LONG = 30.0


# edit


async def test_an_edited_message_is_answered_in_place_of_the_old_one(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a", "b", "c")
        before = await api.list_messages(thread.id)
        async with Follower(api, thread.id) as follower:
            await follower.agrees()
            new = await api.edit_message(thread.id, before[2].id, "B")
            assert new.text == "B"
            assert new.branches == (before[2].id, new.id)
            await finished(api, thread)
            assert await texts(api, thread) == ["a", "re:a 1", "B", "re:B 4"]
            assert await alternatives(api, thread) == [0, 0, 2, 0]
            await follower.agrees()
        asked = api.agent.model.requests[-1]  # type: ignore[union-attr]
        assert [message["content"] for message in asked] == ["a", "re:a 1", "B"]
        await api.select_branch(thread.id, before[2].id)
        restored = await api.list_messages(thread.id)
        assert [shown(m) for m in restored[:2] + restored[3:]] == [shown(m) for m in before[:2] + before[3:]]
        assert restored[2].branches == new.branches


async def test_first_message_can_be_edited(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a", "b")
        first, *_, last = await ids(api, thread)
        await api.edit_message(thread.id, first, [{"type": "text", "text": "A"}])
        await finished(api, thread)
        assert await texts(api, thread) == ["A", "re:A 3"]
        assert (await api.list_messages(thread.id))[0].branches[0] == first
        await api.select_branch(thread.id, last)
        assert await texts(api, thread) == ["a", "re:a 1", "b", "re:b 2"]
        await api.send_message(thread.id, "c")
        await finished(api, thread)
        assert await texts(api, thread) == ["a", "re:a 1", "b", "re:b 2", "c", "re:c 4"]


async def test_refused_edit_changes_nothing(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a")
        await api.add_message(thread.id, {"id": "s", "role": "system", "content": "Psst."})
        question, answer, _ = await ids(api, thread)
        await api.edit_message(thread.id, question, "A")
        await finished(api, thread)
        before = rows(path)
        for message_id, why in [
            ("nothing", errors.MessageNotFoundError),
            ("a\0b", errors.MessageNotFoundError),
            (None, errors.MessageNotFoundError),
            (question, errors.ValidationError),  # on a hidden branch
            ((await ids(api, thread))[1], errors.ValidationError),  # an answer
        ]:
            with pytest.raises(why, match=r"\.$"):
                await api.edit_message(thread.id, message_id, "x")  # type: ignore[arg-type]
        for blank in ("", " \n", [], [{"type": "nonsense"}]):
            with pytest.raises(errors.ValidationError):
                await api.edit_message(thread.id, (await ids(api, thread))[0], blank)
        for refused in (question, answer, "s", "nothing"):
            with pytest.raises(errors.ValidationError):
                await api.regenerate(thread.id, refused)
        with pytest.raises(errors.MessageNotFoundError):
            await api.select_branch(thread.id, "nothing")
        for method in (api.regenerate, api.select_branch):
            with pytest.raises(errors.ThreadNotFoundError):
                await method("nothing", question)
        assert rows(path) == before


async def test_a_running_thread_is_not_branched(path: Path) -> None:
    async with agent_on(path, [["a"], ["b"], ["c", LONG]]) as api:
        thread = await talk(api, "1")
        question, answer = await ids(api, thread)
        await api.regenerate(thread.id, answer)
        await finished(api, thread)
        await api.send_message(thread.id, "2")
        for call in (
            api.edit_message(thread.id, question, "x"),
            api.regenerate(thread.id, question),
            api.select_branch(thread.id, answer),
        ):
            with pytest.raises(errors.ThreadBusyError):
                await call
        assert await texts(api, thread) == ["1", "b", "2"]


# regenerate


async def test_an_answer_is_given_again_and_again(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a", "b")
        async with Follower(api, thread.id) as follower:
            question, first = (await ids(api, thread))[:2]
            await api.regenerate(thread.id, first)
            await finished(api, thread)
            await follower.agrees()
            await api.regenerate(thread.id, question)
            await finished(api, thread)
            assert await texts(api, thread) == ["a", "re:a 4"]
            third = (await api.list_messages(thread.id))[1]
            assert third.branches[0] == first
            assert third.branches[-1] == third.id
            assert len(third.branches) == 3
            await follower.agrees()
            for message_id, wanted in zip(third.branches, (1, 3, 4), strict=True):
                await api.select_branch(thread.id, message_id)
                assert (await texts(api, thread))[:2] == ["a", f"re:a {wanted}"]
                assert (await api.list_messages(thread.id))[1].branches == third.branches
                await follower.agrees()
        assert len(rows(path, STREAM)[STREAM.name]) == 4, "what was put aside still counts"


async def test_regenerate_needs_a_message_to_answer(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        greeting: list[dict[str, Any]] = [
            {"id": "s", "role": "system", "content": "Be kind."},
            {"id": "g", "role": "assistant", "content": "Hello."},
        ]
        first = await api.create_thread(messages=greeting[1:])
        with pytest.raises(errors.ValidationError, match="nothing to answer"):
            await api.regenerate(first.id, "g")
        second = await api.create_thread(messages=greeting)
        with pytest.raises(errors.ValidationError, match="nothing to answer"):
            await api.regenerate(second.id, "s")


@pytest.mark.parametrize("end", ["stop", "fail", "fail at once"])
async def test_failed_and_stopped_turns_can_be_regenerated(path: Path, end: str) -> None:
    """Partial text stays with its message, and the turn can be resumed once its branch is selected."""
    broken = errors.ModelError("No.", kind="auth")
    turn = {"stop": ["half", LONG], "fail": ["half", broken], "fail at once": [broken]}[end]
    async with agent_on(path, [["one"], turn, ["three"], ["four"]]) as api:
        thread = await talk(api, "a")
        async with Follower(api, thread.id) as follower:
            question, one = await ids(api, thread)
            await api.regenerate(thread.id, one)
            if end == "stop":
                await follower.until(lambda _: follower.text == "half")
                await api.stop_thread(thread.id)
            await finished(api, thread)
            said = "" if end == "fail at once" else "half"
            assert await texts(api, thread) == ["a", said]
            await follower.agrees()
            two = (await api.list_messages(thread.id))[1]
            assert two.branches == (one, two.id), "the way back to the first answer"

            await api.regenerate(thread.id, question)
            assert (await finished(api, thread)).error is None
            assert await texts(api, thread) == ["a", "three"]
            await follower.agrees()
            told = {update.message_id for update in await api.stream_updates(thread.id)}
            assert told == {(await ids(api, thread))[1]}, "streams of what is shown"
            await api.add_message(thread.id, {"role": "user", "content": "b"})  # affects this branch only

            back = await api.select_branch(thread.id, two.id)
            assert back.status == "stopped"
            assert await texts(api, thread) == ["a", said]
            await follower.agrees()
            await api.resume_thread(thread.id)
            await finished(api, thread)
            assert await texts(api, thread) == ["a", "four"]
            assert (await ids(api, thread))[1] == two.id
            await follower.agrees()
            assert (await api.select_branch(thread.id, one)).status == "completed"
            assert await texts(api, thread) == ["a", "one"]
            await follower.agrees()
        sent = [m["content"] for m in api.agent.model.requests[-1]]  # type: ignore[union-attr]
        assert sent == ["a"], "partial text is no history until a person writes on after it"


async def test_next_message_keeps_the_partial_text_of_the_shown_branch_alone(path: Path) -> None:
    broken = errors.ModelError("No.", kind="auth")
    async with agent_on(path, [["half", broken], ["part", broken], ["b"], ["whole"]]) as api:
        thread = await talk(api, "a")
        question, half = await ids(api, thread)
        await api.regenerate(thread.id, question)
        await finished(api, thread)
        await api.send_message(thread.id, "Go on")
        await finished(api, thread)
        assert await texts(api, thread) == ["a", "part", "Go on", "b"]
        await api.select_branch(thread.id, half)
        await api.resume_thread(thread.id)
        await finished(api, thread)
        assert await texts(api, thread) == ["a", "whole"]
        sent = [[m["content"] for m in asked] for asked in api.agent.model.requests]  # type: ignore[union-attr]
        assert sent[2:] == [["a", "part", "Go on"], ["a"]]


async def test_a_turn_stopped_before_its_claim_can_be_selected_and_resumed(path: Path) -> None:
    async with agent_on(path, [["one"]]) as api:
        thread = await talk(api, "a")
        one = (await ids(api, thread))[1]
    async with agent_on(path, [], runtime={"work": False}) as idle:
        await idle.regenerate(thread.id, one)
        await idle.stop_thread(thread.id)
        empty = (await ids(idle, thread))[1]
        for message_id, status in ((one, "completed"), (empty, "stopped")):
            assert (await idle.select_branch(thread.id, message_id)).status == status
    async with agent_on(path, [["two"]]) as api:
        await api.resume_thread(thread.id)
        await finished(api, thread)
        assert await texts(api, thread) == ["a", "two"]
        assert (await ids(api, thread))[1] == empty
