"""Fixtures for a real Chromium on the real app, served once by `make run` and once by `make dev`."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect, sync_playwright

from tests.support.browser import third_language
from tests.support.browser.chat import PATIENCE, Chat
from tests.support.browser.server import ROOT, Mode, Server, running
from tests.support.providers.provider import Provider
from tests.tools import chromium

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


# Not longer than a module: Playwright's event loop runs as long as this, and no other loop can run beside it.
@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest, chromium_path: Path) -> Iterator[Browser]:
    """A browser that resolves the host `NAMES` of a test's module to this machine."""
    names = [f"--host-resolver-rules={rules}" for rules in [getattr(request.module, "NAMES", "")] if rules]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=[*chromium.FLAGS, *names])
        yield browser
        browser.close()


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
    """The app with the examples' page, agent and tool view, a second model and a third language."""
    environment = _model(provider) | {
        "CHAT_EXTENSIONS": "examples.custom_page,examples.custom_tool_view,examples.custom_agent,guests",
    }
    folder = tmp_path_factory.mktemp("extended")
    checkout = third_language.checkout(folder)
    shutil.copy(ROOT / "tests" / "support" / "browser" / "guests.py", checkout)
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
def open_tab(browser: Browser, server: Server, page_errors: list[str]) -> Iterator[Callable[..., Chat]]:
    """A function that opens a tab in a new browser profile; all are closed afterwards.

    The function takes a path and options of the browser context, such as `viewport` and `color_scheme`.
    """
    contexts = []

    def open_one(path: str = "/", **options: Any) -> Chat:
        shape: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
        context = browser.new_context(**shape | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: _note(message, page_errors))
        page.on("pageerror", lambda error: page_errors.append(f"uncaught: {error}"))
        chat = Chat(page, server)
        chat.go(path)
        return chat

    yield open_one
    for context in contexts:
        context.close()


def _note(message: ConsoleMessage, page_errors: list[str]) -> None:
    if message.type in ("error", "warning"):
        page_errors.append(f"{message.type}: {message.text}")
