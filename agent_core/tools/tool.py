"""Define tools that a model may call."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, cast

from pydantic import AliasChoices, AliasPath, BaseModel
from typing_extensions import ParamSpec, TypeVar  # typing's have no defaults before Python 3.13

from agent_core.errors import ValidationError
from agent_core.support.argument_checks import shown
from agent_core.support.retry import RetryPolicy
from agent_core.support.settings import MAX_TIMEOUT
from agent_core.tools.json_schema import JsonSchema

P = ParamSpec("P", default=...)
R = TypeVar("R", default=Any, covariant=True)
Function = Callable[..., Any]
Kind = Literal["action", "async", "client"]
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Tool names that every provider accepts."""


@dataclass(frozen=True, eq=False)
class Tool(Generic[P, R]):
    """A tool: its schema for the model, its handler and its policies; made by the functions of `function_tools`.

    `Tool[P, R]` is callable like the function that it was made from: with the parameters P, returning R.

    Attributes:
        name: letters, digits, _ and -, at most 64 of them (what every provider accepts).
        description: tells the model when to call it.
        args_model: validates the arguments and has their JSON schema: a pydantic model, or a schema from
            outside, for which the handler's first argument is the plain dict.
        handler: the function to run.
        kind: "action" has its outcome when the handler returns; "async" gets it later, from outside;
            "client" is the caller's own, whose calls wait for their outcome from the beginning.
        retry: policy for failed attempts; None for no retries.
        timeout: maximum seconds of an attempt; for an async tool, until its outcome.
        rerun_on_interrupt: whether a call whose process died runs again.
        needs_approval: whether a person must approve each call first.
        takes_model: whether the handler's first argument is an instance of `args_model`.
        keywords: otherwise, the parameter of the handler for each field of `args_model`.
        takes_context: the parameter for the ToolContext, if there is one.
    """

    name: str
    description: str
    args_model: type[BaseModel] | JsonSchema
    handler: Callable[P, R]
    kind: Kind = "action"
    retry: RetryPolicy | None = None
    timeout: float | None = None
    rerun_on_interrupt: bool = False
    needs_approval: bool = False
    takes_model: bool = False
    keywords: Mapping[str, str] = field(default_factory=dict[str, str])
    takes_context: str | None = None

    def schema(self) -> dict[str, Any]:
        """Return the tool in the form of OpenAI's function tools; a new dict at each call."""
        return json.loads(self._schema)

    @functools.cached_property
    def allowed(self) -> frozenset[str] | None:
        """Names of the arguments; None if the tool accepts any."""
        if isinstance(self.args_model, JsonSchema):
            return self.args_model.names
        if self.args_model.model_config.get("extra") == "allow":
            return None
        return _argument_names(self.args_model)

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """JSON schema of the arguments, as sent to the model."""
        return self.schema()["function"]["parameters"]

    @functools.cached_property
    def _schema(self) -> str:
        if isinstance(self.args_model, JsonSchema):
            schema = self.args_model.schema
        else:
            schema = _untitled(self.args_model.model_json_schema())
            schema.pop("description", None)  # the model's docstring; the tool has its own description
        parameters: dict[str, Any] = {"type": "object", "properties": {}, **schema}
        function: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "parameters": parameters,
        }
        return json.dumps({"type": "function", "function": function})

    @property
    def __wrapped__(self) -> Callable[P, R]:
        """The handler, so that `inspect.signature` and `help` see its parameters."""
        return self.handler

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the handler, so that a decorated function stays callable."""
        return self.handler(*args, **kwargs)


def unwrap(function: Function) -> Function:
    """Return the function inside `functools.partial`s."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def check_timeout(tool: Tool | None, seconds: object) -> None:
    """Check the timeout of a call of an async tool (None: a tool that this process does not have).

    Raises:
        ValidationError: the tool is not an async tool, or `seconds` is invalid.
    """
    if tool is not None and tool.kind != "async":
        raise ValidationError(f"The tool {tool.name} is not an async tool; limit its attempts with timeout=.")
    if seconds is None:
        return
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= MAX_TIMEOUT:
        raise ValidationError("A timeout is None or seconds, more than 0 and at most ten years.")


def check_tool_name(name: object) -> str:
    """Return a tool name if every provider accepts it.

    Raises:
        ValidationError: the name is invalid.
    """
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        raise ValidationError(
            f"{shown(name)} is not a valid tool name: use letters, digits, _ and -, at most 64."
        )
    return name


def normalise_tools(tools: Mapping[str, Tool] | Sequence[Tool] | None) -> dict[str, Tool]:
    """Return the tools of a list, or of a dict by name, by name.

    Raises:
        ValidationError: an item is not a tool, or a name is taken or invalid.
    """
    if isinstance(tools, str | bytes) or not isinstance(tools, Iterable | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError(
            f"tools must be a list of tools, or a dict of tools by name, not {shown(tools)}."
        )
    named: dict[str, Tool] = {}
    pairs = tools.items() if isinstance(tools, Mapping) else [(None, tool) for tool in tools or ()]
    for key, tool in pairs:
        if not isinstance(tool, Tool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValidationError(
                f"{shown(tool)} is not a tool; decorate it with @action_tool or @async_tool."
            )
        name = check_tool_name(tool.name if key is None else key)
        if name in named:
            raise ValidationError(f"Two tools are called {name!r}; give one of them another name.")
        named[name] = tool if tool.name == name else replace(tool, name=name)
    return named


def _argument_names(model: type[BaseModel]) -> frozenset[str]:
    """Return every name that a field of the model may have in JSON."""
    names: set[str] = set()
    for name, info in model.model_fields.items():
        alias = info.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
        names |= {str(choice.path[0]) if isinstance(choice, AliasPath) else choice for choice in choices}
        if model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"):
            names.add(name)
    return frozenset(names)


def _untitled(schema: Any, *, names: bool = False) -> Any:
    """Drop the titles that pydantic adds: they cost tokens and only repeat the names.

    `names` says whether the keys of `schema` are property names, so that "title" is a property.
    """
    if isinstance(schema, list):
        return [_untitled(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    items = cast("dict[str, Any]", schema).items()
    maps = ("properties", "$defs", "patternProperties")
    keep = ("default", "const", "enum", "examples")  # values, no schemas
    return {
        key: value if not names and key in keep else _untitled(value, names=not names and key in maps)
        for key, value in items
        if names or key != "title"
    }
