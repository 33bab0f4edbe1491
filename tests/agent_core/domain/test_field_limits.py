"""Limits of every stored field: an overlong or malformed value is refused with a sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent_core import Agent, AgentApi, CallContext, Runtime, create_action_tool, define_agent_api, every
from agent_core.domain import field_limits as limits
from agent_core.domain.validation import message_parts
from agent_core.errors import AgentCoreError, ValidationError
from agent_core.http.routes import PATHS, TYPES
from agent_core.testing import ScriptedModel, ToolUse
from tests.support.agents import agent_on, finished, rows, waiting
from tests.support.databases import prepare, url

BIG = "x" * 20_000_000
TOOL = {"type": "tool-a", "toolCallId": "c", "state": "output-available", "input": {}, "output": 1}


class Seat:
    """An existing thread, message and tool call, into which a field can be written."""

    def __init__(self, api: AgentApi, thread_id: str, message_id: str, call_id: str) -> None:
        self.api, self.thread_id, self.message_id, self.call_id = api, thread_id, message_id, call_id


def message(**fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": "Hi"} | fields


FIELDS: dict[str, Callable[[Seat], Awaitable[Any]]] = {
    "the title of a new thread": lambda s: s.api.create_thread(title=BIG),
    "a changed title": lambda s: s.api.update_thread(s.thread_id, title=BIG),
    "a schedule's title": lambda s: s.api.schedules.create(None, "Hi", every(hours=1), title=BIG),
    "metadata of a new thread": lambda s: s.api.create_thread(metadata={"a": BIG}),
    "changed metadata": lambda s: s.api.update_thread(s.thread_id, metadata={"a": BIG}),
    "merged metadata": lambda s: s.api.change_metadata(s.thread_id, {BIG: 1}),
    "metadata of a message": lambda s: s.api.add_message(s.thread_id, message(metadata={"a": [BIG]})),
    "metadata of a sent message": lambda s: s.api.send_message(s.thread_id, "Hi", metadata={"a": BIG}),
    "a schedule's metadata": lambda s: s.api.schedules.create(
        None, "Hi", every(hours=1), metadata={"a": BIG}
    ),
    "preferences": lambda s: s.api.preferences.change({"a": BIG}),
    "a thread's id": lambda s: s.api.create_thread(thread_id=BIG),
    "a message's id": lambda s: s.api.add_message(s.thread_id, message(id=BIG)),
    "a prompt's id": lambda s: s.api.send_message(s.thread_id, "Hi", message_id=BIG),
    "a fork's id": lambda s: s.api.fork_thread(s.thread_id, s.message_id, new_thread_id=BIG),
    "a schedule's id": lambda s: s.api.schedules.create(None, "Hi", every(hours=1), schedule_id=BIG),
    "a user's id": lambda s: s.api.create_thread("Hi", ctx=CallContext(BIG)),
    "a user's id with NUL": lambda s: s.api.create_thread("Hi", ctx=CallContext("a\0b")),
    "a user of a schedule": lambda s: s.api.schedules.create(
        None, "Hi", every(hours=1), ctx=CallContext(BIG)
    ),
    "a user of a file": lambda s: s.api.add_file(b"x", media_type="text/plain", ctx=CallContext(BIG)),
    "a user of preferences": lambda s: s.api.preferences.change({"a": 1}, ctx=CallContext(BIG)),
    "a user of a fork": lambda s: s.api.fork_thread(s.thread_id, s.message_id, ctx=CallContext(BIG)),
    "a prompt": lambda s: s.api.send_message(s.thread_id, BIG),
    "an edited prompt": lambda s: s.api.edit_message(s.thread_id, s.message_id, BIG),
    "a schedule's prompt": lambda s: s.api.schedules.create(None, BIG, every(hours=1)),
    "reasoning": lambda s: s.api.add_message(
        s.thread_id, {"role": "assistant", "parts": [{"type": "reasoning", "text": BIG}, TOOL]}
    ),
    "many parts": lambda s: s.api.send_message(s.thread_id, [{"type": "text", "text": "x"}] * 20_000),
    "parts that are long together": lambda s: s.api.send_message(
        s.thread_id, [{"type": "text", "text": "x" * 3_999_999}] * 20
    ),
    "a data part": lambda s: s.api.send_message(
        s.thread_id, [{"type": "text", "text": "x"}, {"type": "data-a", "data": BIG}]
    ),
    "a tool part's output": lambda s: s.api.add_message(
        s.thread_id, {"role": "assistant", "parts": [{**TOOL, "output": BIG}]}
    ),
    "a tool part's id": lambda s: s.api.add_message(
        s.thread_id, {"role": "assistant", "parts": [{**TOOL, "toolCallId": BIG}]}
    ),
    "a tool part's name": lambda s: s.api.add_message(
        s.thread_id, {"role": "assistant", "parts": [{**TOOL, "type": f"tool-{BIG}"}]}
    ),
    "a file's name": lambda s: s.api.send_message(
        s.thread_id,
        [{"type": "file", "mediaType": "a/b", "url": "data:a/b;base64,eA==", "filename": BIG}],
    ),
    "a file's type": lambda s: s.api.send_message(
        s.thread_id, [{"type": "file", "mediaType": BIG, "url": "data:a/b;base64,eA=="}]
    ),
    "a source's title": lambda s: s.api.add_message(
        s.thread_id,
        {
            "role": "assistant",
            "parts": [TOOL, {"type": "source-url", "sourceId": "s", "url": "https://x", "title": BIG}],
        },
    ),
    "many messages": lambda s: s.api.create_thread(messages=[message()] * 20_000),
    "a reason": lambda s: s.api.deny_tool_calls(s.thread_id, [s.call_id], BIG),
    "many ids": lambda s: s.api.deny_tool_calls(s.thread_id, [s.call_id] * 20_000),
    "edited arguments": lambda s: s.api.approve_tool_calls(
        s.thread_id, [s.call_id], args={s.call_id: {"text": BIG}}
    ),
    "a tool's error": lambda s: s.api.add_tool_error(s.call_id, BIG, thread_id=s.thread_id),
    "a tool's result": lambda s: s.api.add_tool_result(s.call_id, BIG, thread_id=s.thread_id),
    "max_runs": lambda s: s.api.schedules.create(None, "Hi", every(hours=1), max_runs=2**70),
    "a page": lambda s: s.api.list_threads(2**70),
    "a page of what waits": lambda s: s.api.list_waiting(2**70),
    "a search": lambda s: s.api.search(BIG),
    "a title that is searched": lambda s: s.api.list_threads(query=BIG),
    "a number": lambda s: s.api.create_thread(metadata={"a": 10**5_000}),
}


def say(text: str) -> str:
    """Say something."""
    return text


async def test_every_stored_field_is_bounded(path: Path) -> None:
    tool = create_action_tool(description="Say", args=None, handler=say, needs_approval=True)
    turns = [[ToolUse("say", {"text": "a"})], ["ok"]]
    async with agent_on(path, turns, tools=[tool]) as api:
        thread = await api.create_thread("Hi")
        (call_id,) = await waiting(api, thread.id)
        (first, *_) = await api.list_messages(thread.id)
        seat = Seat(api, thread.id, first.id, call_id)
        before = rows(path)
        for name, write in FIELDS.items():
            with pytest.raises(ValidationError) as refused:
                await write(seat)
            sentence = str(refused.value)
            assert len(sentence) < 500, name
            assert any(letter.isdigit() for letter in sentence), f"{name}: {sentence}"
        assert rows(path) == before, "what is refused leaves nothing behind"
        await api.approve_tool_calls(thread.id, [call_id])
        assert (await finished(api, thread)).status == "completed"


WRONG: dict[str, Any] = {
    "approval": {**TOOL, "state": "approval-responded", "approval": "yes"},
    "approval list": {**TOOL, "approval": [True]},
    "approval without id": {**TOOL, "approval": {"approved": True}},
    "approved": {**TOOL, "state": "approval-responded", "approval": {"id": "a", "approved": "yes"}},
    "reason": {**TOOL, "state": "output-denied", "approval": {"id": "a", "approved": False, "reason": 5}},
    "errorText": {**TOOL, "state": "output-error", "errorText": {"a": 1}},
    "providerExecuted": {**TOOL, "providerExecuted": "yes"},
    "providerMetadata": {"type": "text", "text": "Hi", "providerMetadata": "x"},
    "callProviderMetadata": {**TOOL, "callProviderMetadata": []},
    "filename": {"type": "file", "mediaType": "a/b", "url": "https://x", "filename": {"a": 1}},
    "title": {"type": "source-url", "sourceId": "s", "url": "https://x", "title": 5},
    "state of a text": {"type": "text", "text": "Hi", "state": ["done"]},
    "id of data": {"type": "data-a", "id": 5, "data": 1},
    "url of data": {"type": "data-a", "url": 5, "data": {"url": 5}},
    "url": {"type": "file", "mediaType": "a/b", "url": ["https://x"]},
    "type": {"type": ["text"], "text": "Hi"},
}


@pytest.mark.parametrize("name", [name for name in WRONG if name != "url of data"])
def test_nested_fields_are_checked_as_the_top_level_is(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        message_parts("assistant", [WRONG[name], {"type": "text", "text": "Hi"}])
    assert len(str(refused.value)) < 300


# --- any JSON over HTTP ---

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["yes", "\0", "\ud800", "a\0b", "\u202e", "x" * 5_000, "thread_1", "assistant", "user"]),
)
_JUNK = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_NAMES = ("type", "text", "toolCallId", "state", "input", "output", "approval", "id", "approved", "reason")
_PART = st.one_of(
    st.sampled_from(list(WRONG.values())),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "tool-a", "file", "data-x", "reasoning", "source-url"]) | _JUNK},
        optional=dict.fromkeys((*_NAMES[1:], "url", "mediaType", "filename", "sourceId", "metadata"), _JUNK),
    ),
)
_MESSAGE = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=5) | _JUNK, "role": st.sampled_from(["user", "assistant"]) | _JUNK},
    optional={"parts": st.lists(_PART, max_size=3) | _JUNK, "content": _JUNK, "metadata": _JUNK},
)
_FIELD = {
    "prompt": st.lists(_PART, max_size=3) | _JUNK,
    "messages": st.lists(_MESSAGE, max_size=3) | _JUNK,
    "message": _MESSAGE | _JUNK,
    "ids": st.lists(st.text(max_size=5), max_size=3) | _JUNK,
    "args": st.dictionaries(st.text(max_size=5), _JUNK, max_size=2) | _JUNK,
    "trigger": st.fixed_dictionaries(
        {"type": st.sampled_from(["cron", "interval", "date"])},
        optional=dict.fromkeys(("expression", "timezone", "seconds", "start", "moment"), _JUNK),
    )
    | _JUNK,
}
_CHAT = st.fixed_dictionaries(
    {"id": st.sampled_from(["t", "new"]) | _JUNK, "messages": st.lists(_MESSAGE, min_size=1, max_size=3)},
    optional=dict.fromkeys(("trigger", "messageId", "when_busy", "tools", "metadata"), _JUNK),
)
_IDS = st.sampled_from(["t", "m", "none", "%00", "%ED%A0%80", "a:b", "%20", "x" * 300])


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any, dict[str, str]]:
    """Draw the verb, path, body and query of a request for one of the API's paths."""
    if draw(st.integers(0, 3)) == 0:
        return "POST", "/chat", draw(_CHAT), {}
    path = draw(st.sampled_from([path for path in PATHS if path.method != "wait_until_idle"]))
    where = path.path
    while "{" in where:
        name = where[where.index("{") : where.index("}") + 1]
        where = where.replace(name, draw(_IDS), 1)
    names = [*path.required, *path.optional]
    body = {
        name: draw(_FIELD.get(name, _JUNK)) for name in names if name in path.required or draw(st.booleans())
    }
    query = {name: draw(st.text(max_size=6) | st.sampled_from(["1", "true"])) for name in path.query}
    return path.verb, where, body, query


class Served:
    """HTTP app of an agent, called from outside its event loop."""

    def __init__(self, runner: asyncio.Runner, path: Path) -> None:
        self._runner, self._path = runner, path
        runner.run(self._open())

    async def _open(self) -> None:
        self._runtime = await Runtime(url(prepare(self._path))).__aenter__()
        model = ScriptedModel(lambda _: ["Yes."])
        api = define_agent_api(self._runtime, Agent("a", model))
        await api.create_thread("Hi", thread_id="t", message_id="m")
        transport = httpx.ASGITransport(api.http_app())
        self._client = httpx.AsyncClient(transport=transport, base_url="http://x", timeout=20)

    def ask(self, verb: str, where: str, body: Any, query: dict[str, str]) -> httpx.Response:
        """Send a request and return the response."""
        sent = None if verb in ("GET", "DELETE") else json.dumps(body).encode("ascii")
        headers = {"Content-Type": "application/json"}
        asked = self._client.request(verb, where, content=sent, params=query, headers=headers)
        return self._runner.run(asyncio.wait_for(asked, 20))

    def close(self) -> None:
        """Close the client and the runtime."""
        self._runner.run(self._client.aclose())
        self._runner.run(self._runtime.__aexit__(None, None, None))


@pytest.fixture
def served(path: Path) -> Iterator[Served]:
    with asyncio.Runner() as runner:
        app = Served(runner, path)
        yield app
        app.close()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(request=requests())
@example(
    request=(
        "POST",
        "/chat",
        {"id": "t", "messages": [{"id": "a", "role": "assistant", "parts": [WRONG["approval"]]}]},
        {},
    )
)
@example(
    request=(
        "POST",
        "/chat",
        {"id": "n", "messages": [{"id": "u", "role": "user", "parts": [WRONG["url of data"]]}]},
        {},
    )
)
@example(
    request=(
        "POST",
        "/threads/t/history",
        {"message": {"role": "assistant", "parts": [WRONG["approval"]]}},
        {},
    )
)
@example(request=("GET", "/threads", {}, {"cursor": "\0"}))
@example(request=("GET", "/threads/t/messages", {}, {"before": "\0"}))
def test_any_json_over_http_is_answered_without_a_server_error(
    served: Served, request: tuple[str, str, Any, dict[str, str]]
) -> None:
    found = served.ask(*request)
    assert found.status_code < 500, (request, found.text)
    if found.status_code >= 400:
        assert found.json()["error"]["message"]


@pytest.mark.parametrize("name", [name for name in WRONG if name not in ("url of data", "title")])
def test_a_wrong_nested_field_is_422_with_a_sentence(name: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        app = Served(runner, tmp_path / "a.db")
        said = {"role": "assistant", "parts": [WRONG[name], {"type": "text", "text": "Hi"}]}
        found = app.ask("POST", "/threads/t/history", {"message": said}, {})
        assert found.status_code == 422, found.text
        app.close()


def test_every_field_of_the_paths_has_a_type() -> None:
    named = {name for path in PATHS for name in (*path.required, *path.optional)}
    assert named - TYPES.keys() <= {"result"}
    assert limits.MAX_ID < 1_000


def test_an_error_does_not_repeat_a_huge_value() -> None:
    with pytest.raises(AgentCoreError) as refused:
        message_parts("user", [{"type": "x" * 1_000_000}])
    assert len(str(refused.value)) < 300


VALUES: dict[bytes, int] = {
    b"[]": 1,
    b"[1,2,3]": 3,
    b'["a,b",[{"c[":"\\",[","d":null}]]': 5,
    b'{"a":"' + b"," * 50 + b'","b":"' + b'\\"[' * 50 + b'"}': 2,
    b'["\\u0001' + b"\\\\" * 3_000_000 + b'"]': 1,
}


@pytest.mark.sqlite
@pytest.mark.parametrize(("text", "count"), VALUES.items(), ids=lambda value: repr(value)[:30])
def test_values_of_json_text_are_counted_outside_of_strings(text: bytes, count: int) -> None:
    json.loads(text)
    assert limits.has_too_many_values(text, count - 1) or count == 1
    assert not limits.has_too_many_values(text, count)


@pytest.mark.sqlite
@pytest.mark.parametrize("text", [b"[" * 300, b"," * 300, b'""' * 300 + b"," * 101, b'{"a' + b"\\," * 300])
def test_text_that_is_no_json_ends_the_count(text: bytes) -> None:
    assert limits.has_too_many_values(text, 100) or text.startswith(b'{"a')
