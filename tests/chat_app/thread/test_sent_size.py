"""What people complain about on a page: row 15. The other rows stand in tests/agent_core."""

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
    """Return what the browser is sent of everything that changed, by state; and forget it."""
    root = state._get_root_state()
    found = root.get_delta()
    root._clean()
    return json.loads(reflex_format.json_dumps(found))


def size(found: dict[str, Any]) -> int:
    return len(json.dumps(found))


def say(tab: Tab) -> dict[str, Any]:
    """Bring a tab another piece, as `OpenThreadText.follow` does; return what its browser is sent."""
    tab.follower.apply(chunks(delta(PIECE)))
    if tab.follower.rows_changed:
        tab.thread._show(tab.follower)
    tab.stream._send(tab.follower.piece())
    return sent(tab.stream)


async def test_15_a_long_chat_is_sent_piece_by_piece(tab: Tab) -> None:
    """A piece of an answer is sent alone, however long the chat and the answer so far."""
    history = [message for number in range(100) for message in (prompt(number), answer(number))]
    tab.follower.apply(snapshot(*history, prompt(100), chunks=START))
    say(tab)  # and all that is there already

    sizes, states = list[int](), set[str]()
    for _ in range(PIECES):
        found = say(tab)
        sizes.append(size(found))
        states |= found.keys()
    assert max(sizes) < 2 * len(PIECE), "a piece is all that is sent"
    # Nothing that reads another state (the composer, the history, the list of threads) is drawn again.
    assert states == {OpenThreadText.get_full_name()}
