"""Test the app behind port mapping and behind nginx, with TLS and below a path."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect

from tests.support.browser.chat import Chat, in_production
from tests.support.browser.server import Server
from tests.support.providers.provider import Provider
from tests.support.servers.proxy import Proxy
from tests.tools import nginx

pytestmark = in_production

PNG = Path(__file__).parents[3] / "docs" / "images" / "chat.png"


@contextlib.contextmanager
def tab_at(browser: Browser, server: Server, url: str, page_errors: list[str]) -> Iterator[Chat]:
    """Open a tab at another address of a server, and collect its console errors."""
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.on("console", lambda said: _note(page_errors, _words_of(said), said.type in ("error", "warning")))
    page.on("pageerror", lambda error: _note(page_errors, f"uncaught: {error}"))
    page.on("response", lambda got: _note(page_errors, f"{got.status} {got.url}", got.status >= 400))
    at = cast(Server, SimpleNamespace(url=url, database=server.database))
    yield Chat(page, at)
    context.close()


def _words_of(said: ConsoleMessage) -> str:
    return f"{said.text} ({said.location['url']})"  # a resource that fails is not named otherwise


def _note(page_errors: list[str], words: str, is_error: bool = True) -> None:
    if is_error:
        page_errors.append(words)


def use(tab: Chat, provider: Provider, url: str) -> None:
    """Send a picture, read the answer, reload, find the thread and share it, as a user would."""
    prompt = f"I am at {url}"
    provider.answer(prompt, [f"So you are, at {url}."])
    tab.go("/")
    tab.by("file-input").set_input_files(PNG)
    expect(tab.by("chosen-file")).to_have_text(["chat.png"])
    tab.by("composer").fill(prompt)
    tab.by("send").click()  # the click waits for the upload; Enter would not
    tab.page.wait_for_url("**/chat/thread_*")
    tab.wait_until("completed")
    expect(tab.answer).to_contain_text("So you are")
    assert tab.page.url.startswith(f"{url}/chat/thread_")

    tab.reload()
    expect(tab.answer).to_contain_text("So you are")
    picture = tab.by("file-picture").first
    picture.evaluate("(image) => image.decode()")
    assert str(picture.get_attribute("src")).startswith(f"{url}/files/")
    expect(tab.page.locator(f'[data-thread-id="{tab.thread_id}"]')).to_be_visible()
    assert (
        tab.page.evaluate("async () => (await fetch(document.querySelector('link[rel=icon]').href)).status")
        == 200
    )

    tab.by("share-menu").click()
    tab.by("menu-share").click()
    tab.by("share").click()
    link = tab.by("share-link").input_value()
    assert link.startswith(f"{url}/share/")
    tab.page.goto(link)
    expect(tab.by("shared")).to_contain_text("So you are")
    tab.by("file-picture").first.evaluate("(image) => image.decode()")
    tab.page.goto(f"{url}/settings")
    expect(tab.page.get_by_role("main")).to_contain_text("Settings")
    assert tab.page.url.startswith(f"{url}/settings")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_a_mapped_port_works_without_a_setting(
    server: Server, browser: Browser, provider: Provider, page_errors: list[str], name: str
) -> None:
    proxy = Proxy(server.port, "::1" if name == "[::1]" else "127.0.0.1")
    url = f"http://{name}:{proxy.port}"
    with tab_at(browser, server, url, page_errors) as tab:
        use(tab, provider, url)
    proxy.close()


def test_nginx_with_tls_on_another_port_works(
    server: Server, browser: Browser, provider: Provider, page_errors: list[str]
) -> None:
    twin = server.twin()
    with nginx.running(twin.port, tls=True) as port:
        url = f"https://agents.example:{port}"
        with twin.serving(CHAT_ORIGINS=url), tab_at(browser, twin, url, page_errors) as tab:
            use(tab, provider, url)


def test_nginx_serves_the_app_below_a_path(
    server: Server, browser: Browser, provider: Provider, page_errors: list[str]
) -> None:
    """nginx may strip the path or pass it on; a single start of the server accepts both addresses."""
    twin = server.twin()
    with (
        nginx.running(twin.port, True, "/agents/", strips=True) as taken_off,
        nginx.running(twin.port, False, "/agents/", strips=False) as left_on,
    ):
        urls = [f"https://127.0.0.1:{taken_off}/agents", f"http://127.0.0.1:{left_on}/agents"]
        with twin.serving(CHAT_ORIGINS=",".join(urls)):
            for url in urls:
                with tab_at(browser, twin, url, page_errors) as tab:
                    use(tab, provider, url)
