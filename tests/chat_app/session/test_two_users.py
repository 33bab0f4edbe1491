"""Test that two users in two browsers neither see nor reach each other's data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
import reflex as rx
from reflex.istate.data import HeaderData

from agent_core import Agent, AgentApi, CallContext, Runtime, define_agent_api
from agent_core.errors import AccessDeniedError, ValidationError
from agent_core.testing import ScriptedModel, eventually
from chat_app import extensions
from chat_app.extensions import (
    IDENTITY,
    caller,
    check_may_administer,
    check_may_limit,
    register_administrators,
    register_identity,
    register_limits,
)
from chat_app.files.uploads import routes
from chat_app.hooks import use_agent_chat, use_messages, use_thread
from chat_app.inbox.inbox import Inbox
from chat_app.inbox.inbox_feed import INBOX
from chat_app.schedules.schedules import Schedules
from chat_app.search.search import hits_for
from chat_app.session.bound_api import bind_api
from chat_app.session.tab_state import TabOwnerCheck
from chat_app.session.user_lists import MAX_UNWATCHED, UserListCache
from chat_app.settings.page import UsageReport
from chat_app.thread.open_thread import OpenThread
from chat_app.thread_list.list_feed import THREADS
from chat_app.thread_list.thread_list import ThreadList
from tests.chat_app.support import Serve

Tabs = Callable[..., Awaitable[Any]]


def by_header(headers: Mapping[str, str]) -> CallContext | None:
    name = headers.get("x-person")
    return CallContext(name, {"by": "header"}) if name else None


@pytest.fixture
def people() -> Iterator[None]:
    """An app that identifies users by a header."""
    register_identity(by_header)
    yield
    IDENTITY.clear()


@pytest.fixture
def tab() -> Tabs:
    """A function that returns a state of a tab in a named user's browser."""

    async def opened(kind: type[rx.State], name: str) -> Any:
        root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
        headers = HeaderData.from_router_data({"headers": {"x-person": name} if name else {}})
        root.router = replace(root.router, headers=headers)
        return await root.get_state(kind)

    return opened


async def own(ctx: CallContext | None, thread_id: str) -> None:
    if ctx is None or OWNERS.get(thread_id, ctx.user_id) != ctx.user_id:
        raise AccessDeniedError("This thread is somebody else's.")


OWNERS: dict[str, str | None] = {}


@pytest.fixture
async def api() -> AsyncIterator[AgentApi]:
    async with Runtime("sqlite://") as runtime:
        agent = Agent("clerk", ScriptedModel(lambda _: ["Hello."]))
        yield define_agent_api(runtime, agent, authorization_callback=own)


def who(state: rx.State) -> CallContext | None:
    return by_header(state.router.headers.raw_headers)


async def test_a_page_of_hooks_identifies_its_user_in_every_call(api: AgentApi, tab: Tabs) -> None:
    chat = use_agent_chat(api, context=who)
    ada, bob = await tab(chat, "ada"), await tab(chat, "bob")
    await ada.send_message("A secret")
    thread = await api.list_threads(user_id="ada")
    OWNERS[ada.open_id] = "ada"
    assert [found.id for found in thread] == [ada.open_id]
    await api.wait_until_idle(ada.open_id, 20, ctx=CallContext("ada"))
    await ada.load()
    assert [row.text for row in ada.messages] == ["A secret", "Hello."]
    await bob.load(ada.open_id)
    assert (bob.phase, bob.messages) == ("missing", [])
    bob.open_id = ada.open_id  # as a manipulated browser would claim
    for act in (bob.stop, bob.resume, lambda: bob.send_message("Mine?"), lambda: bob.continue_answer("More")):
        bob.notice, bob.incomplete_reason = "", "length"
        await act()
        assert "somebody else" in bob.notice
    assert len(await api.list_messages(ada.open_id, ctx=CallContext("ada"))) == 2


async def test_the_namespaces_of_an_api_are_called_as_the_same_person(api: AgentApi) -> None:
    ann = bind_api(api, CallContext("ann"))
    await ann.preferences.change({"colour": "blue"})
    assert await api.preferences.get(ctx=CallContext("ann")) == {"colour": "blue"}
    assert await api.preferences.get() == {}


@pytest.mark.parametrize("hook", [use_agent_chat, use_messages, use_thread])
def test_another_context_is_another_class_and_an_async_one_is_refused(hook: Any) -> None:
    async def later(_: rx.State) -> CallContext:
        raise AssertionError

    assert hook(context=who) is hook(context=who) is not hook()
    for wrong in (later, "ada"):
        with pytest.raises(ValidationError, match="plain function"):
            hook(context=wrong)


async def test_each_person_has_their_own_threads(people: None, serve: Serve, tab: Tabs) -> None:
    async with serve(lambda _: ["Hello."]) as shared:
        ada, bob = await tab(OpenThread, "ada"), await tab(OpenThread, "bob")
        await ada.send("A secret", "msg_1", [])
        assert ada.open_id, ada.notice
        await shared.api.wait_until_idle(ada.open_id, 20, ctx=CallContext("ada"))
        for name, titles in (("ada", ["A secret"]), ("bob", []), ("", [])):
            rows = await tab(ThreadList, name)
            rows._open()
            feed = rows._lists()[THREADS]
            await feed.read_for(rows._window)
            assert [item.title for item in feed.newest] == titles, name
        bob.open_id = ada.open_id
        await bob._do("list_messages")
        assert "somebody else" in bob.notice
        assert await hits_for((await tab(OpenThread, "bob"))._api(), "secret") == []
        assert len(await hits_for(ada._api(), "secret")) == 2
        for name, requests in (("ada", 1), ("bob", 0), ("", 0)):
            usage = await tab(UsageReport, name)
            await usage.open()
            assert usage.report["total"]["requests"] == requests


async def test_a_list_is_live_for_its_person_alone(people: None, serve: Serve, tab: Tabs) -> None:
    async with serve(lambda _: ["Hello."]) as shared:
        ada, bob = await tab(ThreadList, "ada"), await tab(ThreadList, "bob")
        for rows in (ada, bob):
            rows._open()
        with ada._feed().watched(ada._window), bob._feed().watched(bob._window):
            await ada._feed().read_for(ada._window)
            await bob._feed().read_for(bob._window)
            await shared.api.create_thread("Mine", ctx=CallContext("ada"))
            await eventually(lambda: [item.title for item in ada._feed().newest] == ["Mine"])
            assert bob._feed().newest == []


async def test_visitor_who_is_not_signed_in_can_do_nothing(people: None, serve: Serve, tab: Tabs) -> None:
    async with serve(lambda _: ["Hello."]) as shared:
        stranger = await tab(OpenThread, "")
        await stranger.send("Let me in", "msg_1", [])
        assert (stranger.rejected, stranger.open_id) == ("msg_1", "")
        assert "Sign in" in stranger.notice
        schedules, inbox = await tab(Schedules, ""), await tab(Inbox, "")
        await schedules._read()
        inbox._show()
        assert (schedules.items, inbox.items) == ([], [])
        assert await shared.api.list_threads() == []
        with pytest.raises(AccessDeniedError):
            await shared.api.get_thread((await shared.api.create_thread("x", ctx=CallContext("ada"))).id)


async def test_state_of_a_tab_is_gone_before_the_next_person(people: None, serve: Serve, tab: Tabs) -> None:
    async with serve(lambda _: ["Hello."]):
        thread = await tab(OpenThread, "ada")
        root = thread._get_root_state()
        app: Any = None

        async def asks(name: str) -> None:
            headers = {"headers": {"x-person": name} if name else {}}
            root.router = replace(root.router, headers=HeaderData.from_router_data(headers))
            assert await TabOwnerCheck().preprocess(app, root, None) is None

        await asks("ada")
        await thread.send("A secret", "msg_1", [])
        thread.title = "A secret"
        await asks("ada")
        assert thread.title == "A secret", "the same person goes on"
        for name in ("", "bob"):
            thread.title, thread._retry_key = "A secret", ("kept",)
            await asks(name)
            assert (thread.title, thread.open_id, thread._retry_key) == ("", "", None)
            assert "A secret" not in str(root.dict())
        IDENTITY.clear()
        thread.title = "Everybody's"
        await asks("ada")
        assert thread.title == "Everybody's"


async def test_files_of_a_user_are_not_served_to_another(people: None, serve: Serve, tab: Tabs) -> None:
    async with serve(lambda _: ["Hello."]) as shared:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(routes), base_url="http://here")
        sent = {"x-filename": "a.txt"}
        assert (await client.post("/uploads", content=b"words", headers=sent)).status_code == 403
        mine = (await client.post("/uploads", content=b"words", headers=sent | {"x-person": "ada"})).json()[
            "part"
        ]
        thread = await shared.api.create_thread([mine], ctx=CallContext("ada"))
        assert (await client.get(f"/exports/{thread.id}", headers={"x-person": "bob"})).status_code == 404
        kept = await client.get(f"/exports/{thread.id}", headers={"x-person": "ada"})
        sent = {"content-type": "application/json"}
        assert (await client.post("/imports", content=kept.content, headers=sent)).status_code == 403
        made = await client.post("/imports", content=kept.content, headers=sent | {"x-person": "bob"})
        copied = await shared.api.get_thread(made.json()["id"], ctx=CallContext("bob"))
        assert copied is not None, "it is whose it was imported for"
        assert copied.user_id == "bob"
        path = f"/files/{thread.id}/{mine['url'].removeprefix('attachment:')}/a.txt"
        asked = [await client.get(path, headers={"x-person": name}) for name in ("ada", "bob", "")]
        found = [answer.status_code for answer in asked]
        assert found == [200, 404, 404]


async def test_lists_that_nobody_watches_are_forgotten(api: AgentApi) -> None:
    users = UserListCache()
    first = users.lists_of("first", api)
    with first[THREADS].watched(Any):
        for number in range(MAX_UNWATCHED + 10):
            users.lists_of(f"p{number}", api)
        assert len(users._users) == MAX_UNWATCHED
        assert users.lists_of("first", api) is first
    tasks = [task for lists in users._users.values() for task in lists._tasks]
    assert tasks
    await users.close()
    assert all(task.done() for task in tasks)


async def test_lists_of_a_user_with_only_the_inbox_open_are_kept(api: AgentApi) -> None:
    users = UserListCache()
    first = users.lists_of("first", api)
    with first[INBOX].watched():
        for number in range(MAX_UNWATCHED + 10):
            users.lists_of(f"p{number}", api)
        assert users.lists_of("first", api) is first
    for number in range(MAX_UNWATCHED + 10):
        users.lists_of(f"q{number}", api)
    assert users.lists_of("first", api) is not first
    await users.close()


ANN, BOB = CallContext("ann"), CallContext("bob")


def only_ann(ctx: CallContext | None) -> None:
    if ctx != ANN:
        raise AccessDeniedError("Ask Ann.")


def may(check: Callable[[CallContext | None], None], ctx: CallContext | None) -> bool:
    try:
        check(ctx)
    except AccessDeniedError:
        return False
    return True


def test_everybody_administers_an_app_without_users_and_nobody_one_with_users(
    request: pytest.FixtureRequest,
) -> None:
    assert may(check_may_administer, None)
    assert may(check_may_limit, None)
    request.getfixturevalue("people")
    assert not may(check_may_administer, ANN)
    assert not may(check_may_limit, ANN)
    assert not may(check_may_administer, None), "nobody is signed in"


def test_registered_administrators_may_change_budgets_too_unless_others_are_named(
    people: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions, "ADMINISTRATORS", [])
    monkeypatch.setattr(extensions, "LIMITS", [])
    assert register_administrators(only_ann) is only_ann is register_administrators(only_ann)
    assert [may(check_may_administer, ctx) for ctx in (ANN, BOB)] == [True, False]
    assert [may(check_may_limit, ctx) for ctx in (ANN, BOB)] == [True, False]
    register_limits(lambda ctx: None)
    assert may(check_may_limit, BOB)
    assert not may(check_may_administer, BOB)
    with pytest.raises(ValidationError, match="called twice"):
        register_administrators(lambda ctx: None)
    with pytest.raises(ValidationError, match="plain function"):
        register_administrators(own)  # pyright: ignore[reportArgumentType]


def test_identity_headers_ignore_case_and_only_one_function_identifies_users(people: None) -> None:
    assert (found := caller({"X-Person": "ada"})) is not None
    assert found.user_id == "ada"
    with pytest.raises(AccessDeniedError, match="Sign in"):
        caller({})
    assert register_identity(by_header) is by_header
    with pytest.raises(ValidationError, match="called twice"):
        register_identity(lambda _: None)
    with pytest.raises(ValidationError, match="plain function"):
        register_identity("x-person")  # pyright: ignore[reportArgumentType]
    IDENTITY.clear()
    assert extensions.caller({}) is None, "an app that knows no people asks nobody"
