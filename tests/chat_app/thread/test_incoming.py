"""Test the routing of messages: each goes once to the thread that the user saw, or back to the composer."""

from __future__ import annotations

import base64

from agent_core import AgentApi
from agent_core.support.ids import new_id
from chat_app.messages.message_actions import Actions
from chat_app.thread.thread_state import created_thread_id
from tests.chat_app.support import Serve, Tab

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_a_message_goes_to_the_thread_that_was_seen(serve: Serve, tab: Tab) -> None:
    async with serve([["One."], ["Two."], ["Three."]]) as shared:
        seen = await shared.api.create_thread("Hi")
        await shared.api.wait_until_idle(seen.id, 10)
        other = await shared.api.create_thread("Ho")
        await shared.api.wait_until_idle(other.id, 10)
        tab.thread._open(other.id)
        await tab.thread.send_to("For the first", "msg_1", [], seen.id)
        await shared.api.wait_until_idle(seen.id, 10)
        assert [m.text for m in await shared.api.list_messages(seen.id)] == [
            "Hi",
            "One.",
            "For the first",
            "Three.",
        ]
        assert len(await shared.api.list_messages(other.id)) == 2
        assert (tab.thread.open_id, tab.thread.sent) == (other.id, ""), "and the tab stays where it is"


async def test_a_new_chat_is_begun_whatever_is_open_and_once(serve: Serve, tab: Tab) -> None:
    async with serve([["One."], ["Two."]]) as shared:
        old = await shared.api.create_thread("Hi")
        await shared.api.wait_until_idle(old.id, 10)
        tab.thread._open(old.id)
        message_id = new_id("msg")
        assert await tab.thread.send_to("New", message_id, [], "") is not None
        begun = tab.thread.open_id
        assert begun == created_thread_id(message_id) != old.id
        assert await tab.thread.send_to("New", message_id, [], "") is None, "it is open already"
        tab.thread._open("")  # like a reloaded page that does not know the thread
        assert await tab.thread.send_to("New", message_id, [], "") is not None
        assert (tab.thread.open_id, tab.thread.sent) == (begun, message_id)
        await shared.api.wait_until_idle(begun, 10)
        assert [m.text for m in await shared.api.list_messages(begun)] == ["New", "Two."]
        assert len(await shared.api.list_threads()) == 2


async def test_a_thread_that_was_deleted_is_not_begun_again(serve: Serve, tab: Tab) -> None:
    async with serve([["One."]]) as shared:
        message_id = new_id("msg")
        await tab.thread.send_to("New", message_id, [], "")
        await shared.api.delete_thread(tab.thread.open_id, undo_for=60)
        tab.thread._open("")
        assert await tab.thread.send_to("New", message_id, [], "") is None
        assert tab.thread.rejected == message_id
        assert await shared.api.list_threads() == []


async def test_a_page_names_the_thread_that_its_message_begins(serve: Serve, tab: Tab) -> None:
    """Holds whatever the tab shows by then, and however often the message is sent."""
    async with serve(lambda messages: ["Yes."]) as shared:
        first, second = new_id("msg"), new_id("msg")
        assert await tab.thread.send_to("New", first, [], named(first)) is not None
        assert await tab.thread.send_to("Other", second, [], named(second)) is not None, "a page loaded since"
        await tab.thread.send_to("More", new_id("msg"), [], named(first))
        for _ in range(2):
            await tab.thread.send_to("Other", second, [], named(second))
        for thread_id in (named(first), named(second)):
            await shared.api.wait_until_idle(thread_id, 10)
        assert await asked(shared.api, named(first)) == ["New", "More"]
        assert await asked(shared.api, named(second)) == ["Other"]


async def test_a_message_already_in_another_thread_comes_back(serve: Serve, tab: Tab) -> None:
    async with serve(lambda messages: ["Yes."]) as shared:
        old = (await shared.api.create_thread()).id
        message_id = new_id("msg")
        await tab.thread.send_to("Hi", message_id, [], old)
        for elsewhere in (named(message_id), (await shared.api.create_thread()).id):
            await tab.thread.send_to("Hi", message_id, [], elsewhere)
            assert tab.thread.rejected == message_id
            assert message_id in tab.thread.notice
            tab.thread.dismiss()
        assert await asked(shared.api, old) == ["Hi"]
        assert sum([len(await asked(shared.api, one.id)) for one in await shared.api.list_threads()]) == 1


def named(message_id: str) -> str:
    thread_id = created_thread_id(message_id)
    assert thread_id is not None
    return thread_id


async def asked(api: AgentApi, thread_id: str) -> list[str]:
    return [message.text for message in await api.list_messages(thread_id) if message.role == "user"]


def test_only_an_id_that_a_page_made_names_a_thread() -> None:
    for strange in ("msg_1", "msg_" + "I" * 26, "x" + new_id("msg"), new_id("msg") + "\n", ""):
        assert created_thread_id(strange) is None


async def test_queued_message_is_taken_back_with_its_files_and_can_be_sent_again(
    serve: Serve, tab: Tab
) -> None:
    async with serve([["Half", 60.0], ["Seen."]]) as shared:
        await tab.thread.send("Hi", "msg_1", [])
        actions = await tab.thread.get_state(Actions)
        part = await shared.api.add_file(PNG, media_type="image/png", filename="dot.png")
        await tab.thread.send("Look", "msg_2", [part])
        await tab.read(shared, lambda: len(tab.thread.queued) == 1)
        await actions.take_back("msg_2")
        back = tab.thread.returned
        assert (back.id, back.thread_id, back.text) == ("msg_2", tab.thread.open_id, "Look")
        assert [(file["url"], file["filename"]) for file in back.files] == [(part["url"], "dot.png")]
        await tab.read(shared, lambda: not tab.thread.queued)
        await actions.take_back("msg_2")
        assert "does not wait" in tab.thread.notice
        assert tab.thread.returned == back
        await tab.thread.send("Never mind", "msg_4", [])
        await actions.withdraw("msg_4")
        assert tab.thread.returned == back
        await tab.thread.send(back.text, "msg_3", back.files)
        await actions.send_now("msg_3")
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert [m.text for m in await shared.api.list_messages(tab.thread.open_id)][-2:] == ["Look", "Seen."]
        await actions.send_now("msg_3")
        assert "does not wait" in tab.thread.notice
