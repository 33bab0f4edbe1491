"""Test the HTTP app with the AI SDK's own chat and transport (npm package `ai`, version 6)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, action_tool, async_tool
from agent_core.testing import Reasoning, ToolUse, eventually
from tests.providers.installed import ai_sdk
from tests.support.agents import held
from tests.support.servers.http_server import serving

pytestmark = [pytest.mark.provider, pytest.mark.timeout(300)]


SCRIPT = Path(__file__).with_name("ai_chat.mjs")


@action_tool
async def look() -> str:
    """Look."""
    return "seen"


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@async_tool
async def ask(question: str) -> None:
    """Ask a person."""


class Browser:
    """Script in a separate process, which takes one command per line."""

    def __init__(self, process: asyncio.subprocess.Process, api: AgentApi) -> None:
        assert process.stdin
        assert process.stdout
        self._in, self._out, self._api = process.stdin, process.stdout, api

    async def __call__(self, chat: str, call: str, *args: Any, wait: bool = True) -> dict[str, Any]:
        line = {"chat": chat, "id": "t", "call": call, "args": args, "wait": wait}
        self._in.write(json.dumps(line).encode() + b"\n")
        answer = await asyncio.wait_for(self._out.readline(), 60)
        assert answer, "the script has ended"
        return json.loads(answer)

    async def agrees(self, shown: dict[str, Any]) -> list[dict[str, Any]]:
        """Check that a chat shows the stored messages; return the parts of the last one."""
        assert (shown["status"], shown.get("error")) == ("ready", None)
        stored = await self._api.list_messages("t")
        assert [m["role"] for m in shown["messages"]] == [m.role for m in stored]
        assert shown["messages"][-1]["id"] == stored[-1].id
        for mine, theirs in zip(stored, shown["messages"], strict=True):
            assert _plain(theirs["parts"]) == _plain(mine.parts)
        return shown["messages"][-1]["parts"]


def _plain(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the keys that both sides have: a user's text has no state, and the client adds keys."""
    kept = ("type", "text", "toolCallId", "input", "output", "errorText")
    return [{key: part[key] for key in kept if part.get(key) is not None} for part in parts]


@contextlib.asynccontextmanager
async def browser(path: Path, turns: Any) -> AsyncGenerator[Browser]:
    node, home = await asyncio.to_thread(ai_sdk)
    async with serving(path, turns, tools=[look, pay, ask]) as (client, api):
        pipe = asyncio.subprocess.PIPE
        command = [*node, str(SCRIPT), str(home), f"{client.base_url}/chat"]
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 22)
        try:
            yield Browser(process, api)
        finally:
            process.kill()
            await process.wait()


async def test_client_sends_edits_and_regenerates(tmp_path: Path) -> None:
    turns = [
        ["Look: ", Reasoning("why"), ToolUse("look")],
        ["Well."],
        ["Other words."],
        ["Once more."],
        ["Edited."],
    ]
    async with browser(tmp_path / "agents.db", turns) as page:
        await page.agrees(await page("a", "sendMessage", {"text": "Hi"}))
        await page.agrees(await page("a", "regenerate"))
        shown = await page("a", "sendMessage", {"text": "Hello"})
        assert (await page.agrees(shown))[-1]["text"] == "Once more."
        first = shown["messages"][0]["id"]
        shown = await page("a", "sendMessage", {"text": "Hey", "messageId": first})
        assert (await page.agrees(shown))[-1]["text"] == "Edited."
        assert [len(message["parts"]) for message in shown["messages"]] == [1, 2]


async def test_people_answer_in_the_page(tmp_path: Path) -> None:
    uses = [ToolUse("pay", {"amount": n}, id=f"p{n}") for n in (1, 2)]
    turns = [[*uses, ToolUse("ask", {"question": "?"}, id="a")], ["Thanks."]]
    async with browser(tmp_path / "agents.db", turns) as page:
        shown = await page("a", "sendMessage", {"text": "Go"})
        await page.agrees(shown)
        await page("a", "addToolApprovalResponse", {"id": "p1", "approved": True})
        await page("a", "addToolApprovalResponse", {"id": "p2", "approved": False, "reason": "Too dear."})
        shown = await page("a", "addToolOutput", {"tool": "ask", "toolCallId": "a", "output": 42})
        while shown["messages"][-1]["parts"][-1].get("text") != "Thanks.":
            shown = await page("a", "clearError")  # only waits until the chat is idle
        parts = await page.agrees(shown)
        states = [(p["state"], p.get("output")) for p in parts if "toolCallId" in p]
        assert states == [("output-available", "paid 1"), ("output-denied", None), ("output-available", 42)]


async def test_a_second_page_opens_in_mid_turn(tmp_path: Path) -> None:
    opened = asyncio.Event()
    words = chain(["One "], held(opened), (word for n in range(50) for word in (f"{n} ", 0.02)))
    async with browser(tmp_path / "agents.db", [[ToolUse("look")], words, ["Yes."]]) as page:
        await page("a", "sendMessage", {"text": "Go"}, wait=False)

        async def begun() -> bool:
            return len((await page("a", "clearError", wait=False))["messages"]) == 2

        await eventually(begun)
        loaded = await page("b", "load")
        assert [message["role"] for message in loaded["messages"]] == ["user"]
        opened.set()
        await page.agrees(await page("b", "resumeStream"))
        await page.agrees(await page("a", "clearError"))
        again = await page("c", "load")
        assert (await page("c", "resumeStream"))["messages"] == again["messages"], (
            "there is nothing to resume"
        )


async def test_an_error_is_shown(tmp_path: Path) -> None:
    async with browser(tmp_path / "agents.db", []) as page:
        shown = await page("a", "sendMessage", {"text": "Hi"})
        assert shown["status"] == "error"
        assert "script has no turn" in shown["error"]
