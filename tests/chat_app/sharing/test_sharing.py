"""Test export and import of threads, read-only links, and votes on answers."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
import reflex as rx

from agent_core import Message, Thread
from agent_core.errors import ThreadNotFoundError
from agent_core.support.clock import as_datetime
from agent_core.testing import Reasoning, ToolUse
from chat_app.demo.tools import demo_tools
from chat_app.files.uploads import MAX_IMPORT, routes
from chat_app.messages.message_actions import Actions
from chat_app.plain_text import file_name
from chat_app.session.service import Service
from chat_app.sharing.shared_thread import Shared
from chat_app.thread.follower import Follower
from chat_app.thread.markdown_export import to_markdown
from tests.chat_app.support import Serve, Tab

MAIL = {"to": "ada@example.org", "subject": "Hi", "body": "Hello"}


def browser() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(routes), base_url="http://chat")


def downloaded(event: Any) -> tuple[str, str]:
    """Return the name and the text of a download."""
    assert isinstance(event, rx.event.EventSpec)
    given = {str(name): str(value) for name, value in event.args}
    data = re.search(r"base64,([A-Za-z0-9+/=]+)", given["url"])
    assert data
    return json.loads(given["filename"]), base64.b64decode(data[1]).decode()


async def test_an_exported_thread_contains_all_its_parts(serve: Serve, tab: Tab) -> None:
    turns = [[Reasoning("Let me see."), ToolUse("calculator", {"expression": "6*7"}, "c")], ["It is **42**."]]
    async with serve(turns, demo_tools(Path())) as shared:
        await tab.thread.send("What is 6*7?", "msg_1", [])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.threads.share(tab.thread.open_id)

        name, text = downloaded(await tab.threads.export(tab.thread.open_id, {"user": "Du"}))
        assert name == "What is 67.md"
        for piece in (
            "# What is 6*7?",
            "## Du · 20",
            "## assistant · 20",
            "**calculator**\n",
            "> Let me see.",
            '"expression": "6*7"',
            '"result": 42',
            "It is **42**.",
        ):
            assert piece in text
        async with browser() as client:
            answer = await client.get(f"/exports/{tab.thread.open_id}")
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''What%20is%2067.json"
        kept = answer.json()
        stored = await shared.api.list_messages(tab.thread.open_id)
        assert [message["parts"] for message in kept["messages"]] == [message.parts for message in stored]
        assert "share" not in kept["thread"]["metadata"]


async def test_an_exported_thread_can_be_imported(serve: Serve, tab: Tab) -> None:
    async with serve([["Yes."]]) as shared, browser() as client:
        await tab.thread.send("Hi", "msg_1", [])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        kept = await client.get(f"/exports/{tab.thread.open_id}")
        json_sent = {"content-type": "application/json"}
        answer = await client.post("/imports", content=kept.content, headers=json_sent)
        assert answer.status_code == 201, answer.text
        copied = answer.json()["id"]
        assert [m.text for m in await shared.api.list_messages(copied)] == ["Hi", "Yes."]
        listed = [thread.id for thread in await shared.api.list_threads()]
        assert listed == [copied, tab.thread.open_id]
        for content, status, reason in (
            (b"no JSON", 400, "unfit"),
            (b"[]", 400, "unfit"),
            (b"{}", 422, "unfit"),
            (b" " * (MAX_IMPORT + 1), 413, "too_large"),
        ):
            answer = await client.post("/imports", content=content, headers=json_sent)
            assert (answer.status_code, answer.json()) == (status, {"error": reason})
        assert (await client.post("/imports", content=kept.content)).status_code == 415
        assert (await client.get("/exports/thread_gone")).status_code == 404
        assert [thread.id for thread in await shared.api.list_threads()] == listed


def test_fence_holds_any_result_and_any_title_is_a_file_name() -> None:
    now = as_datetime(0)
    thread = Thread(id="t", status="completed", created_at=now, updated_at=now, title="../a:b?")
    part = {
        "type": "tool-x",
        "toolCallId": "c",
        "state": "output-available",
        "input": {},
        "output": "a\n````\nb",
    }
    text = to_markdown(thread, [Message("m", "t", "assistant", [part, {"type": "step-start"}], now)], {})
    assert "`````\na\n````\nb\n`````" in text
    assert file_name(thread.title, "md") == "ab.md"
    assert file_name("...", "md") == "chat.md"


async def test_a_link_shows_the_thread_to_be_read_until_it_is_taken_back(
    serve: Serve, tab: Tab, tmp_path: Path
) -> None:
    async with serve([[ToolUse("send_email", MAIL, "c")], ["Sent."]], demo_tools(tmp_path)) as shared:
        reader = await tab.thread.get_state(Shared)
        part = await shared.api.add_file(b"words", media_type="text/plain", filename="a b.txt")
        await tab.thread.send("Mail Ada", "msg_1", [part])
        await tab.read(shared, lambda: tab.thread.needs_person)
        await tab.threads.share(tab.thread.open_id)
        await tab.read(shared, lambda: tab.thread.share != "")

        await follow_shared(shared, reader, tab.thread.share, lambda: len(reader.turn) == 2)
        prompt, answer = reader.turn
        assert (reader.phase, reader.title, prompt.text) == ("ready", "Mail Ada", "Mail Ada")
        (call,) = [part.tool for part in answer.parts if part.kind == "tool"]
        assert (call.state, call.opened) == ("waiting", False), "a reader can approve nothing"
        assert tab.thread.open_id not in str(reader.turn)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(routes), base_url="http://chat") as client:
            path = prompt.files[0].path
            assert (await client.get(path)).content == b"words"
            await tab.threads.unshare(tab.thread.open_id)
            assert (await client.get(path)).status_code == 404
        with pytest.raises(ThreadNotFoundError):
            await follow_shared(shared, reader, tab.thread.share, lambda: False)
        reader._show_error(ThreadNotFoundError("It is gone."))
        assert (reader.phase, reader.turn) == ("missing", [])


async def follow_shared(shared: Service, reader: Shared, token: str, until: Callable[[], bool]) -> None:
    """Follow a shared link as its page does, until a condition holds."""
    reader._open(token)
    follower = Follower(whole=True)
    async with asyncio.timeout(30), aclosing(shared.api.shares.subscribe(token)) as updates:
        async for update in updates:
            follower.apply(update)
            reader._show(follower)
            if until():
                return


async def test_a_reader_sees_the_thread_go_on_and_nothing_more_once_the_link_is_taken_back(
    serve: Serve, tab: Tab
) -> None:
    async with serve([["First."], ["Second."], ["Third."]]) as shared:
        reader: Shared = await tab.thread.get_state(Shared)
        long = "A very long prompt. " * 2_000
        thread = await shared.api.create_thread(long)
        await shared.api.wait_until_idle(thread.id, 10)
        token = await shared.api.shares.create(thread.id)
        follower = Follower(whole=True)
        reader._open(token)
        async with asyncio.timeout(30), aclosing(shared.api.shares.subscribe(token)) as updates:

            async def until(holds: Callable[[], bool]) -> None:
                while not holds():
                    follower.apply(await anext(updates))
                    reader._show(follower)

            await until(lambda: len(reader.turn) == 2)
            assert (reader.turn[0].hidden, reader.turn[1].parts[-1].text) == (0, "First.")
            for number in range(2):
                await shared.api.send_message(thread.id, f"Go on {number}")
                await shared.api.wait_until_idle(thread.id, 10)
            await until(lambda: len(reader.messages) == 4 and len(reader.turn) == 2 and not reader.thinking)
            assert reader.turn[1].parts[-1].text == "Third."
            await shared.api.shares.revoke(thread.id)
            with pytest.raises(ThreadNotFoundError):
                await until(lambda: False)
        reader._show_error(ThreadNotFoundError("It is gone."))
        assert (reader.phase, reader.messages, reader.turn) == ("revoked", [], [])


@pytest.mark.parametrize(("vote", "kept"), [("up", "up"), ("down", "down"), ("", ""), ("evil", "")])
async def test_a_vote_is_kept_with_the_thread(serve: Serve, tab: Tab, vote: str, kept: str) -> None:
    async with serve([["Yes."]]) as shared:
        actions = await tab.thread.get_state(Actions)
        await tab.thread.send("Hi", "msg_1", [])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        answer = tab.thread.turn[-1]
        await actions.vote(answer.id, "up")
        await actions.vote(answer.id, vote)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert tab.thread.turn[-1].vote == kept
