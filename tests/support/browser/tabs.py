"""Tabs that tests use one after the other: a new one costs twice the CPU of one that has shown the app before."""

from __future__ import annotations

import contextlib
from typing import Any

from playwright.sync_api import Browser, Error, Page

WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
_TIMEOUT_MS = 20_000
_NO_APP = "/favicon.svg"  # a page of the same origin without a script


class Tabs:
    """The tabs of a browser, each in a profile of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._empty: list[Page] = []

    def new(self, **options: Any) -> Page:
        """Return a tab of a new profile with these options of a browser context."""
        return self._browser.new_context(**WIDE | options).new_page()

    def take(self) -> Page:
        """Return an empty tab without options."""
        return self._empty.pop() if self._empty else self.new()

    def give_back(self, page: Page, url: str) -> None:
        """Remove everything that a tab has stored of the app at `url`, and keep the tab for another test.

        What outlasts this is changed only in new tabs: options of the context, scripts that run in each page, a
        clock, and routes of sockets.
        """
        try:
            _empty(page, url)
        except Error:  # closed, or the server is gone
            self.close(page)
        else:
            self._empty.append(page)

    def close(self, page: Page) -> None:
        """Close a tab with its profile."""
        with contextlib.suppress(Error):
            page.context.close()


def _empty(page: Page, url: str) -> None:
    context = page.context
    for other in context.pages:
        if other is not page:
            other.close()
    page.unroute_all()
    context.set_offline(False)
    context.clear_permissions()
    page.goto(url + _NO_APP, timeout=_TIMEOUT_MS)
    page.mouse.move(0, 0)
    page.evaluate("sessionStorage.clear()")
    context.clear_cookies()
    devtools = context.new_cdp_session(page)
    devtools.send("Storage.clearDataForOrigin", {"origin": url, "storageTypes": "all"})
    devtools.detach()
