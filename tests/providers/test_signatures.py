"""What a step brought that its provider must see again comes back to it, and is shown to nobody."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, Runtime, action_tool, async_tool, define_internal_agent_api
from agent_core.messages import Thread
from agent_core.testing import eventually
from tests.agent_core.support import AT_ONCE, finished, texts
from tests.providers.dialects import DIALECTS, DialectServer, Thought, Use, serving

SIGNING = ["anthropic", "gemini", "gemini-openai", "deepseek", "openrouter", "vllm", "moonshot"]
"""Dialects whose provider refuses a step of its own without what it has signed."""

every_dialect = pytest.mark.parametrize("name", DIALECTS)
signing = pytest.mark.parametrize("name", SIGNING)

STEP = [Thought("Let me see."), "I look.", Use("clock", {"zone": "UTC"}), Use("clock", {"zone": "CET"})]
SECRETS = [Thought("Let me see.").signature, "thoughtSignature", "providerMetadata", "reasoning_details"]


@action_tool
async def clock(zone: str = "UTC") -> str:
    """Tell the time."""
    return f"12 in {zone}"


@async_tool
async def ask() -> None:
    """Ask a person."""


def agent_for(server: DialectServer, **options: Any) -> Agent:
    settings = {"tools": [clock, ask], "retry": AT_ONCE, **server.options, **options}
    return Agent("a", server.dialect.model, **settings)


async def settled(api: AgentApi, thread: Thread) -> Thread:
    """Return a thread that has ended well."""
    thread = await finished(api, thread)
    assert (thread.status, thread.error) == ("completed", None)
    return thread


@every_dialect
async def test_own_steps_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    """In every later request: of this turn, of the next one, after a restart."""
    replies = [STEP, STEP, ["At noon."], [Thought("Hm."), "Yes."], STEP, ["Bye."]]
    path = f"sqlite:///{tmp_path}/agents.db"
    async with serving(DIALECTS[name], *replies) as server:
        async with Runtime(path) as runtime:
            api = define_internal_agent_api(runtime, agent_for(server))
            thread = await settled(api, await api.create_thread("What time is it?"))
            await api.send_message(thread.id, "Sure?")
            await settled(api, thread)
        async with Runtime(path) as runtime:
            api = define_internal_agent_api(runtime, agent_for(server))
            await api.send_message(thread.id, "And now?")
            await settled(api, thread)
            assert (await texts(api, thread))[-1].endswith("Bye.")
    assert server.violations == []
    assert len(server.requests) == len(replies)


@signing
async def test_signatures_survive_approval_edit_regenerate_fork_and_stop(name: str, tmp_path: Path) -> None:
    step, stay = [Thought("Why?"), Use("ask")], [Thought("Hm."), Use("clock", {"zone": "UTC"})]
    replies = [stay, step, ["So."], ["Edited."], ["Again."], ["Forked."], step, ["Gone on."]]
    async with serving(DIALECTS[name], *replies) as server, Runtime(f"sqlite:///{tmp_path}/a.db") as runtime:
        api = define_internal_agent_api(runtime, agent_for(server))
        thread = await api.create_thread("Go")
        await eventually(lambda: _asked(api, thread.id))
        await api.add_tool_result(await _asked(api, thread.id), "Because.")
        await settled(api, thread)
        messages = await api.list_messages(thread.id)
        await api.send_message(thread.id, "More")
        await settled(api, thread)
        edited = (await api.list_messages(thread.id))[-2]
        await api.edit_message(thread.id, edited.id, "Even more")
        await settled(api, thread)
        fork = await api.fork_thread(thread.id, messages[-1].id)
        await api.send_message(fork.id, "Elsewhere")
        await settled(api, fork)
        await api.send_message(thread.id, "Ask me")
        await eventually(lambda: _asked(api, thread.id))
        await api.stop_thread(thread.id)
        await api.send_message(thread.id, "Go on")
        await settled(api, thread)
    assert server.violations == []


async def _asked(api: AgentApi, thread_id: str) -> str:
    """Return the id of the call that waits for a person; "" while none does."""
    parts = [part for message in await api.list_messages(thread_id) for part in message.parts]
    open_ones = [part for part in parts if part["type"] == "tool-ask" and part["state"] == "input-available"]
    return open_ones[-1]["toolCallId"] if open_ones else ""


@signing
async def test_nobody_who_reads_sees_a_signature(name: str, tmp_path: Path) -> None:
    async with (
        serving(DIALECTS[name], STEP, [Thought("Hm."), "Done."]) as server,
        Runtime(f"sqlite:///{tmp_path}/a.db") as runtime,
    ):
        api = define_internal_agent_api(runtime, agent_for(server))
        thread = await api.create_thread("Go")
        seen: list[Any] = []
        async for update in api.subscribe(thread.id, 0):
            seen.append(update.to_dict())
            if any(chunk.get("data", {}).get("status") == "completed" for chunk in update.chunks):
                break
        await settled(api, thread)
        seen += [message.to_dict() for message in await api.list_messages(thread.id)]
        seen += [update.to_dict() for update in await api.stream_updates(thread.id)]
        listed = await api.list_messages_with_streams(thread.id, {"kind": "list"})
        ids = [{"streamId": each["streamId"], "cursor": 0} for each in listed["streams"]["messages"]]
        read = await api.list_messages_with_streams(thread.id, {"kind": "deltas", "cursors": ids})
        seen.append(read["streams"])
        token = await api.share_thread(thread.id)
        shared = await api.read_shared(token)
        assert shared is not None
        seen += [message.to_dict() for message in shared[1]]
        stored = _rows(tmp_path / "a.db")
    text = json.dumps(seen)
    assert "Let me see." in text or name in ("gemini-openai", "openai")
    assert [secret for secret in SECRETS if secret in text] == []
    assert "providerMetadata" in stored, "it is kept"


def _rows(path: Path) -> str:
    with sqlite3.connect(path) as rows:
        return "".join(str(row) for row in rows.execute("select parts from agent_stream"))
