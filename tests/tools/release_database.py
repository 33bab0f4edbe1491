"""Keep a database as this version writes it, for the tests of later ones: `python -m tests.tools.release_database`.

A maintainer runs it once for each release. It writes tests/support/releases/<version>.db.gz: a backup of a small
database of the app, made by real turns, with the version's own program.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from agent_core import AgentApi, Budget, __version__, every
from agent_core.backup import back_up_database
from agent_core.store.database.app_database import open_app_database
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from chat_app.accounts.accounts import open_accounts
from chat_app.database import MIGRATIONS
from chat_app.keys.rows import create_key
from tests.support.agents import agent_on, finished

SUFFIX = ".db.gz"
FOLDER = Path(__file__).parents[1] / "support" / "releases"
PASSWORD = "a long password"
SAID = {
    "talk": ["hello", "You said hello.", "look", "I look.\n\nDone.", "bye", "You said bye."],
    "waiting": ["pay", "I pay.", "later"],
    "branches": ["second", "You said second."],
}
"""Texts of the messages of each thread but that of the schedule."""


@action_tool
async def look(place: str) -> str:
    """Look."""
    return f"seen {place}"


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    """Return what the model says to the last message: it calls the tool that a person names."""
    last = messages[-1]
    if last["role"] == "tool":
        return ["Done."]
    calls = {"look": ToolUse("look", {"place": "here"}), "pay": ToolUse("pay", {"amount": 5})}
    said = last["content"]
    return [f"I {said}.", calls[said]] if said in calls else [f"You said {said}."]


def versions() -> list[str]:
    """Return the versions whose databases are kept, the oldest first."""
    names = [path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}")]
    return sorted(names, key=lambda name: [int(part) for part in name.split(".")])


def unpack(version: str, path: Path) -> None:
    """Write the database of a release to `path`."""
    path.write_bytes(gzip.decompress((FOLDER / f"{version}{SUFFIX}").read_bytes()))


async def make(path: Path) -> None:
    """Make the database: turns with tools, one that waits, branches, a schedule, a share, a budget, people and a key."""
    async with agent_on(path, answer, tools=[look, pay]) as api:
        await _talk(api)
        await api.create_thread("first", thread_id="branches")
        await finished(api, "branches")
        (message, _) = await api.list_messages("branches")
        await api.edit_message("branches", message.id, "second")
        await finished(api, "branches")
        await api.create_thread(
            thread_id="reminders"
        )  # of its own: the schedule is due as soon as a test opens it
        await api.schedules.create("reminders", "remind me", every(hours=1))
        await api.shares.create("talk")
        await api.limits.set_budget(Budget(usd=10, per="month"), user_id="ann")
    url = f"sqlite:///{path}"
    async with open_accounts(url) as accounts:
        invited = await accounts.invite("ann", "admin")
        await accounts.use_link(invited.token, PASSWORD)
    with open_app_database(url, MIGRATIONS) as database:
        database.write(create_key, "backup script", "read", None, 0.0)


async def _talk(api: AgentApi) -> None:
    await api.create_thread("hello", thread_id="talk")
    await finished(api, "talk")
    for said in ("look", "bye"):
        await api.send_message("talk", said)
        await finished(api, "talk")
    await api.create_thread("pay", thread_id="waiting")
    await eventually(lambda: _waits(api))
    await api.send_message("waiting", "later", when_busy="queue")


async def _waits(api: AgentApi) -> bool:
    thread = await api.get_thread("waiting")
    return thread is not None and thread.status == "awaiting_tool_results"


def main() -> None:
    """Write the database of this version; refuse to write it again."""
    target = FOLDER / f"{__version__}{SUFFIX}"
    if not re.fullmatch(r"\d+\.\d+\.\d+", __version__) or target.exists():
        sys.exit(f"{target.name} is there already, or {__version__} is no version of a release.")
    with tempfile.TemporaryDirectory() as folder:
        path, backup = Path(folder) / "agents.db", Path(folder) / "backup.db"
        asyncio.run(make(path))
        back_up_database(f"sqlite:///{path}", backup)
        target.write_bytes(gzip.compress(backup.read_bytes(), mtime=0))
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
