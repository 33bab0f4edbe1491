"""Test that the soak of a tab can use the page; its verdict is tested in tests/soak/test_soak.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.soak import page as soak_page
from tests.soak.page import PROMPT, PageSoak, answer
from tests.support.browser.chat import Chat, in_production
from tests.support.browser.rows import long_thread
from tests.support.browser.server import Server
from tests.support.providers.provider import Provider


@in_production
def test_soak_uses_a_tab_and_samples_it(
    server: Server, provider: Provider, open_tab: Callable[..., Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak_page, "THREADS", 2)
    monkeypatch.setattr(soak_page, "LIFE", 1)
    provider.answer(PROMPT, answer(3, 0.01))
    long = [(long_thread(server, 20), "20 messages")]
    soak = PageSoak(open_tab().page, long, server.processes(), last="Word 2 ")
    for _ in range(5):  # begins two threads, then writes to each, deletes it and begins another
        soak.round()
    soak.look(0)
    (seen,) = soak.verdict.looks
    assert min(seen.heap, seen.nodes, seen.listeners, seen.server) > 0
