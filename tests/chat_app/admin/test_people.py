"""Test the sections of people and keys: what they show, what administrators do, and that nobody else does it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import reflex as rx
from reflex.istate.data import HeaderData
from sqlalchemy import select

from agent_core import CallContext, every
from agent_core.errors import AccessDeniedError
from agent_core.store.database.app_database import open_app_database
from chat_app.accounts import people as rows
from chat_app.accounts.accounts import Accounts, open_accounts
from chat_app.accounts.setup import register_sign_in
from chat_app.admin.budgets import Budgets
from chat_app.admin.keys import AllKeys
from chat_app.admin.people import People
from chat_app.admin.people_report import browser_name
from chat_app.admin.schedules import AllSchedules
from chat_app.database import MIGRATIONS
from chat_app.database.tables import AppTable
from chat_app.extensions import ADMINISTRATORS, IDENTITY
from chat_app.server.sign_in import SignIn
from chat_app.session.last_seen import LastSeen
from chat_app.session.service import Service
from tests.chat_app.admin.conftest import OpenState
from tests.chat_app.support import Serve
from tests.support.app_databases import app_database

LOCAL = SignIn(local=True)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SESSION = "'s session"
OpenTab = Callable[[type[rx.State], str], Awaitable[Any]]


@pytest.fixture
async def known(tmp_path: Path) -> AsyncIterator[Accounts]:
    """Open accounts of an app in which people sign in, whose two administrators and one member are signed in."""
    register_sign_in(LOCAL)
    async with open_accounts(app_database(tmp_path)) as found:
        yield found
    IDENTITY.clear()
    ADMINISTRATORS.clear()


@pytest.fixture
async def ids(known: Accounts) -> dict[str, str]:
    """The ids of people and of a session of each, by name; Bob has yet to choose a password."""
    found: dict[str, str] = {}
    for name, role in (("ann", "admin"), ("zoe", "admin"), ("bob", "member")):
        await known.invite(name, role)
        person = await known._read(rows.named_person, name)
        if role == "admin":
            await known.administer(
                person.id, lambda session, row: rows.set_password(session, row, "hash"), None
            )
        token = await known._write(rows.begin_session, person.id, time.time())
        found |= {name: person.id, name + SESSION: rows.token_hash(token)}
        await known.sessions.load(rows.token_hash(token))
    return found


@pytest.fixture
def tab(ids: dict[str, str]) -> OpenTab:
    """A function that opens a state in the browser of a person; "" for nobody."""

    async def opened(kind: type[rx.State], name: str) -> Any:
        root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
        sent = {"cookie": f"chat-session-id={ids[name + SESSION]}"} if name else {}
        headers = HeaderData.from_router_data({"headers": sent | {"user-agent": FIREFOX}})
        root.router = replace(root.router, headers=headers)
        return await root.get_state(kind)

    return opened


def shown(page: Any) -> dict[str, tuple[str, str, int]]:
    """Return role, state and number of sessions of each person, by name."""
    return {each["name"]: (each["role"], each["state"], each["sessions"]) for each in page.report["people"]}


async def test_people_are_shown_with_their_roles_sessions_and_when_they_were_seen(
    serve: Serve, known: Accounts, ids: dict[str, str], tab: OpenTab
) -> None:
    page = await tab(People, "ann")
    async with serve([], sign_in=LOCAL) as shared:
        shared.seen.note(CallContext(ids["bob"]))
        await shared.seen.write()
        await page.open()
        assert shown(page) == {
            "ann": ("admin", "active", 1),
            "bob": ("member", "invited", 1),
            "zoe": ("admin", "active", 1),
        }
        people = {each["name"]: each for each in page.report["people"]}
        assert [name for name, each in people.items() if each["mine"]] == ["ann"]
        assert [name for name, each in people.items() if each["seen"]] == ["bob"]
        assert (page.report["kind"], page.report["invites"], page.report["more"]) == ("accounts", True, False)


async def test_an_administrator_changes_roles_disables_and_removes(
    serve: Serve, known: Accounts, ids: dict[str, str], tab: OpenTab
) -> None:
    page, bob, session = await tab(People, "ann"), ids["bob"], ids["bob's session"]
    async with serve([], sign_in=LOCAL) as shared:
        await shared.api.schedules.create(None, "Tea!", every(hours=1), ctx=CallContext(bob))
        for _ in range(2):  # a double click
            await page.change_role(bob, "admin")
            assert shown(page)["bob"] == ("admin", "invited", 1)
        assert (known.sessions.get(session) or ("",) * 4)[2] == "admin", "at once, in this process"
        for _ in range(2):
            await page.disable(bob)
            assert shown(page)["bob"] == ("admin", "disabled", 0)
        assert known.sessions.get(session) is None
        await page.enable(bob)
        assert (shown(page)["bob"], page.done) == (("admin", "invited", 0), {"name": "bob", "resumed": 1})
        await page.disable(bob)
        assert page.done == {"name": "bob", "paused": 1}
        assert [each["held"] for each in page.report["people"]] == [0, 1, 0]
        for _ in range(2):
            await page.enable(bob)
        assert page.done == {}
        await page.remove(bob)
        assert ("bob" in shown(page), page.done) == (False, {"name": "bob", "paused": 1})
        await page.open()
        assert page.done == {}, "not on the next visit"
        (schedule,) = await shared.api.schedules.list(ctx=CallContext(bob))
        assert schedule.status == "paused"
        for late in (page.disable(bob), page.enable(bob), page.sign_out(bob), page.change_role(bob, "admin")):
            await late  # a row of another administrator's page, which still shows the person
        assert (page.notice, page.problem, "bob" in shown(page)) == ("", "", False)
        await page.change_role(ids["zoe"], "king")
        assert "The role 'king' is unknown" in page.notice


async def test_the_last_administrator_stays_and_nobody_removes_themselves(
    serve: Serve, known: Accounts, ids: dict[str, str], tab: OpenTab
) -> None:
    page = await tab(People, "ann")
    async with serve([], sign_in=LOCAL):
        for click in (page.disable, page.remove):
            await click(ids["ann"])
        assert (await known._read(rows.named_person, "ann")).disabled_at is None
        await known.invite("eve", "admin")  # who cannot sign in before she has chosen a password
        await page.disable(ids["zoe"])
        assert [each["name"] for each in page.report["people"] if each["is_last"]] == ["ann"]
        await page.change_role(ids["ann"], "member")
        assert (page.problem, shown(page)["ann"][0]) == ("last_admin", "admin")
        await page.enable(ids["zoe"])
        assert page.problem == ""
        await page.change_role(ids["ann"], "member")
        assert page.report == {}, "what Ann has read as an administrator is gone"
        assert (await known._read(rows.named_person, "ann")).role == "member"


async def test_two_administrators_who_demote_each_other_leave_one(
    serve: Serve, known: Accounts, ids: dict[str, str], tmp_path: Path
) -> None:
    """Both were administrators when they clicked, in two processes."""
    with open_app_database(f"sqlite:///{tmp_path / 'agents.db'}", MIGRATIONS) as database:
        other = Accounts(database)

        def demote(session: Any, person: Any) -> None:
            rows.change_role(session, person, "member")

        done = await asyncio.gather(
            known.administer(ids["zoe"], demote, ids["ann"]),
            other.administer(ids["ann"], demote, ids["zoe"]),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in done) == ["AccessDeniedError", "NoneType"]
        admins = [person.name for person in await known.people() if person.role == "admin"]
        assert len(admins) == 1
        with pytest.raises(AccessDeniedError):
            await known.invite("eve", "admin", ids["bob"])


async def test_budgets_and_schedules_are_shown_by_the_names_of_people(
    serve: Serve, known: Accounts, ids: dict[str, str], tab: OpenTab
) -> None:
    page, schedules = await tab(Budgets, "ann"), await tab(AllSchedules, "ann")
    async with serve([], sign_in=LOCAL) as shared:
        for whose in ("BOB", ids["zoe"], "*"):
            await page.set_budget("user", whose, "day", "1", "")
        assert {(row["name"], row["label"]) for row in page.rows} == {
            (ids["bob"], "bob"),
            (ids["zoe"], "zoe"),
            ("*", "*"),
        }
        await page.set_budget("user", "eve", "day", "1", "")
        assert ("Nobody is named 'eve'" in page.notice, len(page.rows)) == (True, 3)
        await shared.api.schedules.create(None, "Tea!", every(hours=1), ctx=CallContext(ids["bob"]))
        await schedules.open()
        assert [each["user"] for each in schedules.schedules] == ["bob"]


async def test_sessions_of_a_person_are_shown_and_ended(
    serve: Serve, known: Accounts, ids: dict[str, str], tab: OpenTab
) -> None:
    page, bobs = await tab(People, "ann"), ids["bob's session"]
    async with serve([], sign_in=LOCAL):
        known.sessions.note(bobs, FIREFOX)
        await known.sessions._write_used()
        await page.show_sessions(ids["bob"])
        (session,) = page.sessions
        assert (session["id"], session["browser"], session["mine"]) == (bobs, "Firefox, Linux", False)
        assert session["seen"] >= session["created"]
        await page.end_session(ids["bob"], ids["zoe's session"])  # another person's
        assert known.sessions.get(ids["zoe's session"]) is not None
        for _ in range(2):
            await page.end_session(ids["bob"], bobs)
            assert (page.sessions, known.sessions.get(bobs)) == ([], None)
        await page.show_sessions(ids["bob"])
        assert (page.opened, page.sessions) == ("", [])
        await page.show_sessions(ids["ann"])
        assert [each["mine"] for each in page.sessions] == [True]
        await page.sign_out(ids["zoe"])
        assert known.sessions.get(ids["zoe's session"]) is None


async def test_keys_of_all_people_are_shown_and_revoked(
    serve: Serve, known: Accounts, ids: dict[str, str], tab: OpenTab
) -> None:
    page = await tab(AllKeys, "ann")
    async with serve([], sign_in=LOCAL) as shared:
        made = [await shared.keys.create(f"of {who}", "read", ids[who], 1) for who in ("bob", "zoe")]
        await page.open()
        assert [(each["name"], each["owner"], each["state"]) for each in page.keys] == [
            ("of zoe", "zoe", ""),
            ("of bob", "bob", ""),
        ]
        assert not any(key.secret in str(page.keys) for key in made)
        await known.administer(ids["zoe"], partial(rows.disable_person, now=1.0), None)
        await page.refresh()
        assert page.keys[0]["state"] == "disabled"
        with pytest.raises(AccessDeniedError):
            await shared.keys.caller(made[1].secret, "")
        for _ in range(2):
            await page.revoke(made[0].row.id)
            assert ([each["name"] for each in page.keys], page.notice) == (["of zoe"], "")
        with pytest.raises(AccessDeniedError):
            await shared.keys.caller(made[0].secret, "")
        for number in range(50):
            await shared.keys.create(f"{number}", "read", None, None)
        await page.refresh()
        assert (len(page.keys), page.has_more) == (50, True)
        await page.more()
        assert (len(page.keys), page.has_more, page.keys[-1]["owner"]) == (51, False, "zoe")


@pytest.mark.parametrize("name", ["bob", ""])
async def test_those_who_do_not_administer_see_and_change_nothing_with_any_event(
    serve: Serve, known: Accounts, ids: dict[str, str], tab: OpenTab, name: str
) -> None:
    async with serve([], sign_in=LOCAL) as shared:
        key = (await shared.keys.create("secret of zoe", "read", ids["zoe"], None)).row.id
        before = await known._read(everything)
        values = {"person_id": ids["zoe"], "session_id": ids["zoe's session"], "key_id": key, "role": "admin"}
        for kind in (People, AllKeys):
            for event, handler in kind.event_handlers.items():
                if handler.fn.__module__.startswith("reflex"):
                    continue
                page = await tab(kind, name)
                parameters = list(handler.fn.__code__.co_varnames[1 : handler.fn.__code__.co_argcount])
                await getattr(page, event)(*(values[each] for each in parameters))
                assert not page.loaded, event
                assert page.notice, event
                assert "zoe" not in str(page.dict()), event
        assert await known._read(everything) == before


def everything(session: Any) -> dict[str, Any]:
    """Return all rows of the app's tables."""
    return {
        name: sorted(map(str, session.execute(select(table)).all()))
        for name, table in AppTable.metadata.tables.items()
    }


@pytest.mark.parametrize(
    ("sign_in", "kind", "roles"),
    [
        (
            SignIn(user_header="x-person", admins=frozenset({"ann"})),
            "header",
            {"ann": "admin", "bob": "member"},
        ),
        (SignIn(), "extension", {"ann": "", "bob": ""}),
    ],
)
async def test_without_accounts_the_section_says_who_was_seen(
    people: None, serve: Serve, state: OpenState, sign_in: SignIn, kind: str, roles: dict[str, str]
) -> None:
    page = await state(People, "ann")
    async with serve([], sign_in=sign_in) as shared:
        for ctx in (CallContext("ann"), CallContext("bob"), CallContext("x" * 400), CallContext(None), None):
            shared.seen.note(ctx)
        await shared.seen.write()
        await page.open()
        assert page.report["kind"] == kind
        assert {each["name"]: each["role"] for each in page.report["people"]} == roles
        assert [each["name"] for each in page.report["people"] if each["mine"]] == ["ann"]
        await page.remove("bob")
        assert len(page.report["people"]) == 2, "there are no accounts to change"


async def test_in_an_open_app_there_are_no_people(serve: Serve, state: OpenState) -> None:
    page = await state(People)
    async with serve([]):
        await page.open()
        assert page.report == {"kind": "open", "people": [], "more": False}


async def test_a_person_is_written_as_seen_once_a_minute(serve: Serve) -> None:
    now = [1_000.0]
    async with serve([]) as shared:
        seen = LastSeen(_database(shared), lambda: now[0])
        found = []
        for seconds in (0, 30, 31):
            now[0] += seconds
            seen.note(CallContext("ann"))
            await seen.write()
            (row,) = await seen.newest(5)
            found.append((row.first_at, row.seen_at))
        assert found == [(1_000, 1_000), (1_000, 1_000), (1_000, 1_061)]
        assert await seen.moments(["ann", "bob"]) == {"ann": 1_061}


def _database(shared: Service) -> Any:
    return shared.seen._database


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari, iPhone",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
        ("\x00\n" + "x" * 400, "x" * 60),
    ],
)
def test_browsers_are_called_as_people_know_them(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name
