"""Derive a tool's arguments and descriptions from the signature and docstring of a function."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import docstring_parser
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError

from agent_core.errors import ValidationError
from agent_core.tools.context import ToolContext

Function = Callable[..., Any]
_UNRESOLVED = (NameError, TypeError, SyntaxError, AttributeError)


def arguments_model(function: Function, name: str, scope: Mapping[str, Any]) -> type[BaseModel]:
    """Return a pydantic model of the function's parameters, without the ToolContext.

    Args:
        function: the handler.
        name: name of the tool, for the model and error messages.
        scope: additional names for its annotations; see `caller_scope`.

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


def keywords_for(
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


def takes_model(function: Function, model: type[BaseModel], scope: Mapping[str, Any]) -> bool:
    """Return whether the function takes an instance of the model: one parameter that is not a field."""
    parameters = [p for p in _parameters(function, scope) if p.kind is not p.VAR_KEYWORD]
    if len(parameters) != 1:
        return False
    try:
        hint = _resolve(parameters[0].annotation, function, scope)
    except _UNRESOLVED:
        hint = None
    return hint is model or parameters[0].name not in model.model_fields


def context_parameter(function: Function, scope: Mapping[str, Any]) -> str | None:
    """Return the name of the parameter for the ToolContext, if there is one."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as error:
        raise ValidationError(f"{function!r} cannot be a tool: its parameters are not known.") from error
    return next((p.name for p in parameters if _wants_context(p, function, scope)), None)


def argument_names(model: type[BaseModel]) -> frozenset[str]:
    """Return every name that a field of the model may have in JSON."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
        names |= {str(choice.path[0]) if isinstance(choice, AliasPath) else choice for choice in choices}
        if model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"):
            names.add(name)
    return frozenset(names)


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


def unwrap(function: Function) -> Function:
    """Return the function inside `functools.partial`s."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def is_unbound_method(function: object) -> bool:
    """Return whether a function in a class body needs its instance or class."""
    if isinstance(function, classmethod):
        return True
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    if not inspect.isfunction(function) or not owner or owner.endswith("<locals>"):
        return False
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return first is not None and first.name in ("self", "cls") and first.annotation is first.empty


def caller_scope() -> Mapping[str, Any]:
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
    context = context_parameter(function, scope)
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
