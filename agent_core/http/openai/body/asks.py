"""Read what a request asks of its turn beyond the agent: the client's own tools, and the form of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent_core.agent import Agent
from agent_core.domain.turn_options import TurnOptions
from agent_core.errors import ValidationError, words_of
from agent_core.http.openai.errors import RequestError
from agent_core.http.requests import is_object, list_of, object_of
from agent_core.tools.answer_format import AnswerFormat
from agent_core.tools.client_tools import check_function

if TYPE_CHECKING:
    from agent_core.api import AgentApi

MAX_TOOLS = 128
"""Most tools of one request, as at OpenAI."""
_MAX_SIZE = 200_000  # characters of JSON
_FORMATS = ("text", "json_object", "json_schema")
_NO_TOOLS = "The client's own tools are functions; the agent has its own tools and runs them on the server."


def chat_options(body: Mapping[str, Any]) -> TurnOptions:
    """Return what a chat completion asks for; call it in a thread, because schemas are slow to check.

    Raises:
        RequestError: `tools`, `tool_choice` or `response_format` is invalid.
    """
    functions = [
        _function(tool, object_of(tool).get("function"), f"tools[{place}]")
        for place, tool in enumerate(list_of(body.get("tools")))
    ]
    choice = object_of(body.get("tool_choice"))
    name = object_of(choice.get("function")).get("name")
    given = object_of(body.get("response_format"))
    form = _format(given, object_of(given.get("json_schema")), "response_format")
    return _options(body, functions, name, form)


def response_options(body: Mapping[str, Any]) -> TurnOptions:
    """Return what a response asks for; see `chat_options`.

    Raises:
        RequestError: `tools`, `tool_choice` or `text` is invalid.
    """
    functions = [
        _function(tool, tool, f"tools[{place}]") for place, tool in enumerate(list_of(body.get("tools")))
    ]
    text = object_of(body.get("text"))
    if unknown := sorted(text.keys() - {"format", "verbosity"}):
        message = f"text has a format and a verbosity, and no {unknown[0]!r:.60}."
        raise RequestError(message, "text", code="unknown_parameter")
    if not is_object(text.get("format", {})) and text["format"] is not None:
        raise RequestError("The format of text is an object.", "text.format", code="invalid_type")
    given = object_of(text.get("format"))
    form = _format(given, given, "text.format")
    return _options(body, functions, object_of(body.get("tool_choice")).get("name"), form)


def _function(tool: Any, given: Any, where: str) -> dict[str, Any]:
    """Return a function tool that can be offered to a model."""
    if not is_object(tool) or tool.get("type") != "function":
        raise RequestError(_NO_TOOLS, where, code="unsupported_value")
    fields = object_of(given)
    description, schema = fields.get("description"), fields.get("parameters")
    if not isinstance(description, str | None) or not (schema is None or is_object(schema)):
        form = "A function has a name, a description, and parameters, which are a JSON schema."
        raise RequestError(form, where, code="invalid_value")
    function = {"name": fields.get("name"), "description": description, "parameters": schema}
    try:
        check_function(function)
    except ValidationError as error:
        raise RequestError(words_of(error), where, code="invalid_function_parameters") from None
    return function


def _options(
    body: Mapping[str, Any], functions: list[dict[str, Any]], named: Any, form: dict[str, Any] | None
) -> TurnOptions:
    if len(functions) > MAX_TOOLS:
        raise RequestError(f"A request has at most {MAX_TOOLS} tools.", "tools", code="invalid_value")
    names = [function["name"] for function in functions]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"Two tools are called {twice!r}.", "tools", code="invalid_value")
    choice = _choice(body.get("tool_choice"), named, names)
    options = TurnOptions(
        [] if choice == "none" else functions,
        "auto" if choice == "none" else choice,
        body.get("parallel_tool_calls") is not False,
        form,
    )
    if len(options.as_json() or "") > _MAX_SIZE:
        message = f"Tools and the form of the answer have at most {_MAX_SIZE:,} characters of JSON."
        raise RequestError(message, "tools", code="invalid_value")
    return options


def _choice(given: Any, named: Any, names: list[str]) -> str:
    """Return "auto", "none", "required" or the name of a tool."""
    if given in (None, "auto", "none"):
        return given or "auto"
    if not names:
        message = (
            "tool_choice is about the request's own tools, and it has none; the agent chooses among its own."
        )
        raise RequestError(message, "tool_choice", code="unsupported_value")
    if given == "required":
        return "required"
    if is_object(given) and given.get("type") == "function" and isinstance(named, str):
        if named in names:
            return named
        raise RequestError(f"There is no tool {named!r:.60}.", "tool_choice", code="invalid_value")
    message = "tool_choice is auto, none, required, or one of the functions among tools."
    raise RequestError(message, "tool_choice", code="unsupported_value")


def _format(given: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Return a form of the answer as `TurnOptions` has it; None: any text."""
    kind = given.get("type") if given else "text"
    if kind not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise RequestError(f"The type is one of: {known}.", where, code="unsupported_value")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": kind}
    name = schema.get("name")
    if not isinstance(name, str) or not name or not is_object(schema.get("schema")):
        form = "A JSON schema has a name and a schema, which is an object."
        raise RequestError(form, where, code="invalid_value")
    known = ("name", "description", "schema", "strict")
    form = {"type": kind, "json_schema": {key: schema[key] for key in known if schema.get(key) is not None}}
    try:
        AnswerFormat(form)
    except ValidationError as error:
        raise RequestError(words_of(error), where, code="invalid_json_schema") from None
    return form


def check_names(api: AgentApi, agent: str, options: TurnOptions) -> None:
    """Check that the client's tools have names that the agent's own do not have.

    Raises:
        RequestError: one has such a name.
    """
    known = api.store.agents.get(agent)
    taken = known.tools.keys() if isinstance(known, Agent) else ()
    for place, function in enumerate(options.tools):
        if function["name"] in taken:
            message = f"The agent has a tool {function['name']!r} of its own; give yours another name."
            raise RequestError(message, f"tools[{place}]", code="invalid_value")


def kept(options: TurnOptions) -> dict[str, Any]:
    """Return what is kept of the options with the message: the type of the answer's form, and the name of its schema."""
    form = options.answer_format
    if form is None:
        return {}
    name = object_of(form.get("json_schema")).get("name")
    return {"format": {"type": form["type"]} | ({"name": name} if name else {})}
