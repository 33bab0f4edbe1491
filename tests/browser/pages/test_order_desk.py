"""Test an extension that was written from the documentation alone: `tests/support/browser/order_desk`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser.chat import Chat
from tests.support.browser.rows import on_rows
from tests.support.browser.server import Server
from tests.support.providers.provider import Call, Provider

OpenTab = Callable[..., Chat]
COUNT = [[Call("orders_by_month", {"year": 2026})], ["February was better."]]


@pytest.fixture
def server(extended: Server) -> Server:
    return extended


def look(tab: Chat, name: str) -> None:
    """Keep a picture of the page in the folder that PICTURES names."""
    if folder := os.environ.get("PICTURES"):
        tab.page.screenshot(path=Path(folder) / f"{name}.png")


def ask(tab: Chat, question: str) -> None:
    line = tab.page.get_by_placeholder("Which order?")
    line.fill(question)
    line.press("Enter")


def test_the_order_desk_draws_a_chart_asks_and_lists(
    provider: Provider, server: Server, open_tab: OpenTab
) -> None:
    provider.answer("How many orders?", *COUNT)
    provider.answer("Cancel order 7", [Call("cancel_order", {"number": 7}, "call_2")], ["Done."])
    tab = open_tab()
    tab.page.get_by_role("link", name="Order desk").click()
    ask(tab, "How many orders?")
    tab.page.wait_for_url("**/orders/thread_*")
    chart = tab.by("chart")
    expect(chart).to_contain_text("Orders in 2026")
    expect(chart.locator("meter")).to_have_count(2)
    expect(tab.page.locator("main")).to_contain_text("February was better.")
    look(tab, "desk")

    ask(tab, "Cancel order 7")
    tab.page.get_by_role("button", name="Approve").click()
    expect(tab.page.locator("main")).to_contain_text("Done.")
    path = tab.page.url.removeprefix(server.url)
    own = tab.by("orders").locator("li").filter(has=tab.page.locator(f'a[href="{path}"]'))
    expect(own).to_have_count(1)
    tab.reload()
    expect(chart.locator("meter")).to_have_count(2)

    thread_id = path.rpartition("/")[2]
    share = on_rows(server, lambda api: api.shares.create(thread_id))
    for shown in (f"/chat/{thread_id}", f"/share/{share}"):
        tab.go(shown)
        expect(chart.locator("meter")).to_have_count(2)
        look(tab, "chat" if "chat" in shown else "share")
    tab.go(path)
    own.get_by_role("button", name="Delete").click()
    expect(own).to_have_count(0)


def test_a_branch_and_a_running_call_have_the_view_too(
    provider: Provider, server: Server, open_tab: OpenTab
) -> None:
    provider.answer("Count orders", *COUNT)
    tab = open_tab("/orders")
    ask(tab, "Count orders")
    expect(tab.by("chart").locator("meter")).to_have_count(2)
    tab.page.wait_for_url("**/orders/thread_*")
    tab.go(f"/chat/{tab.thread_id}")
    tab.wait_until("completed")
    provider.answer("Count orders", *COUNT)
    tab.answer.hover()
    tab.answer.get_by_role("button", name="Regenerate").click()
    expect(tab.answer.get_by_test_id("chart").locator("meter")).to_have_count(2)
    tab.wait_until("completed")


def test_an_agent_has_the_tools_of_an_mcp_server(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("What is blue?", [Call("shop_price_of", {"colour": "blue"})], ["It costs 12.50."])
    tab = open_tab()
    tab.by("pick-agent").select_option("buyer")
    tab.send("What is blue?")
    tab.wait_until("completed")
    expect(tab.answer).to_contain_text("It costs 12.50.")
    (outcome,) = [
        m["content"] for m in provider.asked("What is blue?")[-1]["messages"] if m["role"] == "tool"
    ]
    assert "12.5" in outcome


def test_the_theme_and_the_language_are_the_extensions(open_tab: OpenTab) -> None:
    tab = open_tab(locale="fr-FR", color_scheme="dark")
    colour = "getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()"
    assert tab.page.evaluate(colour) == "#5fd3ac"
    expect(tab.by("new-chat")).to_have_text("Nouvelle discussion")
    look(tab, "french")
    tab.go("/settings")
    expect(tab.page.get_by_role("heading", name="Paramètres")).to_be_visible()
    expect(tab.page.locator("option, label").filter(has_text="Français").first).to_be_attached()
    expect(tab.page.get_by_text("Density").first).to_be_visible()  # not in the file
    look(tab, "french-settings")


def test_the_admin_page_names_the_server_of_the_extension(open_tab: OpenTab) -> None:
    tab = open_tab("/admin/mcp-servers")
    shop = tab.by("mcp-server").filter(has_text="shop")
    expect(shop).to_have_attribute("data-status", "connected")
    expect(shop).to_contain_text("From the configuration")
    expect(shop.get_by_role("button")).to_have_count(0)
    shop.get_by_test_id("mcp-tools").locator("summary").click()
    expect(shop).to_contain_text("Look up the price of a colour.")
