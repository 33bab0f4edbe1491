"""Test the feed of the thread list: after any changes, it equals a full read of the list."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
import reflex as rx

from agent_core import Agent, AgentApi, Runtime, define_internal_agent_api
from agent_core.testing import ScriptedModel, eventually
from chat_app.thread_list.list_cache import ListCache
from chat_app.thread_list.list_feed import ARCHIVE, THREADS, ListFeed
from chat_app.thread_list.list_patch import ListWindow
from chat_app.thread_list.thread_list import ThreadList
from chat_app.thread_list.thread_views import ThreadItem, thread_item
from tests.chat_app.support import Serve, Tab
from tests.chat_app.thread_list.test_thread_list import Page, opened, seen

COUNT, SHOWN = 130, 100


async def everything(api: AgentApi, *, archived: bool = False) -> tuple[list[ThreadItem], list[ThreadItem]]:
    """Return the pinned and the other threads of a whole list."""
    pinned = [] if archived else await api.list_threads(1_000, pinned=True)
    others = await api.list_threads(10_000, pinned=None if archived else False, archived=archived)
    return [thread_item(thread) for thread in pinned], [thread_item(thread) for thread in others]


def same(feed: ListFeed, whole: tuple[list[ThreadItem], list[ThreadItem]], shown: int) -> bool:
    return (feed.pinned, feed.newest, feed.more) == (whole[0], whole[1][:shown], len(whole[1]) > shown)


async def something(api: AgentApi, dice: random.Random, ids: list[str]) -> None:
    """Perform a random action of a user on a random thread."""
    thread_id = dice.choice(ids)
    what = dice.randrange(7)
    if what == 0:
        await api.update_thread(thread_id, title=f"Title {dice.random()}")
    elif what == 1:
        await api.update_thread(thread_id, pinned=dice.random() < 0.5)
    elif what == 2:
        await api.update_thread(thread_id, archived=dice.random() < 0.5)
    elif what == 3:
        await api.add_message(thread_id, {"role": "user", "content": "It moves to the top."})
    elif what == 4:
        await api.delete_thread(thread_id, undo_for=60)
        if dice.random() < 0.5:
            await api.restore_thread(thread_id)
        else:
            ids.remove(thread_id)
    elif what == 5:
        await api.delete_thread(thread_id)
        ids.remove(thread_id)
    else:
        ids.append((await api.create_thread(title="New")).id)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "another process"])
@pytest.mark.parametrize("archived", [False, True], ids=["main", "archive"])
async def test_list_scrolled_far_down_equals_a_full_read(
    serve: Serve, archived: bool, elsewhere: bool
) -> None:
    dice = random.Random(20 + archived + 2 * elsewhere)
    async with serve([]) as shared:
        ids = [(await shared.api.create_thread(title=f"T{number}")).id for number in range(COUNT)]
        for thread_id in ids if archived else ids[:5]:
            await shared.api.update_thread(thread_id, archived=True)
        feed, window = (
            shared.shared_lists[ARCHIVE] if archived else shared.shared_lists[THREADS],
            ListWindow(),
        )
        window.limit = SHOWN
        async with Runtime(shared.settings.database_url, work=False) as other:
            there = define_internal_agent_api(other, Agent("assistant", ScriptedModel([])))
            with feed.watched(window):
                await feed.read_for(window)
                for _ in range(6):
                    for _ in range(8):
                        await something(there if elsewhere else shared.api, dice, ids)
                    whole = await everything(shared.api, archived=archived)
                    await eventually(lambda: same(feed, whole, SHOWN))  # noqa: B023


async def test_a_page_far_down_is_read_after_the_one_before_and_nothing_before_it_again(serve: Serve) -> None:
    async with serve([]) as shared:
        for number in range(COUNT):
            await shared.api.create_thread(title=f"T{number}")
        asked: list[int] = []

        class Counted:
            """An API that counts the threads requested and returned."""

            async def list_threads(self, limit: int, **given: Any) -> Any:
                found = await shared.api.list_threads(limit, **given)
                asked.append(len(found))
                return found

        counted: Any = Counted()
        cache = ListCache(counted, archived=False)
        await cache.read_pinned()
        for count in (51, 101, 151):
            await cache.extend(count)
        assert asked == [0, 51, 50, 29]
        assert not cache.more
        newest = cache.newest(COUNT)
        await cache.refresh([newest[100].id])
        assert asked[4:] == [1]
        assert cache.newest(COUNT) == newest


async def test_a_page_begins_after_the_thread_it_was_read_from_although_that_has_moved_or_is_gone(
    serve: Serve,
) -> None:
    async with serve([]) as shared:
        made = [(await shared.api.create_thread(title=f"T{number}")).id for number in range(9)]
        for change in ("moved", "deleted"):
            first = await shared.api.list_threads(4)
            if change == "moved":
                await shared.api.add_message(first[-1].id, {"role": "user", "content": "Up."})
            else:
                await shared.api.delete_thread(first[-1].id)
            rest = await shared.api.list_threads(100, cursor=first[-1])
            left = [thread_id for thread_id in reversed(made) if thread_id not in {each.id for each in first}]
            assert [thread.id for thread in rest] == left


async def test_a_tab_that_was_far_down_is_there_again_after_the_server_was_away(
    serve: Serve, tab: Tab
) -> None:
    async with serve([]) as shared:
        for number in range(COUNT):
            await shared.api.create_thread(title=f"T{number:03d}")
        await seen(
            shared.shared_lists[THREADS],
            lambda: (
                bool(shared.shared_lists[THREADS].newest)
                and shared.shared_lists[THREADS].newest[0].title == "T129"
            ),
        )
        page = opened(tab.threads)
        await tab.threads.load_more(50)
        page.take(tab.threads.patch)
        assert len(page.rows) == 100
        root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
        again: ThreadList = await root.get_state(ThreadList)  # a restarted server does not know the tab
        again._open()
        again._show()
        assert (len(again.patch.rows), again.patch.limit, again.patch.more) == (50, 50, True)
        page = Page()
        page.take(again.patch)
        await again.restore_rows(100)
        assert again.patch.limit == 100
        page.take(again.patch)
        assert (len(page.rows), page.more) == (100, True)
        await asyncio.gather(
            again.restore_rows(10), again.restore_rows(0)
        )  # a shorter page does not shrink the list
        assert again.patch.limit == 100
