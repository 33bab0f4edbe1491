"""Test the sign-in with accounts of the app, in real browsers on the production server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.browser.chat import Chat, eventually, in_production
from tests.support.browser.server import Server
from tests.support.providers.provider import Provider

pytestmark = in_production

PASSWORD = "a long password"
SHAPES = (
    {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light", "locale": "en-GB"},
    {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "locale": "de-DE"},
)


@pytest.fixture
def app(server: Server) -> Iterator[Server]:
    """The app with accounts."""
    with server.twin().serving(CHAT_SIGN_IN="local") as app:
        yield app


@pytest.fixture
def people(browser: Browser, app: Server) -> Iterator[Callable[..., Page]]:
    """A function that opens a page of the app in a new browser profile."""
    opened = []

    def open_one(path: str, shape: int = 0) -> Page:
        context = browser.new_context(**SHAPES[shape])
        opened.append(context)
        page = context.new_page()
        page.goto(app.url + path)
        return page

    yield open_one
    for context in opened:
        context.close()


def admin_link(server: Server) -> str:
    """Return the path of the newest link that the server has printed."""
    found = re.findall(r"Admin +http://\S+?(/link/\S+)", server.log.read_text())
    return found[-1]


def choose_password(page: Page) -> None:
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("button[type=submit]").click()


def assert_accessible(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    width = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(width)


def invited(page: Page, server: Server, name: str) -> str:
    """Invite a person on the admin page, and return the path of their link."""
    page.goto(f"{server.url}/account")
    page.get_by_role("link", name="People").click()
    page.get_by_label("Name of a new person").fill(name)
    page.get_by_role("button", name="Invite").click()
    link = page.get_by_test_id("link").inner_text()
    return link.removeprefix(server.url)


def managed(page: Page, action: str) -> None:
    """Do something with Bob, whose row is open, and confirm it."""
    page.get_by_test_id(action).click()
    page.get_by_test_id(f"{action}-confirm").click()


def administer(admin: Page, guest: Page, app: Server) -> None:
    """Change what Bob may do, and see that his open page follows without a click of his."""
    guest.goto(f"{app.url}/settings")
    link = guest.get_by_test_id("tab-admin")
    admin.goto(f"{app.url}/settings")
    admin.get_by_test_id("key-name").fill("nightly report")
    admin.get_by_test_id("create-key").click()
    expect(admin.get_by_test_id("new-key")).to_be_visible()
    admin.goto(f"{app.url}/admin/keys")
    expect(admin.get_by_test_id("any-key")).to_contain_text("nightly report")
    assert_accessible(admin)
    managed(admin, "revoke")
    expect(admin.get_by_test_id("any-key")).to_have_count(0)

    admin.goto(f"{app.url}/admin/people")
    admin.get_by_role("button", name="Manage bob").click()
    expect(admin.get_by_test_id("session")).to_have_count(1)
    expect(admin.get_by_test_id("session")).to_contain_text("Chrome")
    expect(guest.get_by_test_id("account-link")).to_be_visible()
    expect(link).to_have_count(0)
    managed(admin, "make-admin")
    expect(link).to_have_count(1)  # by itself
    guest.goto(f"{app.url}/admin/people")
    expect(guest.get_by_test_id("person")).to_have_count(2)
    guest.get_by_test_id("manage").first.click()
    guest.get_by_test_id("managed").wait_for()
    assert_accessible(guest)
    managed(admin, "make-member")
    expect(guest.get_by_test_id("denied")).to_be_visible()  # by itself
    expect(guest.get_by_test_id("person")).to_have_count(0)
    admin.get_by_test_id("remove").click()  # says what it does, and is not confirmed
    assert_accessible(admin)
    admin.get_by_role("button", name="Cancel").click()
    admin.get_by_test_id("end-session").click()
    expect(guest.get_by_role("heading", name="Anmelden")).to_be_visible()  # by itself
    guest.get_by_label("Name").fill("bob")
    guest.get_by_label("Passwort").fill(PASSWORD)
    guest.get_by_role("button", name="Anmelden").click()
    expect(guest.get_by_test_id("denied")).to_be_visible()  # he was on the admin page


def test_two_people_sign_in_and_neither_sees_the_others_chat(
    people: Callable[..., Page], app: Server, provider: Provider
) -> None:
    admin = people(admin_link(app))
    assert_accessible(admin)
    choose_password(admin)
    ann = Chat(admin, app)
    ann.wait_until_alive()
    provider.answer("A secret", ["Kept."])
    ann.send("A secret")
    ann.wait_until("completed")
    chat = f"/chat/{ann.thread_id}"
    link = invited(admin, app, "bob")
    assert_accessible(admin)

    guest = people(chat, shape=1)  # not signed in, and on a phone, in German
    expect(guest.get_by_role("heading", name="Anmelden")).to_be_visible()
    assert_accessible(guest)
    guest.goto(app.url + link)
    choose_password(guest)
    bob = Chat(guest, app)
    bob.wait_until_alive()
    guest.goto(f"{app.url}/account")
    guest.get_by_role("button", name="Abmelden", exact=True).click()
    guest.goto(app.url + chat)
    guest.get_by_label("Name").fill("bob")
    guest.get_by_label("Passwort").fill(PASSWORD)
    guest.get_by_role("button", name="Anmelden").click()
    guest.wait_for_url(f"**{chat}")  # the address first asked for
    bob.wait_until_alive()
    expect(guest.get_by_test_id("page-note")).to_be_visible()
    assert "secret" not in guest.locator("body").inner_text()

    administer(admin, guest, app)

    tab = Chat(admin.context.new_page(), app)
    tab.go(chat)
    expect(tab.answer).to_have_text("Kept.")
    admin.goto(f"{app.url}/account")
    admin.get_by_role("button", name="Sign out", exact=True).click()
    expect(admin.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()  # by itself
    expect(tab.page.locator("body")).not_to_contain_text("Kept.")
    eventually(lambda: guest.evaluate("document.body.innerText.length"), bool)
    guest.goto(app.url + chat)
    expect(guest.get_by_test_id("page-note")).to_be_visible()  # still signed in
