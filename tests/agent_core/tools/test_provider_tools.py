"""Provider tools: passed on unchanged, shown as parts, never run here, and never blocking a turn."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, Runtime, action_tool, define_agent_api
from agent_core.errors import ModelError, ValidationError
from agent_core.llm import (
    Finish,
    HostedCall,
    HostedResult,
    LitellmModel,
    ModelEvent,
    ModelRequest,
    TextDelta,
)
from agent_core.llm.readers.anthropic import AnthropicReader
from agent_core.llm.readers.gemini import GeminiReader
from agent_core.llm.readers.openai_chat import ChatReader
from agent_core.store.database.sql import CALL
from agent_core.testing import Item, ScriptedModel, ToolUse
from agent_core.tools.provider_tools import NO_RESULT
from tests.providers.dialects.anthropic import stream_of
from tests.providers.loopback import Stream, provider
from tests.support.agents import Follower, agent_on, finished, rows, tool_parts
from tests.support.databases import prepared

SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
HIT = {
    "type": "web_search_result",
    "url": "https://example.org/rome",
    "title": "Rome",
    "encrypted_content": "Eo8…",
}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [HIT]}
BUSY = ModelError("Overloaded.", kind="provider_5xx", retryable=True)
MODEL = ScriptedModel([])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agents.db"


@action_tool
def look(city: str) -> str:
    """Look outside."""
    return f"Sun in {city}"


def call(id: str = "srv_1", name: str = "web_search") -> HostedCall:
    return HostedCall(id, name, {"query": "Rome"})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([{**SEARCH, "name": "look"}], "Two tools are called 'look'"),
        ([{"look": {}}], "Two tools are called 'look'"),
        ([SEARCH, SEARCH], "Two provider tools are called 'web_search'"),
        ([{"type": "function", "function": {"name": "x"}}], "is a function, which no provider runs"),
        ([{}], "the provider's own dict"),
        ([{"type": object()}], "not JSON"),
        (["web_search"], "provider_tools of Agent must be a list of dicts"),
        (SEARCH, "provider_tools of Agent must be a list of dicts"),
        ("web_search", "provider_tools of Agent must be a list of dicts"),
    ],
)
def test_invalid_provider_tool_is_refused(given: Any, words: str):
    with pytest.raises(ValidationError, match=words):
        Agent("a", MODEL, tools=[look], provider_tools=given)


def test_provider_tools_are_the_agents_own_copy():
    given = [dict(SEARCH), {"googleSearch": {}}, {"type": "code_execution"}]
    agent = Agent("a", MODEL, tools=[look], provider_tools=given)
    given[0]["name"] = "other"
    assert [tool.get("name") for tool in agent.provider_tools] == ["web_search", None, None]


async def test_hosted_call_and_result_are_parts_in_their_places(path: Path):
    turn: list[Item] = ["Let me see. ", call(), HostedResult("srv_1", [{"title": "Rome"}]), "It is sunny."]
    model = ScriptedModel([turn, ["Good."]])
    async with agent_on(path, model, tools=[look], provider_tools=[SEARCH]) as api:
        thread = await api.create_thread()
        follower = Follower(api, thread.id)
        await api.send_message(thread.id, "How is Rome?")
        thread = await finished(api, thread)
        message = (await api.list_messages(thread.id))[-1]
        kinds = [part["type"] for part in message.parts]
        assert kinds == ["step-start", "text", "tool-web_search", "text"]
        assert message.parts[2] == {
            "type": "tool-web_search",
            "toolCallId": "srv_1",
            "state": "output-available",
            "input": {"query": "Rome"},
            "output": [{"title": "Rome"}],
            "providerExecuted": True,
        }
        await follower.until(lambda view: view.messages and view.messages[-1]["parts"] == message.parts)
        await api.send_message(thread.id, "Thanks.")
        assert (await finished(api, thread)).status == "completed"
        assert len(model.requests) == 2
        assert not any(each.get("tool_calls") for each in model.requests[1])
    assert rows(path, CALL)[CALL.name] == []


@pytest.mark.sqlite  # decided by the loop, which knows no database
@pytest.mark.parametrize(
    ("turn", "state", "text"),
    [
        ([call(), "Well."], "output-error", NO_RESULT),
        ([call()], "output-error", NO_RESULT),
        (
            [call(name="zebra"), HostedResult("srv_1", None, error="max_uses_exceeded"), "Well."],
            "output-error",
            "max_uses",
        ),
        (
            [call(), HostedResult("srv_1", {"a": 1}), HostedResult("srv_1", 2), "Well."],
            "output-available",
            "",
        ),
        (
            [HostedResult("srv_9", "of nothing"), call(), HostedResult("srv_1", "x"), "Well."],
            "output-available",
            "",
        ),
        ([ToolUse("web_search", {"query": "Rome"}), "Well."], "output-error", NO_RESULT),
        ([ToolUse("web_search", {"query": "Rome"})], "output-error", NO_RESULT),
        ([ToolUse("other", {}, id="srvtoolu_5"), "Well."], "output-error", NO_RESULT),
    ],
    ids=repr,
)
async def test_turn_never_strands_on_a_hosted_call(path: Path, turn: list[Item], state: str, text: str):
    model = ScriptedModel([turn, ["Next."]])
    async with agent_on(path, model, tools=[look], provider_tools=[SEARCH]) as api:
        thread = await finished(api, await api.create_thread("How is Rome?"))
        assert (thread.status, len(model.requests)) == ("completed", 1)
        [part] = await tool_parts(api, thread)
        assert (part["state"], part["providerExecuted"]) == (state, True)
        assert text in part.get("errorText", "")
        await api.send_message(thread.id, "And now?")
        assert (await finished(api, thread)).status == "completed"
    assert rows(path, CALL)[CALL.name] == []


async def test_turn_that_pauses_goes_on(path: Path):
    """A hosted call that never gets a result is closed where the turn paused."""
    model = ScriptedModel([["Let me see. ", call(), Finish("pause-turn")], ["It is sunny."]])
    async with agent_on(path, model, tools=[look], provider_tools=[SEARCH]) as api:
        thread = await finished(api, await api.create_thread("How is Rome?"))
        assert (thread.status, len(model.requests)) == ("completed", 2)
        assert [part["errorText"] for part in await tool_parts(api, thread)] == [NO_RESULT]
        assert (await api.list_messages(thread.id))[-1].text.endswith("It is sunny.")


async def test_local_call_beside_a_hosted_one_runs_alone(path: Path):
    """A local call and a hosted one may even share an id."""
    turn = [call("c"), HostedResult("c", "found"), ToolUse("look", {"city": "Rome"}, id="c")]
    model = ScriptedModel([turn, ["Sunny."]])
    async with agent_on(path, model, tools=[look], provider_tools=[SEARCH]) as api:
        thread = await finished(api, await api.create_thread("How is Rome?"))
        hosted, own = await tool_parts(api, thread)
        assert (hosted["output"], own["output"]) == ("found", "Sun in Rome")
        assert hosted["toolCallId"] != own["toolCallId"]
        [sent] = [each for each in model.requests[1] if each.get("tool_calls")]
        assert [each["id"] for each in sent["tool_calls"]] == [own["toolCallId"]]


async def test_failed_attempt_leaves_no_hosted_call_open(path: Path):
    async with agent_on(path, [[call(), BUSY], [call(), HostedResult("srv_1", 1), "Well."]]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        assert [part["state"] for part in await tool_parts(api, thread)] == ["output-available"]
    async with agent_on(path, [[call("srv_2"), BUSY]] * 3) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        assert thread.status == "failed"
        assert [part["state"] for part in await tool_parts(api, thread)] == ["output-error"]


async def test_hosted_parts_survive_a_restart_and_are_copied_by_a_fork(path: Path):
    async with agent_on(path, [[call(), HostedResult("srv_1", [1]), "Well."]]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        before = await tool_parts(api, thread)
    async with agent_on(path, [["More."], ["Else."]]) as api:
        assert await tool_parts(api, thread) == before
        await api.send_message(thread.id, "Go on")
        assert (await finished(api, thread)).status == "completed"
        answer = (await api.list_messages(thread.id))[1]
        fork = await api.fork_thread(thread.id, answer.id)
        assert await tool_parts(api, fork) == before


def says(*blocks: tuple[dict[str, Any], list[dict[str, Any]]], stop: str = "end_turn") -> Stream:
    return Stream(stream_of(blocks, stop), "eof")


def text(words: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": words}]


SEARCHING = (
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    [
        {"type": "input_json_delta", "partial_json": '{"query": '},
        {"type": "input_json_delta", "partial_json": '"weather Rome"}'},
    ],
)


@pytest.mark.sqlite  # depends only on the provider's dialect
@pytest.mark.usefixtures("both_paths")
async def test_anthropics_search_is_shown_and_goes_back_as_it_was(path: Path):
    looking = (
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
        [{"type": "input_json_delta", "partial_json": '{"city": "Rome"}'}],
    )
    answers = [
        says(text("Let me see."), SEARCHING, (FOUND, []), looking, stop="tool_use"),
        says(text("Sunny.")),
        says(text("Always.")),
    ]
    async with provider(*answers) as server:
        claude = LitellmModel(
            "anthropic/claude-sonnet-5", api_base=server.url.removesuffix("/v1"), api_key="k" * 12
        )
        agent = Agent("a", claude, tools=[look], provider_tools=[SEARCH])
        async with Runtime(prepared(path)) as runtime:
            api = define_agent_api(runtime, agent)
            thread = await finished(api, await api.create_thread("How is Rome?"))
            assert (thread.status, thread.error) == ("completed", None)
            *searched, own = await tool_parts(api, thread)
            assert own["state"] == "output-available"
            await api.send_message(thread.id, "And tomorrow?")
            assert (await finished(api, thread)).status == "completed"
            messages = await api.list_messages(thread.id)
    assert server.requests[0]["tools"][-1] == SEARCH
    [found] = searched
    assert (found["state"], found["providerExecuted"]) == ("output-available", True)
    assert found["input"] == {"query": "weather Rome"}
    assert found["output"] == [{key: value for key, value in HIT.items() if key != "encrypted_content"}]
    assert "Eo8" not in json.dumps([message.to_dict() for message in messages])
    assert "https://example.org/rome" in {part.get("url") for part in messages[1].parts}
    for request in server.requests[1:]:
        blocks = next(each for each in request["messages"] if each["role"] == "assistant")["content"]
        assert [block["type"] for block in blocks] == [
            "text",
            "server_tool_use",
            "web_search_tool_result",
            "tool_use",
        ]
        assert blocks[1] | {"input": {"query": "weather Rome"}, "id": "srvtoolu_1"} == blocks[1]
        assert blocks[2]["content"] == [HIT]
        assert blocks[2]["tool_use_id"] == "srvtoolu_1"


@pytest.mark.sqlite  # depends only on the provider's dialect
async def test_geminis_code_execution_is_shown(path: Path):
    ran = {"executableCode": {"language": "PYTHON", "code": "print(2 ** 10)"}}
    came = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1024\n"}}
    failed = {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "boom"}}
    reader = GeminiReader()
    parts = [{"text": "Let me count."}, ran, came, ran, failed, {"text": "1024."}]
    said = reader.read({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]})
    assert said == [
        TextDelta("Let me count."),
        HostedCall("code_1", "code_execution", ran["executableCode"]),
        HostedResult("code_1", came["codeExecutionResult"]),
        HostedCall("code_2", "code_execution", ran["executableCode"]),
        HostedResult("code_2", failed["codeExecutionResult"], "OUTCOME_FAILED: boom"),
        TextDelta("1024."),
    ]
    async with agent_on(
        path,
        [[call("code_1", "code_execution"), HostedResult("code_1", came), "1024."]],
        provider_tools=[{"code_execution": {}}],
    ) as api:
        thread = await finished(api, await api.create_thread("Count"))
        [part] = await tool_parts(api, thread)
        assert (part["type"], part["output"]) == ("tool-code_execution", came)


def test_tools_that_groq_has_run_are_reported_once():
    begun = {"index": 0, "type": "search", "arguments": '{"query": "Rome"}'}
    reader = ChatReader()
    said = [
        event
        for tool in (
            begun,
            begun | {"output": "Rome is in Italy."},
            {"index": 1, "type": "x", "arguments": "{"},
        )
        for event in reader.read({"choices": [{"delta": {"executed_tools": [tool]}}]})
    ]
    assert said == [
        HostedCall("executed_0", "search", {"query": "Rome"}),
        HostedResult("executed_0", "Rome is in Italy."),
        HostedCall("executed_1", "x", "{"),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
            "web_search failed: max_uses_exceeded",
        ),
        ([], None),
        (None, None),
        ("nonsense", None),
    ],
)
def test_anthropics_results_of_any_shape_end_their_call(content: Any, words: str | None):
    reader = AnthropicReader()
    block = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": content}
    searching = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search"}
    assert whole(reader, searching) == [HostedCall("srvtoolu_1", "web_search", {})]
    assert whole(reader, block) == [HostedResult("srvtoolu_1", content, words)]


def whole(reader: AnthropicReader, block: dict[str, Any]) -> list[ModelEvent]:
    said = reader.read({"type": "content_block_start", "index": 0, "content_block": block})
    return said + reader.read({"type": "content_block_stop", "index": 0})


async def test_custom_adapter_gets_the_provider_tools(path: Path):
    asked: list[ModelRequest] = []

    class Own(ScriptedModel):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
            asked.append(request)
            async for event in super().stream(request):
                yield event

    async with agent_on(path, Own([["Hello."]]), provider_tools=[SEARCH]) as api:
        await finished(api, await api.create_thread("Hi"))
    assert asked[0].provider_tools == [SEARCH]
