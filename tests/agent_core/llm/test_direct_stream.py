"""Direct reading of streams: the same events as through litellm's wrapper, which remains the fallback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from agent_core.errors import ModelError
from agent_core.llm import (
    Finish,
    LitellmModel,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    litellm_adapter,
    register_custom_provider,
)
from agent_core.llm.litellm_import import litellm_module
from tests.providers.dialects import DIALECTS, Thought, Use
from tests.providers.dialects.openai import OPENAI_LIKE
from tests.providers.loopback import Answer, Provider, Stream, call, delta, provider, usage
from tests.support.providers.litellm_paths import through_the_wrapper

TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
REQUEST = ModelRequest([{"role": "user", "content": "What time is it?"}], [TOOL])


def answer(dialect: str, *, thinks: bool = True, calls: int = 2) -> Stream:
    """Return a stream of thoughts, text and calls in a provider's dialect."""
    said = [Thought("Let me see.")] if thinks else []
    uses = [Use("clock", {"zone": zone}, f"call_{n}") for n, zone in enumerate(("UTC", "CET")[:calls], 1)]
    return Stream(DIALECTS[dialect].stream([*said, "It is ", "späť 🌙.", *uses]), end="eof")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Record for each answer whether it bypassed the wrapper."""
    seen: list[bool] = []
    direct = litellm_adapter.open_direct

    async def noting(litellm: Any, answer: Any) -> Any:
        seen.append((found := await direct(litellm, answer)) is not None)
        return found

    monkeypatch.setattr(litellm_adapter, "open_direct", noting)
    return seen


async def read(adapter: LitellmModel) -> list[ModelEvent | tuple[Any, ...]]:
    """Return an answer's events; an error comes last, with everything that a thread shows of it."""
    events: list[ModelEvent | tuple[Any, ...]] = []
    try:
        async for event in adapter.stream(REQUEST):
            events.append(event)  # noqa: PERF401
    except ModelError as error:
        events.append((error.kind, error.retryable, error.status, str(error)))
    return events


async def both(
    server: Provider, name: str = "openai/gpt-4o-mini", url: str = "", **options: Any
) -> tuple[list[Any], list[Any]]:
    """Read one answer directly and the next one through the wrapper."""
    settings = {"api_base": url or server.url, "api_key": "k" * 12, "timeout": 5, **options}
    adapter = LitellmModel(name, **settings)
    direct = await read(adapter)
    with through_the_wrapper():
        return direct, await read(adapter)


def joined(events: Sequence[ModelEvent | tuple[Any, ...]]) -> list[Any]:
    """Merge neighbouring deltas of one kind, and mask generated call ids."""
    whole: list[Any] = []
    for event in events:
        last = whole[-1] if whole else None
        if isinstance(event, TextDelta | ReasoningDelta) and isinstance(last, type(event)):
            whole[-1] = type(event)(last.text + event.text)
        elif (
            isinstance(event, ToolCallDelta)
            and event.id
            and event.id.startswith("call_")
            and len(event.id) > 20
        ):
            whole.append(ToolCallDelta(event.index, "made up", event.name, event.arguments))
        else:
            whole.append(event)
    return whole


# Same events either way


@pytest.mark.parametrize("name", OPENAI_LIKE)
async def test_openais_dialect(name: str, taken: list[bool]):
    async with provider(answer("openai")) as server:
        direct, wrapped = (
            await both(server, name, api_version="2024-10-21")
            if "azure" in name
            else await both(server, name)
        )
    assert direct == wrapped
    assert direct[:2] == [TextDelta("It is "), TextDelta("späť 🌙.")]
    assert ToolCallDelta(1, "call_2", "clock", "") in direct
    second = [event for event in direct if isinstance(event, ToolCallDelta) and event.index == 1]
    assert "".join(event.arguments for event in second) == '{"zone": "CET"}'
    assert isinstance(direct[-2], Usage)
    assert (direct[-2].cached_tokens, direct[-2].reasoning_tokens) == (400, 30)
    assert direct[-1] == Finish("tool-calls")
    assert taken == [True], "a litellm that this no longer holds for must be looked at before it is pinned"


async def test_anthropics_dialect(taken: list[bool]):
    async with provider(answer("anthropic")) as server:
        direct, wrapped = await both(server, "anthropic/claude-sonnet-5", server.url.removesuffix("/v1"))
    assert direct == wrapped
    assert joined(direct)[:2] == [ReasoningDelta("Let me see."), TextDelta("It is späť 🌙.")]
    assert ToolCallDelta(0, "call_1", "clock", "") in direct
    assert isinstance(direct[-2], Usage)
    assert direct[-2].cached_tokens == 400
    assert direct[-1] == Finish("tool-calls")
    assert taken == [True]


async def test_geminis_dialect(taken: list[bool]):
    async with provider(answer("gemini-2.5", calls=1)) as server:
        adapter = LitellmModel(
            "gemini/gemini-2.5-flash", api_base=server.url.removesuffix("/v1"), api_key="k" * 12
        )
        *said, asked, counted, finish = joined(await read(adapter))
        await plain(server)
    assert said == [ReasoningDelta("Let me see."), TextDelta("It is späť 🌙.")]
    assert isinstance(asked, ToolCallDelta)
    assert (asked.name, asked.arguments) == ("clock", '{"zone": "UTC"}')
    assert isinstance(counted, Usage)
    assert (counted.input_tokens, counted.output_tokens, counted.total_tokens) == (500, 120, 620)
    assert (counted.cached_tokens, counted.reasoning_tokens) == (400, 30)
    assert finish == Finish("tool-calls")
    assert taken == [True, True], "what a request to Gemini leaves behind in litellm is no listener"


async def test_ollamas_dialect(taken: list[bool]):
    """litellm's wrapper would ask the server for the model's price at the end, blocking the event loop."""
    async with provider(answer("ollama", thinks=False, calls=1)) as server:
        adapter = LitellmModel("ollama_chat/qwen3", api_base=server.url.removesuffix("/v1"))
        *text, asked, counted, finish = await read(adapter)
        assert len(server.requests) == 1
    assert text == [TextDelta("It is "), TextDelta("späť 🌙.")]
    assert isinstance(asked, ToolCallDelta)
    assert (asked.name, asked.arguments) == ("clock", '{"zone": "UTC"}')
    assert (counted, finish) == (Usage(500, 90, 590, cost=0.0), Finish("stop"))
    assert taken == [True]


@pytest.mark.parametrize(
    "events",
    [
        [delta(reasoning_content="hm"), delta("x", finish="stop")],
        [delta(reasoning="hm"), delta("x"), delta(finish="stop")],
        [delta("x"), delta(finish="stop"), usage(5, 5, cost=0.25)],
        [delta("x"), delta(finish="content_filter")],
        [delta("x", finish="length"), usage(5, 5)],
        [delta("x"), delta(finish="end_turn")],
        [delta("x"), delta(finish="stop"), delta(" after all")],
        [delta(finish="stop")],
        [delta(None), delta(tool_calls=None), delta("x", finish="stop")],
        [{"choices": [{"index": 0, "delta": None, "finish_reason": None}]}, delta("x", finish="stop")],
        [{"id": "c", "choices": []}, {"id": "c"}, delta("x", finish="stop")],
        [call(3, "clock", "{}", id="a"), delta(finish="stop")],
        [delta(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": "{}"}}]), delta(finish="stop")],
        [delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f"}}]), delta(finish="stop")],
        [delta("x"), b": a comment\n\n", b"event: x\nid: 7\ndata: \xef\xbb\xbf\n\n"],
        [delta("half")],
        [delta("half"), b'data: {"id": \n\n'],
        [delta("half"), {"error": {"message": "Overloaded, sorry", "type": "server_error", "code": 503}}],
        [delta("half"), {"error": {"message": "Too many tokens: maximum context length is 9", "code": 400}}],
        [delta("half"), {"error": "just words"}],
        [{"error": {"message": "Overloaded, sorry"}}],
    ],
)
@pytest.mark.parametrize("end", ["done", "eof", "drop"])
async def test_odd_streams_give_the_same_events_either_way(events: list[Any], end: str):
    async with provider(Stream(events, end=end)) as server:
        direct, wrapped = await both(server)
    assert direct == wrapped


@pytest.mark.parametrize(
    "event",
    [
        b"data: [1, 2]\n\n",
        delta(finish="error"),
    ],
)
async def test_nonsense_fails_in_the_same_way_in_other_words(event: Any):
    async with provider(Stream([delta("half"), event])) as server:
        direct, wrapped = await both(server)
    assert direct[0] == wrapped[0] == TextDelta("half")
    assert direct[1][:3] == wrapped[1][:3]


async def test_newest_report_of_usage_counts():
    """litellm's wrapper arrives at a different total here, so only direct reading is checked."""

    def counted(tokens: int) -> dict[str, Any]:
        return {"usage": {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens}}

    chunks = [delta("x") | counted(1), delta("y") | counted(2), delta(finish="stop") | counted(3)]
    async with provider(Stream(chunks)) as server:
        *_, found, finish = (await both(server))[0]
    assert isinstance(found, Usage)
    assert (found.input_tokens, found.output_tokens, found.total_tokens) == (5, 3, 8)
    assert finish == Finish("stop")


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
@pytest.mark.parametrize(
    "name", ["gemini/gemini-2.5-flash", "anthropic/claude-sonnet-5", "deepseek/deepseek-chat"]
)
async def test_a_refusal_gives_the_same_error_either_way(name: str, status: int):
    async with provider(Answer(status, {"error": {"message": "Words of the provider."}})) as server:
        direct, wrapped = await both(server, name, server.url.removesuffix("/v1"))
    assert direct == wrapped
    assert isinstance(direct[0], tuple)


async def test_silence_between_two_reads_gives_the_same_error_either_way():
    async with provider(Stream([delta("half"), 30.0])) as server:
        direct, wrapped = await both(server, timeout=0.3)
    assert direct == wrapped
    assert direct[-1][:2] == ("network", True)


# Cases that need the wrapper


async def plain(server: Provider, **options: Any) -> list[Any]:
    return await read(LitellmModel("openai/gpt-4o-mini", api_base=server.url, api_key="k", **options))


async def test_rules_of_litellm_turn_direct_reading_off(taken: list[bool], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(await litellm_module(), "post_call_rules", [lambda text: "forbidden" not in text])
    async with provider(
        Stream([delta("x", finish="stop")]), Stream([delta("forbidden", finish="stop")])
    ) as server:
        assert await plain(server) == [TextDelta("x"), Finish("stop")]
        assert TextDelta("forbidden") not in await plain(server)
    assert taken == [False, False]


async def test_thoughts_may_still_be_merged_into_the_text(taken: list[bool]):
    async with provider(Stream([delta(reasoning_content="hm"), delta("x"), delta(finish="stop")])) as server:
        events = await plain(server, merge_reasoning_content_in_choices=True)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "<think>hm</think>x"
    assert taken == [False]


async def test_unknown_forms_and_providers_written_in_python_take_the_wrapper(taken: list[bool]):
    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("x")
        yield Finish("stop")

    register_custom_provider("ours", answer)
    assert await read(LitellmModel("ours/small")) == [TextDelta("x"), Finish("stop")]
    assert await read(LitellmModel("text-completion-openai/x", mock_response="x"))
    assert taken == [False], "a mock is not even looked at"


@pytest.mark.parametrize("lost", ["completion_stream", "custom_llm_provider", "fetch_stream"])
async def test_a_litellm_that_is_built_differently_is_read_through_its_wrapper(
    lost: str, taken: list[bool], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("agent_core.llm.streams.direct_stream._NEEDED", (f"{lost}_of_tomorrow",))
    async with provider(Stream([delta("x", finish="stop")])) as server:
        assert await plain(server) == [TextDelta("x"), Finish("stop")]
    assert taken == [False]
