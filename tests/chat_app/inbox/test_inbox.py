"""Test the inbox: it lists the open requests of all threads, and can answer them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent_core.testing import ToolUse
from chat_app.demo.tools import demo_tools
from chat_app.inbox.inbox import Inbox
from chat_app.inbox.inbox_feed import INBOX
from chat_app.session.service import Service
from tests.chat_app.support import Serve, Tab

MAIL = {"to": "ada@example.org", "subject": "Hi", "body": "Hello"}


async def until(shared: Service, count: int) -> None:
    """Wait until the inbox holds `count` open requests."""
    version = -1
    async with asyncio.timeout(20):
        while len(shared.shared_lists[INBOX].items) != count or not shared.shared_lists[INBOX].version:
            version = await shared.shared_lists[INBOX].after(version)


async def test_inbox_answers_the_open_requests_of_any_thread(serve: Serve, tab: Tab, tmp_path: Path) -> None:
    def turn(messages: list[dict]) -> list:
        if messages[-1]["role"] == "tool":
            return ["Done."]
        if messages[-1]["content"] == "mail":
            return [ToolUse("send_email", MAIL, "m1"), ToolUse("send_email", MAIL, "m2")]
        return [ToolUse("ask_human", {"question": "Which?", "options": ["Red"]}, "q")]

    async with serve(turn, demo_tools(tmp_path)) as shared:
        inbox = await tab.thread.get_state(Inbox)
        mail = await shared.api.create_thread("mail")
        asks = await shared.api.create_thread("ask")
        await until(shared, 3)
        assert inbox.open() is not None
        rows = {item.tool.id: item for item in inbox.items}
        assert (inbox.count, inbox.loaded) == (3, True)
        assert (rows["m1"].title, rows["m1"].tool.state, rows["m1"].thread_id) == (
            "mail",
            "approval",
            mail.id,
        )
        assert (rows["q"].tool.state, rows["q"].tool.question, rows["q"].tool.options) == (
            "answer",
            "Which?",
            ["Red"],
        )

        await inbox.approve(mail.id, "m1", {**MAIL, "to": "bob@example.org"})
        await inbox.deny(mail.id, "m2", "")
        await inbox.answer({"thread_id": asks.id, "call_id": "q", "answer": " "})
        assert (await shared.api.list_waiting())[0].tool_call_id == "q"
        await inbox.answer({"thread_id": asks.id, "call_id": "q", "answer": "Red"})
        assert inbox.notice == ""
        await until(shared, 0)
        for thread in (mail, asks):
            assert (await shared.api.wait_until_idle(thread.id, 20)).status == "completed"
        assert "bob@example.org" in (tmp_path / "outbox.jsonl").read_text()

        await inbox.approve(mail.id, "m1", None)
        assert "m1" in inbox.notice, "somebody else was faster, and that is said"
