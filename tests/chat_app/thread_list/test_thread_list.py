"""Test the lists of threads: each tab receives the changes, and no race loses any."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import reflex as rx

from agent_core.testing import ToolUse
from agent_core.tools import action_tool
from chat_app.search.search import hits_for
from chat_app.session.service import Service
from chat_app.thread_list.list_feed import ARCHIVE, THREADS, ListFeed
from chat_app.thread_list.list_patch import ListWindow
from chat_app.thread_list.thread_list import Archive, ThreadRows
from chat_app.thread_list.thread_views import ThreadItem, ThreadPatch
from tests.chat_app.support import Serve, Tab


class Page:
    """A browser's side of one list, which applies patches; see `rows.js`."""

    def __init__(self) -> None:
        self.number = 0
        self.rows: dict[str, ThreadItem] = {}
        self.more = False

    def take(self, patch: ThreadPatch | None) -> bool:
        """Apply a patch; return False if an earlier patch is missing."""
        if patch is None or patch.number == self.number:
            return True
        if patch.base not in (0, self.number):
            return False
        if not patch.base:
            self.rows.clear()
        self.rows |= {row.id: row for row in patch.rows}
        for name in patch.gone:
            del self.rows[name]
        self.number, self.more = patch.number, patch.more
        return True

    @property
    def titles(self) -> list[str]:
        return [row.title for row in sorted(self.rows.values(), key=lambda row: row.id, reverse=True)]


class Rows:
    """A list with the attributes of `ListFeed`."""

    def __init__(self, count: int, pinned: int = 0) -> None:
        self.newest = [row(number) for number in range(count, 0, -1)]
        self.pinned = [row(-number, pinned=True) for number in range(pinned)]
        self.more = False


def row(number: int, **fields: Any) -> ThreadItem:
    given = {"id": f"t{number:05d}", "title": f"T{number}", "tone": "", "at": 60.0 * number}
    return ThreadItem(**{**given, **fields})


async def seen(feed: ListFeed, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        version = 0
        while not holds():
            version = await feed.after(version)


async def listed(shared: Service) -> list[str]:
    return [thread.id for thread in await shared.api.list_threads()]


def test_one_changed_row_is_all_that_is_sent() -> None:
    rows, window, page = Rows(200), ListWindow(), Page()
    window.limit = 200
    assert page.take(window.patch(rows))
    assert len(page.rows) == 200
    assert window.patch(rows) is None
    rows.newest[150] = row(50, tone="running")
    patch = window.patch(rows)
    assert patch is not None
    assert [item.tone for item in patch.rows] == ["running"]
    assert len(json.dumps(asdict(patch))) < 300
    assert page.take(patch)
    assert page.rows["t00050"].tone == "running"


def test_a_window_shows_so_many_and_says_whether_there_are_more() -> None:
    rows, window, page = Rows(120, pinned=2), ListWindow(), Page()
    assert page.take(window.patch(rows))
    assert (len(page.rows), page.more) == (52, True)
    for _ in range(2):  # the same page is requested twice
        window.extend(52)
        page.take(window.patch(rows))
    assert (len(page.rows), page.more) == (102, True)
    window.extend(102)
    page.take(window.patch(rows))
    assert (len(page.rows), page.more) == (122, False)


def test_a_new_thread_takes_the_place_of_the_last_that_is_shown() -> None:
    rows, window, page = Rows(60), ListWindow(), Page()
    page.take(window.patch(rows))
    rows.newest.insert(0, row(61))
    patch = window.patch(rows)
    assert patch is not None
    assert ([item.title for item in patch.rows], patch.gone) == (["T61"], ["t00011"])


def test_a_page_that_missed_a_patch_finds_out_and_gets_everything() -> None:
    rows, window, page = Rows(3), ListWindow(), Page()
    page.take(window.patch(rows))
    rows.newest[0] = row(3, title="Lost")
    assert window.patch(rows) is not None  # this patch is lost
    rows.newest[1] = row(2, title="Next")
    assert not page.take(window.patch(rows))
    window.reset()
    assert page.take(window.patch(rows))
    assert page.titles == ["Lost", "Next", "T1"]


def test_a_new_window_is_never_taken_for_the_one_before() -> None:
    rows, page, window = Rows(3), Page(), ListWindow()
    page.take(window.patch(rows))
    again = ListWindow()  # like a restarted server
    first = again.patch(Rows(2))
    assert first is not None
    assert page.take(first)
    assert len(page.rows) == 2


async def test_the_feed_says_what_runs_what_failed_and_what_needs_the_person(serve: Serve) -> None:
    @action_tool(needs_approval=True)
    async def pay() -> str:
        """Pay."""
        return "paid"

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        said = messages[-1]["content"]
        return {"run": ["Half", 60.0], "pay": [ToolUse("pay", {}, "c")]}.get(str(said), ["Done."])

    async with serve(turn, {"pay": pay}) as shared:

        def tones() -> dict[str, str]:
            return {
                item.title: item.tone
                for item in (*shared.shared_lists[THREADS].pinned, *shared.shared_lists[THREADS].newest)
            }

        for prompt in ("run", "pay", "end"):
            await shared.api.create_thread(prompt)
        await seen(
            shared.shared_lists[THREADS], lambda: tones() == {"run": "running", "pay": "waiting", "end": ""}
        )
        paying = next(item.id for item in shared.shared_lists[THREADS].newest if item.title == "pay")
        await shared.api.approve_tool_calls(paying, ["c"])
        await seen(shared.shared_lists[THREADS], lambda: tones()["pay"] == "")


async def test_pinned_threads_are_there_however_old_they_are(serve: Serve, tab: Tab) -> None:
    async with serve([]) as shared:
        made = [await shared.api.create_thread(title=f"T{number}") for number in range(55)]
        await tab.threads.pin(made[0].id, True)
        await seen(
            shared.shared_lists[THREADS],
            lambda: [item.title for item in shared.shared_lists[THREADS].pinned] == ["T0"],
        )
        assert len(shared.shared_lists[THREADS].newest) == ListWindow.PAGE
        assert shared.shared_lists[THREADS].more
        await tab.threads.pin(made[0].id, False)
        await seen(shared.shared_lists[THREADS], lambda: not shared.shared_lists[THREADS].pinned)


def opened(state: ThreadRows) -> Page:
    """Return the page of a freshly loaded tab that shows a list."""
    page = Page()
    state._open()  # pyright: ignore[reportPrivateUsage]
    state._show()  # pyright: ignore[reportPrivateUsage]
    page.take(state.patch)
    return page


async def test_endless_scroll_reads_as_far_as_a_tab_shows_and_no_further(serve: Serve, tab: Tab) -> None:
    async with serve([]) as shared:
        for number in range(120):
            await shared.api.create_thread(title=f"T{number:03d}")
        await seen(
            shared.shared_lists[THREADS],
            lambda: (
                bool(shared.shared_lists[THREADS].newest)
                and shared.shared_lists[THREADS].newest[0].title == "T119"
            ),
        )
        page = opened(tab.threads)
        assert (len(page.rows), page.more) == (50, True)
        for shown in (50, 50, 100):
            await tab.threads.load_more(shown)
            assert page.take(tab.threads.patch)
        assert (len(page.rows), page.more) == (120, False)
        await shared.api.create_thread(title="new")
        await seen(
            shared.shared_lists[THREADS], lambda: shared.shared_lists[THREADS].newest[0].title == "new"
        )
        assert len(shared.shared_lists[THREADS].newest) == ListWindow.PAGE, (
            "nobody watches the longer one any more"
        )
        window = ListWindow()
        window.limit = 100
        with shared.shared_lists[THREADS].watched(window):
            await shared.shared_lists[THREADS].read_for(window)
            await shared.api.create_thread(title="newer")
            await seen(
                shared.shared_lists[THREADS], lambda: shared.shared_lists[THREADS].newest[0].title == "newer"
            )
            assert len(shared.shared_lists[THREADS].newest) == 100, "who reached for it watches it still"


async def test_a_thread_is_deleted_once_from_however_many_tabs_and_comes_back(serve: Serve, tab: Tab) -> None:
    async with serve([["Hello."]]) as shared:
        thread = await shared.api.create_thread("Hi")
        await shared.api.wait_until_idle(thread.id, 20)
        tab.threads.active_id = thread.id
        gone = await tab.threads.delete(thread.id)
        assert isinstance(gone, rx.event.EventSpec), "the page of a deleted thread leads nowhere"
        assert await listed(shared) == []
        await tab.threads.delete(thread.id)  # as another tab does a moment later
        assert await tab.threads.restore(thread.id, False) is None
        assert await listed(shared) == [thread.id]
        assert isinstance(await tab.threads.restore(thread.id, True), rx.event.EventSpec)


async def test_undo_before_the_feed_saw_the_deletion_brings_the_row_back(serve: Serve, tab: Tab) -> None:
    async with serve([]) as shared:
        thread = await shared.api.create_thread(title="Hi")
        await seen(shared.shared_lists[THREADS], lambda: bool(shared.shared_lists[THREADS].newest))
        page = opened(tab.threads)
        await tab.threads.delete(thread.id)
        del page.rows[thread.id]  # the page foresaw it
        await tab.threads.restore(thread.id, False)
        assert page.take(tab.threads.patch)
        await seen(shared.shared_lists[THREADS], lambda: bool(shared.shared_lists[THREADS].newest))
        tab.threads._show()  # pyright: ignore[reportPrivateUsage]
        assert page.take(tab.threads.patch)
        assert page.titles == ["Hi"]


async def test_wrong_guess_of_a_page_is_put_right(serve: Serve, tab: Tab) -> None:
    async with serve([]) as shared:
        thread = await shared.api.create_thread(title="Hi")
        await seen(shared.shared_lists[THREADS], lambda: bool(shared.shared_lists[THREADS].newest))
        page = opened(tab.threads)
        await shared.api.delete_thread(thread.id)
        page.rows[thread.id] = row(1, id=thread.id, title="New name")
        await tab.threads.rename(thread.id, "New name")  # as another tab did a moment before
        page.take(tab.threads.patch)
        await seen(shared.shared_lists[THREADS], lambda: not shared.shared_lists[THREADS].newest)
        tab.threads._show()  # pyright: ignore[reportPrivateUsage]
        assert page.take(tab.threads.patch)


@pytest.mark.parametrize(
    ("given", "title"), [(" A  new\nname ", "A new name"), ("  ", "Hi"), ("x" * 500, "x" * 119 + "…")]
)
async def test_a_title_is_one_line_of_some_length(serve: Serve, tab: Tab, given: str, title: str) -> None:
    async with serve([]) as shared:
        thread = await shared.api.create_thread(title="Hi")
        await tab.threads.rename(thread.id, given)
        (found,) = await shared.api.list_threads()
        assert found.title == title


async def test_the_archive_is_a_list_of_its_own_and_read_only_when_somebody_looks(
    serve: Serve, tab: Tab
) -> None:
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    archive = await root.get_state(Archive)
    async with serve([]) as shared:
        thread = await shared.api.create_thread(title="Old")
        await tab.threads.archive(thread.id, True)
        await seen(
            shared.shared_lists[THREADS],
            lambda: shared.shared_lists[THREADS].version > 0 and not shared.shared_lists[THREADS].newest,
        )
        assert shared.shared_lists[ARCHIVE].version == 0
        opened(archive)
        await shared.shared_lists[ARCHIVE].read_for(archive._window)
        assert [item.title for item in shared.shared_lists[ARCHIVE].newest] == ["Old"]
        await archive.archive(thread.id, False)
        await seen(shared.shared_lists[THREADS], lambda: bool(shared.shared_lists[THREADS].newest))


async def test_a_search_finds_titles_and_messages(serve: Serve) -> None:
    async with serve([["A harbour."]]) as shared:
        thread = await shared.api.create_thread("What lies by the sea?")
        await shared.api.wait_until_idle(thread.id, 20)
        reply = (await shared.api.list_messages(thread.id))[-1].id
        for query, found in {
            "SEA": [("", ""), ("msg", "What lies by the sea?")],
            "harbour": [(reply, "A harbour.")],
            "zebra": [],
        }.items():
            hits = await hits_for(shared.api, query)
            shown = [(hit.message_id, hit.snippet) for hit in hits]
            assert [(name if name in ("", reply) else "msg", words) for name, words in shown] == found
        assert await hits_for(shared.api, "x" * 10_000) == []
