"""Every provider of the tests refuses a history that a strict one refuses, and its test fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.providers.loopback import Stream, delta, provider
from tests.tools.front import Front
from tests.tools.pairing import ANTHROPIC, OPENAI, complaint
from tests.tools.provider import Provider

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
}
WHOLE = {
    OPENAI: [HI, openai_calls("a", "b"), openai_outcome("b"), openai_outcome("a"), HI],
    ANTHROPIC: [HI, calls("a", "b"), outcomes("b", "a", last="And now?")],
}


@pytest.fixture(autouse=True)
def _both_paths() -> None:
    """Nothing here goes through litellm."""


def body_of(messages: list[Message], **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "max_tokens": 100, "messages": messages, **fields}


def post(url: str, messages: list[Message], **headers: str) -> httpx.Response:
    return httpx.post(
        url, json=body_of(messages), headers={"authorization": "Bearer k", **headers}, trust_env=False
    )


@pytest.mark.parametrize(("path", "messages"), BROKEN.values(), ids=BROKEN)
def test_what_is_not_paired_is_complained_of(path: str, messages: list[Message]) -> None:
    assert complaint(path, json.dumps(body_of(messages)).encode())


@pytest.mark.parametrize(("path", "messages"), WHOLE.items())
def test_what_is_paired_is_not(path: str, messages: list[Message]) -> None:
    assert complaint(path, json.dumps(body_of(messages)).encode()) is None
    assert complaint("/v1/models", b"") is None


@pytest.fixture
def front(llmock_front: Front) -> Iterator[Front]:
    """Sends broken histories on purpose: it is this file that opts out of the check at the end."""
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


async def test_a_test_on_loopback_fails() -> None:
    messages = BROKEN["openai: one of two"][1]
    with pytest.raises(AssertionError, match="outcome of \\['b'\\]"):
        await sent_to_loopback(messages, strict=True)
    assert await sent_to_loopback(messages, strict=False) == 200
    assert await sent_to_loopback(WHOLE[OPENAI], strict=True) == 200


def test_a_test_in_a_browser_fails() -> None:
    with pytest.raises(AssertionError, match="not open"), Provider() as server:
        assert post(f"{server.url}/chat/completions", BROKEN["openai: an orphan"][1]).status_code == 400
