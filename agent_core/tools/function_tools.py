"""Create tools from functions: their arguments from the signature, their descriptions from the docstring."""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Protocol, TypedDict, Unpack, overload

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError

from agent_core.errors import ValidationError
from agent_core.support.argument_checks import check_items
from agent_core.support.plain_json import is_finite
from agent_core.support.retry import RetryPolicy
from agent_core.tools.tool import Function, Kind, P, R, Tool, check_tool_name, unwrap
from agent_core.tools.tool_context import ToolContext

_UNRESOLVED = (NameError, TypeError, SyntaxError, AttributeError)


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
    return _create("action", handler, _caller_scope(), options)


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
    return _create("async", callback or _no_op, _caller_scope(), options)


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


async def _no_op(**arguments: Any) -> None: ...


def _decorate(kind: Kind, function: Function | None, options: ToolOptions) -> Any:
    scope = _caller_scope()

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
    model = args or _arguments_model(handler, name, scope)
    whole = args is not None and _takes_model(handler, args, scope)
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
        keywords={} if whole else _keywords_for(handler, model, name, scope),
        takes_context=_context_parameter(handler, scope),
    )


def _checked(handler: Function, options: ToolOptions) -> tuple[str, type[BaseModel] | None]:
    """Return the tool's name and the model of its arguments, if any; check the other options."""
    given = options.get("name")
    name = str(given or getattr(unwrap(handler), "__name__", type(handler).__name__))
    check_items(options, ToolOptions, f"the tool {name}")
    if given is not None:
        check_tool_name(given)
    if isinstance(handler, Tool | type):
        kind = "a tool already" if isinstance(handler, Tool) else "a class"
        raise ValidationError(f"The tool {name} needs a function that returns its result; this is {kind}.")
    if _is_unbound_method(handler):
        method = getattr(unwrap(handler), "__name__", name)
        raise ValidationError(
            f"The tool {name} is a method without an instance; create it from a bound method: "
            f"action_tool(shop.{method})."
        )
    if not callable(handler) or inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise ValidationError(f"The tool {name} needs a function that returns its result.")
    timeout = options.get("timeout")
    if timeout is not None and not (timeout > 0 and is_finite(timeout)):
        raise ValidationError(f"timeout of the tool {name} must be seconds, more than 0.")
    return name, options.get("args")


def _arguments_model(function: Function, name: str, scope: Mapping[str, Any]) -> type[BaseModel]:
    """Return a pydantic model of the function's parameters, without the ToolContext; see `_caller_scope`.

    Raises:
        ValidationError: pydantic does not support an annotation, or it cannot be resolved.
    """
    described = describe(function)[1]
    fields: dict[str, Any] = {}
    extra: Literal["forbid", "allow"] = "forbid"
    for parameter in _parameters(function, scope):
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
            continue
        hint = _hint(parameter, function, scope, name)
        default = ... if parameter.default is parameter.empty else parameter.default
        field = _field(parameter.name, hint, described.get(parameter.name))
        fields[_field_name(parameter.name)] = (field, default)
    try:
        model = create_model(name, __config__=ConfigDict(extra=extra, protected_namespaces=()), **fields)
        model.model_json_schema()
    except (PydanticUserError, NameError, TypeError) as error:
        raise ValidationError(f"The arguments of the tool {name} have no JSON schema: {error}") from error
    return model


def _keywords_for(
    function: Function, model: type[BaseModel], name: str, scope: Mapping[str, Any]
) -> dict[str, str]:
    """Return the parameter for each field of the model.

    Raises:
        ValidationError: fields and parameters differ, or a parameter is positional-only.
    """
    parameters = _parameters(function, scope)
    named = {_field_name(p.name): p for p in parameters if p.kind is not p.VAR_KEYWORD}
    named = {field if field in model.model_fields else p.name: p for field, p in named.items()}
    if by_place := [str(p) for p in named.values() if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]:
        raise ValidationError(f"The tool {name} takes {by_place} by position; tools take keyword arguments.")
    required = {field for field, p in named.items() if p.default is p.empty}
    lost = set(model.model_fields) - set(named) if len(named) == len(parameters) else set[str]()
    if odd := sorted(required - set(model.model_fields) | lost):
        raise ValidationError(f"The function of the tool {name} and its args differ in: {', '.join(odd)}.")
    return {field: named[field].name if field in named else field for field in model.model_fields}


def _takes_model(function: Function, model: type[BaseModel], scope: Mapping[str, Any]) -> bool:
    """Return whether the function takes an instance of the model: one parameter that is not a field."""
    parameters = [p for p in _parameters(function, scope) if p.kind is not p.VAR_KEYWORD]
    if len(parameters) != 1:
        return False
    try:
        hint = _resolve(parameters[0].annotation, function, scope)
    except _UNRESOLVED:
        hint = None
    return hint is model or parameters[0].name not in model.model_fields


def _context_parameter(function: Function, scope: Mapping[str, Any]) -> str | None:
    """Return the name of the parameter for the ToolContext, if there is one."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as error:
        raise ValidationError(f"{function!r} cannot be a tool: its parameters are not known.") from error
    return next((p.name for p in parameters if _wants_context(p, function, scope)), None)


def describe(function: Function) -> tuple[str, dict[str, str]]:
    """Return a docstring's text before its sections, and the descriptions of parameters by name.

    Google, NumPy, Sphinx and Epydoc style are supported; any other docstring is plain text.
    """
    text = inspect.getdoc(unwrap(function)) or ""
    try:
        parsed = docstring_parser.parse(text)
    except Exception:  # malformed sections raise more than its ParseError
        return text, {}
    described: dict[str, str] = {}
    for parameter in parsed.params:
        words = " ".join((parameter.description or "").split())
        if words:
            names = parameter.arg_name.split(",")  # NumPy's "x, y : int"
            described |= {name.strip().lstrip("*"): words for name in names}
    return (parsed.description or "").strip(), described


def _is_unbound_method(function: object) -> bool:
    """Return whether a function in a class body needs its instance or class."""
    if isinstance(function, classmethod):
        return True
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    if not inspect.isfunction(function) or not owner or owner.endswith("<locals>"):
        return False
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return first is not None and first.name in ("self", "cls") and first.annotation is first.empty


def _caller_scope() -> Mapping[str, Any]:
    """Return the local names of the nearest caller outside this package.

    With `from __future__ import annotations` a type that is defined inside a function cannot be
    resolved otherwise.
    """
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return dict(frame.f_locals)


def _parameters(function: Function, scope: Mapping[str, Any]) -> list[inspect.Parameter]:
    """Return the parameters for the model's arguments: all but the context."""
    context = _context_parameter(function, scope)
    return [p for p in inspect.signature(function).parameters.values() if p.name != context]


def _field_name(name: str) -> str:
    """Return a valid pydantic field name for a parameter; the alias keeps the real name."""
    return f"{name.strip('_')}_" if name.startswith("_") or hasattr(BaseModel, name) else name


def _field(name: str, hint: Any, description: str | None) -> Any:
    alias = name if _field_name(name) != name else None
    ours = Field(description=description, alias=alias)
    if typing.get_origin(hint) is Annotated:  # an explicit Field() wins
        base, *metadata = typing.get_args(hint)
        return Annotated[base, ours, *metadata]
    return Annotated[hint, ours]


def _hint(parameter: inspect.Parameter, function: Function, scope: Mapping[str, Any], tool: str) -> Any:
    if parameter.annotation is parameter.empty:
        return Any
    try:
        return _resolve(parameter.annotation, function, scope)
    except _UNRESOLVED as error:
        raise ValidationError(
            f"The tool {tool}: the annotation of {parameter} is not understood ({error})."
        ) from error


def _resolve(annotation: Any, function: Function, scope: Mapping[str, Any]) -> Any:
    function = unwrap(function)
    names = dict(getattr(function, "__globals__", {}))
    if "<locals>" in getattr(function, "__qualname__", ""):
        names |= scope
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(holder, names, names, include_extras=True)["it"]


def _wants_context(parameter: inspect.Parameter, function: Function, scope: Mapping[str, Any]) -> bool:
    if parameter.name == "ctx":
        return True
    try:
        hint = _resolve(parameter.annotation, function, scope)
    except _UNRESOLVED:  # imported under TYPE_CHECKING, perhaps
        return "ToolContext" in re.findall(r"\w+", str(parameter.annotation))
    return hint is ToolContext or ToolContext in typing.get_args(hint)
