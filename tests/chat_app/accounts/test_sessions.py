"""Test the end of sessions: sockets, streams and events of a person who was signed out, also by another process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import reflex as rx
from reflex.config import get_config
from reflex.istate.data import HeaderData, RouterData
from reflex.state import StateUpdate
from starlette.types import Message, Receive, Scope, Send

from agent_core.errors import AccessDeniedError, ValidationError
from agent_core.testing import eventually
from chat_app.accounts.accounts import Accounts, open_accounts
from chat_app.accounts.gate import SessionGate
from chat_app.accounts.people import change_role, end_sessions, named_person, remove_person, token_hash
from chat_app.accounts.setup import register_sign_in
from chat_app.admin.people import People
from chat_app.extensions import PAGES, Content, Page, caller
from chat_app.server.settings import Settings
from chat_app.server.sign_in import SignIn
from chat_app.session.tab_state import TabOwnerCheck
from tests.chat_app.accounts.conftest import PASSWORD
from tests.tools.postgresql import PostgreSQL


class Connection:
    """A connection through the gate: what the app behind it got, and what the browser gets."""

    def __init__(self, kind: str, token: str) -> None:
        self.arriving: asyncio.Queue[Message] = asyncio.Queue()
        self.got: list[Message] = []
        self.sent: list[Message] = []
        self.is_open = asyncio.Event()
        headers = [(b"host", b"localhost:3000"), (b"cookie", f"chat_session_3000={token}".encode())]
        self.scope: Scope = {
            "type": kind,
            "method": "GET",
            "path": "/x",
            "headers": headers,
            "scheme": "http",
        }
        self._gate = SessionGate(self._app, ())

    async def run(self) -> None:
        async def send(message: Message) -> None:
            self.sent.append(message)

        await self._gate(self.scope, self.arriving.get, send)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.is_open.set()
        while not self.got or "disconnect" not in self.got[-1]["type"]:
            self.got.append(await receive())
        if scope["type"] == "websocket":
            await send({"type": "websocket.send", "text": "a secret"})
        else:
            with pytest.raises(OSError, match="has ended"):
                await send({"type": "http.response.body", "body": b"a secret", "more_body": True})


@pytest.fixture
async def token(known: Accounts, ann: str) -> str:
    return await known.sign_in(ann, PASSWORD, "127.0.0.1", None)


@pytest.fixture
def other_process(known: Accounts) -> Accounts:
    """The accounts of another process with the same database, which does not watch it."""
    return Accounts(known._database)


@pytest.mark.parametrize("kind", ["websocket", "http"])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_connection_ends_with_its_session_wherever_that_ends(
    known: Accounts, other_process: Accounts, token: str, kind: str, elsewhere: bool
) -> None:
    connection = Connection(kind, token)
    running = asyncio.create_task(connection.run())
    await asyncio.wait_for(connection.is_open.wait(), 20)
    await connection.arriving.put({"type": f"{kind}.receive"})
    await eventually(lambda: connection.got == [{"type": f"{kind}.receive"}])
    await (other_process if elsewhere else known).sign_out(token_hash(token))
    await asyncio.wait_for(running, 20)
    assert connection.got[-1]["type"] == f"{kind}.disconnect"
    assert [message["type"] for message in connection.sent] == ["websocket.close"] * (kind == "websocket")
    assert known.sessions._connections == {}


@pytest.mark.parametrize("kind", ["websocket", "http"])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_connection_ends_with_the_role_of_its_person(
    known: Accounts, other_process: Accounts, token: str, kind: str, elsewhere: bool
) -> None:
    """The browser connects again, and what it gets from then on is what the new role may see."""
    await known.use_link((await known.invite("zoe", "admin")).token, PASSWORD)
    connection = Connection(kind, token)
    running = asyncio.create_task(connection.run())
    await asyncio.wait_for(connection.is_open.wait(), 20)
    ann = await known._read(named_person, "ann")
    changing = other_process if elsewhere else known
    await changing.administer(ann.id, partial(change_role, role="member"), None)
    await asyncio.wait_for(running, 20)
    assert connection.got[-1]["type"] == f"{kind}.disconnect"
    again = await known.sessions.load(token_hash(token))
    assert again is not None, "the session itself goes on"
    assert again.role == "member"


async def test_a_session_knows_its_browser_and_when_it_was_used(
    known: Accounts, ann: str, token: str
) -> None:
    session_id, person = token_hash(token), await known._read(named_person, ann)
    register_sign_in(SignIn(local=True))
    await known.sessions.load(session_id)
    caller({"Cookie": f"chat-session-id={session_id}", "User-Agent": "Firefox " + "x" * 1000})

    async def is_written() -> bool:
        (row,) = [row for row in await known.sessions_of(person.id) if row.id == session_id]
        return row.seen_at is not None and len(row.browser or "") == 300

    await eventually(is_written)


async def test_another_session_of_the_person_stays_open(known: Accounts, ann: str, token: str) -> None:
    kept = Connection("websocket", await known.sign_in(ann, PASSWORD, "127.0.0.1", None))
    running = asyncio.create_task(kept.run())
    await asyncio.wait_for(kept.is_open.wait(), 20)
    await known.sign_out(token_hash(token))
    await kept.arriving.put({"type": "websocket.receive"})
    await eventually(lambda: kept.got == [{"type": "websocket.receive"}])
    await kept.arriving.put({"type": "websocket.disconnect"})
    await running


async def test_a_role_holds_for_open_tabs_and_a_removed_person_is_out(
    known: Accounts, other_process: Accounts, token: str
) -> None:
    session_id = token_hash(token)
    assert (await known.sessions.load(session_id) or ("",) * 4)[2] == "admin"
    await other_process.use_link((await other_process.invite("bob", "admin")).token, PASSWORD)

    def demote(session: Any) -> None:
        change_role(session, named_person(session, "ann"), "member")

    await other_process._write(demote)
    await eventually(lambda: (known.sessions.get(session_id) or ("",) * 4)[2] == "member")
    await other_process._write(lambda session: remove_person(session, named_person(session, "ann"), 1.0))
    await eventually(lambda: known.sessions.get(session_id) is None)


async def test_a_session_that_ends_while_it_is_read_is_not_kept(
    known: Accounts, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is read, then deleted and noticed, and only then the read returns."""
    session_id, read = token_hash(token), known._database.read
    loop = asyncio.get_running_loop()

    def slow(function: Any, *args: Any) -> Any:
        found = read(function, *args)
        monkeypatch.setattr(known._database, "read", read)
        known._database.write(lambda session: end_sessions(session, found[0][session_id].person_id))
        asyncio.run_coroutine_threadsafe(known.sessions.refresh(), loop).result(20)
        return found

    monkeypatch.setattr(known._database, "read", slow)
    assert await known.sessions.load(session_id) is None
    assert known.sessions.get(session_id) is None


class _Tabs:
    """The app as far as the check needs it: what it emits to which socket."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, str]] = []
        self.event_namespace = self

    async def emit(self, name: str, _told: Any, *, to: str) -> None:
        self.emitted.append((name, to))


@pytest.mark.parametrize(
    ("cookie", "route", "is_handled"),
    [("own", "/", True), ("", "/", False), ("own+1", "/settings", False), ("", "/visit/[token]", True)],
)
async def test_events_of_nobody_are_not_handled_except_on_pages_for_visitors(
    known: Accounts,
    settings: Settings,
    token: str,
    cookie: str,
    route: str,
    is_handled: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(PAGES, "/visit/[token]", Page("/visit/[token]", "", lambda: Content(), alone=True))
    register_sign_in(settings.sign_in)
    await known.sessions.load(token_hash(token))
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    sent = {"cookie": cookie.replace("own", f"chat-session-id={token_hash(token)}")} if cookie else {}
    root.router = replace(
        root.router,
        headers=HeaderData.from_router_data({"headers": sent}),
        session=replace(root.router.session, session_id="socket"),
    )
    root.router_data = {"pathname": route}
    tabs: Any = _Tabs()
    done = await TabOwnerCheck(settings.sign_in).preprocess(tabs, root, None)
    assert done == (None if is_handled else StateUpdate())
    assert tabs.emitted == ([] if is_handled else [("state_mismatch", "socket")])


async def test_in_development_a_tab_of_nobody_is_sent_to_the_port_of_the_sign_in_and_back(
    known: Accounts, ann: str, settings: Settings, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_config(), "frontend_port", 3000)
    monkeypatch.setattr(get_config(), "backend_port", 3001)
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    asked = {"headers": {"host": "localhost:3001", "origin": "http://localhost:3000"}}
    asked |= {"asPath": "/chat/thread_1?at=2", "pathname": "/chat/[thread_id]"}
    root.router = RouterData.from_router_data(asked)
    root.router_data = {"pathname": "/chat/[thread_id]"}
    tabs: Any = _Tabs()
    done = await TabOwnerCheck(settings.sign_in).preprocess(tabs, root, None)
    assert done is not None
    (event,) = done.events
    sign_in = "http://localhost:3001/sign-in?next=%2Fchat%2Fthread_1%3Fat%3D2"
    assert (event.name, event.payload["path"], tabs.emitted) == ("_redirect", sign_in, [])
    tab = browser("http://localhost:3001")
    page = await tab.open(sign_in.removeprefix("http://localhost:3001"))
    assert 'href="http://localhost:3000/styles/' in page.text
    assert "style-src 'self' http://localhost:3000 " in page.headers["content-security-policy"]
    back = await tab.sign_in(ann, next="/chat/thread_1?at=2")
    assert back.headers["location"] == "http://localhost:3000/chat/thread_1?at=2"
    assert (await tab.open("/sign-in")).headers["location"] == "http://localhost:3000/"


async def test_a_tab_is_reset_when_its_person_has_another_role(
    known: Accounts, settings: Settings, token: str
) -> None:
    register_sign_in(settings.sign_in)
    await known.use_link((await known.invite("zoe", "admin")).token, PASSWORD)
    await known.sessions.load(token_hash(token))
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    headers = HeaderData.from_router_data({"headers": {"cookie": f"chat-session-id={token_hash(token)}"}})
    root.router = replace(root.router, headers=headers)
    tabs: Any = _Tabs()
    check = TabOwnerCheck(settings.sign_in)
    page = await root.get_state(People)
    found = []
    for role in ("admin", "admin", "member"):
        ann = await known._read(named_person, "ann")
        await known.administer(ann.id, partial(change_role, role=role), None)
        assert await check.preprocess(tabs, root, None) is None
        found.append(page.report)
        page.report = {"people": [{"name": "zoe"}]}
    assert [bool(report) for report in found] == [False, True, False]


async def test_accounts_are_the_same_on_postgresql(postgresql: PostgreSQL) -> None:
    postgresql.execute("drop database if exists accounts", "create database accounts")
    async with (
        open_accounts(postgresql.url("accounts")) as known,
        open_accounts(postgresql.url("accounts")) as other,
    ):
        invited = await known.invite("ann", "admin")
        token = await known.use_link(invited.token, PASSWORD)
        with pytest.raises(AccessDeniedError):
            await known.sign_in("ann", "wrong password", "127.0.0.1", None)
        with pytest.raises(ValidationError, match="already a person"):
            await other.invite("ANN", "member")
        assert await other.sign_in("ann", PASSWORD, "127.0.0.1", None)
        session_id = token_hash(token)
        assert await other.sessions.load(session_id) is not None
        await known.sign_out(session_id, everywhere=True)
        await eventually(lambda: other.sessions.get(session_id) is None)
