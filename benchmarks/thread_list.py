"""Cost of a list of 5,000 threads: scrolling to its end page by page, then changing one thread.

The figures are this process's CPU, reader threads included, and leave out the browser.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
import time
from pathlib import Path

from agent_core import Agent, Runtime, define_internal_agent_api
from agent_core.testing import ScriptedModel
from benchmarks.report import heading, row
from chat_app.thread_list.list_feed import ListFeed
from chat_app.thread_list.list_patch import ListWindow

THREADS = 5_000
CHANGES = 5


async def measure(path: Path) -> tuple[list[float], float]:
    """Return the CPU seconds of each page, and of a change."""
    async with Runtime(f"sqlite:///{path}", work=False) as runtime:
        _fill(path)
        api = define_internal_agent_api(runtime, Agent("assistant", ScriptedModel([])))
        feed, window = ListFeed(api), ListWindow()
        following = asyncio.create_task(feed.follow())
        try:
            await feed.read_for(window)
            pages: list[float] = []
            with feed.watched(window):
                while feed.more:
                    begun = time.process_time()
                    window.extend(window.limit)
                    await feed.read_for(window)
                    window.patch(feed)
                    pages.append(time.process_time() - begun)
                begun = time.process_time()
                for number in range(CHANGES):
                    version = feed.version
                    await api.update_thread("thread_00042", title=f"Changed {number}")
                    await feed.after(version)
                    window.patch(feed)
                return pages, (time.process_time() - begun) / CHANGES
        finally:
            following.cancel()


def _fill(path: Path) -> None:
    now = time.time()
    counts = ("seq", "cursor", "trimmed", "turn_cursor", "attempt", "crashes", "steps", "position")
    flags = ("stop_signal", "pinned", "archived")
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        for number in range(THREADS):
            name, at = f"thread_{number:05}", now - 60 * number
            values = {"id": name, "agent": "assistant", "title": f"Number {number}", "status": "completed"}
            values |= {"meta": "{}", **dict.fromkeys(counts + flags, 0), "created_at": at, "updated_at": at}
            marks = ", ".join("?" * len(values))
            database.execute(
                f"insert into agent_thread ({', '.join(values)}) values ({marks})", list(values.values())
            )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        pages, change = asyncio.run(measure(Path(folder) / "agents.db"))
    heading(f"A list of {THREADS:,} threads, scrolled to its end in {len(pages)} pages: CPU")
    row("a page, the first ten", 100 * sum(pages[:10]), "ms")
    row("a page, the last ten", 100 * sum(pages[-10:]), "ms", f"{sum(pages[-10:]) / sum(pages[:10]):.1f} ×")
    row("all pages", sum(pages), "s")
    row("a thread that changes, up to the tab's patch", 1000 * change, "ms")


if __name__ == "__main__":
    main()
