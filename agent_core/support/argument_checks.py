"""Check arguments at run time against the annotations of the called function.

Not every program uses a type checker, and values from JSON or settings have no types. So public constructors
and methods reject wrong arguments at once, in an error that names the argument.
"""

from __future__ import annotations

import collections.abc
import difflib
import functools
import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, cast

from agent_core.errors import UnknownOptionError, ValidationError
from agent_core.support.plain_json import is_finite

_T = TypeVar("_T", bound=Callable[..., Any])
_SHOWN = 60  # characters of a value in a sentence


@dataclass(frozen=True, slots=True)
class ArgumentKind:
    """A kind of argument: its name in error messages, and a predicate for its values."""

    words: str
    fits: Callable[[Any], bool]


def check_arguments(
    function: Callable[..., Any],
    args: Collection[Any],
    kwargs: Mapping[str, Any],
    *,
    who: str | None = None,
    but: Collection[str] = (),
) -> None:
    """Raise ValidationError for the first argument that does not fit its annotation.

    Args:
        function: the called function; for a method `args` starts with self, which is ignored.
        kwargs: keyword arguments; unknown names are ignored.
        who: name of the function in the error message; its own name by default.
        but: parameters that are not checked.
    """
    kinds = kinds_of(function)
    given = [*zip(kinds, args, strict=False), *kwargs.items()]
    for name, value in given:
        if name not in but and (kind := kinds.get(name)) is not None and not kind.fits(value):
            raise ValidationError(
                f"{name} of {who or function.__name__} must be {kind.words}, not {shown(value)}."
            )


def check_fields(value: Any, *, but: Collection[str] = ()) -> None:
    """Raise ValidationError for the first field of a dataclass's instance that does not fit its annotation."""
    kind = cast("type[Any]", type(value))
    for name, wanted in kinds_of(kind.__init__).items():
        if wanted is not None and name not in but and not wanted.fits(got := getattr(value, name)):
            raise ValidationError(f"{name} of {kind.__name__} must be {wanted.words}, not {shown(got)}.")


def known_options(target: _T) -> _T:
    """Decorate a function or a class so that an unknown option is an UnknownOptionError, which suggests a known one."""
    if not isinstance(target, type):
        return cast(_T, _with_known_options(target, target.__name__))
    made = cast(Any, target)
    made.__init__ = _with_known_options(made.__init__, target.__name__)
    return cast(_T, made)


def _with_known_options(function: Callable[..., Any], who: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        check_names(function, options, who=who)
        return function(*args, **options)

    return call


def check_names(function: Callable[..., Any], options: Iterable[str], *, who: str | None = None) -> None:
    """Raise UnknownOptionError for the first name that is no parameter of a function.

    A function that takes any option checks its options itself, or passes them on to one that does.

    Args:
        who: name of the function in the error message; its own name by default.
    """
    kinds = kinds_of(function)
    unknown = next((name for name in options if name not in kinds), None)
    if unknown is not None and not _takes_any_option(function):
        raise unknown_option(who or function.__name__, unknown, [name for name in kinds if name != "self"])


def _takes_any_option(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)


def unknown_option(who: str, name: str, known: Collection[str]) -> UnknownOptionError:
    """Return the error for an unknown option; it suggests the closest known one, or names all."""
    near = did_you_mean(name, known) or f"; it takes {', '.join(known)}."
    return UnknownOptionError(f"{who} has no option {name!r}{near}")


def check_takes(function: Callable[..., Any] | None, names: Collection[str], what: str) -> None:
    """Raise ValidationError if a function cannot be called with these arguments by position.

    Args:
        function: the function; None, and a function whose signature is unknown, are accepted.
        what: beginning of the error message, such as "on_error of Agent".
    """
    try:
        signature = None if function is None else inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        _ = signature and signature.bind(*names)
    except TypeError:
        raise ValidationError(f"{what} must take ({', '.join(names)}), not {signature}.") from None


def check_items(options: Mapping[str, Any], typed: type, who: str) -> None:
    """Raise ValidationError for the first item of a dict that does not fit the TypedDict `typed`."""
    hints = typing.get_type_hints(typed)
    for name, value in options.items():
        if name not in hints:
            raise unknown_option(f"{who[0].upper()}{who[1:]}", name, hints)
        if (kind := kind_of(hints[name])) is not None and not kind.fits(value):
            raise ValidationError(f"{name} of {who} must be {kind.words}, not {shown(value)}.")


def check_has(value: object, method: str, what: str) -> None:
    """Raise ValidationError unless a value has a method.

    Args:
        what: beginning of the error message, such as "clock of Runtime must be a Clock".
    """
    if not callable(getattr(value, method, None)):
        raise ValidationError(f"{what}, not {shown(value)}.")


def check_name(name: str, who: str, *, longest: int = 200) -> None:
    """Raise ValidationError unless a name is printable, trimmed, not blank and at most `longest` characters."""
    if not name.strip():
        raise ValidationError(f"{who} needs a name.")
    if len(name) > longest or name != name.strip() or not name.isprintable():
        raise ValidationError(
            f"A name has 1 to {longest} printable characters and no space at its ends; "
            f"{shown(name)} cannot be the name of {who[0].lower()}{who[1:]}."
        )


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.7) -> str:
    """Return "; did you mean NAME?" for the closest known name; "" if none is close."""
    by_folded = {_folded(each): each for each in known}
    near = difflib.get_close_matches(_folded(name), by_folded, n=1, cutoff=cutoff)
    return f"; did you mean {by_folded[near[0]]}?" if near else ""


def shown(value: object) -> str:
    """Return a short repr of a value for error messages."""
    try:
        text = repr(value)
    except Exception:  # a __repr__ that fails itself
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


@functools.cache
def kinds_of(function: Callable[..., Any]) -> dict[str, ArgumentKind | None]:
    """Return the kind of argument of each parameter, in order; None: unchecked."""
    function = inspect.unwrap(function)
    parameters = inspect.signature(function).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    scope = getattr(function, "__globals__", {})
    return {p.name: _kind_in(scope, p.annotation) for p in parameters if p.kind not in variadic}


def _kind_in(scope: dict[str, Any], annotation: Any) -> ArgumentKind | None:
    if annotation is inspect.Parameter.empty:
        return None
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return kind_of(typing.get_type_hints(holder, scope, scope, include_extras=True)["it"])
    except NameError:  # imported for type checkers only
        return None


def kind_of(hint: Any) -> ArgumentKind | None:
    """Return the kind of argument for an annotation; None if it cannot be checked."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return kind_of(inner[0])
    if origin in (Union, types.UnionType):
        return _either(inner)
    if origin is Literal:
        return ArgumentKind(
            _listed([repr(each) for each in inner]),
            lambda value: any(value is x or value == x for x in inner),
        )
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is type and inspect.isclass(base := inner[0]):
        return ArgumentKind(
            f"a subclass of {base.__name__}", lambda value: inspect.isclass(value) and issubclass(value, base)
        )
    return _generic(origin, inner) if inspect.isclass(origin) else _class(hint)


def _either(hints: Collection[Any]) -> ArgumentKind | None:
    kinds = [kind_of(hint) for hint in hints]
    known = [kind for kind in kinds if kind is not None]
    if len(known) < len(kinds):
        return None
    words = list(dict.fromkeys(word for kind in known for word in kind.words.split(" or ")))
    checks = [kind.fits for kind in known]

    def fits(value: Any) -> bool:
        for check in checks:  # noqa: SIM110  # `any` costs twice as much, and this checks the events of models
            if check(value):
                return True
        return False

    return ArgumentKind(_listed(words), fits)


def _generic(origin: type, inner: Collection[Any]) -> ArgumentKind | None:
    if issubclass(origin, Mapping):
        return _mapping(*(kind_of(hint) for hint in inner))
    if issubclass(origin, tuple):
        return ArgumentKind("a tuple", lambda value: isinstance(value, tuple))
    if issubclass(origin, collections.abc.Callable):
        return ArgumentKind("a function", callable)
    if issubclass(origin, collections.abc.Iterable):
        return _several(kind_of(next(iter(inner))))
    return _class(origin)


def _mapping(key: ArgumentKind | None = None, item: ArgumentKind | None = None) -> ArgumentKind:
    def fits(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            (key is None or key.fits(name)) and (item is None or item.fits(each))
            for name, each in cast("Mapping[Any, Any]", value).items()
        )

    return ArgumentKind("a dict" + (f" of {_plural(item)} by {key.words}" if item and key else ""), fits)


def _several(item: ArgumentKind | None) -> ArgumentKind:
    """Return the kind of a list; text does not count as a list of characters."""

    def fits(value: Any) -> bool:
        if not isinstance(value, Iterable) or isinstance(value, str | bytes | bytearray | Mapping):
            return False
        return not isinstance(value, Collection) or item is None or all(map(item.fits, cast("Any", value)))

    return ArgumentKind("a list" + (f" of {_plural(item)}" if item else ""), fits)


def _class(hint: Any) -> ArgumentKind | None:
    if not inspect.isclass(hint) or hint in (Any, object):
        return None
    if getattr(hint, "_is_protocol", False):  # whatever has its methods
        return ArgumentKind("a function", callable) if "__call__" in vars(hint) else None
    if issubclass(hint, dict):
        return ArgumentKind("a dict", lambda value: isinstance(value, Mapping))
    name = hint.__name__
    article = "an" if name[0] in "AEIOU" else "a"
    return ArgumentKind(f"{article} {name}", lambda value: isinstance(value, hint))


def _plural(kind: ArgumentKind | None) -> str:
    words = kind.words if kind else "values"
    return f"{words.partition(' ')[2]}s" if words.startswith(("a ", "an ")) and " of " not in words else words


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _is_number(value: Any) -> bool:
    is_real = type(value) is not bool and isinstance(value, numbers.Real)
    return is_real and (is_finite(value) or abs(value) == math.inf)


def _is_whole(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, numbers.Integral)


_PLAIN: dict[Any, ArgumentKind] = {
    None: ArgumentKind("None", lambda value: value is None),
    type(None): ArgumentKind("None", lambda value: value is None),
    bool: ArgumentKind("True or False", lambda value: isinstance(value, bool)),
    int: ArgumentKind("a whole number", _is_whole),
    float: ArgumentKind("a number", _is_number),
    str: ArgumentKind("text", lambda value: isinstance(value, str)),
    bytes: ArgumentKind("bytes", lambda value: isinstance(value, bytes | bytearray | memoryview)),
    dict: ArgumentKind("a dict", lambda value: isinstance(value, Mapping)),
}
