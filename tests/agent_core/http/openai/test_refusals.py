"""Requests that cannot be answered: an error in OpenAI's form that says what to send, and nothing begun."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core.http.openai.body.asks import chat_options, response_options
from agent_core.http.openai.body.messages import read_input, read_messages
from agent_core.http.openai.body.parameters import (
    CHAT_IGNORED,
    CHAT_USED,
    RESPONSES_IGNORED,
    RESPONSES_USED,
    check_parameters,
)
from agent_core.http.openai.errors import RequestError
from agent_core.testing import ScriptedModel
from tests.support.servers.openai_server import serving_openai

HI: dict[str, Any] = {"model": "assistant", "messages": [{"role": "user", "content": "Hi"}]}
ITEM: dict[str, Any] = {"model": "assistant", "input": [{"role": "user", "content": "Hi"}]}
CHAT = "/chat/completions"


def error_of(response: httpx.Response, status: int = 400) -> dict[str, Any]:
    """Check that a response is an error in OpenAI's form; return it."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].endswith((".", "…")), error
    return error


def said(content: Any, role: str = "user") -> dict[str, Any]:
    return HI | {"messages": [{"role": role, "content": content}]}


def item(**fields: Any) -> dict[str, Any]:
    return ITEM | {"input": [fields]}


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
FUNCTION = {"type": "function", "function": {"name": "f"}}
LIST = {"name": "n", "schema": {"type": "array"}}
REFUSED: list[tuple[str, dict[str, Any], str | None]] = [
    (CHAT, HI | {"messages": []}, "messages"),
    (CHAT, {"model": "assistant"}, "messages"),
    (CHAT, HI | {"messages": "Hi"}, "messages"),
    (CHAT, HI | {"messages": [5]}, "messages[0]"),
    (CHAT, said("Hi", "function"), "messages[0]"),
    (CHAT, said("Hi", "assistant"), "messages"),
    (CHAT, said("Hi", "tool"), "messages[0]"),
    (CHAT, said(5), "messages[0].content"),
    (CHAT, said([5]), "messages[0].content[0]"),
    (CHAT, said([{"type": "input_audio", "input_audio": {}}]), "messages[0].content[0]"),
    (CHAT, said([{"type": "text", "text": 5}]), "messages[0].content[0]"),
    (
        CHAT,
        said([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]),
        "messages[0].content[0]",
    ),
    (CHAT, said([{"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}]), "messages[0]"),
    (CHAT, said([{"type": "file", "file": {"file_id": "file_1"}}]), "messages[0].content[0]"),
    (CHAT, said([IMAGE], "system"), "messages[0]"),
    (CHAT, HI | {"stream": "yes"}, "stream"),
    (CHAT, HI | {"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    (CHAT, HI | {"metadata": {"a": 1}}, "metadata"),
    (CHAT, HI | {"tools": [{"type": "web_search"}]}, "tools[0]"),
    (CHAT, HI | {"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0]"),
    (CHAT, HI | {"tools": [FUNCTION, FUNCTION]}, "tools"),
    (CHAT, HI | {"tools": [{"type": "function", "function": {"name": "look"}}]}, "tools[0]"),
    (
        CHAT,
        HI | {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "tool_choice",
    ),
    (CHAT, HI | {"tool_choice": "required"}, "tool_choice"),
    (CHAT, HI | {"functions": [{"name": "f"}]}, "functions"),
    (CHAT, HI | {"n": 2}, "n"),
    (CHAT, HI | {"n": True}, "n"),
    (CHAT, HI | {"stop": ["x"]}, "stop"),
    (CHAT, HI | {"response_format": {"type": "grammar"}}, "response_format"),
    (
        CHAT,
        HI | {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
        "response_format",
    ),
    (CHAT, HI | {"response_format": {"type": "json_schema", "json_schema": LIST}}, "response_format"),
    (CHAT, HI | {"unknown": 1}, "unknown"),
    (CHAT, HI | {"store": "no"}, "store"),
    ("/responses", {"model": "assistant"}, "input"),
    ("/responses", ITEM | {"input": 5}, "input"),
    ("/responses", item(type="item_reference", id="x"), "input[0]"),
    ("/responses", item(type=["x"]), "input[0]"),
    (
        "/responses",
        item(role="user", content=[{"type": "input_image", "file_id": "x"}]),
        "input[0].content[0]",
    ),
    ("/responses", item(type="function_call", call_id="c", name="f", arguments=5), "input[0]"),
    ("/responses", item(type="function_call_output", call_id=5, output="x"), "input[0]"),
    ("/responses", item(type="function_call_output", call_id="c", output="x"), "previous_response_id"),
    ("/responses", item(type="mcp_approval_response", approval_request_id="c"), "input[0]"),
    ("/responses", ITEM | {"conversation": {"id": 5}}, "conversation"),
    ("/responses", ITEM | {"prompt": {"id": "x"}}, "prompt"),
    ("/responses", ITEM | {"text": {"format": {"type": "json_schema"}}}, "text.format"),
    ("/responses", ITEM | {"text": {"format": "json"}}, "text.format"),
    ("/responses", ITEM | {"text": {"formats": {}}}, "text"),
    (
        "/responses",
        ITEM | {"tools": [{"type": "function", "name": "f", "parameters": {"type": 5}}]},
        "tools[0]",
    ),
    ("/responses", item(type="function_call_output", call_id="fcall_none", output="x"), "input"),
    ("/responses", ITEM | {"background": "yes"}, "background"),
    ("/responses", ITEM | {"store": False, "background": True}, "store"),
]


FRONT_ENDS: list[dict[str, Any]] = [
    {  # Open WebUI: a chat, then the title that it asks for
        **{"model": "assistant", "stream": True, "stream_options": {"include_usage": True}},
        **{"temperature": 0.8, "top_p": 0.9, "frequency_penalty": 0.0, "seed": 42, "max_tokens": 1000},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Go on."},
        ],
    },
    {
        **{"model": "assistant", "stream": False, "max_completion_tokens": 1000},
        "messages": [{"role": "user", "content": "### Task: a title for the chat."}],
    },
    {  # LibreChat: LangChain's client, with what people may set in the side panel
        **{"model": "assistant", "stream": True, "user": "65f0", "temperature": 1, "top_p": 1, "n": 1},
        **{"presence_penalty": 0, "frequency_penalty": 0, "reasoning_effort": "low", "verbosity": "low"},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "ann"}],
    },
]


async def test_requests_of_well_known_front_ends_are_answered(tmp_path: Path) -> None:
    model = ScriptedModel([["Yes."]] * len(FRONT_ENDS))
    async with serving_openai(tmp_path / "a.db", model) as (_, _api, client):
        for body in FRONT_ENDS:
            answer = await client.post(CHAT, json=body, headers={"authorization": "Bearer sk-any"})
            assert answer.status_code == 200, answer.text
            assert "Yes." in answer.text
            assert answer.text.endswith("[DONE]\n\n") == body["stream"]


@pytest.mark.unpaired
async def test_error_names_the_parameter(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", ScriptedModel([])) as (_, api, client):
        for path, body, param in REFUSED:
            error = error_of(await client.post(path, json=body))
            assert (error["type"], error["param"]) == ("invalid_request_error", param), body
        for path, status in (("/nothing", 404), ("/models/x", 404), ("/responses/x", 404)):
            error_of(await client.get(path), status)
        error_of(await client.get("/responses"), 405)
        error_of(await client.post(CHAT, json=HI | {"model": "gpt"}), 404)
        assert await api.list_threads() == []


async def test_harmless_parameters_are_ignored(tmp_path: Path) -> None:
    tuned = {
        "temperature": 2,
        "max_tokens": 5,
        "seed": 1,
        "user": "u",
        "tools": [],
        "tool_choice": "auto",
        "n": 1,
    }
    async with serving_openai(tmp_path / "a.db", ScriptedModel([["Yes."]] * 2)) as (_, _api, client):
        for path, body in ((CHAT, HI | {"reasoning_effort": "low", "stop": None}), ("/responses", ITEM)):
            assert (await client.post(path, json=body | tuned)).status_code == 200


async def test_bodies_and_keys_have_limits(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", ScriptedModel([]), max_body=100_000) as (_, _api, client):
        deep: Any = 0
        for _ in range(400):
            deep = [deep]
        json = {"content-type": "application/json"}
        for body, status in (
            (b"{", 400),
            (b"[]", 400),
            (b"[" * 90_000, 400),
            (b'{"a": NaN}', 400),
            (b" " * 100_001, 413),
            (b"x" * 10, 400),
        ):
            error_of(await client.post(CHAT, content=body, headers=json), status)
        error_of(await client.post(CHAT, json=HI | {"temperature": deep}))
        error_of(await client.post(CHAT, content=b"{}"), 415)
        for key in ("", "k" * 1_001):
            error_of(await client.post(CHAT, json=HI, headers={"idempotency-key": key}))
        for number in ("-1", "x", "9" * 30, "²"):
            got = await client.get("/responses/x", params={"stream": "true", "starting_after": number})
            error_of(got, 404)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(
    [
        *("text", "image_url", "file", "input_text", "input_image", "input_file", "refusal", "message"),
        *("function_call", "function_call_output", "mcp_call", "mcp_approval_response", "reasoning"),
    ]
)
NAMES = st.sampled_from(
    [
        *(
            "role",
            "content",
            "type",
            "text",
            "image_url",
            "url",
            "file",
            "file_data",
            "filename",
            "tool_calls",
        ),
        *("function", "name", "arguments", "id", "call_id", "output", "error", "tool_call_id", "refusal"),
        *("approval_request_id", "approve", "reason"),
    ]
)
WORDS = st.sampled_from(
    ["user", "assistant", "tool", "system", "data:,x", "data:;base64,", "https://[", "\0", "c"]
)
NESTED = st.recursive(
    VALUES | TYPES | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
PARAMETERS = st.sampled_from(
    [
        *(
            "model",
            "messages",
            "input",
            "stream",
            "stream_options",
            "metadata",
            "store",
            "background",
            "tools",
            "tool_choice",
            "response_format",
        ),
        *("conversation", "previous_response_id", "instructions", "n", "text", "temperature", "prompt"),
    ]
)


@settings(max_examples=50, deadline=None)
@given(body=st.dictionaries(PARAMETERS, NESTED, max_size=5), last=NESTED)
def test_body_is_read_or_refused(body: dict[str, Any], last: Any) -> None:
    for read, used, ignored in (
        (read_messages, CHAT_USED, CHAT_IGNORED),
        (read_input, RESPONSES_USED, RESPONSES_IGNORED),
    ):
        with suppress(RequestError):
            check_parameters(body, used, ignored)
            (chat_options if read is read_messages else response_options)(body)
        for given_messages in (last, [last], [{"role": "user", "content": last}], [{"role": "tool"}, last]):
            with suppress(RequestError):
                sent = read(given_messages)
                sent.answers_at_end()
                assert all(message.parts for message in sent.messages)
