"""Read requests: the caller, and a body or a query with exactly the fields of a path."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar, cast
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from agent_core.agent import CallContext
from agent_core.domain.field_limits import MAX_VALUES, has_too_many_values
from agent_core.errors import ValidationError
from agent_core.schedules.triggers import Trigger, at, cron, every

R = TypeVar("R")
Context = Callable[[Request], Any]
"""Callback `(request) -> CallContext | None`, sync or async, that raises to reject the caller."""

WAIT_TIMEOUT = 30.0
"""Seconds that a request for an idle thread waits by default."""
MAX_WAIT_TIMEOUT = 300.0
"""Most seconds that such a request may ask for."""

PIECE_TIMEOUT = 30.0
"""Seconds without a piece of the body after which a request is rejected, because a server has a limited number."""


async def caller(context: Context | None, request: Request) -> CallContext | None:
    """Return the caller."""
    if context is None:
        return None
    found = context(request)
    return await found if inspect.isawaitable(found) else found


async def read_body(request: Request, most: int) -> bytes:
    """Return the body, read piece by piece.

    Raises:
        HTTPException: 413, the body is longer than `most` bytes, or announces to be; 408, no piece of it arrived
            for `PIECE_TIMEOUT` seconds; 400, the client disconnected.
    """
    too_long = HTTPException(413, f"The body is longer than {most:,} bytes.")
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > most):
        raise too_long
    whole = bytearray()
    pieces = aiter(request.stream())
    try:
        while (piece := await asyncio.wait_for(anext(pieces, None), PIECE_TIMEOUT)) is not None:
            whole += piece
            if len(whole) > most:
                raise too_long
    except TimeoutError:
        raise HTTPException(408, f"No part of the body arrived for {PIECE_TIMEOUT:.0f} seconds.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The client disconnected before the end of its body.") from None
    return bytes(whole)


async def body_of(request: Request, most: int) -> dict[str, Any]:
    """Return the body, a JSON object; {} for an empty body.

    Raises:
        HTTPException: 413, the body is longer than `most` bytes or has more than `MAX_VALUES` values; 415, it is
            compressed, or its Content-Type is not JSON; 400, it is not a JSON object; or raised by `read_body`.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise HTTPException(415, f"Send the body as it is, without Content-Encoding: {encoding:.40}.")
    raw = await read_body(request, most)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and (raw or _from_elsewhere(request)):
        # A page of another origin can send this header only after a preflight request, which is rejected.
        raise HTTPException(415, "Send JSON, with the header Content-Type: application/json.")
    if not raw:
        return {}
    if has_too_many_values(raw):
        raise HTTPException(413, f"The body has more than {MAX_VALUES:,} JSON values. Send fewer.")
    try:
        body = json.loads(raw, parse_constant=_no_json)
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "The body must be a JSON object.")
    return cast("dict[str, Any]", body)


def _from_elsewhere(request: Request) -> bool:
    """Whether a page of another origin sent the request; programs send no origin."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def fields(given: Mapping[str, Any], required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a body.

    Raises:
        ValidationError: a field is missing or unknown.
    """
    if unknown := sorted(set(given) - {*required, *optional}):
        known = ", ".join((*required, *optional)) or "none"
        raise ValidationError(f"Unknown field {unknown[0]!r:.60}; the fields are: {known}.")
    if missing := [name for name in required if name not in given]:
        raise ValidationError(f"The field {missing[0]!r} is missing.")
    return dict(given)


def expect(
    values: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]], must: Collection[str] = ()
) -> None:
    """Check the types of fields that are present and not null; fields in `must` may not be null.

    Raises:
        ValidationError: a field has another type.
    """
    if null := [name for name in must if values.get(name) is None]:
        raise ValidationError(f"The field {null[0]!r} must not be null.")
    for name, allowed in kinds.items():
        value = values.get(name)
        wrong = not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)
        if value is not None and wrong:
            words = " or ".join(_WORDS[kind] for kind in allowed)
            raise ValidationError(f"The field {name!r} must be {words}.")


_WORDS: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def is_object(value: Any) -> bool:
    """Whether a value is a JSON object, without narrowing the type of a value from outside."""
    return isinstance(value, dict)


def object_of(value: Any) -> dict[str, Any]:
    """Return a JSON object; {} for any other value."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return a JSON list; [] for any other value."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def query_of(request: Request, **kinds: Callable[[str], Any]) -> dict[str, Any]:
    """Return the query's values, each parsed by the function of its name.

    Raises:
        ValidationError: a value is invalid, or a name is unknown.
    """
    fields(request.query_params, (), tuple(kinds))
    found: dict[str, Any] = {}
    for name, text in request.query_params.items():
        try:
            found[name] = kinds[name](text)
        except (ValueError, KeyError):
            raise ValidationError(f"{name}={text!r:.40} is not {_words(kinds[name])}.") from None
    return found


def count(text: str) -> int:
    """Parse a whole number that a database can store."""
    number = int(text) if len(text) < 20 else -(2**63)
    if not 0 <= number < 2**63:
        raise ValueError(text)
    return number


def seconds_to_wait(text: str) -> float:
    """Parse seconds to wait, fewer than a connection lasts."""
    seconds = float(text)
    if not 0 <= seconds <= MAX_WAIT_TIMEOUT:
        raise ValueError(text)
    return seconds


def truth(text: str) -> bool:
    """Parse true or false."""
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


def moment(text: str) -> datetime:
    """Parse a moment in ISO 8601, in UTC by default."""
    # A plus sign that was not escaped as %2B arrives as a blank.
    when = datetime.fromisoformat(re.sub(r"(T.*) (\d\d:\d\d)$", r"\1+\2", text))
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def moment_field(value: str | None) -> datetime | None:
    """Return a moment from its form in bodies.

    Raises:
        ValidationError: the value is not a moment.
    """
    try:
        return None if value is None else moment(value)
    except ValueError:
        raise ValidationError(f"{value!r:.40} is not a moment in ISO 8601.") from None


def names(value: list[Any]) -> list[Any]:
    """Return a list of ids.

    Raises:
        ValidationError: an id is not a string.
    """
    if not all(isinstance(one, str) for one in value):
        raise ValidationError("The ids must be strings.")
    return value


def value_of(kind: Callable[..., R], value: Mapping[str, Any]) -> R:
    """Return a dataclass's instance from its form in answers.

    Raises:
        ValidationError: a field is unknown, or its value does not fit.
    """
    known = inspect.signature(kind).parameters
    return kind(**fields(value, (), tuple(known)))


def trigger(value: Any) -> Trigger | None:
    """Return a schedule's trigger from its form in answers.

    {"type": "cron", "expression", "timezone"}, {"type": "interval", …} with the arguments of
    `triggers.every`, or {"type": "date", "moment"}; moments are ISO 8601 or seconds since the epoch.

    Raises:
        ValidationError: the value is not a trigger.
    """
    if value is None:
        return None
    given = {name: _when(item) if name in ("start", "moment") else item for name, item in value.items()}
    make = _TRIGGERS.get(str(given.pop("type", None)))
    if make is None:
        raise ValidationError(f"A trigger's type is one of: {', '.join(_TRIGGERS)}.")
    try:
        return make(**given)
    except TypeError as error:
        raise ValidationError(f"{value!r:.80} is not a trigger: {error}.") from error


def _when(value: Any) -> Any:
    try:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return datetime.fromtimestamp(value, UTC) if number else value
    except (ValueError, OverflowError, OSError):
        raise ValidationError(f"{value!r:.40} is not a moment.") from None


def _at(moment: Any) -> Trigger:
    return at(moment)


_TRIGGERS: Mapping[str, Callable[..., Trigger]] = {"cron": cron, "interval": every, "date": _at}


def _words(kind: Callable[[str], Any]) -> str:
    names: dict[Any, str] = {seconds_to_wait: f"seconds, at most {MAX_WAIT_TIMEOUT:g}"}
    names |= {count: "a whole number from 0", truth: "true or false", moment: "a moment in ISO 8601"}
    return names.get(kind, "text")
