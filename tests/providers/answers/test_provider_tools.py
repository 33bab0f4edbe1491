"""Test tools that a provider runs itself, from raw bytes, with and without a litellm listener."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent_core import Agent, Runtime, action_tool, define_internal_agent_api
from agent_core.domain.messages import Part
from agent_core.llm import LitellmModel
from agent_core.llm.litellm_import import litellm_module
from agent_core.support import faults
from agent_core.testing import eventually
from tests.providers.dialects import DIALECTS, DialectServer, Ran, Reply, Thought, Use, serving
from tests.providers.dialects.dialect import event
from tests.providers.loopback import Stream
from tests.support.agents import AT_ONCE, finished, tool_parts
from tests.support.databases import prepared
from tests.support.processes.children import FORKED
from tests.support.providers.litellm_paths import listening

both_ways = pytest.mark.usefixtures("both_paths")

HIT = {
    "type": "web_search_result",
    "url": "https://example.org/rome",
    "title": "Rome",
    "encrypted_content": "Eo8+secret",
}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
CODE = {"type": "code_execution_20250522", "name": "code_execution"}
SEARCHED = Ran("web_search", {"query": "Rome"}, [HIT], "srvtoolu_1")
COMPUTED = Ran(
    "bash_code_execution",
    {"command": "echo 4"},
    {"type": "bash_code_execution_result", "stdout": "4", "stderr": "", "return_code": 0, "content": []},
    "srvtoolu_2",
)


@action_tool
async def clock(zone: str = "UTC") -> str:
    """Tell the time."""
    return f"12 in {zone}"


def agent_for(server: DialectServer, **options: Any) -> Agent:
    model = LitellmModel(server.dialect.model, **server.options)
    return Agent("a", model, **{"tools": [clock], "retry": AT_ONCE, **options})


async def parts_of(path: Path, server: DialectServer, agent: Agent, prompts: list[str]) -> list[list[Part]]:
    """Send the prompts in turn; return the parts of each answer, read after a restart."""
    async with Runtime(prepared(path / "a.db")) as runtime:
        api = define_internal_agent_api(runtime, agent)
        thread = await api.create_thread(prompts[0])
        for prompt in prompts[1:]:
            await finished(api, thread)
            await api.send_message(thread.id, prompt)
        thread = await finished(api, thread)
        assert (thread.status, thread.error, server.violations) == ("completed", None, [])
    async with Runtime(prepared(path / "a.db")) as runtime:
        api = define_internal_agent_api(runtime, agent)
        messages = await api.list_messages(thread.id)
    assert "secret" not in json.dumps([message.to_dict() for message in messages])
    return [message.parts for message in messages if message.role == "assistant"]


def hosted(parts: list[Part]) -> list[tuple[Any, ...]]:
    return [
        (part["type"], part["state"], part.get("output", part.get("errorText")))
        for part in parts
        if part.get("providerExecuted")
    ]


STEPS: dict[str, list[Reply]] = {
    "search and text": [["Let me see.", SEARCHED, "It is sunny."]],
    "search, thoughts and a call": [
        [Thought("Hm."), SEARCHED, Thought("So."), "I look.", Use("clock")],
        ["Well."],
    ],
    "two tools": [["First.", SEARCHED, "Then.", COMPUTED, "Four."]],
    "search alone, then a call": [[SEARCHED, Use("clock")], ["Well."]],
}


@both_ways
@pytest.mark.parametrize("replies", STEPS.values(), ids=STEPS)
async def test_tools_of_anthropics_own_are_shown_and_come_back_as_they_were(
    replies: list[Reply], tmp_path: Path
) -> None:
    """The server refuses blocks that were changed, omitted or reordered."""
    async with serving(DIALECTS["anthropic"], *replies, ["Again."], ["Bye."]) as server:
        agent = agent_for(server, provider_tools=[SEARCH, CODE])
        first, *_ = await parts_of(tmp_path, server, agent, ["How is Rome?", "Sure?", "Thanks."])
    assert server.requests[0]["tools"][-2:] == [SEARCH, CODE]
    found = {part[0]: part[1:] for part in hosted(first)}
    seen = {key: value for key, value in HIT.items() if key != "encrypted_content"}
    assert found["tool-web_search"] == ("output-available", [seen])
    if COMPUTED in replies[0]:
        assert found["tool-bash_code_execution"] == ("output-available", COMPUTED.result)
    assert HIT["url"] in {part.get("url") for part in first}


PENDING = Ran("web_search", {"query": "Rome"}, [HIT], "srvtoolu_1", half="call")
CAME = Ran("web_search", {"query": "Rome"}, [HIT], "srvtoolu_1", half="result")
PAUSES: dict[str, list[Reply]] = {
    "in a call": [["Let me see.", PENDING], [CAME, "It is sunny."]],
    "in a call with thoughts": [
        [Thought("Hm."), PENDING],
        [CAME, Thought("So."), "Sunny.", Use("clock")],
        ["Well."],
    ],
    "twice": [
        [COMPUTED, PENDING],
        [CAME, Ran("web_search", {}, [], "srvtoolu_3", "call")],
        [Ran("web_search", {}, [], "srvtoolu_3", "result"), "It is sunny."],
    ],
}


@both_ways
@pytest.mark.parametrize("replies", PAUSES.values(), ids=PAUSES)
async def test_paused_turn_is_carried_on(replies: list[Reply], tmp_path: Path) -> None:
    async with serving(DIALECTS["anthropic"], *replies, ["Bye."]) as server:
        agent = agent_for(server, provider_tools=[SEARCH])
        first, last = await parts_of(tmp_path, server, agent, ["How is Rome?", "Thanks."])
    assert len(server.requests) == len(replies) + 1
    assert [message["role"] for message in server.requests[1]["messages"]] == ["user", "assistant"]
    assert last[-1]["text"] == "Bye."
    assert {part[1] for part in hosted(first)} == {"output-available"}
    assert len([part for part in first if part.get("toolCallId") == "srvtoolu_1"]) == 1
    assert not any(part["type"] == "data-finish" for part in first)


async def test_turn_that_pauses_for_ever_ends_at_its_limit(tmp_path: Path) -> None:
    paused = [[f"Search {n}.", Ran("web_search", {}, [], f"srvtoolu_{n}", "call")] for n in range(3)]
    async with (
        serving(DIALECTS["anthropic"], *paused, ["Bye."]) as server,
        Runtime(prepared(tmp_path / "a.db")) as runtime,
    ):
        agent = agent_for(server, provider_tools=[SEARCH], max_steps=3)
        api = define_internal_agent_api(runtime, agent)
        thread = await finished(api, await api.create_thread("How is Rome?"))
        assert (thread.status, thread.error_kind, len(server.requests)) == ("failed", "StepLimitError", 3)
        assert {part["state"] for part in await tool_parts(api, thread)} == {"output-error"}
        await api.send_message(thread.id, "Never mind.")
        assert (await finished(api, thread)).status == "completed"
    assert server.violations == [], "what nobody answered is not sent"


def begin_and_die(path: str, options: dict[str, Any]) -> None:
    """Start a turn, and kill this process once the turn's first step is committed."""

    async def begin() -> None:
        async with Runtime(path) as runtime:
            model = LitellmModel(DIALECTS["anthropic"].model, **options)
            api = define_internal_agent_api(runtime, Agent("a", model, provider_tools=[SEARCH]))
            await finished(api, await api.create_thread("How is Rome?"))

    faults.install("commit.after", lambda: os.kill(os.getpid(), signal.SIGKILL))
    asyncio.run(begin())


async def test_paused_turn_is_carried_on_after_a_kill(tmp_path: Path) -> None:
    """The kill comes after the commit of the pause and before the request that continues the turn."""
    path = prepared(tmp_path / "a.db")
    carried_on: Reply = [CAME, "It is sunny."]
    async with serving(DIALECTS["anthropic"], ["Let me see.", PENDING], carried_on) as server:
        child = FORKED.Process(target=begin_and_die, args=(path, server.options))
        child.start()
        await asyncio.to_thread(child.join, 60)
        assert child.exitcode == -signal.SIGKILL
        async with Runtime(path) as runtime:
            api = define_internal_agent_api(runtime, agent_for(server, tools=[], provider_tools=[SEARCH]))
            [thread] = await api.list_threads()
            thread = await finished(api, thread)
            assert (thread.status, server.violations) == ("completed", [])
            parts = (await api.list_messages(thread.id))[-1].parts
    assert [part["type"] for part in parts if part["type"] in ("text", "tool-web_search")] == [
        "text",
        "tool-web_search",
        "text",
    ]
    assert hosted(parts)[0][1] == "output-available"
    assert len(server.requests) == 2


GOOGLED = [
    {
        "toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "g1", "args": {"queries": ["Rome"]}},
        "thoughtSignature": "c2ln",
    },
    {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "g1", "response": {"found": 1}}},
]
RAN = [
    {"executableCode": {"language": "PYTHON", "code": "print(2 + 2)"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "4"}},
]
GROUNDED = {"groundingChunks": [{"web": {"uri": HIT["url"], "title": "Rome"}}]}


def gemini_says(*parts: dict[str, Any]) -> Stream:
    body = {
        "candidates": [{"content": {"parts": list(parts), "role": "model"}, "groundingMetadata": GROUNDED}]
    }
    last = {"candidates": [{"content": {"parts": [{"text": "So."}]}, "finishReason": "STOP"}]}
    return Stream([event(body), event(last)], end="eof")


@both_ways
async def test_tools_of_geminis_own_are_shown_and_come_back(tmp_path: Path) -> None:
    tools = [{"googleSearch": {}}, {"codeExecution": {}}]
    async with serving(DIALECTS["gemini"], gemini_says(*GOOGLED, *RAN), ["Again."]) as server:
        agent = agent_for(server, tools=[], provider_tools=tools)
        first, _ = await parts_of(tmp_path, server, agent, ["How is Rome?", "Thanks."])
    assert {key for tool in server.requests[0]["tools"] for key in tool} == {"googleSearch", "code_execution"}
    searched, *computed = hosted(first)
    assert searched == ("tool-google_search_web", "output-available", {"found": 1})
    assert HIT["url"] in {part.get("url") for part in first}
    model = next(each for each in server.requests[1]["contents"] if each["role"] == "model")
    assert [part for part in model["parts"] if "text" not in part] == GOOGLED
    assert computed == [("tool-code_execution", "output-available", RAN[1]["codeExecutionResult"])]


def openai_says(*items: dict[str, Any]) -> Stream:
    response = DIALECTS["responses"].whole(())
    events: list[dict[str, Any]] = [{"type": "response.created", "response": response | {"output": []}}]
    for place, item in enumerate(items):
        events += [
            {"type": "response.output_item.added", "output_index": place, "item": item},
            *(
                [{"type": "response.output_text.delta", "output_index": place, "delta": "Sunny."}]
                if "content" in item
                else []
            ),
            {"type": "response.output_item.done", "output_index": place, "item": item},
        ]
    events.append({"type": "response.completed", "response": response | {"output": list(items)}})
    return Stream([event(each, each["type"]) for each in events], end="eof")


ANNOTATED = {
    "type": "output_text",
    "text": "Sunny.",
    "annotations": [{"type": "url_citation", "url": HIT["url"]}],
}
ITEMS = [
    {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "e"},
    {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "Rome"},
    },
    {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [ANNOTATED]},
]


@both_ways
async def test_tools_of_openais_own_never_strand_a_turn(tmp_path: Path) -> None:
    """OpenAI refuses reasoning without the search it led to, which litellm cannot send: send neither."""
    async with serving(DIALECTS["responses"], openai_says(*ITEMS), ["Again."]) as server:
        agent = agent_for(server, provider_tools=[{"type": "web_search"}])
        first, last = await parts_of(tmp_path, server, agent, ["How is Rome?", "Thanks."])
    assert {"type": "web_search"} in server.requests[0]["tools"]
    assert [item["type"] for item in server.requests[1]["input"]] == ["message"] * 3
    assert last[-1]["text"] == "Again."
    assert hosted(first) == [("tool-web_search", "output-available", None)]
    assert HIT["url"] in {part.get("url") for part in first}
    kinds = [part["type"] for part in first if part["type"] in ("tool-web_search", "text")]
    assert kinds == ["tool-web_search", "text"]


DRAWN = {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": "iVBORw0KGgo="}


@both_ways
async def test_picture_that_openai_draws_is_a_file(tmp_path: Path) -> None:
    async with serving(DIALECTS["responses"], openai_says(DRAWN, ITEMS[2]), ["Again."]) as server:
        agent = agent_for(server, provider_tools=[{"type": "image_generation"}])
        first, _ = await parts_of(tmp_path, server, agent, ["Draw Rome.", "Thanks."])
    assert [part["mediaType"] for part in first if part["type"] == "file"] == ["image/png"]


@both_ways
async def test_failed_response_ends_in_the_providers_words(tmp_path: Path) -> None:
    failed = {"status": "failed", "error": {"code": "server_error", "message": "The search is down."}}
    events = [
        {"type": "response.output_item.done", "output_index": 0, "item": ITEMS[1]},
        {"type": "response.failed", "response": DIALECTS["responses"].whole(()) | failed},
    ]
    says = Stream([event(each, str(each["type"])) for each in events], end="eof")
    async with (
        serving(DIALECTS["responses"], says, says, says) as server,
        Runtime(prepared(tmp_path / "a.db")) as runtime,
    ):
        api = define_internal_agent_api(runtime, agent_for(server))
        thread = await finished(api, await api.create_thread("How is Rome?"))
    assert thread.status == "failed"
    assert "The search is down." in str(thread.error)


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    """Return the list of whole answers that a litellm callback receives."""
    with listening() as answers:
        yield answers


OPENED = {
    "responses": (openai_says(*ITEMS), [{"type": "web_search"}], "Sunny."),
    "gemini": (gemini_says(*RAN), [{"codeExecution": {}}], "So."),
}


@pytest.mark.parametrize("dialect", OPENED)
async def test_callback_of_litellms_hears_the_answer_whose_provider_tools_are_shown(
    dialect: str, heard: list[Any], tmp_path: Path
) -> None:
    says, tools, words = OPENED[dialect]
    async with serving(DIALECTS[dialect], says, ["Again."]) as server:
        agent = agent_for(server, tools=[], provider_tools=tools)
        first, _ = await parts_of(tmp_path, server, agent, ["How is Rome?", "Thanks."])
    assert [state for _, state, _ in hosted(first)] == ["output-available"]
    await eventually(lambda: len(heard) > 1)
    assert [answer.choices[0].message.content for answer in heard[:2]] == [words, "Again."]


@pytest.fixture
async def cache(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Enable and return litellm's cache, without the module that needs the packages of `litellm[proxy]`."""
    absent = ModuleType("response_cache")
    absent.CachedAnthropicMessagesStreamIterator = type("Absent", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "litellm.llms.anthropic.messages.native.response_cache", absent)
    litellm = await litellm_module()
    monkeypatch.setattr(litellm, "cache", litellm.caching.caching.Cache())
    return litellm.cache


KEPT: dict[str, tuple[str, Reply | Stream, list[str]]] = {
    "openai's search": ("responses", openai_says(*ITEMS), []),
    "gemini's code": ("gemini", gemini_says(*RAN), []),
    "google's search": ("gemini", gemini_says(*GOOGLED), ["tool-google_search_web"]),
    "anthropic's search": ("anthropic", [Thought("Hm."), SEARCHED, "So."], ["tool-web_search"]),
}


@pytest.mark.parametrize(("dialect", "says", "kept"), KEPT.values(), ids=KEPT)
async def test_answer_of_litellms_cache_has_of_provider_tools_what_litellm_keeps(
    dialect: str, says: Reply | Stream, kept: list[str], cache: Any, tmp_path: Path
) -> None:
    async with (
        serving(DIALECTS[dialect], says) as server,
        Runtime(prepared(tmp_path / "a.db")) as runtime,
    ):
        tools = [{"type": "web_search"}] if dialect == "responses" else [SEARCH]
        api = define_internal_agent_api(runtime, agent_for(server, tools=[], provider_tools=tools))
        asked = await finished(api, await api.create_thread("How is Rome?"))
        await eventually(lambda: len(cache.cache.cache_dict) > 0)
        again = await finished(api, await api.create_thread("How is Rome?"))
        answers = [(await api.list_messages(thread.id))[-1] for thread in (asked, again)]
    assert ([asked.status, again.status], len(server.requests)) == (["completed"] * 2, 1)
    assert answers[0].text == answers[1].text != ""
    assert len(hosted(answers[0].parts)) == 1
    assert [kind for kind, *_ in hosted(answers[1].parts)] == kept
