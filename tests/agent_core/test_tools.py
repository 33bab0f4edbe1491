"""Tools: made from functions, checked before they run, run whatever they do."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import pathlib
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from agent_core.config import MAX_RESULT_BYTES
from agent_core.errors import ValidationError
from agent_core.retry import RetryPolicy
from agent_core.tools import (
    Tool,
    ToolContext,
    action_tool,
    async_tool,
    create_action_tool,
    create_async_tool,
    encode_result,
    execute,
    normalise_tools,
    parse_arguments,
)

if TYPE_CHECKING:
    import agent_core.tools as hidden_at_runtime

CTX = ToolContext("t", "c", "f", user_id="u", attempt=2, idempotency_key="t:c")


class Place(BaseModel):
    """A place on earth."""

    name: str
    title: str = ""


@action_tool(retry=True, timeout=30.0)
async def get_weather(
    location: Annotated[str, Field(min_length=2)],
    ctx: ToolContext,
    unit: Literal["c", "f"] = "c",
    days: int | None = None,
    near: Place | None = None,
) -> dict[str, Any]:
    """Get the weather.

    Today's, unless days are given.

    Args:
        location (str): the city,
            in any language
        unit: Celsius or Fahrenheit

    Returns:
        A dict: sunny.
    """
    return {"location": location, "unit": unit, "days": days, "near": near, "attempt": ctx.attempt}


async def run(tool: Tool, raw: str | dict[str, Any] | None = None, ctx: ToolContext = CTX) -> Any:
    return await execute(tool, parse_arguments(tool, raw), ctx)


# Making


def test_the_schema_comes_from_the_signature_and_the_docstring():
    schema = get_weather.schema()
    assert schema["type"] == "function"
    function = schema["function"]
    assert function["name"] == "get_weather"
    assert function["description"] == "Get the weather.\n\nToday's, unless days are given."
    properties = function["parameters"]["properties"]
    assert properties["location"] == {
        "type": "string",
        "minLength": 2,
        "description": "the city, in any language",
    }
    assert properties["unit"] == {
        "type": "string",
        "enum": ["c", "f"],
        "default": "c",
        "description": "Celsius or Fahrenheit",
    }
    assert properties["days"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}
    assert list(properties) == ["location", "unit", "days", "near"]
    assert function["parameters"]["required"] == ["location"]
    assert function["parameters"]["$defs"]["Place"]["properties"]["title"] == {
        "type": "string",
        "default": "",
    }


def test_each_schema_is_its_own():
    get_weather.schema()["function"]["parameters"].clear()
    assert get_weather.schema()["function"]["parameters"]["type"] == "object"


def test_a_decorated_function_stays_a_function():
    @action_tool
    def double(number: int) -> int:
        return number * 2

    assert double(4) == 8
    assert double.name == "double"


def test_what_retry_implies():
    assert get_weather.retry == RetryPolicy()
    assert get_weather.rerun_on_interrupt
    policy = RetryPolicy(max_attempts=9)

    def make(**options: Any) -> Tool:
        return create_action_tool(handler=lambda: None, **options)

    assert (make().retry, make().rerun_on_interrupt) == (None, False)
    assert (make(retry=policy).retry, make(retry=policy).rerun_on_interrupt) == (policy, True)
    assert not make(retry=True, rerun_on_interrupt=False).rerun_on_interrupt
    assert make(rerun_on_interrupt=True).rerun_on_interrupt
    assert make(retry=False).retry is None


async def test_types_and_contexts_are_found_wherever_they_stand():
    class Local(BaseModel):
        size: int

    @action_tool
    async def local(thing: Local) -> int:
        return thing.size

    @action_tool
    async def by_annotation(context: ToolContext) -> str:
        return context.tool_call_id

    @action_tool
    async def hidden(context: hidden_at_runtime.ToolContext) -> str:
        return context.tool_call_id

    @action_tool
    async def optional(context: ToolContext | None = None) -> str:
        assert context
        return context.tool_call_id

    @action_tool
    async def by_name(ctx) -> str:  # type: ignore[no-untyped-def]
        return ctx.tool_call_id

    assert await run(local, '{"thing": {"size": 3}}') == 3
    for tool in (by_annotation, hidden, optional, by_name):
        assert tool.schema()["function"]["parameters"]["properties"] == {}
        assert await run(tool) == "c"


async def test_a_parameter_may_have_a_name_that_pydantic_uses_itself():
    @action_tool
    def odd(schema: str, _hidden: int = 1, model_config: str = "x", copy: bool = True) -> list[Any]:
        return [schema, _hidden, model_config, copy]

    names = odd.schema()["function"]["parameters"]["properties"]
    assert list(names) == ["schema", "_hidden", "model_config", "copy"]
    assert await run(odd, '{"schema": "s", "_hidden": 2}') == ["s", 2, "x", True]


@pytest.mark.parametrize(
    "handler",
    [
        lambda args: (args.name, args.title),
        lambda args, ctx: (args.name, args.title),
        lambda name, title: (name, title),
        lambda title, ctx, name: (name, title),
        lambda **arguments: (arguments["name"], arguments["title"]),
        functools.partial(lambda extra, name, title: (name, title), "extra"),
    ],
    ids=["model", "model and ctx", "fields", "fields in any order", "keywords", "partial"],
)
async def test_a_handler_takes_the_model_or_its_fields(handler: Callable[..., Any]):
    tool = create_action_tool(description="d", args=Place, handler=handler, name="f")
    assert await run(tool, '{"name": "Rome"}') == ("Rome", "")


async def test_a_single_field_is_told_from_the_model_by_its_annotation():
    class Args(BaseModel):
        args: int

    def whole(args: Args) -> int:
        return args.args

    def spread(args: int) -> int:
        return args

    for handler in (whole, spread):
        assert await run(create_action_tool(args=Args, handler=handler), '{"args": 5}') == 5


async def test_an_async_tool_needs_no_callback():
    ask = create_async_tool(description="Ask a person.", args=Place, name="ask", timeout=60)
    assert (ask.kind, ask.timeout, ask.description) == ("async", 60, "Ask a person.")
    assert await run(ask, '{"name": "Rome"}') is None


def test_async_tools_by_decorator():
    @async_tool(needs_approval=True)
    async def ask(question: str) -> None:
        """Ask a person."""

    assert (ask.kind, ask.needs_approval, ask.description) == ("async", True, "Ask a person.")


class Plain:
    """A class that pydantic knows nothing of."""


def takes_unknown(thing: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def takes_plain(thing: Plain) -> None: ...
def yields() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: action_tool(takes_unknown),
            "takes_unknown: the annotation of thing.*'Nowhere' is not defined",
        ),
        (lambda: action_tool(takes_plain), "takes_plain have no JSON schema"),
        (lambda: action_tool(yields), "returns its result"),
        (lambda: action_tool(dict), "its parameters are not known"),
        (lambda: action_tool(lambda a, /: a), r"\['a'\] by position"),
        (lambda: action_tool(lambda *a: a), r"\['\*a'\] by position"),
        (lambda: action_tool(timeout=0)(lambda: 1), "timeout of the tool"),
        (lambda: action_tool(timeout=float("inf"))(lambda: 1), "timeout"),
        (lambda: action_tool(retry=3)(lambda: 1), "retry"),  # type: ignore[arg-type]
        (lambda: create_action_tool(handler="x"), "function"),  # type: ignore[arg-type]
        (lambda: create_action_tool(args=Place, handler=lambda: 1), "differ in: name, title"),
        (lambda: create_action_tool(args=Place, handler=lambda name, title, more: 1), "differ in: more"),
        (lambda: normalise_tools([print]), "is no tool; decorate it"),  # type: ignore[list-item]
        (lambda: normalise_tools([action_tool(lambda: 1)]), "'<lambda>' is no name"),
        (lambda: normalise_tools({"not good": get_weather}), "no name for a tool"),
        (lambda: normalise_tools([get_weather, get_weather]), "Two tools are called 'get_weather'"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_a_sentence(make: Callable[[], Any], words: str):
    with pytest.raises(ValidationError, match=words):
        make()


def test_an_unknown_option_is_an_error_of_the_program():
    with pytest.raises(TypeError, match="retries"):
        action_tool(retries=3)(lambda: 1)  # type: ignore[call-overload]


def test_tools_by_name():
    assert normalise_tools(None) == {}
    assert normalise_tools([get_weather]) == {"get_weather": get_weather}
    renamed = normalise_tools({"weather": get_weather})["weather"]
    assert renamed.name == renamed.schema()["function"]["name"] == "weather"
    assert get_weather.name == "get_weather"


# Arguments


@pytest.mark.parametrize("raw", [None, "", "  ", "{}", {}])
def test_no_arguments(raw: Any):
    assert parse_arguments(action_tool(lambda: 1), raw) == {}


def test_arguments_are_what_was_written():
    assert parse_arguments(get_weather, '{"location": "Rome", "days": "3"}') == {
        "location": "Rome",
        "days": "3",
    }


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("{}", "location: Field required"),
        ('{"location": 5}', "location: Input should be a valid string"),
        ('{"location": "x"}', "location: String should have at least 2 characters"),
        ('{"location": "Rome", "unit": "k"}', "unit: Input should be 'c' or 'f'"),
        ('{"location": "Rome", "near": {}}', "near.name: Field required"),
        ('{"location": "Rome", "city": 1, "town": 2}', "there is no argument city, town"),
        ('{"location": "Rome", "ctx": {}}', "there is no argument ctx"),
        ('{"location": ', "not JSON"),
        ("location=Rome", "not JSON"),
        ('{"location": NaN}', "not JSON"),
        ('{"location": "\\ud800"}', "not JSON"),
        ('{"location": "\ud800"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["Rome"]', "no JSON object"),
        ("null", "no JSON object"),
        ({"location": b"Rome"}, "not JSON"),
        ({"days": float("nan")}, "not JSON"),
    ],
)
def test_arguments_that_are_not_the_tools_are_refused_for_the_model_to_read(raw: Any, words: str):
    with pytest.raises(ValidationError) as caught:
        parse_arguments(get_weather, raw)
    sentence = str(caught.value)
    assert words in sentence
    assert sentence.startswith("The arguments for get_weather are not acceptable: ")
    assert sentence.endswith("It takes: days, location, near, unit.")


def test_unknown_arguments_are_refused_for_a_model_of_ones_own_too():
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    class Aliased(BaseModel):
        from_: str = Field(alias="from")
        to: str = Field(validation_alias=AliasChoices("to", "till"))

    with pytest.raises(ValidationError, match="there is no argument city"):
        parse_arguments(create_action_tool(args=Place, handler=lambda args: 1), '{"name": "x", "city": 1}')
    assert parse_arguments(create_action_tool(args=Open, handler=lambda args: 1), '{"a": 1}') == {"a": 1}
    aliased = create_action_tool(args=Aliased, handler=lambda args: 1)
    assert parse_arguments(aliased, '{"from": "a", "till": "b"}') == {"from": "a", "till": "b"}


json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["location", "unit", "x"]), inner),
).map(json.dumps)


@given(json_texts | st.text())
def test_arguments_are_accepted_or_refused_and_nothing_else(raw: str):
    try:
        arguments = parse_arguments(get_weather, raw)
    except ValidationError:
        return
    assert isinstance(arguments["location"], str)


# Running


async def test_arguments_arrive_as_the_types_they_are_declared_as():
    @action_tool
    async def kinds(day: datetime.date, places: list[Place], count: int = 1, **more: int) -> Any:
        return day, places, count, more

    raw = '{"day": "2026-11-22", "places": [{"name": "Rome"}], "count": "2", "x": 7}'
    assert await run(kinds, raw) == (datetime.date(2026, 11, 22), [Place(name="Rome")], 2, {"x": 7})


async def test_the_context_is_passed():
    assert (await run(get_weather, '{"location": "Rome"}'))["attempt"] == 2


async def test_sync_handlers_run_beside_the_loop_with_its_context():
    who = contextvars.ContextVar("who", default="nobody")
    who.set("me")

    @action_tool
    def where() -> tuple[str, bool]:
        return who.get(), threading.current_thread() is threading.main_thread()

    assert await run(where) == ("me", False)


async def test_a_sync_function_that_returns_an_awaitable_is_awaited():
    async def answer() -> int:
        return 42

    class Answering:
        async def __call__(self, number: int) -> int:
            return number

    assert await run(create_action_tool(handler=lambda: answer())) == 42
    assert await run(create_action_tool(handler=Answering()), '{"number": 3}') == 3
    assert await run(create_action_tool(handler=functools.partial(answer))) == 42


async def test_progress_from_both_kinds_of_handlers():
    seen: list[Any] = []

    async def report(data: Any) -> None:
        seen.append(data)

    @action_tool
    async def slow(ctx: ToolContext) -> None:
        await ctx.report({"done": 1, "at": datetime.date(2026, 11, 22)})

    @action_tool
    def slow_sync(ctx: ToolContext) -> None:
        ctx.report_from_thread("half")

    @action_tool
    async def wrong(ctx: ToolContext) -> None:
        await ctx.report(b"bytes")

    ctx = dataclasses.replace(CTX, _report=report)
    await run(slow, ctx=ctx)
    await run(slow_sync, ctx=ctx)
    assert seen == [{"done": 1, "at": "2026-11-22"}, "half"]
    with pytest.raises(ValidationError, match="not JSON"):
        await run(wrong, ctx=ctx)


class Odd(BaseException):
    pass


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize(
    ("raised", "expected", "words"),
    [
        (KeyError("k"), KeyError, "k"),
        (TimeoutError("the server's own"), TimeoutError, "the server's own"),
        (SystemExit(3), RuntimeError, "raised SystemExit"),
        (Odd("x"), RuntimeError, "raised Odd"),
        (StopIteration(1), RuntimeError, "StopIteration"),
        (asyncio.CancelledError(), RuntimeError, "cancelled itself|raised CancelledError"),
        (BaseExceptionGroup("g", [SystemExit(1)]), RuntimeError, "raised BaseExceptionGroup"),
    ],
)
async def test_whatever_a_handler_raises_ends_its_own_call_only(
    raised: BaseException, expected: type[Exception], words: str, asynchronous: bool
):
    async def raise_it() -> None:
        raise raised

    def raise_in_thread() -> None:
        raise raised

    tool = create_action_tool(handler=raise_it if asynchronous else raise_in_thread, timeout=5)
    with pytest.raises(expected, match=words):
        await run(tool)


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_handler_that_hangs_is_timed_out(asynchronous: bool):
    released = threading.Event()

    async def hang() -> None:
        await asyncio.Event().wait()

    handler = hang if asynchronous else lambda: released.wait(5)
    tool = create_action_tool(handler=handler, name="hang", timeout=0.02)
    with pytest.raises(TimeoutError, match="The tool hang did not answer"):
        await run(tool)
    released.set()


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_stop_from_outside_passes_through(asynchronous: bool):
    running, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    async def hang() -> None:
        running.set()
        await asyncio.Event().wait()

    def hang_in_thread() -> None:
        loop.call_soon_threadsafe(running.set)
        released.wait(5)

    tool = create_action_tool(handler=hang if asynchronous else hang_in_thread)
    task = asyncio.create_task(run(tool))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    released.set()


# Results


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    when: datetime.datetime


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ("ü", '"ü"'),
        ({"a": [1, 2.5, True, None]}, '{"a":[1,2.5,true,null]}'),
        ((1, 2), "[1,2]"),
        ({3}, "[3]"),
        (Place(name="Rome"), '{"name":"Rome","title":""}'),
        (
            [Point(1, datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC))],
            '[{"x":1,"when":"2026-11-22T00:00:00+00:00"}]',
        ),
        (datetime.date(2026, 11, 22), '"2026-11-22"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (decimal.Decimal("1.10"), '"1.10"'),
        (pathlib.PurePosixPath("a/b"), '"a/b"'),
        (Colour.RED, '"red"'),
        ("a\0b", '"a\ufffdb"'),
        ("a\\u0000b", '"a\\\\u0000b"'),
        ({"\0": "\ud800"}, '{"\ufffd":"\ufffd"}'),
        ([[]] * 300, f"[{','.join(['[]'] * 300)}]"),
    ],
)
def test_a_result_is_json(value: Any, text: str):
    assert encode_result(value) == text


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = {"a": [value]}
    return value


circle: list[Any] = []
circle.append(circle)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "not JSON"),
        ({"a": float("inf")}, "not JSON"),
        (b"bytes", "holds a bytes"),
        ([bytearray(b"x")], "holds a bytearray"),
        (object(), "holds a object"),
        (Plain, "holds a type"),
        ({(1, 2): 3}, "keys must be"),
        (range(3).__iter__(), "holds a range_iterator"),
        (circle, "not JSON|holds itself"),
        (deep(150), "not JSON|too deep"),
        (deep(100_000), "too deep"),
        ("x" * MAX_RESULT_BYTES, "bytes long; the limit is 1,048,576"),
        ("ü" * (MAX_RESULT_BYTES // 2), "bytes long"),
    ],
)
def test_what_is_no_result_is_refused_with_a_sentence(value: Any, words: str):
    with pytest.raises(ValidationError, match=words):
        encode_result(value)


def test_a_result_may_be_as_long_as_the_limit():
    assert len(encode_result("x" * (MAX_RESULT_BYTES - 2))) == MAX_RESULT_BYTES


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_result_reads_as_it_was(value: Any):
    text = encode_result(value)
    text.encode()
    if "\\u0000" not in json.dumps(value):
        assert json.loads(text) == value
