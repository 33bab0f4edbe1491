"""Test an MCP server at which a person signs in, in a browser: from the settings to its page, and back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.browser.chat import Chat
from tests.support.browser.server import Server
from tests.support.mcp.signed_server import signed_server_beside
from tests.support.providers.provider import Call, Provider

OpenTab = Callable[..., Chat]


@pytest.fixture
def server(extended: Server) -> Server:
    return extended


def test_a_person_connects_a_server_uses_it_and_disconnects_it(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Whose mail is it?", [Call("mail_whose")], ["You know."])
    with signed_server_beside() as (url, mail):
        mail.asks, mail.who = True, "dora"
        tab = open_tab("/admin/mcp-servers")
        tab.by("mcp-name").fill("mail")
        tab.by("mcp-url").fill(url)
        tab.by("mcp-access").select_option("personal")
        tab.by("mcp-approval").select_option("hints")
        tab.by("mcp-add").click()
        added = tab.by("mcp-server").filter(has_text=url)
        expect(added).to_have_attribute("data-status", "personal")

        tab.go("/settings")
        tab.by("mcp-connect").click()
        tab.page.get_by_role("link", name="Deny").click()
        outcome = tab.by("connection-outcome")
        expect(outcome).to_have_text("You did not allow access at mail, so it is not connected.")
        tab.by("mcp-connect").click()
        allow = tab.page.get_by_role("link", name="Allow as dora")
        used = str(allow.get_attribute("href"))
        allow.click()
        expect(outcome).to_have_text("You are connected to mail.")
        expect(tab.by("mcp-disconnect")).to_have_accessible_name("Disconnect mail")
        tab.page.goto(used)
        expect(outcome).to_contain_text("This sign-in is over")

        tab.go("/")
        tab.send("Whose mail is it?")
        tab.wait_until("completed")
        expect(tab.answer).to_contain_text("You know.")
        said = [
            one["content"]
            for one in provider.asked("Whose mail is it?")[-1]["messages"]
            if one["role"] == "tool"
        ]
        assert "the mail of dora" in said[0]

        tab.go("/settings?connection=connected&server=mail")
        tab.by("mcp-disconnect").click()
        expect(tab.by("mcp-connect")).to_have_accessible_name("Connect mail")
        expect(outcome).to_have_count(0)
        tab.go("/admin/mcp-servers")
        added.get_by_test_id("mcp-remove").click()
        added.get_by_test_id("mcp-remove-confirm").click()
        expect(added).to_have_count(0)
        assert len(mail.revoked) == 1
        assert mail.access == {}
