"""Test page reloads in mid-action: nothing is lost, sent twice or sent to another thread."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.support.browser.chat import Chat, begun, eventually, in_production, wait_for
from tests.support.browser.rows import long_thread, on_rows, prompts_of
from tests.support.browser.server import Server
from tests.support.browser.sockets import slow_tab
from tests.support.providers.provider import Provider

pytestmark = in_production
OpenTab = Callable[..., Chat]
IN_THREAD, NEW_CHAT = "in a thread", "on the page of a new chat"


@pytest.mark.parametrize("where", [IN_THREAD, NEW_CHAT])
def test_unread_message_is_sent_by_the_page_that_is_loaded_next(
    provider: Provider, server: Server, open_tab: OpenTab, where: str
) -> None:
    tab, slow = slow_tab(open_tab)
    in_thread = where == IN_THREAD
    prompt = f"Not lost {where}"
    provider.answer(prompt, ["Found."])
    if in_thread:
        begun(provider, tab, "Before")
    slow.held = True
    tab.by("composer").fill(prompt)
    tab.by("composer").press("Enter")
    eventually(lambda: slow.said, lambda said: prompt in said)
    slow.lose()
    tab.by("composer").type("and a draft")
    tab.reload()

    expect(tab.answer).to_have_text("Found.")
    expect(tab.prompts).to_have_count(2 if in_thread else 1)
    assert prompts_of(server, tab.thread_id).count(prompt) == 1
    if in_thread:
        expect(tab.by("composer")).to_have_value("and a draft")
    tab.reload()
    expect(tab.answer).to_have_text("Found.")
    expect(tab.prompts).to_have_count(2 if in_thread else 1)


def test_tabs_older_than_the_servers_pages_reload_in_place(
    provider: Provider, server: Server, open_tab: OpenTab, page_errors: list[str]
) -> None:
    """The server returns with new pages while two tabs, a thread's and a new chat's, hold unsent text."""
    tabs = {where: slow_tab(open_tab) for where in (IN_THREAD, NEW_CHAT)}
    prompts = {where: f"Before the new pages, {where}" for where in tabs}
    for prompt in prompts.values():
        provider.answer(prompt, ["After them."])
    begun(provider, tabs[IN_THREAD][0], "Long before")
    addresses = {where: tab.page.url for where, (tab, _) in tabs.items()}
    for tab, _ in tabs.values():
        tab.page.evaluate("window.loaded = 'before'")
    server.kill()
    for where, (tab, slow) in tabs.items():
        tab.by("composer").fill(prompts[where])
        tab.by("composer").press("Enter")
        tab.by("composer").press_sequentially("and a draft")
        slow.outdated = True
    server.start()

    for where, (tab, _) in tabs.items():
        wait_for(tab.page, "window.loaded === undefined")
        expect(tab.answer).to_have_text("After them.")
        in_thread = where == IN_THREAD
        expect(tab.prompts).to_have_count(2 if in_thread else 1)
        assert prompts_of(server, tab.thread_id).count(prompts[where]) == 1
        if in_thread:
            assert tab.page.url == addresses[where]
            expect(tab.by("composer")).to_have_value("and a draft")
        else:
            assert len(on_rows(server, lambda api: api.list_threads(query=prompts[NEW_CHAT]))) == 1
    page_errors.clear()  # errors from the server's absence


def test_pages_that_are_gone_take_neither_a_message_nor_a_click(
    provider: Provider, server: Server, open_tab: OpenTab, page_errors: list[str]
) -> None:
    """After a build, the script of the next page is missing until the tab reloads."""
    provider.answer("Into the new", ["Welcome."])
    other = long_thread(server, 2)
    tab = open_tab()
    gone: list[str] = []

    def refuse_once(route: Route) -> None:
        """Refuse the first request for the script of the thread's page."""
        if gone:
            route.continue_()
        else:
            gone.append(route.request.url)
            route.fulfill(status=404, body="")

    for act in ("send", "click"):
        gone.clear()
        tab.go("/settings" if act == "click" else "/")
        tab.page.route(re.compile(r"/assets/.*chat.*\.js"), refuse_once)
        if act == "send":
            tab.by("composer").fill("Into the new")
            tab.by("composer").press("Enter")
            tab.page.wait_for_url("**/chat/thread_*")
            expect(tab.answer).to_have_text("Welcome.")
            expect(tab.prompts).to_have_count(1)
        else:
            tab.page.locator(f'[data-thread-id="{other}"] a').click()
            tab.page.wait_for_url(f"**/{other}")
            expect(tab.answer).to_contain_text("Message 1 of 2")
        assert gone, "the page was there"
        tab.page.unroute_all()
    threads = on_rows(server, lambda api: api.list_threads(query="Into the new"))
    assert len(threads) == 1, "and it was sent once"
    page_errors.clear()  # the router reports the missing script
