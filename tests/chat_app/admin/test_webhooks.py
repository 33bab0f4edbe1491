"""Test the section of the webhooks: dead letters are shown, sent again and discarded, once per click."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from agent_core.store.database.sql import OUTBOX_EVENT, Statement
from agent_core.store.database.transaction import Tx
from chat_app.admin.webhooks import Webhooks
from chat_app.session.service import Service
from tests.chat_app.admin.conftest import DENIED, OpenState
from tests.chat_app.support import Serve


def bury(tx: Tx, count: int) -> None:
    for number in range(count):
        row = {
            "key": f"evt_{number}",
            "type": "turn.completed",
            "thread_id": f"t{number}",
            "agent": "assistant",
            "user_id": "bob",
            "data": '{"step": 1}',
            "created_at": tx.now,
            "attempts": 12,
            "dead_at": tx.now,
            "error": "Connection refused.",
        }
        tx.do(Statement(insert(OUTBOX_EVENT).values(row)))


async def letters(shared: Service, count: int) -> None:
    await shared.runtime.store.writer.run(bury, count)


async def test_dead_letters_are_shown_sent_again_and_discarded(serve: Serve, state: OpenState) -> None:
    page = await state(Webhooks)
    async with serve([]) as shared:
        await page.open()
        assert page.loaded
        assert (page.letters, page.status["events"], page.status["dead"]) == ([], [], 0)
        await letters(shared, 60)
        await page.refresh()
        assert (len(page.letters), page.status["dead"]) == (50, 60)
        newest = page.letters[0]
        assert (newest["id"], newest["data"], newest["error"]) == (
            "evt_59",
            {"step": 1},
            "Connection refused.",
        )
        assert newest["link"] == "/chat/t59"
        await page.more()
        assert len(page.letters) == 60

        for _ in range(2):  # a double click
            await page.redeliver("evt_59")
            assert (page.notice, page.status["dead"], page.status["pending"]) == ("", 59, 1)
        for _ in range(2):
            await page.discard("evt_58")
            assert (page.notice, page.status["dead"], page.status["pending"]) == ("", 58, 1)
        await page.redeliver_all()
        assert (page.letters, page.status["dead"], page.status["pending"]) == ([], 0, 59)


@pytest.mark.parametrize("name", ["bob", ""])
async def test_those_who_may_not_see_and_change_nothing(
    people: None, serve: Serve, state: OpenState, name: str
) -> None:
    page = await state(Webhooks, name)
    ann = await state(Webhooks, "ann")
    async with serve([]) as shared:
        await letters(shared, 3)
        events: list[tuple[Any, ...]] = [
            (page.open,),
            (page.refresh,),
            (page.more,),
            (page.redeliver, "evt_0"),
            (page.redeliver_all,),
            (page.discard, "evt_0"),
        ]
        for event, *arguments in events:
            page.notice = ""
            await event(*arguments)
            assert page.notice == (
                DENIED if name else "You are not signed in. Sign in, then reload the page."
            )
            assert (page.loaded, page.letters, page.status) == (False, [], {})
        await ann.open()
        assert [letter["id"] for letter in ann.letters] == ["evt_2", "evt_1", "evt_0"]
        assert ann.letters[0]["link"] == "", "it is Bob's chat"


async def test_what_was_read_is_forgotten_when_the_user_may_no_longer(
    people: None, serve: Serve, state: OpenState, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await state(Webhooks, "ann")
    async with serve([]) as shared:
        await letters(shared, 1)
        await page.open()
        assert page.letters
        monkeypatch.setattr("chat_app.extensions.ADMINISTRATORS", [])
        await page.refresh()
        assert (page.letters, page.status) == ([], {})
        assert page.notice == "Only administrators of this app may do this."


@pytest.mark.parametrize("wrong", ["", "x" * 100_000, "\x00", "evt_0' or 1=1 --", "../../evt_0", "evt_9"])
async def test_an_id_that_does_not_exist_changes_nothing(serve: Serve, state: OpenState, wrong: str) -> None:
    page = await state(Webhooks)
    async with serve([]) as shared:
        await letters(shared, 1)
        await page.redeliver(wrong)
        await page.discard(wrong)
        assert (page.notice, page.status["dead"], page.status["pending"]) == ("", 1, 0)
