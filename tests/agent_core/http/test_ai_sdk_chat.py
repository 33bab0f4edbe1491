"""Routes for the AI SDK's DefaultChatTransport: turns as UI message streams, answered and resumed."""

from __future__ import annotations

import asyncio
from itertools import chain
from pathlib import Path
from typing import Any

import httpx

from agent_core import AgentApi, errors
from agent_core.streaming.fold import fold
from agent_core.testing import Reasoning, ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from tests.agent_core.http.test_app import refused
from tests.agent_core.http.test_sse import followed
from tests.support.agents import AT_ONCE, finished, held
from tests.support.servers.http_server import events, serving

BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)
LONG = 30.0


@action_tool(retry=AT_ONCE)
async def look(n: int = 0) -> str:
    """Look."""
    await asyncio.sleep(0.02)
    return f"seen {n}"


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@async_tool
async def ask(question: str) -> None:
    """Ask a person."""


def said(text: str, name: str = "m1") -> dict[str, Any]:
    return {"id": name, "role": "user", "parts": [{"type": "text", "text": text}]}


async def post(client: httpx.AsyncClient, *messages: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """Send messages as the transport does and return the chunks of the answer, which must be complete."""
    body = {"id": "t", "messages": list(messages), "trigger": "submit-message", **more}
    async with client.stream("POST", "/chat", json=body) as response:
        return await whole(response)


async def whole(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, await response.aread()
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    *chunks, last = [event.data async for event in events(response)]
    assert last == "[DONE]"
    starts = [place for place, chunk in enumerate(chunks) if chunk["type"] == "start"]
    assert len(starts) <= 1
    assert all(chunk.get("transient") for chunk in chunks[: starts[0] if starts else -1])
    return chunks


async def reply(api: AgentApi) -> Any:
    return (await api.list_messages("t"))[-1]


async def test_a_new_thread_is_made_and_its_turn_streamed(path: Path) -> None:
    model = ScriptedModel([["Look", Reasoning("why"), ToolUse("look", {"n": 1}), ToolUse("no")], ["Well."]])
    async with serving(path, model, tools=[look]) as (client, api):
        chunks = await post(client, said("Hi"))
        stored = await reply(api)
        assert chunks[-1] == {"type": "finish"}
        assert {"type": "start", "messageId": stored.id} in chunks
        assert fold(chunks) == stored.parts
        assert (await finished(api, "t")).status == "completed"
        # A repeated request, as after a broken connection, gets the same turn and starts no second run.
        assert fold(await post(client, said("Hi"))) == stored.parts
        assert len(model.requests) == 2
        assert len(await api.list_messages("t")) == 2


async def test_each_turn_is_its_own_stream(path: Path) -> None:
    async with serving(path, lambda m: [f"Answer {sum(x['role'] == 'user' for x in m)}."]) as (client, api):
        for number in (1, 2, 3):
            chunks = await post(client, said("Hi", f"m{number}"))
            assert [part.get("text") for part in fold(chunks)] == [None, f"Answer {number}."]
            assert chunks[-1] == {"type": "finish"}
        assert len(await api.list_messages("t")) == 6


async def test_stream_ends_where_people_are_asked_and_goes_on_with_their_answers(path: Path) -> None:
    uses = [ToolUse("pay", {"amount": n}, id=f"p{n}") for n in (1, 2)]
    model = ScriptedModel(
        [[*uses, ToolUse("ask", {"question": "?"}, id="a"), ToolUse("look", id="l")], ["Well."]]
    )
    async with serving(path, model, tools=[look, pay, ask]) as (client, api):
        chunks = await post(client, said("Go"))
        assert chunks[-1] == {"type": "finish"}
        parts = fold(chunks)
        assert [part.get("state") for part in parts if "toolCallId" in part] == [
            "approval-requested",
            "approval-requested",
            "input-available",
            "output-available",
        ]
        assert (await client.get("/chat/t/stream")).status_code == 204
        shown = (await client.get("/chat/t")).json()["messages"]
        assert shown[-1]["parts"] == parts, "what waits for a person is there when the page opens"

        answered = [dict(part) for part in parts]
        answered[1] |= {"state": "approval-responded", "approval": {"id": "p1", "approved": True}}
        answered[2] |= {
            "state": "approval-responded",
            "approval": {"id": "p2", "approved": False, "reason": "No."},
        }
        more = await post(client, said("Go"), {"id": shown[-1]["id"], "role": "assistant", "parts": answered})
        assert more[-1] == {"type": "finish"}
        assert not any(chunk["type"] == "text-delta" for chunk in more), "one question is left"

        answered = fold(more, answered)
        call = next(part for part in answered if part.get("toolCallId") == "a")
        call |= {"state": "output-available", "output": 42}
        sent = {"id": shown[-1]["id"], "role": "assistant", "parts": answered}
        more = await post(client, said("Go"), sent)
        assert next(c for c in more if c["type"] == "start")["messageId"] == shown[-1]["id"]
        stored = await reply(api)
        assert [p["text"] for p in fold(more, answered) if p["type"] == "text"] == ["Well."]
        assert [p.get("output") for p in stored.parts if "toolCallId" in p] == ["paid 1", None, 42, "seen 0"]
        assert (await finished(api, "t")).status == "completed"
        again = await post(client, said("Go"), sent)
        assert fold(again, answered) == stored.parts, "answered twice, it is read once more"
        assert again[-1] == {"type": "finish"}
        assert ((await reply(api)).parts, len(model.requests)) == (stored.parts, 2), "and answered once"


async def test_stream_resumed_in_mid_turn_begins_with_the_turn(path: Path) -> None:
    resumed = asyncio.Event()
    words = chain(["One "], held(resumed), ["two ", 0.01, "three."])
    async with serving(path, [[ToolUse("look")], words], tools=[look]) as (client, api):
        body = {"id": "t", "messages": [said("Go")]}
        async with client.stream("POST", "/chat", json=body) as response:
            async for event in events(response):
                if event.data["type"] == "text-delta":
                    break
        await eventually(lambda: followed(api) == 0)  # the tab is closed; the turn continues
        opened = (await client.get("/chat/t")).json()
        assert opened["status"] == "streaming"
        assert [message["role"] for message in opened["messages"]] == ["user"]
        async with client.stream("GET", "/chat/t/stream") as response:
            resumed.set()
            chunks = await whole(response)
        assert fold(chunks) == (await reply(api)).parts
        assert (await client.get("/chat/t/stream")).status_code == 204
        assert [m["role"] for m in (await client.get("/chat/t")).json()["messages"]] == ["user", "assistant"]


async def test_stream_tells_of_a_stop_a_failure_and_an_interruption(path: Path) -> None:
    broken = errors.ModelError("The key is wrong.", kind="auth")
    async with serving(path, [["Half", LONG], ["Half", LONG], ["Yes."], ["Oh", broken]]) as (client, api):
        for ends, seq in (("stop", 1), ("interrupt", 3)):
            sending = asyncio.create_task(post(client, said("Hi", ends)))

            async def writes(seq: int = seq) -> bool:
                return any(update.chunks for update in await api.stream_updates("t", seq))

            await eventually(lambda: _exists(api))
            await eventually(writes)
            if ends == "stop":
                await client.post("/threads/t/stop")
            else:
                refused(await client.post("/chat", json={"id": "t", "messages": [said("No", "x")]}), 409)
                chunks = await post(client, said("Now", "m3"), when_busy="interrupt")
                assert (fold(chunks)[-1]["text"], chunks[-1]["type"]) == ("Yes.", "finish")
            assert (await sending)[-1] == {"type": "abort"}
        chunks = await post(client, said("More", "m4"))
        assert chunks[-1] == {"type": "error", "errorText": "The key is wrong."}


async def test_stream_ends_when_its_thread_is_deleted(path: Path) -> None:
    async with serving(path, [["Half", LONG]]) as (client, api):
        sending = asyncio.create_task(post(client, said("Hi")))
        await eventually(lambda: _exists(api))
        await eventually(lambda: followed(api) == 1)
        await api.delete_thread("t")
        assert (await sending)[-1]["type"] == "error"


async def _exists(api: AgentApi) -> bool:
    return await api.get_thread("t") is not None


async def test_an_answer_is_regenerated_by_the_id_of_its_prompt_or_its_own(path: Path) -> None:
    async with serving(path, [["One."], ["Two."], ["Three."]]) as (client, api):
        await post(client, said("Hi"))
        for text in ("Two.", "Three."):  # first by the prompt's id, then by the answer's
            more = {"messageId": (await reply(api)).id} if text == "Three." else {}
            chunks = await post(client, said("Hi"), trigger="regenerate-message", **more)
            stored = await reply(api)
            assert fold(chunks) == stored.parts
            assert stored.text == text
            assert {"type": "start", "messageId": stored.id} in chunks
        assert len(await api.list_messages("t")) == 2
        body = {"id": "t", "messages": [said("Hi")], "trigger": "regenerate-message", "messageId": "x"}
        refused(await client.post("/chat", json=body), 404)


async def test_a_message_with_other_words_is_an_edited_one(path: Path) -> None:
    async with serving(path, [["One."], ["Two."], ["Three."]]) as (client, api):
        await post(client, said("Hi"))
        await post(client, said("More", "m2"))
        chunks = await post(client, said("Hello"), messageId="m1")
        stored = await api.list_messages("t")
        assert [message.text for message in stored] == ["Hello", "Three."]
        assert fold(chunks) == stored[-1].parts


async def test_a_retry_is_reported_and_its_answer_replaces_the_first(path: Path) -> None:
    async with serving(path, [["first", 0.02, BUSY], ["second"]]) as (client, _):
        chunks = await post(client, said("Hi"))
        assert [part["text"] for part in fold(chunks) if part["type"] == "text"] == ["second"]
        states = [c["data"].get("retry_state") for c in chunks if c["type"] == "data-thread"]
        assert any(state and state["error"] == "Busy." for state in states)


async def test_requests_that_are_no_chat_are_refused(path: Path) -> None:
    user = said("Hi")
    wrong: list[dict[str, Any]] = [
        {},
        {"id": "t"},
        {"id": "t", "messages": []},
        {"id": "", "messages": [user]},
        {"id": 5, "messages": [user]},
        {"id": "a:b", "messages": [user]},
        {"id": "t\0", "messages": [user]},
        {"id": "t", "messages": [1]},
        {"id": "t", "messages": [{"role": "user", "parts": []}]},
        {"id": "t", "messages": [user | {"id": 5}]},
        {"id": "t", "messages": [user | {"role": "system"}]},
        {"id": "t", "messages": [user | {"parts": [5]}]},
        {"id": "t", "messages": [user | {"parts": []}]},
        {"id": "t", "messages": [user], "trigger": "nonsense"},
        {"id": "t", "messages": [user], "trigger": "regenerate-message", "messageId": 5},
        {"id": "t", "messages": [user], "when_busy": "queue"},
    ]
    async with serving(path, [["Yes."]]) as (client, api):
        for body in wrong:
            refused(await client.post("/chat", json=body), 422, "ValidationError")
        assert await api.list_threads() == []
        answered = {"id": "a", "role": "assistant", "parts": []}
        refused(await client.post("/chat", json={"id": "t", "messages": [answered]}), 404)
        refused(await client.get("/chat/t"), 404)
        assert (await client.get("/chat/t/stream")).status_code == 204, "a new chat has nothing to resume"
        await post(client, user)
        strange: list[Any] = [5, None, {"type": "tool-x"}, {"type": "tool-x", "toolCallId": 5}]
        strange += [{"type": "tool-x", "toolCallId": "c", "state": s} for s in ("output-available", "y", 5)]
        assert await post(client, answered | {"parts": strange}) == [{"type": "finish"}]
