"""Create tools from functions."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypedDict, Unpack, overload

from pydantic import BaseModel

from agent_core.errors import ValidationError
from agent_core.support.argument_checks import check_items
from agent_core.support.retry import RetryPolicy
from agent_core.tools.signature import (
    Function,
    arguments_model,
    caller_scope,
    context_parameter,
    describe,
    is_unbound_method,
    keywords_for,
    takes_model,
    unwrap,
)
from agent_core.tools.tool import Kind, P, R, Tool, check_tool_name


class ToolOptions(TypedDict, total=False):
    """Options of all functions that create tools.

    Attributes:
        args: a pydantic model of the arguments; by default made from the signature. The function gets
            an instance if it has one parameter for it, else the fields as keywords.
        description: by default the docstring, up to its first section.
        name: by default the name of the function; in a dict of tools, the key.
        retry: True or a policy allows a call to run again: after an error, and after a crash.
        timeout: maximum seconds of one attempt; for an async tool, until its outcome.
        rerun_on_interrupt: whether a call whose process died runs again; by default bool(retry).
        needs_approval: whether a person must approve each call before it runs.
    """

    args: type[BaseModel] | None
    description: str | None
    name: str | None
    retry: RetryPolicy | bool | None
    timeout: float | None
    rerun_on_interrupt: bool | None
    needs_approval: bool


class _NoArguments(BaseModel):
    """The arguments of a tool that takes none."""


def create_action_tool(*, handler: Callable[P, R], **options: Unpack[ToolOptions]) -> Tool[P, R]:
    """Create a tool whose handler runs when the model calls it and returns the outcome.

    Args:
        handler: an async function, or a sync one, which runs in a thread. A parameter annotated with
            ToolContext, or named `ctx`, gets the context of the call.
        **options: see ToolOptions.

    Raises:
        ValidationError: the signature or an option cannot be used; the sentence says why.
    """
    return _create("action", handler, caller_scope(), options)


@overload
def create_async_tool(*, callback: None = None, **options: Unpack[ToolOptions]) -> Tool: ...
@overload
def create_async_tool(*, callback: Callable[P, R], **options: Unpack[ToolOptions]) -> Tool[P, R]: ...
def create_async_tool(*, callback: Function | None = None, **options: Unpack[ToolOptions]) -> Tool:
    """Create a tool whose outcome comes later, through add_tool_result or add_tool_error.

    Args:
        callback: runs when the model calls the tool, to notify whoever will answer. Its return value
            is ignored; an exception becomes the call's outcome.
        **options: see ToolOptions.

    Raises:
        ValidationError: the signature or an option cannot be used; the sentence says why.
    """
    if callback is None:
        options = {"args": _NoArguments, **options}
    return _create("async", callback or _tell_nobody, caller_scope(), options)


@overload
def action_tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def action_tool(**options: Unpack[ToolOptions]) -> Decorator: ...
def action_tool(function: Function | None = None, /, **options: Unpack[ToolOptions]) -> Tool | Decorator:
    """Turn a function into an action tool: `@action_tool`, or with options `@action_tool(retry=True)`."""
    return _decorate("action", function, options)


@overload
def async_tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def async_tool(**options: Unpack[ToolOptions]) -> Decorator: ...
def async_tool(function: Function | None = None, /, **options: Unpack[ToolOptions]) -> Tool | Decorator:
    """Turn a function into the callback of an async tool: `@async_tool`, or with options."""
    return _decorate("async", function, options)


class Decorator(Protocol):
    """Decorator that turns a function into a tool with the same signature."""

    def __call__(self, function: Callable[P, R], /) -> Tool[P, R]:
        """Return the tool."""
        ...


async def _tell_nobody(**arguments: Any) -> None: ...


def _decorate(kind: Kind, function: Function | None, options: ToolOptions) -> Any:
    scope = caller_scope()

    def decorate(function: Callable[P, R]) -> Tool[P, R]:
        return _create(kind, function, scope, options)

    return decorate if function is None else decorate(function)


def _create(
    kind: Kind, handler: Callable[P, R], scope: Mapping[str, Any], options: ToolOptions
) -> Tool[P, R]:
    name, args = _checked(handler, options)
    policy = RetryPolicy.of(options.get("retry"))
    rerun = options.get("rerun_on_interrupt")
    description = options.get("description")
    model = args or arguments_model(handler, name, scope)
    whole = args is not None and takes_model(handler, args, scope)
    return Tool(
        name=name,
        description=(describe(handler)[0] if description is None else description).strip(),
        args_model=model,
        handler=handler,
        kind=kind,
        retry=policy,
        timeout=options.get("timeout"),
        rerun_on_interrupt=policy is not None if rerun is None else rerun,
        needs_approval=options.get("needs_approval", False),
        takes_model=whole,
        keywords={} if whole else keywords_for(handler, model, name, scope),
        takes_context=context_parameter(handler, scope),
    )


def _checked(handler: Function, options: ToolOptions) -> tuple[str, type[BaseModel] | None]:
    """Return the tool's name and the model of its arguments, if any; check the other options."""
    given = options.get("name")
    name = str(given or getattr(unwrap(handler), "__name__", type(handler).__name__))
    check_items(options, ToolOptions, f"the tool {name}")
    if given is not None:
        check_tool_name(given)
    if is_unbound_method(handler):
        method = getattr(unwrap(handler), "__name__", name)
        raise ValidationError(
            f"The tool {name} is a method, and whose is not known; make it of an instance's: "
            f"action_tool(shop.{method})."
        )
    if not callable(handler) or inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise ValidationError(f"The tool {name} needs a function that returns its result.")
    timeout = options.get("timeout")
    if timeout is not None and not (timeout > 0 and math.isfinite(timeout)):
        raise ValidationError(f"timeout of the tool {name} must be seconds, more than 0.")
    return name, options.get("args")
