"""Argument checks: invalid values are refused where they are passed in, with one sentence."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from agent_core import (
    Agent,
    Budget,
    CallContext,
    Limit,
    RetryPolicy,
    Runtime,
    StreamingOptions,
    Workpool,
    action_tool,
    async_tool,
    create_action_tool,
    create_async_tool,
    define_agent_api,
    define_internal_agent_api,
    every,
    mcp_tools,
    remind_me,
)
from agent_core.context import SummariseOldest, TrimOldest
from agent_core.context.thread_title import ModelTitle
from agent_core.errors import AccessDeniedError, ModelError, ValidationError
from agent_core.llm import LitellmModel, register_custom_provider
from agent_core.llm.options import LITELLM, OURS, STANDARD, check_options
from agent_core.public_api import PublicAgentApi
from agent_core.support.argument_checks import did_you_mean, kind_of, kinds_of
from agent_core.support.settings import Settings
from agent_core.testing import ScriptedModel, ToolUse
from tests.support.agents import agent_on, waiting
from tests.support.databases import prepared

MODEL: Any = ScriptedModel([])


def odd(value: object) -> Any:
    """Return a value untyped, so that a type checker accepts it anywhere."""
    return value


def look(city: str) -> str:
    """Look."""
    return city


LOOK = action_tool(look)
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a misspelt parameter": (lambda: Agent("a", MODEL, toolz=[]), "did you mean tools?"),
    "another misspelt one": (lambda: Agent("a", "openai/x", systm="x"), "did you mean system?"),
    "a parameter in capitals": (lambda: Agent("a", MODEL, Max_Steps=3), "did you mean max_steps?"),
    "a misspelt model option": (lambda: Agent("a", "openai/x", temprature=1), "did you mean temperature?"),
    "another library's word": (lambda: Agent("a", MODEL, instructions="x"), "did you mean system?"),
    "an option nobody knows": (lambda: Agent("a", "openai/x", banana=1), r"'banana'.*extra_body="),
    "an option the agent decides": (lambda: Agent("a", "openai/x", stream=False), "always streamed"),
    "retries in a second place": (lambda: Agent("a", "openai/x", num_retries=3), "retry=RetryPolicy"),
    "a model that is a number": (lambda: Agent("a", odd(123)), "model of Agent .*123"),
    "a model that is a class": (lambda: Agent("a", odd(ScriptedModel)), "model of Agent"),
    "a model without a name": (lambda: Agent("a", odd(object())), "a name and a method stream"),
    "a blank model": (lambda: Agent("a", ""), "provider/model"),
    "a model with a space": (lambda: Agent("a", "gpt 5"), "provider/model"),
    "no name": (lambda: Agent(" ", MODEL), "needs a name"),
    "a name that is a number": (lambda: Agent(odd(5), MODEL), "name of Agent must be text, not 5"),
    "a long name": (lambda: Agent("a" * 201, MODEL), "1 to 200"),
    "a name with a line break": (lambda: Agent("a\nb", MODEL), "printable"),
    "a number for a policy": (
        lambda: Agent("a", MODEL, retry=odd(5)),
        "retry of Agent must be a RetryPolicy",
    ),
    "a timeout in text": (lambda: Agent("a", "openai/x", timeout="30"), "timeout of Agent must be seconds"),
    "a timeout below 0": (lambda: Agent("a", MODEL, timeout=-1), "timeout of Agent"),
    "a temperature in words": (lambda: Agent("a", "openai/x", temperature="hot"), "temperature of Agent"),
    "no steps": (lambda: Agent("a", MODEL, max_steps=0), "max_steps of Agent must be at least 1"),
    "True for steps": (lambda: Agent("a", MODEL, max_steps=True), "a whole number, not True"),
    "steps in text": (lambda: Agent("a", MODEL, max_steps=odd("3")), "a whole number, not '3'"),
    "a hook that is text": (
        lambda: Agent("a", MODEL, on_error=odd("log")),
        "on_error of Agent must be a function",
    ),
    "streaming in words": (lambda: Agent("a", MODEL, save_stream_deltas=odd("yes")), "StreamingOptions"),
    "a number for a title": (lambda: Agent("a", MODEL, title=odd(5)), "a ModelTitle or None"),
    "tools in text": (lambda: Agent("a", MODEL, tools=odd("look")), "a list of tools"),
    "one tool without a list": (lambda: Agent("a", MODEL, tools=odd(LOOK)), "a list of tools"),
    "a function that is no tool": (lambda: Agent("a", MODEL, tools=[odd(look)]), "@action_tool"),
    "two tools of one name": (lambda: Agent("a", MODEL, tools=[LOOK, LOOK]), "Two tools are called 'look'"),
    "a number for a tool's name": (lambda: Agent("a", MODEL, tools={odd(5): LOOK}), "not a valid tool name"),
    "a factory that is no function": (lambda: Agent.factory(odd(5)), "make of Agent.factory"),
    "a misspelt option of a tool": (lambda: action_tool(**odd({"retri": True}))(look), "did you mean retry?"),
    "a number of retries for a tool": (lambda: action_tool(retry=odd(5))(look), "retry of the tool look"),
    "a tool's timeout in text": (lambda: action_tool(timeout=odd("30"))(look), "timeout of the tool look"),
    "an odd name for a tool": (lambda: action_tool(name="look around")(look), "letters, digits"),
    "approval in words": (lambda: async_tool(needs_approval=odd("no"))(look), "True or False"),
    "args that are no model": (
        lambda: create_action_tool(handler=look, args=odd(dict)),
        "subclass of BaseModel",
    ),
    "a handler that is none": (lambda: create_action_tool(handler=odd(None)), "needs a function"),
    "a callback that is text": (lambda: create_async_tool(callback=odd("x"), name="x"), "needs a function"),
    "a misspelt option of a policy": (
        lambda: RetryPolicy(**odd({"maxAttempts": 3})),
        "did you mean max_attempts?",
    ),
    "another library's attempts": (
        lambda: RetryPolicy(**odd({"tries": 3})),
        "it takes max_attempts, backoff",
    ),
    "a misspelt option of a stream": (
        lambda: StreamingOptions(**odd({"throttle": 5})),
        "did you mean throttle_ms?",
    ),
    "a misspelt option of a pool": (
        lambda: Workpool(**odd({"parallelism": 3})),
        "did you mean max_parallelism?",
    ),
    "a misspelt option of a limit": (lambda: Limit(**odd({"request_per_minute": 3})), "requests_per_minute?"),
    "another word for money": (
        lambda: Budget(**odd({"dollars": 3})),
        "Budget has no option 'dollars'; it takes usd",
    ),
    "a misspelt option of a runtime": (
        lambda: Runtime(**odd({"databse_url": "x"})),
        "did you mean database_url?",
    ),
    "a misspelt option of an API": (
        lambda: define_agent_api(odd(5), odd(5), **odd({"authorisation_callback": print})),
        "did you mean authorization_callback?",
    ),
    "a misspelt option of a context": (lambda: CallContext(**odd({"user": "x"})), "did you mean user_id?"),
    "a class of errors to retry": (lambda: RetryPolicy(should_retry=odd(ValueError)), "should_retry"),
    "a hook without arguments": (
        lambda: Agent("a", MODEL, on_error=lambda: None),
        r"\(thread_id, error\), not \(\)",
    ),
    "a change of messages without any": (
        lambda: Agent("a", MODEL, transform_messages=odd(lambda: [])),
        r"transform_messages of Agent must take \(messages\)",
    ),
    "a factory without arguments": (
        lambda: Agent.factory(odd(lambda: None)),
        r"must take \(ctx, thread_id\)",
    ),
    "an authorization of one argument": (
        lambda: define_agent_api(Runtime("sqlite://"), Agent("a", MODEL), odd(lambda ctx: None)),
        r"must take \(ctx, thread_id\), not \(ctx\)",
    ),
    "a tool of a tool": (lambda: action_tool(odd(LOOK)), "this is a tool already"),
    "a tool of a class": (lambda: action_tool(odd(dict)), "this is a class"),
    "an address without a scheme": (lambda: Agent("a", "openai/x", api_base="localhost:8000"), "http://"),
    "an error of an unknown kind": (lambda: ModelError("No", kind=odd("netwrk")), "network, rate_limited"),
    "attempts in text": (lambda: RetryPolicy(max_attempts=odd("3")), "max_attempts"),
    "True for attempts": (lambda: RetryPolicy(max_attempts=True), "max_attempts"),
    "a throttle below 0": (lambda: StreamingOptions(throttle_ms=-1), "throttle_ms"),
    "a throttle in text": (lambda: StreamingOptions(throttle_ms=odd("fast")), "throttle_ms"),
    "a number for a person": (lambda: CallContext(odd(5)), "user_id of CallContext"),
    "a workpool of text": (lambda: Workpool(odd("5")), "max_parallelism of Workpool"),
    "a number for a workpool": (lambda: Runtime("sqlite://", workpool=odd(5)), "a Workpool or None"),
    "a number for a database": (lambda: Runtime(odd(5)), "database_url of Runtime"),
    "a dict of settings": (
        lambda: Runtime("sqlite://", settings=odd({"lease": 1})),
        "a Settings or None",
    ),
    "a clock that tells nothing": (lambda: Runtime("sqlite://", clock=odd(5)), "a Clock"),
    "a lease below 0": (lambda: Settings(lease=-1), "lease of Settings"),
    "a share in text": (lambda: TrimOldest(keep=odd("half")), "keep of the context policy"),
    "a summary by a number": (lambda: SummariseOldest(odd(5)), "model of SummariseOldest"),
    "a title by a number": (lambda: ModelTitle(odd(5)), "model of ModelTitle"),
    "a model option of a model": (
        lambda: LitellmModel("openai/x", temprature=1),
        "did you mean temperature?",
    ),
    "a provider with a slash": (lambda: register_custom_provider("a/b", odd(look)), "provider"),
    "an MCP server that is a number": (lambda: mcp_tools(odd(5)), "server of mcp_tools"),
    "an MCP override in words": (
        lambda: mcp_tools(["x"], overrides={"pay": {"needs_approval": odd("no")}}),
        "True or False",
    ),
    "an interval in text": (lambda: every(seconds=odd("5")), "numbers"),
    "an API without a runtime": (lambda: define_agent_api(odd(5), Agent("a", MODEL)), "a Runtime"),
    "an API without an agent": (
        lambda: define_internal_agent_api(Runtime("sqlite://"), odd("a")),
        "An Agent",
    ),
    "a hook of an API that is text": (
        lambda: define_agent_api(Runtime("sqlite://"), Agent("a", MODEL), authorization_callback=odd("x")),
        "authorization_callback",
    ),
    "a reminder without a runtime": (lambda: remind_me(odd(5)), "a Runtime"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_constructor_refuses_invalid_values(case: str):
    make, sentence = REFUSED[case]
    with pytest.raises(ValidationError, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


def test_agent_accepts_valid_options():
    """Options that providers share are passed on; those of a single provider go through extra_body."""
    options: dict[str, Any] = {
        "temperature": 0,
        "timeout": 30,
        "top_k": 5,
        "num_ctx": 8192,
        "reasoning_effort": "low",
        "vertex_project": "p",
        "input_cost_per_token": 0.1,
        "extra_body": {"banana": 1},
        "stop": ["a", "b"],
        "max_tokens": None,
        "api_base": "http://127.0.0.1:1/v1",
    }
    agent = Agent("a", "openai/x", **options)
    assert isinstance(agent.model, LitellmModel)
    assert agent.model.options == options
    assert Agent("a", MODEL, **options).model_options == options
    assert Agent("Zoë 2", MODEL, tools=(LOOK,), save_stream_deltas=False).streaming.enabled is False


def test_adapter_declares_options_of_its_own():
    class Speaking(ScriptedModel):
        option_names = ("voice",)

    assert Agent("a", Speaking([]), voice="low").model_options == {"voice": "low"}
    with pytest.raises(ValidationError, match="did you mean voice"):
        Agent("a", Speaking([]), voise="low")


def test_every_parameter_of_litellm_is_an_option_or_decided_by_the_agent():
    litellm: Any = importlib.import_module("litellm")
    from litellm.constants import DEFAULT_CHAT_COMPLETION_PARAM_VALUES
    from litellm.types.utils import all_litellm_params

    parameters = {*inspect.signature(litellm.acompletion).parameters} - {"kwargs", "tools"}
    theirs = parameters | {*DEFAULT_CHAT_COMPLETION_PARAM_VALUES, *litellm.OPENAI_CHAT_COMPLETION_PARAMS} - {
        "tools"
    }
    for name in sorted(theirs - OURS.keys()):
        check_options("Agent", {name: None})
    assert theirs >= OURS.keys() - {"num_retries"}
    made_up = LITELLM - set(all_litellm_params) - theirs
    assert made_up <= {
        "azure_ad_token",
        "cache_control_injection_points",
        "initial_prompt_value",
        "ssl_verify",
    }
    assert not LITELLM & STANDARD


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("approve_tool_calls", {"ids": "call_1"}),
        ("deny_tool_calls", {"ids": {"call_1": True}}),
        ("approve_tool_calls", {"ids": [5]}),
        ("approve_tool_calls", {"ids": ["x"], "args": {"x": "y"}}),
        ("send_message", {"prompt": "x", "when_busy": "wait"}),
        ("update_thread", {"pinned": "yes"}),
        ("update_thread", {"title": 5}),
        ("fork_thread", {"message_id": "m", "new_thread_id": 5}),
        ("stream_updates", {"from_seq": "5"}),
        ("list_messages", {"limit": 1.5}),
        ("delete_thread", {"undo_for": "5"}),
        ("timeline", {"replies": "msg_1"}),
        ("wait_until_idle", {"timeout": "5"}),
        ("get_thread", {"thread_id": 5}),
        ("get_thread", {"ctx": {"user_id": "ann"}}),
        ("stop_thread", {"thread_id": None}),
    ],
)
async def test_api_refuses_arguments_of_another_type(tmp_path: Path, name: str, given: dict[str, Any]):
    async with agent_on(tmp_path / "a.db", []) as api:
        thread = await api.create_thread()
        with pytest.raises(ValidationError, match=f"of {name} must be"):
            await getattr(api, name)(**{"thread_id": thread.id, **given})


async def test_a_text_for_ids_touches_no_call(tmp_path: Path):
    pay = action_tool(needs_approval=True, name="pay")(look)
    async with agent_on(
        tmp_path / "a.db", [[ToolUse("pay", {"city": "Rome"}, id="c")], ["Done."]], tools=[pay]
    ) as api:
        thread = await api.create_thread("Pay.")
        [call_id] = await waiting(api, thread.id)
        with pytest.raises(
            ValidationError, match="ids of approve_tool_calls must be a list of text, not 'c'"
        ):
            await api.approve_tool_calls(thread.id, call_id)
        assert await waiting(api, thread.id) == ["c"]


async def test_a_caller_is_denied_before_arguments_are_checked():
    async with Runtime("sqlite://") as runtime:

        def deny(ctx: CallContext | None, thread_id: str) -> None:
            raise AccessDeniedError("Not yours.")

        api = define_agent_api(runtime, Agent("a", MODEL), authorization_callback=deny)
        with pytest.raises(AccessDeniedError):
            await api.approve_tool_calls("thread_1", odd("call_1"))


def test_every_argument_of_the_api_is_checked():
    """Lists the unchecked parameters, so that an annotation that cannot be read does not go unnoticed."""
    open_ended = {
        (name, parameter)
        for name, method in inspect.getmembers(PublicAgentApi, inspect.isfunction)
        if not name.startswith("_")
        for parameter, kind in kinds_of(method).items()
        if kind is None and parameter != "self"
    }
    # `context` takes starlette's Request, which only servers import.
    assert {parameter for _, parameter in open_ended} == {"result", "context"}


@pytest.mark.parametrize(
    ("hint", "words", "fit", "unfit"),
    [
        (str, "text", ["", "x"], [b"x", 5, None]),
        (int, "a whole number", [0, -5, 10**30], [True, 1.5, "1"]),
        (float, "a number", [1, 0.5, float("inf")], [True, float("nan"), "1", -(10**400)]),
        (bool | None, "True, False or None", [True, None], [0, "yes"]),
        (Sequence[str], "a list of text", [[], ["x"], ("x",), {"x"}], ["x", b"x", {"x": 1}, [5], 5]),
        (Iterable[str], "a list of text", [iter(["x"])], ["x"]),
        (Mapping[str, int], "a dict of whole numbers by text", [{}, {"x": 1}], [[], {"x": "y"}, {5: 1}]),
        (list[dict[str, Any]], "a list of dicts", [[{}]], [{}, [5]]),
        (Literal["a", "b"], "'a' or 'b'", ["a"], ["c", None, []]),
        (Callable[[str], Any], "a function", [len, LOOK], ["len", None]),
        (datetime | None, "a datetime or None", [None, datetime(2030, 1, 1)], ["2030-01-01"]),  # noqa: DTZ001
        (type[Exception], "a subclass of Exception", [KeyError], [int, KeyError()]),
        (RetryPolicy, "a RetryPolicy", [RetryPolicy()], [5, RetryPolicy]),
    ],
)
def test_kind_of_an_annotation(hint: Any, words: str, fit: list[Any], unfit: list[Any]):
    kind = kind_of(hint)
    assert kind is not None
    assert kind.words == words
    assert [value for value in fit if not kind.fits(value)] == []
    assert [value for value in unfit if kind.fits(value)] == []


@pytest.mark.parametrize("hint", [Any, object, str | Any])
def test_an_annotation_of_anything_excludes_nothing(hint: Any):
    assert kind_of(hint) is None


def test_a_value_that_cannot_be_shown_is_named_by_its_type():
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(ValidationError, match="not a Shy"):
        Agent("a", MODEL, system=odd(Shy()))


def test_a_suggestion_is_made_only_where_a_name_is_near():
    assert did_you_mean("Tool-s", ["tools", "title"]) == "; did you mean tools?"
    assert did_you_mean("zebra", ["tools", "title"]) == ""
    assert did_you_mean("", []) == ""


async def test_options_that_are_passed_on_are_checked_where_they_arrive(tmp_path: Path):
    async with Runtime(prepared(tmp_path / "a.db"), work=False) as runtime:
        api = define_agent_api(runtime, Agent("a", MODEL))
        assert api.mount("/eager", when_busy="interrupt").path == "/eager"
        with pytest.raises(
            ValidationError, match="http_app has no option 'when_bussy'; did you mean when_busy"
        ):
            api.mount("/eager", when_bussy="interrupt")
