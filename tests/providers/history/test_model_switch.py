"""Test changes of a thread's model: every provider accepts the history that another one has written.

For each pair, the first model's own bytes become a history with reasoning, parallel calls, errors, denials, a
file, a garbled name and a call without an outcome. Then litellm sends this history to the second model, over
HTTP to a server as strict as the real one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from agent_core.context.provider_messages import to_provider
from agent_core.domain.messages import Message, Part
from agent_core.domain.signatures import with_signatures
from agent_core.llm import LitellmModel, ModelRequest, TextDelta
from agent_core.llm.litellm_adapter import has_vision
from agent_core.llm.litellm_import import loaded
from agent_core.llm.requests.provider_rules import rules_for
from agent_core.streaming.model_step import StepResult, model_step
from agent_core.tools import action_tool
from tests.providers.dialects import DIALECTS, Item, Reply, Thought, Use, serving
from tests.providers.dialects.script import Json

PICTURE = "data:image/png;base64,iVBORw0KGgo="
NOW = datetime.fromtimestamp(0, UTC)

CALLS: Reply = [
    Thought("The person wants the time."),
    "I look. ",
    Use("clock", {"zone": "UTC"}),
    Use("clock", {"zone": "CET"}),
    Use("pay", {"amount": 3}),
    Use("look"),
]
GARBLED: Reply = [Thought("Once more."), Use("functions.clock", {"zone": "EST"})]
ANSWER: Reply = [Thought("So."), "It is 12."]
DANGLING: Reply = [Use("clock", {"zone": "PST"}), Use("clock", {"zone": "PST"})]


@action_tool
async def clock(zone: str) -> str:
    """Tell the time."""
    return f"12 in {zone}"


@action_tool
async def pay(amount: int) -> None:
    """Pay."""


@action_tool
async def look() -> None:
    """Look."""


TOOLS = [clock.schema(), pay.schema(), look.schema()]
OUTCOMES: list[Json] = [
    {"state": "output-available", "output": "12 in UTC"},
    {"state": "output-available", "output": ""},
    {"state": "output-denied", "approval": {"id": "x", "approved": False, "reason": "Too dear."}},
    {"state": "output-error", "errorText": "It is dark."},
]
LEFT_OPEN: list[Json] = [{"state": "input-available"}]

PAIRS = [(source, target) for source in DIALECTS for target in DIALECTS]
WORDS = ("12 in UTC", "Too dear.", "It is dark.", "What time is it?")

_written: dict[str, list[Message]] = {}
_said: dict[str, list[list[Item]]] = {}


async def written_by(name: str) -> list[Message]:
    """Return a thread that a model wrote, as the library stores it."""
    if name not in _written:
        dialect = DIALECTS[name]
        async with serving(dialect, CALLS, GARBLED, ANSWER, DANGLING) as server:
            model = LitellmModel(dialect.model, **server.options)
            steps = [await _step(model) for _ in range(4)]
            _said[name] = server.said
        shown: list[Part] = [
            {"type": "text", "text": "What time is it?"},
            {"type": "file", "mediaType": "image/png", "url": PICTURE},
        ]
        first = [*_ended(steps[0], OUTCOMES), *_ended(steps[1], OUTCOMES[:1]), *_ended(steps[2], [])]
        stopped = _ended(steps[3], LEFT_OPEN * 2)
        _written[name] = [
            _message("user", shown),
            _message("assistant", first),
            _message("user", [{"type": "text", "text": "Again"}]),
            _message("assistant", stopped),
        ]
    return _written[name]


def said_by(name: str) -> list[list[Item]]:
    """Return the replies of a thread that `written_by` returned."""
    return _said[name]


async def _step(model: LitellmModel) -> list[Part]:
    asked = ModelRequest([{"role": "user", "content": "What time is it?"}], TOOLS)
    async for event in model_step(model, asked):
        if isinstance(event, StepResult):
            return event.parts
    raise AssertionError("the model said nothing")


def _ended(parts: list[Part], outcomes: list[Json]) -> list[Part]:
    rest = iter(outcomes)
    return [part | next(rest) if "toolCallId" in part else part for part in parts]


def _message(role: Any, parts: list[Part]) -> Message:
    return Message(id="", thread_id="", role=role, parts=parts, created_at=NOW)


SYSTEM = {"role": "system", "content": "Be brief."}
GO_ON = _message("user", [{"type": "text", "text": "And now?"}])


@functools.cache
def takes_pictures(name: str) -> bool:
    """Return whether a model gets pictures: it is not known to lack vision, and its provider takes them."""
    return has_vision(loaded(), DIALECTS[name].model) is not False and "image" in _rules(name).media


async def ended_turn(name: str) -> list[Json]:
    return to_provider([*await written_by(name), GO_ON], "Be brief.")


async def in_its_turn(name: str) -> list[Json]:
    """Return a history that ends with outcomes, as if the model changed before the next step."""
    written = await written_by(name)
    return to_provider(
        [*written[:2], _message("user", [{"type": "text", "text": "Again"}]), written[1]], None
    )[:-1]


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=[" to ".join(pair) for pair in PAIRS])
@pytest.mark.parametrize("history", [ended_turn, in_its_turn], ids=["between turns", "in a turn"])
async def test_model_takes_what_another_wrote(history: Callable[..., Any], source: str, target: str) -> None:
    messages = with_signatures(await history(source), DIALECTS[target].model)
    before = json.dumps(messages)
    async with serving(DIALECTS[target], ANSWER, ANSWER) as server:
        server.said += said_by(source) if source == target else []
        model = LitellmModel(DIALECTS[target].model, **server.options)
        for _ in range(2):
            events = [event async for event in model.stream(ModelRequest(messages, TOOLS))]
            assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "It is 12."
    assert server.violations == []
    assert [complaint for body in server.requests for complaint in complaints(target, body)] == []
    first, second = (json.dumps(body) for body in server.requests)
    assert first == second, "the same history is sent in the same words: providers cache it"
    assert json.dumps(messages) == before
    assert (PICTURE.partition(",")[2] in first) == takes_pictures(target)
    assert [words for words in WORDS if words in before and words not in first] == []


@pytest.mark.parametrize(
    "asked", [{"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "budget_tokens": 1_024}}]
)
async def test_model_does_not_think_in_a_turn_that_another_began(asked: Json) -> None:
    """Anthropic requires a turn with thinking to begin with thoughts that it has signed."""
    async with serving(DIALECTS["anthropic"], ANSWER, ANSWER) as server:
        model = LitellmModel(DIALECTS["anthropic"].model, **server.options, **asked)
        for history in (in_its_turn, ended_turn):
            messages = with_signatures(await history("openai"), model.name)
            assert [event async for event in model.stream(ModelRequest(messages, TOOLS))]
    assert ["thinking" in body or "output_config" in body for body in server.requests] == [False, True]


# Checks of real providers that the servers of tests/providers/dialects lack


def complaints(name: str, body: Json) -> list[str]:
    """Return a provider's complaints about the order, roles and contents of a request."""
    if "contents" in body:
        return _gemini(body["contents"])
    if "input" in body:
        return _items(body["input"])
    check = CHECKS.get(name, _nothing)
    return [*_contents(name, body["messages"]), *check(body["messages"])]


def _contents(name: str, messages: list[Json]) -> list[str]:
    found: list[str] = []
    for place, message in enumerate(messages):
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        if any(block.get("type") == "text" and not block["text"].strip() for block in blocks):
            found.append(f"messages.{place}: text content blocks must be non-empty")
        if message["role"] in ("user", "system") and not content:
            found.append(f"messages.{place}: must have non-empty content")
        if not takes_pictures(name) and any("image" in str(block.get("type")) for block in blocks):
            found.append(f"messages.{place}: unknown variant `image_url`, expected `text`")
        if message["role"] == "tool" and blocks:
            found.append(f"messages.{place}: Image URLs are only allowed for messages with role 'user'")
    if messages[-1]["role"] == "assistant":
        found.append("The conversation must end with a user message.")
    return found


def _items(items: list[Json]) -> list[str]:
    texts = [part.get("text", "-") for item in items for part in item.get("content") or []]
    found = ["text content must be non-empty" for text in texts if not text.strip()]
    return found + ["The conversation must end with a user message."] * (items[-1].get("role") == "assistant")


def _nothing(_: list[Json]) -> list[str]:
    return []


def _alternate(messages: list[Json]) -> list[str]:
    roles = [message["role"] for message in messages]
    twice = [a for a, b in pairwise(roles) if a == b != "tool"]
    return [f"does not support successive {role} messages" for role in twice]


def _system_first(messages: list[Json]) -> list[str]:
    late = any(message["role"] == "system" for message in messages[1:])
    return ["System message must be at the beginning."] if late else []


def _thinking(messages: list[Json]) -> list[str]:
    return [
        f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {place}"
        for place, message in enumerate(messages)
        if message.get("tool_calls") and not message.get("reasoning_content")
    ]


def _never_null(messages: list[Json]) -> list[str]:
    empty = any(message.get("content") is None for message in messages)
    return ["Invalid request content: Each message must have at least one content element."] if empty else []


def _letter_first(messages: list[Json]) -> list[str]:
    names = [call["function"]["name"] for message in messages for call in message.get("tool_calls") or []]
    return [
        f"function name {name} is invalid, must start with a letter"
        for name in names
        if not name[0].isalpha()
    ]


def _gemini(contents: list[Json]) -> list[str]:
    found = [
        f"contents[{n}].parts must not be empty" for n, content in enumerate(contents) if not content["parts"]
    ]
    if contents[-1].get("role") == "model":
        found.append(
            "Please ensure that single turn requests end with a user role or the role field is empty."
        )
    return found


def _each(*checks: Callable[[list[Json]], list[str]]) -> Callable[[list[Json]], list[str]]:
    return lambda messages: [complaint for check in checks for complaint in check(messages)]


CHECKS = {
    "deepseek": _each(_alternate, _system_first, _thinking),
    "moonshot": _each(_thinking, _letter_first, _system_first),
    "vllm": _each(_alternate, _system_first),
    "mistral": _each(_alternate, _system_first),
    "ollama": _each(_alternate, _system_first),
    "xai": _never_null,
}


@functools.cache
def _rules(name: str) -> Any:
    provider, _, model = DIALECTS[name].model.partition("/")
    return rules_for(provider, model, "http://127.0.0.1/v1")


def test_each_dialect_has_rules_of_its_own_or_those_of_unknown_servers() -> None:
    assert len({id(_rules(name)) for name in DIALECTS}) >= 10


def test_pictures_go_only_to_models_that_may_have_vision() -> None:
    assert {"anthropic", "gemini", "openai"} <= set(filter(takes_pictures, DIALECTS))
    assert {"deepseek", "cerebras"} <= {name for name in DIALECTS if not takes_pictures(name)}


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("deepseek", [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]),
        ("moonshot", [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]}]),
        ("xai", [{"role": "assistant", "content": None}, {"role": "user", "content": "a"}]),
        ("vllm", [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]),
        ("openai", [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]),
        ("cerebras", [{"role": "user", "content": [{"type": "image_url"}]}]),
        ("anthropic", [{"role": "user", "content": [{"type": "text", "text": " "}]}]),
    ],
)
def test_complaints_find_each_kind_of_broken_request(name: str, messages: list[Json]) -> None:
    assert complaints(name, {"messages": messages})
