"""Test row 15 of the common complaints about chat pages; tests/agent_core has the other rows."""

from __future__ import annotations

import json
from typing import Any

import reflex as rx
from reflex.utils import format as reflex_format

from chat_app.thread.open_thread import OpenThreadText
from tests.chat_app.support import Tab
from tests.chat_app.thread.test_follower import START, answer, chunks, delta, prompt, snapshot

PIECE = "Leases run out, and nothing that was written is ever lost to anybody who waits for them to. " * 2
PIECES = 100


def sent(state: rx.State) -> dict[str, Any]:
    """Return the pending changes for the browser by state, and mark them as sent."""
    root = state._get_root_state()
    found = root.get_delta()
    root._clean()
    return json.loads(reflex_format.json_dumps(found))


def size(found: dict[str, Any]) -> int:
    return len(json.dumps(found))


def say(tab: Tab) -> dict[str, Any]:
    """Give a tab another piece, as `OpenThreadText.follow` does; return the changes for its browser."""
    tab.follower.apply(chunks(delta(PIECE)))
    if tab.follower.rows_changed:
        tab.thread._show(tab.follower)
    tab.stream._show(tab.follower.next_slice())
    return sent(tab.stream)


async def test_15_a_long_chat_is_sent_piece_by_piece(tab: Tab) -> None:
    """Only the new piece is sent, however long the chat and the answer are."""
    history = [message for number in range(100) for message in (prompt(number), answer(number))]
    tab.follower.apply(snapshot(*history, prompt(100), chunks=START))
    say(tab)  # includes the history

    sizes, states = list[int](), set[str]()
    for _ in range(PIECES):
        found = say(tab)
        sizes.append(size(found))
        states |= found.keys()
    assert max(sizes) < 2 * len(PIECE), "a piece is all that is sent"
    # Components of other states (the composer, the history, the list of threads) are not rendered again.
    assert states == {OpenThreadText.get_full_name()}
