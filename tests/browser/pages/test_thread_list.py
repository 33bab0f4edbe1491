"""Test the list of threads in a browser: search, rename, pin, archive, delete and undo, in every tab."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser.chat import Chat, eventually, forgive_outage, in_production
from tests.support.browser.server import Server

OpenTab = Callable[..., Chat]
MANY = 130
AGE = 1e8  # seconds by which threads of other tests are aged for the duration of a test
LONG = 400
LONG_THREAD = "thread_long"


def thread_id(number: int) -> str:
    return f"thread_many{number:04d}"


@pytest.fixture(autouse=True)
def threads(server: Server) -> Iterator[None]:
    """Many threads, and one with many messages, in the database; all are removed afterwards.

    Threads of other tests are archived for the duration of the test, as the oldest in the archive, because a
    list holds the newest fifty.
    """
    now = time.time()
    with contextlib.closing(sqlite3.connect(server.database, timeout=10)) as database, database:
        others = database.execute("select id from agent_thread where not archived").fetchall()
        database.execute("update agent_thread set archived = 1, updated_at = updated_at - ?", [AGE])
        for number in range(MANY):
            _thread(database, thread_id(number), f"Number {number}", now - 100 - number * 7200)
            said = "The lighthouse keeper of Number 77 sleeps" if number == 77 else f"Word {number}"
            _message(database, thread_id(number), 1, said, now)
        _thread(database, LONG_THREAD, "A long talk", now - 50)
        for number in range(LONG):
            said = "A line about heliotrope" if number == 3 else f"Line {number}"
            _message(database, LONG_THREAD, number + 1, said, now)
    yield
    with contextlib.closing(sqlite3.connect(server.database, timeout=10)) as database, database:
        database.executemany("update agent_thread set archived = 0 where id = ?", others)
        database.execute(
            "update agent_thread set updated_at = updated_at + ? where updated_at < ?", [AGE, now - AGE / 2]
        )
        for table, column in (("agent_message", "thread_id"), ("agent_thread", "id")):
            database.execute(
                f"delete from {table} where {column} like 'thread_many%' or {column} = 'thread_long'"
            )


def _thread(database: sqlite3.Connection, name: str, title: str, at: float) -> None:
    counts = ("seq", "cursor", "trimmed", "turn_cursor", "attempt", "crashes", "steps", "position")
    flags = ("stop_signal", "pinned", "archived")
    values = {"id": name, "agent": "assistant", "title": title, "status": "completed", "meta": "{}"}
    row = {**values, **dict.fromkeys(counts + flags, 0), "created_at": at, "updated_at": at}
    marks = ", ".join("?" * len(row))
    database.execute(f"insert into agent_thread ({', '.join(row)}) values ({marks})", list(row.values()))


def _message(database: sqlite3.Connection, thread: str, place: int, text: str, at: float) -> None:
    parts = json.dumps([{"type": "text", "text": text}])
    values = (thread, f"msg_{thread}_{place}", place, "user", parts, "{}", False, at, 0)
    database.execute(
        "insert into agent_message (thread_id, id, position, role, parts, meta, queued, created_at, branch)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )


def row(tab: Chat, title: str) -> Locator:
    return tab.by("thread-item").filter(has=tab.page.get_by_text(title, exact=True))


def do(tab: Chat, title: str, what: str) -> None:
    """Choose an item from the menu of a row."""
    row(tab, title).hover()
    row(tab, title).get_by_test_id("thread-menu").click()
    tab.by(f"menu-{what}").click()


def do_here(tab: Chat, what: str) -> None:
    """Choose an item from the menu of the open chat."""
    tab.by("share-menu").click()
    tab.by(f"menu-{what}").click()


def scroll_to_the_end(tab: Chat) -> None:
    """Scroll down the list until it shows the oldest thread; reaching the end loads the next page."""
    last, end = row(tab, f"Number {MANY - 1}"), "list => list.scrollTo(0, list.scrollHeight)"
    eventually(lambda: (tab.by("thread-list").evaluate(end), last.is_visible())[1], bool)


LONG_TIMES = """
const timer = window.setTimeout;
window.setTimeout = (act, ms, ...more) => timer(act, ms > 5000 ? 100 * ms : ms, ...more);
"""


def take_time(tab: Chat) -> None:
    """Let the page offer Undo for as long as the test needs instead of some seconds."""
    tab.page.add_init_script(LONG_TIMES)
    tab.reload()


def put_off(server: Server, name: str) -> None:
    """Postpone the final deletion of a thread by an hour."""
    eventually(lambda: _in_bin(server, name), lambda gone: gone == [True])
    with contextlib.closing(sqlite3.connect(server.database, timeout=10)) as database, database:
        database.execute("update agent_thread set delete_at = delete_at + 3600 where id = ?", [name])


@in_production
def test_a_search_finds_a_message_in_its_context_and_leads_to_it_far_up(open_tab: OpenTab) -> None:
    tab = open_tab()
    expect(row(tab, "A long talk")).to_be_visible()
    tab.page.keyboard.press("Control+k")
    tab.by("palette-field").fill("heliotrope LINE")
    option = tab.by("option").filter(has_text="about heliotrope")
    expect(option.locator("mark").first).to_have_text("line")
    option.click()

    tab.page.wait_for_url(re.compile(r"thread_long#msg_thread_long_4$"))
    found = tab.page.locator('[data-message-id="msg_thread_long_4"]')
    expect(found).to_be_in_viewport()
    expect(found).to_contain_text("A line about heliotrope")

    tab.reload()  # the address alone leads there too
    expect(found).to_be_in_viewport()
    shown = tab.prompts.count()
    tab.by("left-out").click()  # then to the later messages
    expect(tab.prompts).to_have_count(shown + 40)


@in_production
def test_a_search_finds_what_is_not_loaded_and_says_when_there_is_nothing(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.by("search").click()
    tab.by("palette-field").fill("KEEPER lighthouse")
    expect(tab.by("option").filter(has_text="Number 77").first).to_contain_text("lighthouse keeper")
    tab.by("palette-field").fill("zebra crossing")
    expect(tab.by("palette-word")).to_contain_text("zebra crossing")
    tab.page.keyboard.press("Escape")
    expect(tab.by("palette")).to_be_hidden()


@in_production
def test_the_list_is_loaded_as_it_is_scrolled_and_what_changes_far_down_is_shown(open_tab: OpenTab) -> None:
    tab, other = open_tab(), open_tab()
    expect(row(tab, "Number 0")).to_be_visible()
    assert tab.by("thread-item").count() < MANY
    scroll_to_the_end(tab)

    do(other, "Number 3", "pin")
    expect(tab.page.locator('section[aria-label="Pinned"]')).to_contain_text("Number 3")
    expect(other.by("thread-list").locator("h2").first).to_have_text("Pinned")
    eventually(tab.by("thread-item").count, lambda count: count >= MANY)


@in_production
def test_a_new_name_and_the_archive_are_seen_in_every_tab(open_tab: OpenTab) -> None:
    tab, other = open_tab(), open_tab("/archive")
    do(tab, "Number 5", "edit")
    tab.by("rename").fill("  A better   name ")
    tab.by("rename").press("Enter")
    expect(row(other, "A better name")).to_be_visible()
    do(tab, "Number 6", "edit")
    tab.by("rename").fill("Never mind")
    tab.by("rename").press("Escape")
    expect(row(tab, "Number 6")).to_be_visible()

    do(tab, "A better name", "archive")
    archived = other.by("archive").get_by_test_id("thread-item").filter(has_text="A better name")
    expect(archived).to_be_visible()
    expect(other.by("thread-list").get_by_text("A better name")).to_have_count(0)
    archived.hover()
    archived.get_by_test_id("thread-menu").click()
    other.by("menu-archive").click()
    expect(archived).to_have_count(0)
    expect(row(tab, "A better name")).to_be_visible()


@in_production
def test_the_menu_of_the_open_chat_does_what_its_row_does_and_what_was_deleted_comes_back(
    server: Server, open_tab: OpenTab
) -> None:
    tab, other = open_tab(f"/chat/{thread_id(8)}", fresh=True), open_tab()
    take_time(tab)
    expect(tab.prompts).to_have_text(re.compile("Word 8"))
    do_here(tab, "delete")
    put_off(server, thread_id(8))
    expect(row(tab, "Number 8")).to_have_count(0)
    expect(row(other, "Number 8")).to_have_count(0)
    tab.page.wait_for_url(re.compile(r"/$"))

    tab.by("undo").click()

    tab.page.wait_for_url(re.compile(thread_id(8)))
    expect(tab.prompts).to_have_text(re.compile("Word 8"))
    expect(row(other, "Number 8")).to_be_visible()
    expect(tab.by("toast")).to_have_count(0)

    tab.by("share-menu").click()
    entries = tab.by("menu-box").get_by_role("menuitem").all_inner_texts()
    tab.by("share-menu").click()
    expect(tab.by("menu-box")).to_have_count(0)
    row(tab, "Number 8").hover()
    row(tab, "Number 8").get_by_test_id("thread-menu").click()
    assert tab.by("menu-box").get_by_role("menuitem").all_inner_texts() == entries
    tab.page.keyboard.press("Escape")
    do_here(tab, "edit")
    tab.by("rename").fill("The eighth")
    tab.by("rename").press("Enter")
    expect(tab.by("title")).to_have_text("The eighth")
    expect(row(other, "The eighth")).to_be_visible()
    do_here(tab, "archive")
    expect(row(other, "The eighth")).to_have_count(0)
    tab.by("undo").click()
    expect(row(other, "The eighth")).to_be_visible()


@in_production
def test_a_server_that_dies_brings_no_deleted_thread_back_and_moves_no_list(
    server: Server, open_tab: OpenTab, page_errors: list[str]
) -> None:
    tab, far_down = open_tab(), open_tab()
    do(tab, "Number 9", "delete")
    eventually(lambda: _in_bin(server, thread_id(9)), lambda gone: gone == [True])
    expect(row(far_down, "Number 9")).to_have_count(0)
    thread_list = far_down.by("thread-list")
    scroll_to_the_end(far_down)
    row(far_down, "Number 90").scroll_into_view_if_needed()
    place = thread_list.evaluate("list => list.scrollTop")
    assert place > 1_000
    server.kill()
    tab.page.close()
    with contextlib.closing(sqlite3.connect(server.database, timeout=10)) as database, database:
        database.execute("update agent_thread set title = 'Ninety' where id = ?", [thread_id(90)])
        database.execute("delete from agent_thread where id = ?", [thread_id(MANY - 1)])
    server.start()

    expect(row(far_down, "Ninety")).to_be_in_viewport()
    expect(row(far_down, f"Number {MANY - 1}")).to_have_count(0)
    expect(row(far_down, f"Number {MANY - 2}")).to_have_count(1)
    eventually(lambda: thread_list.evaluate("list => list.scrollTop"), lambda now: now == place)
    again = open_tab()
    expect(row(again, "Number 10")).to_be_visible()
    expect(row(again, "Number 9")).to_have_count(0)
    eventually(lambda: _in_bin(server, thread_id(9)), lambda gone: gone == [])
    forgive_outage(page_errors)


def _in_bin(server: Server, name: str) -> list[bool]:
    """Return whether a thread waits for its final deletion; [] if it no longer exists."""
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        found = database.execute("select delete_at from agent_thread where id = ?", [name]).fetchall()
    return [moment is not None for (moment,) in found]


@in_production
def test_thread_list_can_be_used_with_the_keyboard_alone(server: Server, open_tab: OpenTab) -> None:
    tab = open_tab(fresh=True)
    take_time(tab)
    keys = tab.page.keyboard
    link = row(tab, "Number 20").get_by_role("link")
    expect(link).to_be_attached()
    row(tab, "Number 19").get_by_role("link").focus()
    keys.press("ArrowDown")
    expect(link).to_be_focused()
    keys.press("F2")
    expect(tab.by("rename")).to_be_focused()
    keys.type("Twenty")
    keys.press("Enter")
    expect(row(tab, "Twenty").get_by_role("link")).to_be_focused()

    keys.press("Tab")  # the row's menu
    keys.press("Enter")
    expect(tab.by("menu-edit")).to_be_focused()
    keys.press("ArrowDown")
    keys.press("Enter")  # Pin
    expect(tab.page.locator('section[aria-label="Pinned"]')).to_contain_text("Twenty")

    row(tab, "Number 21").get_by_role("link").focus()
    keys.press("Delete")
    put_off(server, thread_id(21))
    expect(row(tab, "Number 21")).to_have_count(0)
    expect(tab.by("undo")).to_be_focused()
    keys.press("Enter")
    expect(row(tab, "Number 21")).to_be_visible()

    keys.press("Control+k")
    expect(tab.by("palette-field")).to_be_focused()
    keys.type("archived")
    expect(tab.by("option").first).to_have_attribute("data-to", "/archive")
    keys.press("Enter")
    tab.page.wait_for_url(re.compile("/archive$"))
