"""Check arguments against a JSON schema from outside, such as a tool server's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from agent_core.errors import ValidationError
from agent_core.support.plain_json import fields_of, items_of

_SHOWN = 5  # maximum problems in one message
_VALUES = ("default", "const", "enum", "examples")  # keywords whose values are no schemas
_BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_WORDS = 200  # characters of one problem, which quotes the model


class JsonSchema:
    """JSON schema that checks arguments; the model gets the schema unchanged.

    A `pattern` is not checked: its dialect of regular expressions is not Python's, and a pattern from
    outside may take exponential time. The author of the schema checks the arguments again.

    Args:
        schema: a JSON schema for an object; its `$schema` says which draft, 2020-12 by default.
            References must stay inside it.

    Attributes:
        schema: the given schema.
        names: names of the arguments; None if others are allowed, too.

    Raises:
        ValidationError: the schema is invalid; the message says why.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._set(schema, _validator(schema))

    @classmethod
    def unchecked(cls, schema: dict[str, Any]) -> JsonSchema:
        """Return a schema that was checked before and is only shown: it finds no problems."""
        made = cls.__new__(cls)
        made._set(schema, None)
        return made

    def _set(self, schema: dict[str, Any], validator: Any) -> None:
        self.schema = schema
        self._validator = validator
        properties = schema.get("properties", {})
        closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
        self.names: frozenset[str] | None = frozenset(properties) if closed or properties else None

    def problems(self, arguments: dict[str, Any]) -> list[str]:
        """Return the problems of the arguments, each as a short text; empty if they are valid."""
        if self._validator is None:
            return []
        try:
            errors = sorted(
                self._validator.iter_errors(arguments), key=lambda error: list(map(str, error.path))
            )
        except RecursionError:
            return ["they are nested too deep"]
        except ArithmeticError as error:  # a number that no float holds
            return [f"they cannot be checked: {error}"]
        return [_words(error) for error in errors[:_SHOWN]]


def _words(error: Any) -> str:
    place = ".".join(map(str, error.absolute_path)) or "arguments"
    message = str(error.message)
    return f"{place}: {message if len(message) <= _WORDS else message[:_WORDS] + '…'}"


def _validator(schema: dict[str, Any]) -> Any:
    from jsonschema import SchemaError, validators

    library: Any = validators  # partly typed
    if not isinstance(schema.get("$schema", ""), str):
        raise ValidationError("The JSON schema is malformed: its $schema is not text.")
    draft = library.validator_for(schema, default=library.Draft202012Validator)
    try:
        draft.check_schema(schema, format_checker=None)  # without patterns, which it would compile
        _check_references(schema)
    except SchemaError as error:
        raise ValidationError(f"The JSON schema is malformed: {_words(error)}.") from error
    except RecursionError as error:
        raise ValidationError("The JSON schema is nested too deep.") from error
    named: Any = schema.get("type", "object")
    if named != "object" and "object" not in items_of(named):
        raise ValidationError("The JSON schema must describe an object: arguments have names.")
    unchecked = {"pattern": _accept, "patternProperties": _accept}
    if _uses(schema, "patternProperties"):
        unchecked["additionalProperties"] = _accept
    # An own registry: the default one fetches references from the network.
    return library.extend(draft, unchecked)(schema, registry=_registry())


def _accept(*_: Any) -> Iterator[Any]:
    return iter(())


def _registry() -> Any:
    import referencing

    library: Any = referencing  # partly typed
    return library.Registry()


def _check_references(schema: dict[str, Any]) -> None:
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    document = DRAFT202012.create_resource(cast("Any", schema))
    resolver = _registry().with_resource("", document).resolver()
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable as error:
            raise ValidationError(f"The JSON schema refers to {reference!r}, which is not in it.") from error


def _references(schema: Any, *, by_name: bool = False) -> Iterator[str]:
    """Yield the references of a schema; `by_name` says whether it has schemas by their names."""
    for key, value in fields_of(schema).items():
        if by_name:
            yield from _references(value)
        elif key in ("$ref", "$dynamicRef") and isinstance(value, str):
            yield value
        elif key not in _VALUES:
            yield from _references(value, by_name=key in _BY_NAME)
    for item in items_of(schema):
        yield from _references(item)


def _uses(schema: Any, keyword: str) -> bool:
    found = fields_of(schema)
    return keyword in found or any(_uses(each, keyword) for each in [*found.values(), *items_of(schema)])
