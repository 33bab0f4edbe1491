"""Test that fake providers are as strict as real ones, and that no model of any test goes unwatched."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from agent_core.context.provider_messages import to_provider
from agent_core.domain.signatures import with_signatures
from agent_core.llm import Finish, LitellmModel, ModelEvent, ModelRequest, TextDelta
from tests.providers.dialects import DIALECTS, Dialect, serving
from tests.providers.dialects.script import Json
from tests.providers.history.test_dialects import HI, A, asked, clock, every_dialect, outcome
from tests.providers.history.test_model_switch import ANSWER, TOOLS, said_by, written_by
from tests.providers.loopback import Stream, delta, provider
from tests.support.providers.front import Front
from tests.support.providers.pairing import ANTHROPIC, OLLAMA, OPENAI, RESPONSES, complaint
from tests.support.providers.provider import Provider

GEMINI = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
DANGLING = [HI, asked(A), HI]
PAIRED = [HI, asked(A), outcome("a", "12"), HI]


# Checks that calls and outcomes are paired; those of OpenAI's form are tested in test_testing.py


def says(role: str, *blocks: Json) -> Json:
    return {"role": role, "content": list(blocks)}


def calls(*ids: str) -> Json:
    return says("assistant", *[{"type": "tool_use", "id": id, "name": "f", "input": {}} for id in ids])


def outcomes(*ids: str, before: tuple[Json, ...] = ()) -> Json:
    return says("user", *before, *[{"type": "tool_result", "tool_use_id": id} for id in ids])


def parts(role: str, *parts: Json) -> Json:
    """Return a content in Gemini's form."""
    return {"role": role, "parts": list(parts)}


def function_call(name: str, **more: Any) -> Json:
    return {"function_call": {"name": name, "args": {}, **more}}


def function_response(name: str, **more: Any) -> Json:
    return {"functionResponse": {"name": name, "response": {"content": "1"}, **more}}


def item(kind: str) -> Json:
    return {"type": kind, "call_id": "a"}


def ollama(*arguments: Any, role: str = "assistant") -> Json:
    return {
        "role": role,
        "tool_calls": [{"function": {"name": "f", "arguments": each}} for each in arguments],
    }


TEXT, TOLD, USER = (
    {"type": "text", "text": "So"},
    {"role": "tool", "content": "1"},
    parts("user", {"text": "Hi"}),
)
F, G, F_SAYS, G_SAYS = *map(function_call, "fg"), *map(function_response, "fg")
CALL, OUTPUT = item("function_call"), item("function_call_output")
BROKEN: dict[str, list[list[Json]]] = {
    ANTHROPIC: [
        [HI, calls("a"), HI],
        [HI, calls("a", "b"), outcomes("a"), outcomes("b")],
        [HI, calls("a")],
        [HI, outcomes("a")],
        [HI, calls("a"), outcomes("a", "a")],
        [HI, calls("a", "a"), outcomes("a")],
        [HI, calls("a"), outcomes("a", before=(TEXT,))],
        [HI, calls("a") | {"role": "user"}, outcomes("a")],
        [HI, calls("a"), outcomes("a") | {"role": "assistant"}],
        [HI, says("assistant"), HI],
        [HI, says("assistant", TEXT | {"text": " "})],
    ],
    GEMINI: [
        [USER, parts("model", F), USER],
        [USER, parts("model", F, G), parts("user", F_SAYS)],
        [USER, parts("model", F), parts("user", G_SAYS)],
        [USER, parts("model", F, G), parts("user", G_SAYS, F_SAYS)],
        [USER, parts("model", function_call("f", id="a")), parts("user", function_response("f", id="b"))],
        [USER, parts("model", *[function_call("f", id="a")] * 2), parts("user", F_SAYS, F_SAYS)],
        [USER, parts("model", F)],
        [USER, parts("user", F_SAYS)],
        [parts("model", F), parts("user", F_SAYS)],
        [USER, parts("model", {"text": "So"}), parts("model", F), parts("user", F_SAYS)],
        [USER, parts("user", F), parts("user", F_SAYS)],
        [USER, parts("model", F), parts("model", F_SAYS)],
        [USER, parts("model", F), parts("user", function_response("f", response="1"))],
        [USER, parts("model"), USER],
    ],
    OLLAMA: [
        [HI, ollama({}), HI],
        [HI, ollama({}, {}), TOLD, HI],
        [HI, ollama({})],
        [HI, ollama({}), TOLD, TOLD],
        [HI, ollama("{}"), TOLD],
        [HI, ollama({}, role="user"), TOLD],
        [HI, {"role": "assistant", "content": ""}, HI],
    ],
    RESPONSES: [[CALL], [OUTPUT], [CALL, OUTPUT, CALL, OUTPUT]],
    OPENAI: [DANGLING, [HI, {"role": "assistant", "tool_calls": [1]}]],
    "/v1/unknown": [[HI]],
}
WHOLE: dict[str, list[Json]] = {
    OPENAI: PAIRED,
    ANTHROPIC: [HI, calls("a", "b"), says("user", *outcomes("b", "a")["content"], TEXT)],
    GEMINI: [
        USER,
        parts("model", {"text": "So"}, F, G),
        parts("user", F_SAYS, G_SAYS),
        parts("model", *[function_call("f", id=id) for id in "ab"]),
        parts("user", *[function_response("f", id=id) for id in "ba"]),
        USER,
    ],
    OLLAMA: [HI, ollama({}, {}), TOLD, TOLD, HI],
    RESPONSES: [HI, CALL, OUTPUT],
}


def body_of(path: str, history: list[Json]) -> Json:
    key = {GEMINI: "contents", RESPONSES: "input"}.get(path, "messages")
    return {"model": "gpt-4o-mini", "max_tokens": 100, key: history}


@pytest.mark.parametrize("path", BROKEN)
def test_unpaired_history_is_refused_and_a_paired_one_taken(path: str) -> None:
    for history in BROKEN[path]:
        assert complaint(path, json.dumps(body_of(path, history)).encode()), history
    whole = json.dumps(body_of(path, WHOLE.get(path, [])))
    assert (complaint(path, whole.encode()) is None) == (path in WHOLE)


@pytest.mark.provider
def test_the_front_refuses_what_the_fake_provider_takes(llmock_front: Front) -> None:
    there, before = f"http://127.0.0.1:{llmock_front.to}", len(llmock_front.violations)

    def post(base: str, history: list[Json]) -> httpx.Response:
        url, key = f"{base}/v1/chat/completions", {"authorization": "Bearer k"}
        return httpx.post(url, json=body_of(OPENAI, history), headers=key, trust_env=False)

    assert post(llmock_front.url, PAIRED).status_code == post(there, DANGLING).status_code == 200
    refused = post(llmock_front.url, DANGLING)
    assert refused.status_code == 400
    assert llmock_front.violations[-1] in refused.json()["error"]["message"]
    assert len(llmock_front.violations) == before + 1


async def sent_to_loopback(messages: list[Json], *, strict: bool) -> int:
    answer = Stream([delta("x", finish="stop")])
    async with provider(answer, strict=strict) as server, httpx.AsyncClient(trust_env=False) as http:
        return (await http.post(f"{server.url}/chat/completions", json=body_of(OPENAI, messages))).status_code


@pytest.mark.unpaired
async def test_provider_on_loopback_fails_a_test_with_an_unpaired_history() -> None:
    with pytest.raises(AssertionError, match="outcome of \\['a'\\]"):
        await sent_to_loopback(DANGLING, strict=True)
    assert await sent_to_loopback(DANGLING, strict=False) == 200
    assert await sent_to_loopback(PAIRED, strict=True) == 200


def test_provider_of_browser_tests_fails_a_test_with_an_unpaired_history() -> None:
    with pytest.raises(AssertionError, match="outcome of \\['a'\\]"), Provider() as server:
        httpx.post(f"{server.url}/chat/completions", json=body_of(OPENAI, DANGLING), trust_env=False)


# The watch


def test_every_test_is_watched(request: pytest.FixtureRequest) -> None:
    unwatched = [item.nodeid for item in request.session.items if "violations" not in item.fixturenames]  # type: ignore[attr-defined]
    assert unwatched == []


class Careless:
    """Model of a typical test, which checks nothing itself."""

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("Yes.")
        yield Finish("stop")


@pytest.mark.unpaired
async def test_a_model_of_a_test_is_watched(violations: list[str]) -> None:
    for history in (PAIRED, DANGLING):
        assert violations == []
        assert [event async for event in Careless().stream(ModelRequest(history))]
    assert violations == ["a model is asked: message 2 comes before the outcome of ['a']"]


@pytest.mark.unpaired
@every_dialect
async def test_requests_of_litellm_are_watched(dialect: Dialect, violations: list[str]) -> None:
    """The watch does not depend on the server: this one accepts every request."""
    async with provider(Stream(dialect.stream(["Yes."]), end="eof"), strict=False) as server:
        base = server.url.removesuffix("/v1") + dialect.below
        model = LitellmModel(dialect.model, api_base=base, api_key="k" * 12, timeout=10)
        request = ModelRequest(list(PAIRED), [clock.schema()])  # without tools, calls become text for Claude
        assert [event async for event in model.stream(request)]
        assert violations == []
        request.messages[:] = DANGLING  # changed after the first check
        assert [event async for event in model.stream(request)]
    assert len(violations) == 1
    assert "is sent:" in violations[0]


# The dialects


SIGNED = ("responses", "anthropic", "gemini", "gemini-openai", "deepseek", "openrouter", "vllm")
"""Dialects that refuse their own steps without signs; `complaints` of test_model_switch checks Moonshot's."""
SIGNS = {
    *("signature", "thoughtSignature", "extra_content"),
    *("reasoning_content", "reasoning", "reasoning_details"),
}


def without_signs(value: Any) -> Any:
    """Return a history without signatures, reasoning and thinking blocks."""
    if isinstance(value, dict):
        return {key: without_signs(each) for key, each in value.items() if key not in SIGNS}
    if isinstance(value, list):
        thoughts = ("thinking", "reasoning")
        return [
            without_signs(each)
            for each in value
            if not (isinstance(each, dict) and each.get("type") in thoughts)
        ]
    return value


@pytest.mark.parametrize("name", DIALECTS)
async def test_dialect_refuses_its_own_steps_without_an_outcome_or_their_signs(name: str) -> None:
    dialect = DIALECTS[name]
    turn = to_provider((await written_by(name))[:2], None)
    messages = with_signatures(turn[:-1], dialect.model)  # up to the last outcome
    async with serving(dialect, ANSWER) as server:
        server.said += said_by(name)
        model = LitellmModel(dialect.model, **server.options)
        assert [event async for event in model.stream(ModelRequest(messages, TOOLS))]
        (body,) = server.requests
    (key,) = {"messages", "contents", "input"} & body.keys()
    assert server.check(body) == []
    assert server.check(body | {key: body[key][:-1]}) != []
    assert (server.check(body | {key: without_signs(body[key])}) != []) == (name in SIGNED)


def test_dialects_refuse_names_ids_fields_and_order_of_others() -> None:
    def found(name: str, *more: Json, id: str = "a12345678", called: str = "clock", **step: Any) -> str:
        call = {"id": id, "function": {"name": called, "arguments": "{}"}}
        made = {"role": "assistant", "content": None, "tool_calls": [call], **step}
        messages = [HI, made, {"role": "tool", "tool_call_id": id, "content": "12"}, *more]
        return "\n".join(DIALECTS[name].check({"messages": messages}, []))

    assert found("openai", HI, reasoning_content="Hm.") == found("mistral") == ""
    assert "does not match pattern" in found("openai", called="a b")
    assert "string too long" in found("openai", id="c" * 41)
    assert "length of 9" in found("mistral", id="c")
    assert found("mistral", HI) == "Unexpected role 'user' after role 'tool'"
    assert "Extra inputs are not permitted" in found("mistral", reasoning_content="Hm.")
    assert "is unsupported" in found("groq", reasoning_content="Hm.")
    assert "is unsupported" in found("cerebras", reasoning_content="Hm.")
    assert "missing a thought_signature" in found("gemini-openai")
