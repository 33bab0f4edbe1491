"""Test the hooks, called directly: the state class of each API, its vars and its events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import reflex as rx

from agent_core import Agent, AgentApi, CallContext, Runtime, define_agent_api
from agent_core.domain.messages import Message
from agent_core.errors import ModelError, ValidationError
from agent_core.testing import ScriptedModel, ToolUse, eventually
from chat_app.demo.tools import demo_tools
from chat_app.hooks import (
    get_message_key,
    smooth_text,
    use_agent_chat,
    use_messages,
    use_smooth_text,
    use_thread,
    use_thread_list,
    use_thread_status,
)
from chat_app.hooks.chat import Chat
from chat_app.thread.follower import Follower
from chat_app.thread.views import MessageView
from tests.chat_app.support import Serve

VARS = ["messages", "thread", "status", "is_loading", "is_running", "is_complete", "is_failed", "is_stopped"]
EVENTS = ["load", "send_message", "stop", "resume"]
Make = Callable[..., AgentApi]
States = Callable[..., Awaitable[Any]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """A function that makes the API of an agent with a scripted model."""
    async with Runtime("sqlite://") as runtime:
        names = iter("abcdefgh")

        def api(*turns: Any, **options: Any) -> AgentApi:
            return define_agent_api(runtime, Agent(next(names), ScriptedModel(list(turns)), **options))

        yield api


@pytest.fixture
def state() -> States:
    """A function that returns an instance of a state class in a new tab.

    A tab knows only the state classes that were defined before it opened.
    """

    async def instance(kind: type[rx.State]) -> Any:
        root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
        return await root.get_state(kind)

    return instance


@pytest.mark.parametrize("hook", [use_agent_chat, use_thread, use_messages, use_thread_status])
def test_a_hook_returns_a_state_class_with_the_vars_and_events_promised(hook: Any) -> None:
    chat = hook()
    assert issubclass(chat, rx.State)
    assert [name for name in VARS if name not in chat.vars] == []
    assert [name for name in EVENTS if name not in chat.event_handlers] == []
    assert hook() is chat


async def test_a_thread_list_has_the_threads_of_its_api_and_changes_them(make: Make, state: States) -> None:
    api = make(*[["Answer."]] * 3)
    assert use_thread_list(api) is use_thread_list(api) is not use_thread_list(api, name="other")
    listing = await state(use_thread_list(api))
    await listing.load()
    assert (listing.threads, listing.more, listing.is_loading) == ([], False, False)
    for words in ("First", "Second"):
        thread = await api.create_thread(words)
        await api.wait_until_idle(thread.id, 20)
    await listing.load()
    assert [row.title for row in listing.threads] == ["Second", "First"]
    await listing.rename(listing.threads[0].id, "  Renamed\n")
    await listing.rename(listing.threads[0].id, "  ")
    await listing.delete(listing.threads[1].id)
    assert ([row.title for row in listing.threads], listing.notice) == (["Renamed"], "")
    await listing.delete("thread_of_nobody")
    assert "thread_of_nobody" in listing.notice


async def test_a_thread_list_grows_by_pages_and_shows_what_waits(
    make: Make, state: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat_app.hooks.thread_list.PAGE", 2)
    api = make([ToolUse("ask_human", {"question": "Why?"})], tools=demo_tools(Path()))
    for number in range(3):
        await api.create_thread(title=str(number))
    asking = await api.create_thread("Ask", title="asks")
    listing: Any = await state(use_thread_list(api))
    listing._limit = 2
    await eventually(lambda: _loaded(listing, "waiting"))
    assert ([row.title for row in listing.threads], listing.more) == (["asks", "2"], True)
    assert (listing.threads[0].id, listing.threads[1].tone) == (asking.id, "")
    await listing.load_more()
    await listing.load_more()
    assert ([row.title for row in listing.threads], listing.more) == (["asks", "2", "1", "0"], False)


async def _loaded(listing: Any, tone: str) -> bool:
    await listing.load()
    return listing.threads[0].tone == tone


async def test_a_thread_list_is_of_the_person_in_the_tab(make: Make, state: States) -> None:
    api = make(["Answer."])
    of_ada = use_thread_list(api, context=lambda tab: CallContext("ada"))
    await api.create_thread(title="Ada's", ctx=CallContext("ada"))
    await api.create_thread(title="Bob's", ctx=CallContext("bob"))
    listing = await state(of_ada)
    await listing.load()
    assert [row.title for row in listing.threads] == ["Ada's"]


async def test_a_message_is_sent_answered_and_shown(make: Make, state: States) -> None:
    api = make(["Hello ", "there."])
    chat = await state(use_agent_chat(api))
    assert await chat.send_message("Hi") == type(chat).live.follow
    await api.wait_until_idle(chat.open_id, 20)
    await chat.load()
    assert [(row.role, row.text) for row in chat.messages] == [("user", "Hi"), ("assistant", "Hello there.")]
    assert (chat.is_complete, chat.is_running, chat.is_failed, chat.is_loading) == (True, False, False, False)
    assert (chat.thread.id, chat.thread.status, chat.thread.title) == (chat.open_id, "completed", "Hi")
    assert len({get_message_key(row) for row in chat.messages}) == 2


async def test_a_forms_first_field_is_the_message(make: Make, state: States) -> None:
    api = make(["Yes."])
    chat = await state(use_agent_chat(api))
    await chat.send_message({"question": "Is it?", "more": "x"})
    assert (await api.list_messages(chat.open_id))[0].text == "Is it?"
    chat._open("")
    await chat.send_message({})
    await chat.send_message("  ")
    assert chat.open_id == ""


async def test_two_apis_share_nothing(make: Make, state: States) -> None:
    first, second = make(["One."]), make(["Two."])
    one, two = await state(use_agent_chat(first)), await state(use_agent_chat(lambda: second))
    await one.send_message("First")
    assert (two.open_id, two.messages) == ("", [])
    await two.send_message("Second")
    for chat, api in ((one, first), (two, second)):
        await api.wait_until_idle(chat.open_id, 20)
        await chat.load()
    assert [row.text for row in one.messages] == ["First", "One."]
    assert [row.text for row in two.messages] == ["Second", "Two."]


def test_hook_with_another_argument_is_another_class_of_the_same_name() -> None:
    kinds = [
        use_agent_chat(),
        use_agent_chat(name="left"),
        use_agent_chat(route="/desk/[thread_id]"),
        use_agent_chat(title="Desk"),
        use_thread(),
    ]
    assert len({kind.get_full_name() for kind in kinds}) == len(set(kinds)) == len(kinds)
    assert use_agent_chat(title="Desk") is kinds[3]


async def test_stop_keeps_the_text_and_resume_finishes_it(make: Make, state: States) -> None:
    api = make(["Half a ", 60.0], ["A whole sentence."])
    chat = await state(use_agent_chat(api))
    await chat.send_message("Hi")

    async def half() -> bool:
        await chat.load()
        return chat.messages[-1].text == "Half a "

    await eventually(half)
    assert chat.is_running
    await chat.stop()
    await chat.load()
    assert (chat.is_stopped, chat.messages[-1].text.strip()) == (True, "Half a")
    await chat.resume()
    await api.wait_until_idle(chat.open_id, 20)
    await chat.load()
    assert (chat.is_complete, chat.messages[-1].text) == (True, "A whole sentence.")


async def test_a_failure_and_a_missing_thread_are_reported(make: Make, state: States) -> None:
    api = make([ModelError("No key.", kind="auth", retryable=False)])
    chat = await state(use_agent_chat(api))
    await chat.send_message("Hi")
    await api.wait_until_idle(chat.open_id, 20)
    await chat.load()
    assert (chat.is_failed, chat.error, chat.thread.error) == (True, "No key.", "No key.")
    await chat.load("thread_gone")
    assert (chat.phase, chat.messages, chat.thread.id) == ("missing", [], "")
    assert "thread_gone" in chat.notice


async def test_a_new_thread_gets_the_pages_options_and_goes_to_its_route(make: Make, state: States) -> None:
    api = make(["Yes."])
    kind = use_agent_chat(api, route="/desk/[thread_id]", title="Help", metadata={"desk": 1})
    chat = await state(kind)
    event = await chat.send_message("Hi")
    assert isinstance(event, rx.event.EventSpec)
    assert f"/desk/{chat.open_id}" in str(event.args)
    thread = await api.get_thread(chat.open_id)
    assert thread is not None
    assert (thread.title, thread.metadata) == ("Help", {"desk": 1})
    await chat.load()
    assert chat.open_id == "", "an address without a thread is that of a new one"


async def test_hook_without_messages_sends_the_threads_status_only(make: Make, state: States) -> None:
    api = make(["Hello."])
    chat = await state(use_thread_status(api))
    await chat.send_message("Hi")
    await api.wait_until_idle(chat.open_id, 20)
    await chat.load()
    assert (chat.messages, chat.is_complete, chat.thread.title) == ([], True, "Hi")


async def test_a_tool_that_waits_for_a_person_is_answered_on_such_a_page(
    make: Make, state: States, tmp_path: Any
) -> None:
    api = make(
        [ToolUse("ask_human", {"question": "Which?"}, "c1")], ["Blue it is."], tools=demo_tools(tmp_path)
    )
    chat = await state(use_agent_chat(api))
    await chat.send_message("Hi")

    async def asked() -> bool:
        await chat.load()
        return chat.needs_person

    await eventually(asked)
    assert [part.tool.state for row in chat.messages for part in row.parts if part.kind == "tool"] == [
        "answer"
    ]
    await chat.answer({"call_id": "c1", "answer": "Blue"})
    await api.wait_until_idle(chat.open_id, 20)
    await chat.load()
    assert chat.messages[-1].text == "Blue it is."


async def test_hook_without_an_api_uses_the_apps_own(serve: Serve, state: States) -> None:
    async with serve([["Hello."]]) as shared:
        chat = await state(use_agent_chat())
        await chat.send_message("Hi")
        assert [thread.id for thread in await shared.api.list_threads()] == [chat.open_id]


def test_live_text_is_sent_whenever_it_has_grown_by_an_eighth() -> None:
    chat, follower = SimpleNamespace(_sent_length=0), SimpleNamespace(live_text="")
    sendings = total = 0
    for _ in range(1700):
        follower.live_text += "0123456789"
        if Chat._is_behind(cast(Chat, chat), cast(Follower, follower)):
            chat._sent_length = len(follower.live_text)
            sendings, total = sendings + 1, total + chat._sent_length
    assert sendings < 60
    assert total < 9 * len(follower.live_text)


@pytest.mark.parametrize("api", [42, "assistant", AgentApi])
def test_objects_that_are_no_api_are_refused_with_a_sentence(api: Any) -> None:
    with pytest.raises(ValidationError, match="define_agent_api"):
        use_agent_chat(api)


async def test_an_async_function_and_one_that_returns_nothing_are_refused(state: States) -> None:
    async def later() -> AgentApi:
        raise AssertionError

    with pytest.raises(ValidationError, match="plain function"):
        use_agent_chat(later)  # pyright: ignore[reportArgumentType]
    chat = await state(use_agent_chat(lambda: None))  # pyright: ignore[reportArgumentType]
    await chat.send_message("Hi")
    assert "must return an AgentApi" in chat.notice
    with pytest.raises(ValidationError, match=r"\[thread_id\]"):
        use_agent_chat(route="/desk")


def test_a_message_has_one_key_in_whatever_form_it_comes() -> None:
    row = MessageView("m1", "user")
    forms = [row, {"id": "m1"}, Message("m1", "t", "user", [], None)]  # pyright: ignore[reportArgumentType]
    assert [get_message_key(form) for form in forms] == ["m1"] * 3
    for var in (rx.Var("m", _var_type=MessageView), rx.Var("m", _var_type=dict[str, Any])):
        assert "id" in str(get_message_key(var.guess_type()))


def test_smooth_text_is_a_component_and_its_pace_is_checked() -> None:
    assert use_smooth_text is smooth_text
    assert isinstance(smooth_text("Hello", 10, start_streaming=True), rx.Component)
    with pytest.raises(ValidationError, match="above 0"):
        smooth_text("Hello", chars_per_sec=0)
