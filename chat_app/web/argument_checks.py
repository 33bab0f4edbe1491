"""Check the arguments of events, which a socket may fill with anything, before any handler runs."""

from __future__ import annotations

import inspect
import logging
import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import reflex as rx
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, StateUpdate
from reflex_base.registry import RegistrationContext

from agent_core.domain.validation import MAX_DEPTH
from chat_app.plain_text import clean_text

_log = logging.getLogger(__name__)

_STORED = ".update_vars_internal"  # an event of Reflex with the values of client storage, all of them strings
_SETTER = ".setvar"  # events of Reflex that set vars from the browser; no page of the app uses them


class ArgumentCheck(Middleware):
    """Middleware that passes on only events whose arguments match their handler, with cleaned text.

    Any other event is dropped and logged; no page of the app sends one.
    """

    async def preprocess(self, app: rx.App, state: BaseState, event: Any) -> StateUpdate | None:
        """Clean the payload in place; an empty update ends the event here."""
        found = RegistrationContext.get().event_handlers.get(event.name)
        if found is None:
            return None
        wrong = _fault(event.name, found.handler.fn, event.payload)
        if wrong is None:
            event.payload.update({name: _clean(value) for name, value in event.payload.items()})
            return None
        _log.info("Refused event %s from a page: %s", event.name, wrong)
        return StateUpdate()


def _fault(name: str, handler: Any, payload: Any) -> str | None:
    """Return the fault of a payload in a few words; None for a valid payload."""
    if name.endswith(_SETTER):
        return "pages cannot set vars"
    if not isinstance(payload, dict) or not all(isinstance(key, str) for key in payload):
        return "arguments must be an object"
    given = cast("dict[str, Any]", payload)
    if not _is_flat(given):
        return "arguments are nested too deeply"
    hints, required, free = _signature(handler)
    if missing := required - given.keys():
        return f"{min(missing)} is missing"
    if not free and (unknown := given.keys() - hints.keys()):
        return f"unknown argument {min(unknown)[:40]!r}"
    if name.endswith(_STORED):
        hints = {"vars": dict[str, str | None]}
    wrong = [key for key, value in given.items() if not _fits(value, hints.get(key, Any))]
    return f"{wrong[0][:40]} has the wrong type" if wrong else None


@lru_cache(maxsize=1024)
def _signature(handler: Any) -> tuple[dict[str, Any], frozenset[str], bool]:
    """Return a handler's arguments with types, its required arguments, and whether it accepts others."""
    parameters = list(inspect.signature(handler).parameters.values())[1:]
    try:
        known = get_type_hints(handler)
    except (NameError, TypeError):  # an extension's handler, whose hints only a type checker resolves
        known = {}
    named = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    hints = {each.name: known.get(each.name, Any) for each in named}
    required = frozenset(each.name for each in named if each.default is each.empty)
    return hints, required, any(each.kind is each.VAR_KEYWORD for each in parameters)


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a JSON value matches a type; types without a JSON form are left to Reflex."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in inner)
    if hint is None or hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 64
    if hint in (str, bool):
        return isinstance(value, hint)
    if hint is list or origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value if inner)
    if hint in (dict, Mapping) or origin in (dict, Mapping):
        return isinstance(value, dict) and all(
            _fits(key, inner[0]) and _fits(each, inner[1])
            for key, each in cast("dict[Any, Any]", value).items()
            if inner
        )
    # A public method of a state is an event, too; a browser cannot create the objects that it takes.
    made_by_reflex = not isinstance(hint, type) or is_dataclass(hint) or issubclass(hint, Enum)
    return made_by_reflex or isinstance(value, hint)


def _is_flat(value: Any) -> bool:
    """Return whether a value is nested at most `MAX_DEPTH` levels deep."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return True
    return False


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[Any, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else []


def _clean(value: Any) -> Any:
    """Return a value with cleaned text; one that is not JSON is from a handler of the app and is kept."""
    if isinstance(value, str):
        return clean_text(value)
    if type(value) is dict:
        return {_clean(key): _clean(each) for key, each in cast("dict[Any, Any]", value).items()}
    if type(value) is list:
        return [_clean(each) for each in cast("list[Any]", value)]
    return value
