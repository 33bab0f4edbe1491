"""Test that the fold gives the same parts as the AI SDK's own reader (`readUIMessageStream`, npm `ai`).

The streams are those that a model step and its tools can produce, in any possible order. Broken streams are
left out, because the reader raises for them (see `agent_core.streaming.part_reducer` for their parts).

`DIFFERENCES` lists the intended differences, each with its reason.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_core.domain.messages import Chunk, Part
from agent_core.streaming.fold import fold
from agent_core.testing import Reasoning, ToolUse, eventually
from agent_core.tools import ToolContext, action_tool, async_tool
from tests.providers.installed import ai_sdk_command
from tests.support.agents import AT_ONCE, agent_on, finished

pytestmark = [pytest.mark.provider, pytest.mark.timeout(300)]


class Oracle:
    """Long-lived process that reads a list of streams per line and answers with their parts."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self, *streams: list[Chunk]) -> list[Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(streams) + "\n")
        self._process.stdin.flush()
        answers = json.loads(self._process.stdout.readline())
        for answer, chunks in zip(answers, streams, strict=True):
            assert "error" not in answer, (answer, chunks)
        return [answer["parts"] for answer in answers]


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    command = ai_sdk_command(Path(__file__).with_name("oracle.mjs"))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Oracle(process)
        assert process.stdin is not None
        process.stdin.close()


_words = st.text(max_size=6).map(lambda text: text.encode("utf-8", "replace").decode())
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_words, inner, max_size=2),
    max_leaves=4,
)
_objects = st.dictionaries(st.sampled_from(["a", "b"]), _json, max_size=2)


@st.composite
def blocks(draw: st.DrawFn, name: str) -> list[Chunk]:
    """Draw one text or reasoning, which stays open if the whole stream is cut in its middle."""
    kind = draw(st.sampled_from(["text", "reasoning"]))
    meta = draw(st.sampled_from([{}, {"providerMetadata": {"p": {"k": 1}}}]))
    chunks: list[Chunk] = [{"type": f"{kind}-start", "id": name, **meta}]
    chunks += [
        {"type": f"{kind}-delta", "id": name, "delta": words} for words in draw(st.lists(_words, max_size=3))
    ]
    signed = draw(st.sampled_from([{}, {"providerMetadata": {"p": {"k": 2}}}]))
    return [*chunks, {"type": f"{kind}-end", "id": name, **signed}]


@st.composite
def calls(draw: st.DrawFn, name: str) -> list[Chunk]:
    """Draw one tool call that reaches any of its states."""
    call = {"toolCallId": name}
    head = {**call, "toolName": draw(st.sampled_from(["f", "get_weather"]))}
    head |= draw(st.sampled_from([{}, {"title": "A tool"}, {"providerExecuted": True}]))
    chunks: list[Chunk] = []
    if draw(st.booleans()):
        chunks.append({"type": "tool-input-start", **head})
        chunks += [
            {"type": "tool-input-delta", **call, "inputTextDelta": words}
            for words in draw(st.lists(st.sampled_from(['{"a"', ":", "1", "}"]), max_size=3))
        ]
    if draw(st.integers(0, 5)) == 0:
        return [
            *chunks,
            {"type": "tool-input-error", **head, "input": draw(_objects), "errorText": draw(_words)},
        ]
    chunks.append({"type": "tool-input-available", **head, "input": draw(_objects)})
    asks: Chunk = {"type": "tool-approval-request", **call, "approvalId": f"approval-{name}"}
    ends = draw(st.sampled_from(["", "asks", "output", "error", "preliminary", "denied"]))
    if ends in ("asks", "denied"):
        chunks.append(asks)
    if ends == "preliminary":
        chunks.append({"type": "tool-output-available", **call, "output": draw(_json), "preliminary": True})
    if ends in ("output", "preliminary"):
        chunks.append({"type": "tool-output-available", **call, "output": draw(_json)})
    if ends == "error":
        chunks.append({"type": "tool-output-error", **call, "errorText": draw(_words)})
    if ends == "denied":
        chunks.append({"type": "tool-output-denied", **call})
    return chunks


@st.composite
def others(draw: st.DrawFn, name: str) -> list[Chunk]:
    """Draw a file, a source or data; data replaces earlier data with the same id."""
    return [
        draw(
            st.sampled_from(
                [
                    {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AA=="},
                    {"type": "source-url", "sourceId": name, "url": "https://example.org", "title": "T"},
                    {"type": "source-document", "sourceId": name, "mediaType": "text/plain", "title": "D"},
                    {"type": "data-note", "data": {"n": name}},
                    {"type": "data-note", "id": "same", "data": {"n": name}},
                    {"type": "data-note", "data": 1, "transient": True},
                ]
            )
        )
    ]


@st.composite
def streams(draw: st.DrawFn) -> list[Chunk]:
    """Draw a message of one to three steps, each with interleaved blocks, calls and other parts."""
    chunks: list[Chunk] = []
    for step in range(draw(st.integers(1, 3))):
        makers = draw(st.lists(st.sampled_from([blocks, calls, others]), max_size=4))
        lanes = [list(draw(make(f"{step}-{n}"))) for n, make in enumerate(makers)]
        chunks.append({"type": "start-step"})
        while lanes := [lane for lane in lanes if lane]:
            chunks.append(draw(st.sampled_from(lanes)).pop(0))
        chunks.append({"type": "finish-step"})
    return chunks[: draw(st.integers(1, len(chunks)))]  # possibly cut in the middle


HEAD: Part = {"toolCallId": "c", "toolName": "f"}
UNDER_WAY: Part = {"type": "tool-f", "toolCallId": "c", "state": "input-streaming", "rawInput": '{"a": "b'}
UNFIT: Part = {"type": "tool-f", "toolCallId": "c", "state": "output-error", "rawInput": {}, "errorText": "x"}
DENIED: Part = {"type": "tool-f", "toolCallId": "c", "state": "output-denied", "input": {}}
DIFFERENCES: dict[str, tuple[list[Chunk], list[Part], list[Part]]] = {
    # The fold keeps the text of unfinished arguments; the reader also keeps the result of a lenient parser,
    # which changes with each fragment. Both are gone once the arguments are complete.
    "arguments under way": (
        [
            {"type": "tool-input-start", "toolCallId": "c", "toolName": "f"},
            {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": '{"a": "b'},
        ],
        [UNDER_WAY],
        [UNDER_WAY | {"input": {"a": "b"}}],
    ),
    # A reasoning's stream id may be reused in the next step, so it identifies nothing later.
    "the id of reasoning": (
        [{"type": "reasoning-start", "id": "1"}, {"type": "reasoning-end", "id": "1"}],
        [{"type": "reasoning", "text": "", "state": "done"}],
        [{"type": "reasoning", "text": "", "state": "done", "id": "1"}],
    ),
    # The part's type requires `approved: false` for a denied call; the reader leaves the key to the client.
    "a call that was denied": (
        [
            {"type": "tool-input-available", "toolCallId": "c", "toolName": "f", "input": {}},
            {"type": "tool-approval-request", "toolCallId": "c", "approvalId": "p"},
            {"type": "tool-output-denied", "toolCallId": "c"},
        ],
        [DENIED | {"approval": {"id": "p", "approved": False}}],
        [DENIED | {"approval": {"id": "p"}}],
    ),
    # The fold keeps a call's title even if the arguments do not fit.
    "the title of a call that does not fit": (
        [{"type": "tool-input-error", **HEAD, "title": "T", "input": {}, "errorText": "x"}],
        [UNFIT | {"title": "T"}],
        [UNFIT],
    ),
    # The end of a step closes all parts; otherwise a part that the provider never ended would stream forever.
    "text that nobody ended": (
        [{"type": "start-step"}, {"type": "text-start", "id": "1"}, {"type": "finish-step"}],
        [{"type": "step-start"}, {"type": "text", "text": "", "state": "done"}],
        [{"type": "step-start"}, {"type": "text", "text": "", "state": "streaming"}],
    ),
}


def comparable(parts: list[Part]) -> list[Part]:
    """Return parts without the intended differences."""

    def kept(part: Part) -> Part:
        dropped = {"input"} if part.get("state") == "input-streaming" else set[str]()
        dropped |= {"title"} if part.get("state") == "output-error" and "rawInput" in part else set()
        dropped |= {"id"} if part["type"] == "reasoning" else set()
        same = {key: value for key, value in part.items() if key not in dropped}
        if part.get("state") == "output-denied":
            same["approval"] = {"id": part["approval"]["id"]}
        return same

    return [kept(part) for part in parts]


@pytest.mark.parametrize("what", DIFFERENCES)
def test_known_differences_from_the_ai_sdk_are_these(oracle: Oracle, what: str) -> None:
    """A difference that has changed or disappeared must be updated in the list."""
    chunks, ours, theirs = DIFFERENCES[what]
    assert (fold(chunks), *oracle.read(chunks)) == (ours, theirs)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some=st.lists(streams(), min_size=1, max_size=4))
def test_folding_is_what_the_ai_sdk_does(oracle: Oracle, some: list[list[Chunk]]) -> None:
    for chunks, right in zip(some, oracle.read(*some), strict=True):
        assert comparable(fold(chunks)) == comparable(right), chunks


async def test_real_runs_are_what_the_ai_sdk_reads_from_them(oracle: Oracle, tmp_path: Path) -> None:
    """The reader turns a follower's updates into the stored parts."""

    @action_tool
    async def look(place: str, ctx: ToolContext) -> dict[str, Any]:
        """Look."""
        return {"seen": place}

    @action_tool
    async def fail() -> str:
        """Fail."""
        raise OSError("No.")

    @async_tool
    async def ask() -> None:
        """Ask."""

    uses = [ToolUse("look", {"place": "here"}), ToolUse("fail"), ToolUse("ask", id="q"), ToolUse("nothing")]
    turns = [[Reasoning("Hm. "), "I look. ", *uses], ["Done: ", "👍", " é."]]
    async with agent_on(tmp_path / "agents.db", turns, tools=[look, fail, ask], retry=AT_ONCE) as api:
        thread = await api.create_thread("Go")
        await eventually(lambda: _waits(api, thread.id))
        await api.add_tool_result("q", {"answer": 42})
        await finished(api, thread)
        sent: list[Chunk] = []
        async for update in api.subscribe(thread.id, 0):
            sent += [chunk for chunk in update.chunks if update.seq or chunk["type"].startswith("tool-")]
            if update.cursor == (await api.get_thread(thread.id)).cursor:  # type: ignore[union-attr]
                break
        stored = (await api.list_messages(thread.id))[-1].parts
        chunks = [chunk for update in await api.stream_updates(thread.id) for chunk in update.chunks]
    by_deltas, by_streams = oracle.read(sent, chunks)
    assert comparable(by_deltas) == stored
    assert comparable(by_streams) == stored


async def _waits(api: Any, thread_id: str) -> bool:
    states = [
        part.get("state")
        for m in await api.list_messages(thread_id)
        for part in m.parts
        if "toolCallId" in part
    ]
    return states.count("input-available") == 1 and len(states) == 4
