"""Tools made from functions, with a schema from the signature and the docstring."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from agent_core.errors import ValidationError
from agent_core.support.retry import RetryPolicy
from agent_core.tools import (
    Tool,
    ToolContext,
    action_tool,
    async_tool,
    create_action_tool,
    create_async_tool,
    normalise_tools,
)
from agent_core.tools.function_tools import describe
from tests.support.tools import Place, get_weather, run

if TYPE_CHECKING:
    import agent_core.tools as hidden_at_runtime


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


GOOGLE = """Find flights.

Only direct ones.

Args:
    start: the airport,
        as three letters.
    days (int, optional): how many.
    **more: filters.

Returns:
    flights.
"""
NUMPY = """Find flights.

Only direct ones.

Parameters
----------
start : str
    the airport,
    as three letters.
days : int, optional
    how many.
**more
    filters.

Returns
-------
list
    flights.
"""
SPHINX = """Find flights.

Only direct ones.

:param start: the airport,
    as three letters.
:param int days: how many.
:param more: filters.
:type start: str
:returns: flights.
"""


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX])
def test_descriptions_are_read_from_each_form_of_docstring(docstring: str) -> None:
    def find(start: str, days: int = 1, **more: str) -> list[str]:
        return []

    find.__doc__ = docstring
    assert describe(find) == (
        "Find flights.\n\nOnly direct ones.",
        {"start": "the airport, as three letters.", "days": "how many.", "more": "filters."},
    )
    properties = action_tool(find).schema()["function"]["parameters"]["properties"]
    assert properties["start"]["description"] == "the airport, as three letters."
    assert properties["days"]["description"] == "how many."


PIECES = [
    "Args:",
    "Parameters",
    "-----",
    "\n",
    "\n    ",
    ":param x:",
    ":Yields",
    "x : int",
    "@param",
    "Note:",
    "::",
    "*a",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join) | st.text())
@example(":Yields\n-------- text")
def test_any_docstring_is_read(docstring: str) -> None:
    def find() -> None: ...

    find.__doc__ = docstring
    text, described = describe(find)
    assert isinstance(text, str)
    assert all(name and words for name, words in described.items())


def test_each_schema_is_its_own():
    get_weather.schema()["function"]["parameters"].clear()
    assert get_weather.schema()["function"]["parameters"]["type"] == "object"


def test_a_decorated_function_stays_a_function():
    @action_tool
    def double(number: int) -> int:
        return number * 2

    assert double(4) == 8
    assert double.name == "double"


def test_retry_option_says_whether_a_tool_may_run_again():
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

    for made in (
        create_action_tool(args=Args, handler=whole),
        create_action_tool(args=Args, handler=spread),
    ):
        assert await run(made, '{"args": 5}') == 5


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
    """Class unknown to pydantic."""


def takes_unknown(thing: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def takes_plain(thing: Plain) -> None: ...


def yields() -> Any:
    yield 1


class Shop:
    """Class whose methods cannot be tools until there is an instance."""

    def find(self, item: str) -> str:
        return item

    @classmethod
    def of(cls, item: str) -> str:
        return item

    @staticmethod
    def count(item: str) -> str:
        return item


@pytest.mark.parametrize("method", [Shop().find, Shop.of, Shop.count])
def test_bound_method_is_a_tool_with_the_signature_of_its_function(method: Callable[..., str]) -> None:
    made = action_tool(method)
    assert list(made.parameters["properties"]) == ["item"]
    assert str(inspect.signature(made)) == str(inspect.signature(method))
    assert made("tea") == "tea"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: action_tool(Shop.find), r"find is a method.*action_tool\(shop\.find\)"),
        (lambda: action_tool(name="look", args=Place)(Shop.find), r"look is a method"),
        (lambda: action_tool(Shop.__dict__["of"]), r"of is a method.*action_tool\(shop\.of\)"),
        (
            lambda: action_tool(takes_unknown),
            "takes_unknown: the annotation of thing.*'Nowhere' is not defined",
        ),
        (lambda: action_tool(takes_plain), "takes_plain have no JSON schema"),
        (lambda: action_tool(yields), "returns its result"),
        (lambda: action_tool(dict), "this is a class"),
        (lambda: action_tool(max), "its parameters are not known"),
        (lambda: action_tool(lambda a, /: a), r"\['a'\] by position"),
        (lambda: action_tool(lambda *a: a), r"\['\*a'\] by position"),
        (lambda: action_tool(timeout=0)(lambda: 1), "timeout of the tool"),
        (lambda: action_tool(timeout=float("inf"))(lambda: 1), "timeout"),
        (lambda: action_tool(retry=3)(lambda: 1), "retry"),  # type: ignore[arg-type]
        (lambda: create_action_tool(handler="x"), "function"),  # type: ignore[arg-type]
        (lambda: create_action_tool(args=Place, handler=lambda: 1), "differ in: name, title"),
        (lambda: create_action_tool(args=Place, handler=lambda name, title, more: 1), "differ in: more"),
        (lambda: normalise_tools([print]), "is not a tool; decorate it"),  # type: ignore[list-item]
        (lambda: normalise_tools([action_tool(lambda: 1)]), "'<lambda>' is not a valid tool name"),
        (lambda: normalise_tools({"not good": get_weather}), "not a valid tool name"),
        (lambda: normalise_tools([get_weather, get_weather]), "Two tools are called 'get_weather'"),
    ],
)
def test_functions_that_cannot_be_tools_are_refused_with_a_sentence(make: Callable[[], Any], words: str):
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
