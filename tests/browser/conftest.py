"""Fixtures for a real Chromium on the real app, served once by `make run` and once by `make dev`."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.support.browser import third_language
from tests.support.browser.chat import PATIENCE, Chat
from tests.support.browser.server import ROOT, Mode, Server, running
from tests.support.browser.tabs import Tabs
from tests.support.providers.provider import Provider
from tests.tools import chromium

_EXAMPLES = ("examples.custom_page", "examples.custom_tool_view", "examples.custom_agent")
NAMES = ("agents.example", "evil.example", "rebound.example")

expect.set_options(timeout=1000 * PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here, with a timeout that allows for a browser and a build."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="package")
def chromium_path() -> Path:
    """Path of Chromium; without it no server is started."""
    path = chromium.find()
    if path is None and os.environ.get("CI"):
        pytest.fail(chromium.MISSING)
    if path is None:
        pytest.skip("no Chromium was found or could be installed: NOTHING IN A BROWSER WAS TESTED")
    return path


# Not longer than the package: Playwright's event loop runs as long as this, and no other loop can run beside it.
@pytest.fixture(scope="package")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """A browser that resolves the host `NAMES` to this machine."""
    names = ", ".join(f"MAP {name} 127.0.0.1" for name in NAMES)
    flags = [*chromium.FLAGS, f"--host-resolver-rules={names}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def tabs(browser: Browser) -> Tabs:
    return Tabs(browser)


@pytest.fixture(scope="package")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the production build, which all processes of a test run share, as it takes half a minute."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "pages"


@pytest.fixture(scope="package", params=["prod", "dev"])
def server(
    request: pytest.FixtureRequest,
    chromium_path: Path,
    provider: Provider,
    pages: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    mode: Mode = request.param
    shared = pages if mode == "prod" else None
    with running(mode, tmp_path_factory.mktemp(mode), _model(provider), pages=shared) as server:
        yield server


@pytest.fixture(scope="package")
def extended(
    chromium_path: Path, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The app with the examples' page, agent and tool view, an order desk, a second model and a third language."""
    environment = _model(provider) | {
        "CHAT_EXTENSIONS": f"{','.join(_EXAMPLES)},guests,order_desk",
    }
    folder = tmp_path_factory.mktemp("extended")
    checkout = third_language.checkout(folder)
    support = ROOT / "tests" / "support" / "browser"
    shutil.copy(support / "guests.py", checkout)
    shutil.copytree(support / "order_desk", checkout / "order_desk")
    with running("prod", folder, environment, checkout) as server:
        yield server


def _model(provider: Provider) -> dict[str, str]:
    return {"CHAT_MODEL": "openai/scripted", "OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "none"}


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """An event for which an answer may wait; always set at the end."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def page_errors() -> Iterator[list[str]]:
    """Errors and warnings of the browsers; a test that expects one removes it."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def open_tab(tabs: Tabs, server: Server, page_errors: list[str]) -> Iterator[Callable[..., Chat]]:
    """A function that opens a tab with nothing stored; afterwards it is emptied for another test, or closed.

    The function takes a path, another server (`at`), whether the tab must be a new one (`Tabs.give_back` says when),
    and options of the browser context, such as `viewport` and `color_scheme`, which also make it a new one.
    """
    lent: list[Page] = []
    new: list[Page] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            page_errors.append(f"{message.type}: {message.text}")

    def on_error(error: Error) -> None:
        page_errors.append(f"uncaught: {error}")

    def open_one(path: str = "/", *, at: Server = server, fresh: bool = False, **options: Any) -> Chat:
        is_new = fresh or bool(options) or at is not server
        page = tabs.new(**options) if is_new else tabs.take()
        (new if is_new else lent).append(page)
        page.on("console", on_console)
        page.on("pageerror", on_error)
        chat = Chat(page, at)
        chat.go(path)
        return chat

    yield open_one
    for page in new:
        tabs.close(page)
    for page in lent:
        page.remove_listener("console", on_console)
        page.remove_listener("pageerror", on_error)
        tabs.give_back(page, server.url)
