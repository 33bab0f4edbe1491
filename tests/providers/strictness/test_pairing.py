"""Test that each fake provider refuses the histories that a strict one refuses, and fails the test.

`test_watch.py` checks that this covers the models of all tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.providers.loopback import Stream, delta, provider
from tests.support.providers.front import Front
from tests.support.providers.pairing import ANTHROPIC, OLLAMA, OPENAI, complaint
from tests.support.providers.provider import Provider

Message = dict[str, Any]

HI = {"role": "user", "content": "Hi"}


def openai_calls(*ids: str) -> Message:
    calls = [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def openai_outcome(id: str) -> Message:
    return {"role": "tool", "tool_call_id": id, "content": "1"}


def calls(*ids: str) -> Message:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}} for id in ids],
    }


def outcomes(*ids: str, first: str = "", last: str = "") -> Message:
    results = [{"type": "tool_result", "tool_use_id": id, "content": "1"} for id in ids]
    texts = [[{"type": "text", "text": text}] if text else [] for text in (first, last)]
    return {"role": "user", "content": [*texts[0], *results, *texts[1]]}


def parts(role: str, *parts: Message | str) -> Message:
    """Return a content in Gemini's form."""
    return {"role": role, "parts": [{"text": part} if isinstance(part, str) else part for part in parts]}


def function_call(name: str, **more: Any) -> Message:
    return {"function_call": {"name": name, "args": {}, **more}}


def function_response(name: str, **more: Any) -> Message:
    return {"functionResponse": {"name": name, "response": {"content": "1"}, **more}}


def ollama_calls(*names: str, arguments: Any = None) -> Message:
    given = {} if arguments is None else arguments
    uses = [{"function": {"name": name, "arguments": given}} for name in names]
    return {"role": "assistant", "content": "", "tool_calls": uses}


GEMINI = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
USER, TOLD = parts("user", "Hi"), {"role": "tool", "content": "1"}
F, G, F_SAYS, G_SAYS = *map(function_call, "fg"), *map(function_response, "fg")

BROKEN: dict[str, tuple[str, list[Message]]] = {
    "openai: no outcome": (OPENAI, [HI, openai_calls("a"), HI]),
    "openai: one of two": (OPENAI, [HI, openai_calls("a", "b"), openai_outcome("a"), HI]),
    "openai: no outcome at the end": (OPENAI, [HI, openai_calls("a")]),
    "openai: an orphan": (OPENAI, [HI, openai_outcome("a")]),
    "openai: twice": (OPENAI, [HI, openai_calls("a"), openai_outcome("a"), openai_outcome("a")]),
    "openai: one id": (OPENAI, [HI, openai_calls("a", "a"), openai_outcome("a")]),
    "openai: empty": (OPENAI, [HI, {"role": "assistant", "content": ""}, HI]),
    "anthropic: no outcome": (ANTHROPIC, [HI, calls("a"), HI]),
    "anthropic: one of two": (ANTHROPIC, [HI, calls("a", "b"), outcomes("a"), outcomes("b")]),
    "anthropic: no outcome at the end": (ANTHROPIC, [HI, calls("a")]),
    "anthropic: an orphan": (ANTHROPIC, [HI, outcomes("a")]),
    "anthropic: twice": (ANTHROPIC, [HI, calls("a"), outcomes("a", "a")]),
    "anthropic: one id": (ANTHROPIC, [HI, calls("a", "a"), outcomes("a")]),
    "anthropic: text first": (ANTHROPIC, [HI, calls("a"), outcomes("a", first="Well.")]),
    "anthropic: empty": (ANTHROPIC, [HI, {"role": "assistant", "content": []}, HI]),
    "anthropic: blank text": (
        ANTHROPIC,
        [HI, {"role": "assistant", "content": [{"type": "text", "text": " "}]}],
    ),
    "gemini: no outcome": (GEMINI, [USER, parts("model", F), USER]),
    "gemini: one of two": (GEMINI, [USER, parts("model", F, G), parts("user", F_SAYS)]),
    "gemini: two of one": (GEMINI, [USER, parts("model", F), parts("user", F_SAYS, F_SAYS)]),
    "gemini: one after the other": (
        GEMINI,
        [USER, parts("model", F, G), parts("user", F_SAYS), parts("user", G_SAYS)],
    ),
    "gemini: another's": (GEMINI, [USER, parts("model", F), parts("user", G_SAYS)]),
    "gemini: out of order": (GEMINI, [USER, parts("model", F, G), parts("user", G_SAYS, F_SAYS)]),
    "gemini: another id": (
        GEMINI,
        [
            USER,
            parts("model", function_call("f", id="a")),
            parts("user", function_response("f", id="b")),
        ],
    ),
    "gemini: one id": (GEMINI, [USER, parts("model", *[function_call("f", id="a")] * 2), parts("user")]),
    "gemini: no outcome at the end": (GEMINI, [USER, parts("model", F)]),
    "gemini: an orphan": (GEMINI, [USER, parts("user", F_SAYS)]),
    "gemini: a call to begin with": (GEMINI, [parts("model", F), parts("user", F_SAYS)]),
    "gemini: a call after the model's": (
        GEMINI,
        [USER, parts("model", "So"), parts("model", F), parts("user", F_SAYS)],
    ),
    "gemini: a person calls": (GEMINI, [USER, parts("user", F), parts("user", F_SAYS)]),
    "gemini: the model answers": (GEMINI, [USER, parts("model", F), parts("model", F_SAYS)]),
    "gemini: no object": (
        GEMINI,
        [USER, parts("model", F), parts("user", function_response("f", response="1"))],
    ),
    "gemini: empty": (GEMINI, [USER, parts("model"), USER]),
    "ollama: no outcome": (OLLAMA, [HI, ollama_calls("f"), HI]),
    "ollama: one of two": (OLLAMA, [HI, ollama_calls("f", "f"), TOLD, HI]),
    "ollama: no outcome at the end": (OLLAMA, [HI, ollama_calls("f")]),
    "ollama: an orphan": (OLLAMA, [HI, TOLD]),
    "ollama: twice": (OLLAMA, [HI, ollama_calls("f"), TOLD, TOLD]),
    "ollama: no object": (OLLAMA, [HI, ollama_calls("f", arguments="{}"), TOLD]),
    "ollama: a person calls": (OLLAMA, [HI | ollama_calls("f") | {"role": "user"}, TOLD]),
    "ollama: empty": (OLLAMA, [HI, {"role": "assistant", "content": ""}, HI]),
    "a dialect that nobody checks": ("/v1/responses", [HI]),
    "what cannot be read": (OPENAI, [HI, {"role": "assistant", "tool_calls": [1]}]),
}
WHOLE = {
    OPENAI: [HI, openai_calls("a", "b"), openai_outcome("b"), openai_outcome("a"), HI],
    ANTHROPIC: [HI, calls("a", "b"), outcomes("b", "a", last="And now?")],
    GEMINI: [
        USER,
        parts("model", "So", F, G),
        parts("user", F_SAYS, G_SAYS),
        parts("model", *[function_call("f", id=id) for id in "ab"]),
        parts("user", *[function_response("f", id=id) for id in "ba"]),
        USER,
    ],
    OLLAMA: [HI, ollama_calls("f", "f"), TOLD, TOLD, HI],
}


def body_of(messages: list[Message]) -> dict[str, Any]:
    kind = "contents" if "parts" in messages[0] else "messages"
    return {"model": "gpt-4o-mini", "max_tokens": 100, kind: messages}


def post(url: str, messages: list[Message], **headers: str) -> httpx.Response:
    return httpx.post(
        url, json=body_of(messages), headers={"authorization": "Bearer k", **headers}, trust_env=False
    )


@pytest.mark.parametrize(("path", "messages"), BROKEN.values(), ids=BROKEN)
def test_unpaired_history_is_complained_of(path: str, messages: list[Message]) -> None:
    assert complaint(path, json.dumps(body_of(messages)).encode())


@pytest.mark.parametrize(("path", "messages"), WHOLE.items())
def test_paired_history_is_not_complained_of(path: str, messages: list[Message]) -> None:
    assert complaint(path, json.dumps(body_of(messages)).encode()) is None
    assert complaint("/v1/models", b"") is None
    assert complaint("/threads", json.dumps({"messages": messages}).encode()) is None, "it names no model"


@pytest.fixture
def front(llmock_front: Front) -> Iterator[Front]:
    """Return the front without the final check, because this file sends broken histories on purpose."""
    llmock_front.violations.clear()
    yield llmock_front
    llmock_front.violations.clear()


@pytest.mark.provider
@pytest.mark.parametrize(
    ("url", "path"),
    [("/v1/chat/completions", OPENAI), ("/anthropic/v1/messages", ANTHROPIC)],
    ids=["openai", "anthropic"],
)
def test_the_front_refuses_what_the_fake_provider_takes(front: Front, url: str, path: str) -> None:
    there = f"http://127.0.0.1:{front.to}{url}"
    version = {"anthropic-version": "2023-06-01", "x-api-key": "k"}
    assert post(front.url + url, WHOLE[path], **version).status_code == 200
    assert front.violations == []
    for of, messages in [each for each in BROKEN.values() if each[0] == path][:3]:
        assert of == path
        assert post(there, messages, **version).status_code == 200
        refused = post(front.url + url, messages, **version)
        assert refused.status_code == 400
        assert front.violations[-1] in refused.json()["error"]["message"]
    assert len(front.violations) == 3


async def sent_to_loopback(messages: list[Message], *, strict: bool) -> int:
    answer = Stream([delta("x", finish="stop")])
    async with provider(answer, strict=strict) as server, httpx.AsyncClient(trust_env=False) as http:
        return (await http.post(f"{server.url}/chat/completions", json=body_of(messages))).status_code


@pytest.mark.unpaired
async def test_provider_on_loopback_fails_a_test_with_an_unpaired_history() -> None:
    messages = BROKEN["openai: one of two"][1]
    with pytest.raises(AssertionError, match="outcome of \\['b'\\]"):
        await sent_to_loopback(messages, strict=True)
    assert await sent_to_loopback(messages, strict=False) == 200
    assert await sent_to_loopback(WHOLE[OPENAI], strict=True) == 200


def test_provider_of_browser_tests_fails_a_test_with_an_unpaired_history() -> None:
    with pytest.raises(AssertionError, match="not open"), Provider() as server:
        assert post(f"{server.url}/chat/completions", BROKEN["openai: an orphan"][1]).status_code == 400
