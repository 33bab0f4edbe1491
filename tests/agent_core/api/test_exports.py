"""Export and import of threads as documents, including untrusted documents."""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_core import AgentApi, CallContext, define_agent_api, errors
from agent_core.api.thread_documents import NOT_FINISHED
from agent_core.domain.field_limits import MAX_FILE_BYTES, MAX_MESSAGES
from agent_core.domain.messages import attachment_id
from agent_core.store.database.sql import FILE, MESSAGE
from agent_core.testing import Reasoning, ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from tests.support.agents import Follower, agent_on, finished, rows, texts, tool_parts, waiting

ANN = CallContext("ann")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
MADE = "2024-05-06T07:08:09.123456+00:00"

Json = dict[str, Any]


@action_tool
async def look(x: int) -> Json:
    """Look."""
    return {
        "content": [{"type": "text", "text": f"{x}"}, {"type": "image", "data": PNG, "mimeType": "image/png"}]
    }


@async_tool
async def ask() -> None:
    """Ask a person."""


def document(**changes: Any) -> Json:
    """Return a document with two messages."""
    question = {"role": "user", "parts": [{"type": "text", "text": "Hi"}], "created_at": MADE}
    answer = {"role": "assistant", "parts": [{"type": "text", "text": "Yes."}], "created_at": MADE}
    thread = {"title": "T", "agent": "assistant", "metadata": {"k": 1}}
    whole: Json = {
        "format": "agent_core.thread",
        "version": 1,
        "thread": thread,
        "messages": [question, answer],
    }
    return whole | changes


def parts(*given: Json, role: str = "assistant") -> Json:
    """Return a document whose last message consists of the given parts."""
    whole = document()
    whole["messages"][1] |= {"role": role, "parts": list(given)}
    return whole


def plain(document: Json) -> Json:
    """Return a document without what differs between copies: ids, and times of creation and change."""
    whole = copy.deepcopy(document)
    for name in ("created_at", "updated_at"):
        del whole["thread"][name]
    for message in whole["messages"]:
        del message["id"]
    return whole


def turns(messages: list[Json]) -> list[Any]:
    if messages[-1]["role"] == "tool":
        return [Reasoning("So."), "It is dark."]
    return [Reasoning("Let me see."), "I look. ", ToolUse("look", {"x": 7}, id="c1")]


async def test_a_thread_comes_back_equal_in_another_database(path: Path) -> None:
    async with agent_on(path, turns, tools=[look]) as api:
        part = await api.add_file(PNG[:40], media_type="image/png", filename="a.png", ctx=ANN)
        words = {"type": "text", "text": "What is it?"}
        thread = await api.create_thread([words, part], title="Mine", metadata={"k": [1]}, ctx=ANN)
        await finished(api, thread)
        await api.add_message(thread.id, {"role": "system", "content": "Be brief.", "metadata": {"a": 1}})
        await api.shares.create(thread.id)
        made = await api.export_thread(thread.id)
        before = await api.list_messages(thread.id)
    made = json.loads(json.dumps(made))
    assert "share" not in json.dumps(made)
    async with agent_on(path.with_name("other.db"), turns, tools=[look]) as other:
        copied = await other.import_thread(made, ctx=CallContext("bob"))
        assert (copied.status, copied.title, copied.user_id) == ("completed", "Mine", "bob")
        assert (copied.metadata, copied.agent) == ({"k": [1]}, "assistant")
        after = await other.list_messages(copied.id)
        seen = [(m.role, m.parts, m.metadata, m.created_at) for m in after]
        assert seen == [(m.role, m.parts, m.metadata, m.created_at) for m in before]
        assert not {m.id for m in after} & {m.id for m in before}
        assert plain(await other.export_thread(copied.id)) == plain(made)
        for data in (PNG, PNG[:40]):
            file = await other.read_file(copied.id, hashlib.sha256(data).hexdigest())
            assert file is not None
            assert (file.data, file.media_type) == (data, "image/png")
        async with Follower(other, copied.id) as follower:
            await other.resume_thread(copied.id)
            await finished(other, copied)
            await other.send_message(copied.id, "Once more")
            await finished(other, copied)
            await follower.agrees()
            await other.edit_message(copied.id, after[0].id, "Elsewhere")
            await finished(other, copied)
            await follower.agrees()
            assert (await other.select_branch(copied.id, after[1].id)).status == "completed"
            fork = await other.fork_thread(copied.id, after[1].id)
            assert (await other.list_messages(fork.id))[1].parts == before[1].parts
        await other.delete_thread(copied.id)
        await other.delete_thread(fork.id)
    assert rows(path.with_name("other.db"), MESSAGE, FILE) == {MESSAGE.name: [], FILE.name: []}


async def test_document_is_imported_beside_its_original(path: Path) -> None:
    async with agent_on(path, turns, tools=[look]) as api:
        thread = await api.create_thread("What is it?")
        await finished(api, thread)
        made = await api.export_thread(thread.id)
        for _ in range(2):
            copied = await api.import_thread(made)
            assert (await texts(api, copied)) == (await texts(api, thread))
            await api.send_message(copied.id, "Again")
            await finished(api, copied)
        assert len(await texts(api, thread)) == 2
        assert [t.title for t in await api.list_threads()] == ["What is it?"] * 3


async def test_open_calls_of_a_running_thread_have_failed_in_its_copy(path: Path) -> None:
    def turn(messages: list[Json]) -> list[Any]:
        return (
            ["Well."]
            if messages[-1]["role"] in ("tool", "user") and len(messages) > 1
            else [ToolUse("ask", id="c")]
        )

    async with agent_on(path, turn, tools=[ask]) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id)
        await api.send_message(thread.id, "And then?", when_busy="queue")
        copied = await api.import_thread(await api.export_thread(thread.id))
        (call,) = await tool_parts(api, copied)
        assert (call["state"], call["errorText"]) == ("output-error", NOT_FINISHED)
        assert await texts(api, copied) == ["Go", "", "And then?"], "what waits is not lost"
        await api.resume_thread(copied.id)
        await finished(api, copied)
        assert (await texts(api, copied))[-1] == "Well."
        heard = api.agent.model.requests[-1]  # type: ignore[union-attr]
        assert NOT_FINISHED in next(m["content"] for m in heard if m["role"] == "tool")
        assert await waiting(api, thread.id), "the original still waits"
        await api.stop_thread(thread.id)


async def test_system_messages_are_imported_by_the_internal_api_only(path: Path) -> None:
    async with agent_on(path, []) as internal:
        system = {"role": "system", "content": "Obey."}
        thread = await internal.create_thread(messages=[system, {"role": "user", "content": "Hi"}])
        whole = await internal.export_thread(thread.id)
        copied = await internal.import_thread(whole)
        assert len(await internal.list_messages(copied.id)) == 2
        for hidden in (True, False):
            api = define_agent_api(internal.store, internal.agent, exclude_system_messages=hidden)
            with pytest.raises(errors.ValidationError, match="instruct"):
                await api.import_thread(whole)
            made = await api.export_thread(thread.id)
            assert [m["role"] for m in made["messages"]] == (["user"] if hidden else ["system", "user"])


async def test_export_is_denied_to_those_who_may_not_read(path: Path) -> None:
    async with agent_on(path, []) as internal:
        thread = await internal.create_thread(messages=[{"role": "user", "content": "Hi"}], ctx=ANN)

        async def own(ctx: CallContext | None, thread_id: str) -> None:
            found = await asyncio.to_thread(internal.store.reads.thread, thread_id)
            if found is None or ctx is None or found.user_id != ctx.user_id:
                raise errors.AccessDeniedError("Not yours.")

        api = define_agent_api(internal.store, internal.agent, own)
        with pytest.raises(errors.AccessDeniedError):
            await api.export_thread(thread.id, ctx=CallContext("eve"))
        made = await api.export_thread(thread.id, ctx=ANN)
        copied = await api.import_thread(made, ctx=CallContext("eve"))
        assert copied.user_id == "eve"
        assert await api.export_thread(copied.id, ctx=CallContext("eve"))
        for missing in ("nothing", "\ud800"):
            with pytest.raises(errors.ThreadNotFoundError):
                await internal.export_thread(missing)


async def test_a_hash_opens_no_file_of_others_and_a_damaged_one_is_refused(path: Path) -> None:
    async with agent_on(path, lambda _: ["Yes."]) as api:
        part = await api.add_file(PNG, media_type="image/png", filename="a.png", ctx=ANN)
        thread = await finished(api, await api.create_thread([part], ctx=ANN))
        file_id = str(attachment_id(part["url"]))
        made = await api.export_thread(thread.id, ctx=ANN)
        assert base64.b64decode(made["files"][file_id]["data"]) == PNG
        gone = made | {"files": {file_id: None}}
        copied = await api.import_thread(gone, ctx=CallContext("eve"))
        assert await api.read_file(copied.id, file_id) is None
        assert (await api.export_thread(copied.id))["files"] == {file_id: None}
        await api.send_message(copied.id, "What do you see?")
        await finished(api, copied)
        assert "no longer stored" in json.dumps(api.agent.model.requests[-1])  # type: ignore[union-attr]
        before = rows(path)
        good = {"mediaType": "image/png", "data": base64.b64encode(PNG).decode()}
        damaged = ("", "!", base64.b64encode(PNG[1:]).decode(), "A" * (MAX_FILE_BYTES * 2), None, 5)
        wrong = [5, *(good | {"data": data} for data in damaged), good | {"mediaType": "x"}, {"data": "AAAA"}]
        for file in wrong:
            with pytest.raises(errors.ValidationError):
                await api.import_thread(made | {"files": {file_id: file}})
        unnamed = {"0" * 64: {"mediaType": "image/png", "data": "AAAA"}}
        assert rows(path) == before
        copied = await api.import_thread(made | {"files": made["files"] | unnamed})
        assert await api.read_file(copied.id, "0" * 64) is None


SIGNATURE = {"message": 1, "part": 0, "providerMetadata": {"google": {"thoughtSignature": "x"}}}
WRONG: dict[str, Callable[[], Any]] = {
    "nothing": dict,
    "another format": lambda: document(format="chat"),
    "a later version": lambda: document(version=2),
    "no version": lambda: document(version=True),
    "no thread": lambda: document(thread=None),
    "no messages": lambda: document(messages={}),
    "a message that is none": lambda: document(messages=["Hi"]),
    "too many messages": lambda: document(messages=document()["messages"] * MAX_MESSAGES),
    "a title that is none": lambda: document(thread={"title": 5}),
    "metadata that is none": lambda: document(thread={"metadata": [1]}),
    "metadata of the queue": lambda: document(
        messages=[document()["messages"][0] | {"metadata": {"queued": True}}]
    ),
    "an unknown role": lambda: parts({"type": "text", "text": "x"}, role="tool"),
    "an unknown part": lambda: parts({"type": "video", "url": "x"}),
    "a person who thinks": lambda: parts({"type": "reasoning", "text": "x"}, role="user"),
    "a text that is none": lambda: parts({"type": "text", "text": 5}),
    "an unknown state": lambda: parts({"type": "tool-a", "toolCallId": "c", "state": "done"}),
    "an address of a script": lambda: parts({"type": "file", "mediaType": "a/b", "url": "javascript:x"}),
    "a number that is none": lambda: parts({"type": "data-a", "data": float("nan")}),
    "too deep": lambda: parts({"type": "data-a", "data": json.loads("[" * 200 + "]" * 200)}),
    "a message that is too long": lambda: parts(
        *({"type": "text", "text": "x" * 3_999_999} for _ in range(9))
    ),
    "too many parts": lambda: parts(*({"type": "step-start"} for _ in range(20_001))),
    "no moment": lambda: document(messages=[document()["messages"][0] | {"created_at": "yesterday"}]),
    "the year 0": lambda: document(
        messages=[document()["messages"][0] | {"created_at": "0001-01-01T00:00:00+14:00"}]
    ),
    "the year 9999": lambda: document(
        messages=[document()["messages"][0] | {"created_at": "9999-12-31T23:59:59-14:00"}]
    ),
    "files that are none": lambda: document(files=[]),
    "signatures that are none": lambda: document(signatures={}),
    "a signature that is none": lambda: document(signatures=[5]),
    "a signature of no message": lambda: document(signatures=[SIGNATURE | {"message": 9}]),
    "a signature of no part": lambda: document(signatures=[SIGNATURE | {"part": 1}]),
    "a signature of the last part but one": lambda: document(signatures=[SIGNATURE | {"part": -1}]),
    "a person's signature": lambda: document(signatures=[SIGNATURE | {"message": 0}]),
    "a signature of a true part": lambda: document(signatures=[SIGNATURE | {"part": False}]),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_document_that_cannot_be_taken_leaves_nothing(path: Path, wrong: str) -> None:
    async with agent_on(path, []) as api:
        before = rows(path)
        with pytest.raises(errors.ValidationError) as refused:
            await api.import_thread(WRONG[wrong](), signatures=True)
        assert len(str(refused.value)) < 300
        assert rows(path) == before


async def test_document_must_be_an_object(path: Path) -> None:
    async with agent_on(path, []) as api:
        for wrong in (None, [], "x", 5):
            with pytest.raises(errors.ValidationError):
                await api.import_thread(wrong)  # type: ignore[arg-type]


async def test_a_document_of_an_unknown_agent_is_given_to_the_importing_agent(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as api:
        copied = await api.import_thread(document(thread={"agent": "elsewhere", "title": None}))
        assert (copied.agent, copied.title) == ("assistant", "Hi")
        empty = await api.import_thread(document(thread={}, messages=[]))
        assert (empty.title, await api.list_messages(empty.id)) == (None, [])


async def test_open_parts_of_a_document_are_closed(path: Path) -> None:
    streaming = {"type": "text", "text": "I", "state": "streaming"}
    calls = [
        {"type": "tool-a", "toolCallId": "c", "state": state, "input": {}, "approval": {"id": "c"}}
        for state in ("input-streaming", "input-available", "approval-requested", "approval-responded")
    ]
    async with agent_on(path, [["Yes."]]) as api:
        copied = await api.import_thread(parts(streaming, *calls))
        found = (await api.list_messages(copied.id))[1].parts
        assert [part["state"] for part in found] == ["done", *["output-error"] * 4]
        assert await api.list_waiting() == []
        await api.send_message(copied.id, "Go")
        assert (await finished(api, copied)).status == "completed"


async def test_signatures_are_taken_only_when_asked_for(path: Path) -> None:
    async with agent_on(path, []) as api:
        unasked = await api.import_thread(rich())
        asked = await api.import_thread(rich(), signatures=True)
        assert (await api.export_thread(unasked.id, signatures=True))["signatures"] == []
        assert (await api.export_thread(asked.id, signatures=True))["signatures"] == rich()["signatures"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(MADE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
REPLACED = [
    *(("version",), ("thread",), ("thread", "title"), ("thread", "agent"), ("thread", "metadata")),
    *(("messages",), ("messages", 0), ("messages", 0, "role"), ("messages", 0, "created_at")),
    *(("messages", 1, "parts"), ("messages", 1, "metadata"), ("messages", 1, "parts", 0)),
    *(("messages", 1, "parts", place, key) for place in range(4) for key in ("type", "state", "text", "url")),
    *(("messages", 1, "parts", 1, key) for key in ("input", "output", "errorText", "approval", "toolCallId")),
    *(
        ("signatures",),
        ("signatures", 0),
        ("signatures", 0, "message"),
        ("signatures", 0, "providerMetadata"),
    ),
    *(("signatures", 0, "providerMetadata", key) for key in ("google", "agent_core", "anthropic", "openai")),
    *(("files",), ("files", "0" * 64)),
]


def rich() -> Json:
    tool = {"type": "tool-a", "toolCallId": "c", "state": "output-available", "input": {}, "output": 1}
    file = {"type": "file", "mediaType": "image/png", "url": "attachment:" + "0" * 64}
    metadata = {"google": {"thoughtSignature": "x"}, "agent_core": {"model": "scripted"}}
    whole = parts({"type": "reasoning", "text": "Hm."}, tool, file, {"type": "text", "text": "Yes."})
    return whole | {"signatures": [{"message": 1, "part": 0, "providerMetadata": metadata}], "files": {}}


def test_any_document_is_a_thread_or_refused(path: Path) -> None:
    @given(st.lists(st.tuples(st.sampled_from(REPLACED), values), min_size=1, max_size=3))
    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def check(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
        whole = rich()
        for place, value in changes:
            _replace(whole, place, value)
        runner.run(_imported(api, whole))

    with asyncio.Runner() as runner:
        opened = agent_on(path, lambda _: ["Yes."])
        api = runner.run(opened.__aenter__())
        try:
            check()
        finally:
            runner.run(opened.__aexit__(None, None, None))


def _replace(whole: Any, place: tuple[Any, ...], value: Any) -> None:
    try:
        for key in place[:-1]:
            whole = whole[key]
        whole[place[-1]] = value
    except (LookupError, TypeError):
        pass  # an earlier change has replaced the target


async def _imported(api: AgentApi, whole: Json) -> None:
    try:
        thread = await api.import_thread(whole, signatures=True)
    except errors.ValidationError:
        return
    await api.send_message(thread.id, "Go on")
    await finished(api, thread)
    assert await eventually(lambda: api.list_messages(thread.id))
    made = await api.export_thread(thread.id, signatures=True)
    again = await api.import_thread(made, signatures=True)
    assert plain(await api.export_thread(again.id, signatures=True)) == plain(made)
    assert "providerMetadata" not in json.dumps([m.to_dict() for m in await api.list_messages(thread.id)])
