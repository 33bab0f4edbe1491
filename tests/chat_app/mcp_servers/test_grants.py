"""Test grants in several processes, on both databases: renewed by one of them, and revoked once where they were given."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlmodel import Session, select

from agent_core import migrate_database
from agent_core.errors import ToolServerError
from agent_core.testing import eventually
from chat_app.accounts import people
from chat_app.database.tables import PersonRow
from chat_app.mcp_servers import servers as module
from chat_app.mcp_servers.grants import RowGrant
from chat_app.mcp_servers.servers import AddedServers
from tests.support.app_databases import app_database
from tests.support.mcp.app_processes import processes, sign_in, whose
from tests.support.mcp.signed_server import Provider, signed_server
from tests.tools.postgresql import PostgreSQL


class Setting(NamedTuple):
    """Two processes of an app at whose server Ann has signed in."""

    here: AddedServers
    elsewhere: AddedServers
    provider: Provider
    grant: RowGrant

    async def token(self) -> str:
        """Return the access token that is stored."""
        return str((await self.grant.read() or {})["tokens"]["access_token"])

    async def age(self) -> None:
        """Let the stored token be so old that it must be renewed."""
        await self.grant.write((await self.grant.read() or {}) | {"expires_at": 1.0})


@pytest.fixture(params=["sqlite", "postgresql"])
async def setting(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Setting]:
    monkeypatch.setattr(module, "LOOK_INTERVAL", 0.05)
    url = app_database(tmp_path)
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        server.execute("drop database if exists mcp_grants with (force)", "create database mcp_grants")
        url = server.url("mcp_grants")
        migrate_database(url)  # who removes a person pauses their schedules
    async with signed_server() as (address, provider), processes(url, 2) as (here, elsewhere):
        await here.add("mail", address, {}, "hints", "personal")
        await eventually(lambda: elsewhere.personal("mail") is not None)
        await sign_in(here, elsewhere, provider, "ann")
        await eventually(lambda: bool(elsewhere.personal("mail")[1].tools))  # pyright: ignore[reportOptionalSubscript]
        (row,) = await here.list()
        yield Setting(here, elsewhere, provider, RowGrant(here._database, row.id, "ann", 1.0))


async def test_grant_is_renewed_by_one_process_whose_tokens_the_others_take(setting: Setting) -> None:
    here, elsewhere, provider, _ = setting
    await setting.age()
    provider.held = asyncio.Event()
    calls = [asyncio.ensure_future(whose(each, "ann")) for each in (here, elsewhere, here, elsewhere)]
    await eventually(lambda: provider.renewals == 1)
    assert not any(call.done() for call in calls)
    provider.held.set()
    assert all("the mail of ann" in said for said in await asyncio.gather(*calls))
    assert (provider.renewals, provider.reused) == (1, 0)
    provider.access.clear()  # the server refuses the token before its time, to both of them
    assert all("ann" in said for said in await asyncio.gather(*(whose(each, "ann") for each in setting[:2])))
    assert (provider.renewals, provider.reused) == (2, 0)


async def test_a_lease_keeps_others_away_until_it_ends(setting: Setting) -> None:
    here, _, provider, grant = setting
    await setting.age()
    token = await setting.token()
    first = await grant.lease(token, 60)
    assert first is not None
    assert await grant.lease(token, 60) is None
    await grant.release(first - 1)  # that of a process which has lost it
    assert await grant.lease("another", 60) is await grant.lease(token, 60) is None
    await grant.release(first)
    before = time.monotonic()
    assert await grant.lease(token, 0.5) is not None  # by a process that dies now
    assert "the mail of ann" in await whose(here, "ann")
    assert time.monotonic() - before >= 0.5
    assert (provider.renewals, provider.reused) == (1, 0)


async def test_a_grant_that_ends_is_revoked_once_where_it_was_given(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    here, elsewhere, provider, _ = setting
    caplog.set_level(logging.INFO, logger="chat_app")
    (ann,) = provider.refresh
    await asyncio.gather(*(each.disconnect("mail", "ann") for each in (here, elsewhere, here)))
    assert await here.connections("ann") == {"mail": False}
    await eventually(lambda: provider.revoked == [ann])
    assert provider.access == {}

    def remove(session: Session) -> None:
        people.remove_person(session, session.exec(select(PersonRow)).one(), 2.0)

    here._database.write(lambda session: session.add(PersonRow(id="bob", name="Bob", created_at=1.0)))
    await sign_in(here, elsewhere, provider, "bob")
    (bob,) = provider.refresh
    here._database.write(remove)  # by a command, for example
    await eventually(lambda: provider.revoked == [ann, bob])

    await sign_in(here, elsewhere, provider, "cid")
    provider.status = 503
    await here.remove((await here.list())[0].id)
    await eventually(lambda: "removed here, but not revoked there: it answered 503" in caplog.text)
    assert (len(provider.refresh), provider.revoked) == (1, [ann, bob])
    assert not any(token in caplog.text for token in provider.signed_in_as)


@pytest.mark.parametrize("setting", ["sqlite"], indirect=True)
async def test_a_grant_that_ends_during_its_renewal_leaves_no_tokens(setting: Setting) -> None:
    here, elsewhere, provider, _ = setting
    await setting.age()
    provider.held = asyncio.Event()
    call = asyncio.ensure_future(whose(here, "ann"))
    await eventually(lambda: provider.renewals == 1)
    (fresh,) = provider.refresh
    provider.signed_in_as[fresh] = "apart"  # a server that does not revoke what it has renewed
    await elsewhere.disconnect("mail", "ann")
    provider.held.set()
    with pytest.raises(ToolServerError, match="not signed in at mail"):
        await call
    await eventually(lambda: fresh in provider.revoked)
