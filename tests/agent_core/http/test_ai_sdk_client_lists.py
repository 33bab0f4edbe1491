"""Placement of the end of a client's list: edits by old ids, cut lists, closed waits, repeated requests."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_core import AgentApi
from agent_core.domain.end_reasons import PASSED_OVER
from agent_core.streaming.fold import fold
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.agent_core.http.test_ai_sdk_chat import LONG, ask, pay, post, reply, said, whole
from tests.agent_core.http.test_app import refused
from tests.support.agents import finished, texts
from tests.support.branches import numbered
from tests.support.servers.http_server import serving


async def shown(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return the messages that a newly opened page shows."""
    return (await client.get("/chat/t")).json()["messages"]


async def talk(client: httpx.AsyncClient, *prompts: str) -> list[dict[str, Any]]:
    """Send prompts as m1, m2, …, each after all messages shown before, and return the client's list."""
    messages: list[dict[str, Any]] = []
    for number, prompt in enumerate(prompts, 1):
        messages = await sent(client, [*messages, said(prompt, f"m{number}")])
    return messages


async def sent(
    client: httpx.AsyncClient, messages: list[dict[str, Any]], **more: Any
) -> list[dict[str, Any]]:
    """Post a list and return what its client shows afterwards."""
    chunks = await post(client, *messages, **more)
    name = next(chunk["messageId"] for chunk in chunks if chunk["type"] == "start")
    return [*messages, {"id": name, "role": "assistant", "parts": fold(chunks)}]


async def agrees(client: httpx.AsyncClient, messages: list[dict[str, Any]]) -> None:
    """Check that a client shows the same as a newly opened page, where an edited message has another id."""
    kept = await shown(client)
    assert [(m["role"], m["parts"]) for m in messages] == [(m["role"], m["parts"]) for m in kept]
    assert [m["id"] for m in messages if m["role"] == "assistant"] == [
        m["id"] for m in kept if m["role"] == "assistant"
    ]


# edits


async def test_messages_are_edited_again_and_again_by_the_ids_a_client_knows(path: Path) -> None:
    async with serving(path, numbered()) as (client, api):
        first, answer, second, _ = await talk(client, "a", "b")
        for text in ("B", "BB", "b", "B"):  # including earlier texts
            messages = await sent(client, [first, answer, said(text, second["id"])], messageId=second["id"])
            await agrees(client, messages)
        assert len((await api.list_messages("t"))[2].branches) == 5
        for text in ("A", "AA"):
            messages = await sent(client, [said(text, first["id"])], messageId=first["id"])
            await agrees(client, messages)
        assert await texts(api, "t") == ["AA", "re:AA 8"]


async def test_an_edit_in_a_hidden_branch_shows_that_branch(path: Path) -> None:
    async with serving(path, numbered()) as (client, api):
        late = await talk(client, "a", "b", "c")
        await agrees(client, await sent(client, [said("A", "m1")], messageId="m1"))
        messages = await sent(client, [*late[:4], said("C", "m3")], messageId="m3")
        await agrees(client, messages)
        assert await texts(api, "t") == ["a", "re:a 1", "b", "re:b 2", "C", "re:C 5"]


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_a_client_that_edited_regenerates_and_sends_on(path: Path) -> None:
    async with serving(path, numbered()) as (client, _):
        await talk(client, "a")
        messages = await sent(client, [said("A", "m1")], messageId="m1")
        messages = await sent(client, messages[:1], trigger="regenerate-message")
        await agrees(client, messages)
        messages = await sent(client, [*messages, said("b", "m2")])
        await agrees(client, messages)
        messages = await sent(client, messages[:1], trigger="regenerate-message", messageId=messages[1]["id"])
        await agrees(client, messages)


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_the_same_words_sent_as_an_edit_cut_the_list(path: Path) -> None:
    async with serving(path, numbered()) as (client, _):
        messages = await talk(client, "a", "b")
        await agrees(client, await sent(client, messages[:1], messageId="m1"))


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_a_failed_turn_is_tried_again_by_its_message(path: Path) -> None:
    turns = [["One", ValueError("no")], ["Two."], ["Three.", 0.0]]
    async with serving(path, turns) as (client, api):
        assert (await post(client, said("a")))[-1]["type"] == "error"
        assert (await post(client, said("a")))[-1]["type"] == "error", "the same request, sent twice"
        await agrees(client, await sent(client, [said("a")], messageId="m1"))
        await agrees(client, await sent(client, [said("a")], trigger="regenerate-message"))
        assert (await api.get_thread("t")).status == "completed"  # type: ignore[union-attr]


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_a_message_that_never_arrived_is_answered_by_regenerating(path: Path) -> None:
    async with serving(path, numbered()) as (client, _):
        await agrees(client, await sent(client, [said("a")], trigger="regenerate-message"))
        messages = await sent(client, [*await shown(client), said("b", "m2")], trigger="regenerate-message")
        await agrees(client, messages)


async def test_an_answer_of_another_branch_is_regenerated_in_its_place(path: Path) -> None:
    async with serving(path, numbered()) as (client, _):
        stale = await talk(client, "a")
        await talk_on(client, "regenerated", stale)
        messages = await sent(client, stale[:1], trigger="regenerate-message", messageId=stale[1]["id"])
        await agrees(client, messages)


async def talk_on(client: httpx.AsyncClient, prompt: str, stale: list[dict[str, Any]]) -> None:
    """Regenerate the answer and send another message from another client."""
    messages = await sent(client, stale[:1], trigger="regenerate-message")
    await sent(client, [*messages, said(prompt, "x")])


# cut lists


async def test_a_cut_list_branches_behind_the_message_before_the_last(path: Path) -> None:
    async with serving(path, ScriptedModel(numbered())) as (client, api):
        messages = await talk(client, "a", "b", "c")
        cut = await sent(client, [*messages[:2], said("new", "n1")])
        await agrees(client, cut)
        assert await texts(api, "t") == ["a", "re:a 1", "new", "re:new 4"]
        asked = api.agent.model.requests[-1]  # type: ignore[union-attr]
        assert [message["content"] for message in asked] == ["a", "re:a 1", "new"]
        await agrees(client, await sent(client, [*messages[:4], said("other", "n2")]))  # on the hidden branch
        await agrees(client, await sent(client, [*cut, said("on", "n3")]))


async def test_a_list_without_answers_branches_behind_the_question(path: Path) -> None:
    async with serving(path, numbered()) as (client, _):
        messages = await talk(client, "a", "b")
        await agrees(client, await sent(client, [messages[0], said("new", "n1")]))
        await agrees(client, await sent(client, [said("A", "m1")], messageId="m1"))
        await agrees(client, await sent(client, [said("A", "m1"), said("on", "n2")]))


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_a_list_of_one_message_is_whole_if_the_client_sends_whole_lists(path: Path) -> None:
    async with serving(path, numbered()) as (client, api):
        await talk(client, "a", "b")
        await post(client, said("c", "m3"))  # some clients send only their last message
        assert await texts(api, "t") == ["a", "re:a 1", "b", "re:b 2", "c", "re:c 3"]
        await agrees(client, await sent(client, [said("new", "n1")], tools={}))  # as assistant-ui does


@pytest.mark.sqlite  # nothing is written
@pytest.mark.parametrize(
    "before",
    [said("?", "nobody"), {"id": "a", "role": "assistant", "parts": [{"type": "text", "text": "?"}]}],
)
async def test_an_unknown_message_before_the_last_is_refused(path: Path, before: dict[str, Any]) -> None:
    async with serving(path, numbered()) as (client, api):
        messages = await talk(client, "a")
        body = {"id": "t", "messages": [*messages, before, said("b", "m2")]}
        sentence = refused(await client.post("/chat", json=body), 422, "ValidationError")
        assert repr(before["id"]) in sentence
        assert len(await api.list_messages("t")) == 2


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_messages_that_only_the_page_shows_do_not_matter(path: Path) -> None:
    greeting = {"id": "g", "role": "assistant", "parts": [{"type": "text", "text": "Hello!"}]}
    prompt = {"id": "s", "role": "system", "parts": [{"type": "text", "text": "Be kind."}]}
    empty = {"id": "e", "role": "assistant", "parts": [{"type": "step-start"}]}
    async with serving(path, numbered()) as (client, api):
        chunks = await post(client, prompt, greeting, said("a"))
        answer = {"id": (await reply(api)).id, "role": "assistant", "parts": fold(chunks)}
        await post(client, prompt, greeting, said("a"), answer, empty, said("b", "m2"))
        assert await texts(api, "t") == ["a", "re:a 1", "b", "re:b 2"]
        await api.create_thread(thread_id="empty")
        await post(client, greeting, said("a", "e1"), id="empty")
        assert await texts(api, "empty") == ["a", "re:a 3"]


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_messages_that_never_arrived_come_with_the_first_that_does(path: Path) -> None:
    async with serving(path, numbered()) as (client, api):
        await agrees(client, await sent(client, [said("lost"), said("b", "m2")]))
        gone = await talk_elsewhere(client)
        refused(await client.post("/chat", json={"id": "gone", "messages": [*gone, said("on", "x")]}), 404)
        assert await api.get_thread("gone") is None


async def talk_elsewhere(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return what a client shows of a thread that is then deleted."""
    messages = await sent(client, [said("a", "g1")], id="gone")
    await client.delete("/threads/gone")
    return messages


# messages while a turn waits for people


WRITTEN: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "edit": ([said("Other", "m1")], {"messageId": "m1"}),
    "cut": ([said("Go", "m1"), said("Other", "m2")], {}),
    "regenerate": ([said("Go", "m1")], {"trigger": "regenerate-message"}),
}


@pytest.mark.parametrize("how", ["send", *WRITTEN])
async def test_a_message_ends_a_wait_for_people(path: Path, how: str) -> None:
    uses = [ToolUse("pay", {"amount": 1}, id="c"), ToolUse("ask", {"question": "?"}, id="c")]
    async with serving(path, [[uses[0]], ["Well."], [uses[1]], ["Well."]], tools=[pay, ask]) as (client, _):
        for _ in uses:
            waiting = await sent(client, [said("Go", "m1")])
            listed, more = WRITTEN.get(how, ([*waiting, said("Other", "m2")], {}))
            if how != "regenerate":  # a repeated regenerate request only continues to read the turn
                body = {"id": "t", "messages": listed, "when_busy": "reject", **more}
                refused(await client.post("/chat", json=body), 409, "ThreadBusyError")
            messages = await sent(client, listed, **more)
            assert messages[-1]["parts"][-1]["text"] == "Well."
            if how == "send":
                call = (await shown(client))[1]["parts"][-1]
                assert (call["state"], call["errorText"]) == ("output-error", PASSED_OVER.text)
            else:
                await agrees(client, messages)
            await client.delete("/threads/t")


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_a_message_does_not_end_a_running_tool(path: Path) -> None:
    turns = [[ToolUse("pay", {"amount": 1}, id="p"), ToolUse("slow", id="s")]]
    begun = asyncio.Event()

    @action_tool
    async def slow() -> str:
        """Take long."""
        begun.set()
        await asyncio.sleep(LONG)
        return "done"

    async with serving(path, turns, tools=[pay, slow]) as (client, _):
        sending = asyncio.create_task(post(client, said("Go", "m1")))
        await asyncio.wait_for(begun.wait(), 10)
        refused(await client.post("/chat", json={"id": "t", "messages": [said("No", "m2")]}), 409)
        await client.post("/threads/t/stop")
        await sending


async def test_the_server_lets_every_message_interrupt(path: Path) -> None:
    async with serving(path, [["Half", LONG], ["Whole."], ["Once more."]], when_busy="interrupt") as (
        client,
        api,
    ):
        first = asyncio.create_task(post(client, said("a", "m1")))
        await eventually(lambda: wrote(api, "Half"))
        await post(client, said("b", "m2"))
        assert (await first)[-1] == {"type": "abort"}
        assert await texts(api, "t") == ["a", "Half", "b", "Whole."]
        await agrees(client, await sent(client, [said("a", "m1")], trigger="regenerate-message"))


async def wrote(api: AgentApi, text: str) -> bool:
    if await api.get_thread("t") is None:
        return False
    updates = await api.stream_updates("t")
    return text in "".join(c.get("delta", "") for update in updates for c in update.chunks)


# repeated requests


async def test_the_same_first_request_at_once_on_two_servers_is_one_turn(path: Path) -> None:
    model = ScriptedModel(lambda _: ["One ", 0.1, "answer."])
    async with serving(path, model) as (one, api), serving(path, model) as (other, _):
        both = await asyncio.gather(*(post(client, said("Hi")) for client in (one, other, one, other)))
        stored = await reply(api)
        assert [fold(chunks) for chunks in both] == [stored.parts] * 4
        assert all({"type": "start", "messageId": stored.id} in chunks for chunks in both)
        assert (len(model.requests), len(await api.list_messages("t"))) == (1, 2)


@pytest.mark.parametrize("how", ["edit", "regenerate", "send", "cut"])
async def test_the_same_later_request_at_once_is_one_turn(path: Path, how: str) -> None:
    model = ScriptedModel(lambda _: ["One ", 0.1, "answer."])
    async with serving(path, model) as (client, _):
        messages = await talk(client, "a", "b")
        more = {"edit": {"messageId": "m1"}, "regenerate": {"trigger": "regenerate-message"}}.get(how, {})
        listed = {"edit": [said("A")], "regenerate": messages[:3], "cut": [*messages[:2], said("c", "n")]}
        both = await asyncio.gather(
            *(sent(client, listed.get(how, [*messages, said("c", "n")]), **more) for _ in range(3))
        )
        assert both[0] == both[1] == both[2]
        await agrees(client, both[0])
        assert len(model.requests) == 3


# metadata and outcomes in messages


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_metadata_of_messages_is_kept(path: Path) -> None:
    async with serving(path, numbered()) as (client, _):
        first = {**said("a"), "metadata": {"from": "page", "n": [1, None]}}
        messages = await sent(client, [first])
        messages = await sent(client, [*messages, {**said("b", "m2"), "metadata": {"n": 2}}])
        assert [m["metadata"] for m in await shown(client)] == [first["metadata"], {}, {"n": 2}, {}]
        await sent(client, [{**said("A"), "metadata": {"n": 3}}], messageId="m1")
        assert [m["metadata"] for m in await shown(client)] == [{"n": 3}, {}]
        for wrong in ("text", 5, [1], {"queued": True}, {"withdrawn": 1}):
            body = {"id": "t", "messages": [{**said("c", "m3"), "metadata": wrong}]}
            refused(await client.post("/chat", json=body), 422, "ValidationError")


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_an_answer_that_comes_second_is_replaced_by_the_first_in_its_page(path: Path) -> None:
    async with serving(path, [[ToolUse("ask", {"question": "?"}, id="a")], ["Red."]], tools=[ask]) as (
        client,
        api,
    ):
        waiting = await sent(client, [said("Go")])
        await api.add_tool_result("a", "red", thread_id="t")
        await finished(api, "t")
        second = [
            {**p, "state": "output-available", "output": "blue"} if "toolCallId" in p else p
            for p in waiting[1]["parts"]
        ]
        chunks = await post(client, waiting[0], {**waiting[1], "parts": second})
        assert {"type": "tool-output-available", "toolCallId": "a", "output": "red"} in chunks
        assert fold(chunks)[-1]["text"] == "Red."
        nonsense = {"id": "t", "messages": [waiting[0], {**waiting[1], "parts": [5, None, "x"]}]}
        assert (await client.post("/chat", json=nonsense)).text.endswith("data: [DONE]\n\n")


@pytest.mark.sqlite  # runs the same statements as the other tests
async def test_a_second_page_with_old_cards_catches_up_by_answering(path: Path) -> None:
    uses = [ToolUse("pay", {"amount": n}, id=f"p{n}") for n in (1, 2)]
    async with serving(path, [uses, ["Well."]], tools=[pay]) as (client, api):
        mine = await sent(client, [said("Go")])
        await api.approve_tool_calls("t", ["p1"])
        await eventually(lambda: _ended(api, 1))
        answered = [dict(part) for part in mine[1]["parts"]]
        for part in answered[1:]:
            part |= {"state": "approval-responded", "approval": {"id": part["toolCallId"], "approved": True}}
        body = {"id": "t", "messages": [mine[0], {**mine[1], "parts": answered}]}
        async with client.stream("POST", "/chat", json=body) as response:
            parts = fold(await whole(response), answered)
        await agrees(client, [mine[0], {**mine[1], "parts": parts}])


async def _ended(api: AgentApi, count: int) -> bool:
    return sum(part.get("state") == "output-available" for part in (await reply(api)).parts) == count
