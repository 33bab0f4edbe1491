"""Check arguments where they are given, by the annotations of what takes them.

A type checker tells most mistakes before a program runs; not every program has one, and what comes from
JSON or from settings has no types. So public constructors and methods refuse what does not fit, in a
sentence that names the argument, instead of failing somewhere else later.
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
from typing import Annotated, Any, Literal, Union, cast

from agent_core.errors import UnknownOptionError, ValidationError

_SHOWN = 60  # characters of a value in a sentence


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of argument: how a sentence calls it, and whether a value is one."""

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
        function: what is called; for a method `args` begins with self, which is passed over.
        args: its positional arguments.
        kwargs: its keyword arguments; names that it does not have are passed over.
        who: what the sentence calls it; its name by default.
        but: parameters that are not checked here.
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


def check_items(options: Mapping[str, Any], typed: type, who: str) -> None:
    """Raise ValidationError for the first item of a dict that the TypedDict `typed` does not have, or not so."""
    hints = typing.get_type_hints(typed)
    for name, value in options.items():
        if name not in hints:
            near = did_you_mean(name, hints) or f"; it takes {', '.join(hints)}."
            raise UnknownOptionError(f"{who[0].upper()}{who[1:]} has no option {name!r}{near}")
        if (kind := kind_of(hints[name])) is not None and not kind.fits(value):
            raise ValidationError(f"{name} of {who} must be {kind.words}, not {shown(value)}.")


def check_has(value: object, method: str, what: str) -> None:
    """Raise ValidationError unless a value has a method.

    Args:
        value: what was given.
        method: the method's name.
        what: how the sentence begins, such as "clock of Runtime must be a Clock".
    """
    if not callable(getattr(value, method, None)):
        raise ValidationError(f"{what}, not {shown(value)}.")


def check_name(name: str, who: str, *, longest: int = 200) -> None:
    """Raise ValidationError unless a name can be read, stored and typed again."""
    if not name.strip():
        raise ValidationError(f"{who} needs a name.")
    if len(name) > longest or name != name.strip() or not name.isprintable():
        raise ValidationError(
            f"A name has 1 to {longest} printable characters and no space at its ends; "
            f"{shown(name)} cannot be the name of {who[0].lower()}{who[1:]}."
        )


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.7) -> str:
    """Return "; did you mean NAME?" for the known name that is nearest to `name`; "" if none is near."""
    by_folded = {_folded(each): each for each in known}
    near = difflib.get_close_matches(_folded(name), by_folded, n=1, cutoff=cutoff)
    return f"; did you mean {by_folded[near[0]]}?" if near else ""


def shown(value: object) -> str:
    """Return a value as a sentence shows it: short, whatever it is."""
    try:
        text = repr(value)
    except Exception:  # a __repr__ that fails itself
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


@functools.cache
def kinds_of(function: Callable[..., Any]) -> dict[str, Kind | None]:
    """Return what each parameter takes, in order; None: anything, or what is checked elsewhere."""
    function = inspect.unwrap(function)
    parameters = inspect.signature(function).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    scope = getattr(function, "__globals__", {})
    return {p.name: _kind_in(scope, p.annotation) for p in parameters if p.kind not in variadic}


def _kind_in(scope: dict[str, Any], annotation: Any) -> Kind | None:
    if annotation is inspect.Parameter.empty:
        return None
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return kind_of(typing.get_type_hints(holder, scope, scope, include_extras=True)["it"])
    except NameError:  # imported for type checkers only
        return None


def kind_of(hint: Any) -> Kind | None:
    """Return the kind of argument that an annotation means; None where nothing can be told from it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return kind_of(inner[0])
    if origin in (Union, types.UnionType):
        return _either(inner)
    if origin is Literal:
        return Kind(
            _listed([repr(each) for each in inner]),
            lambda value: any(value is x or value == x for x in inner),
        )
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is type and inspect.isclass(base := inner[0]):
        return Kind(
            f"a subclass of {base.__name__}", lambda value: inspect.isclass(value) and issubclass(value, base)
        )
    return _generic(origin, inner) if inspect.isclass(origin) else _class(hint)


def _either(hints: Collection[Any]) -> Kind | None:
    kinds = [kind_of(hint) for hint in hints]
    known = [kind for kind in kinds if kind is not None]
    if len(known) < len(kinds):
        return None
    words = list(dict.fromkeys(word for kind in known for word in kind.words.split(" or ")))
    return Kind(_listed(words), lambda value: any(kind.fits(value) for kind in known))


def _generic(origin: type, inner: Collection[Any]) -> Kind | None:
    if issubclass(origin, Mapping):
        return _mapping(*(kind_of(hint) for hint in inner))
    if issubclass(origin, tuple):
        return Kind("a tuple", lambda value: isinstance(value, tuple))
    if issubclass(origin, collections.abc.Callable):
        return Kind("a function", callable)
    if issubclass(origin, collections.abc.Iterable):
        return _several(kind_of(next(iter(inner))))
    return _class(origin)


def _mapping(key: Kind | None = None, item: Kind | None = None) -> Kind:
    def fits(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            (key is None or key.fits(name)) and (item is None or item.fits(each))
            for name, each in cast("Mapping[Any, Any]", value).items()
        )

    return Kind("a dict" + (f" of {_plural(item)} by {key.words}" if item and key else ""), fits)


def _several(item: Kind | None) -> Kind:
    """Return the kind of a list; a text is a sequence of texts to Python and to nobody else."""

    def fits(value: Any) -> bool:
        if not isinstance(value, Iterable) or isinstance(value, str | bytes | bytearray | Mapping):
            return False
        return not isinstance(value, Collection) or item is None or all(map(item.fits, cast("Any", value)))

    return Kind("a list" + (f" of {_plural(item)}" if item else ""), fits)


def _class(hint: Any) -> Kind | None:
    if not inspect.isclass(hint) or hint in (Any, object):
        return None
    if getattr(hint, "_is_protocol", False):  # whatever has its methods
        return Kind("a function", callable) if "__call__" in vars(hint) else None
    if issubclass(hint, dict):
        return Kind("a dict", lambda value: isinstance(value, Mapping))
    name = hint.__name__
    article = "an" if name[0] in "AEIOU" else "a"
    return Kind(f"{article} {name}", lambda value: isinstance(value, hint))


def _plural(kind: Kind | None) -> str:
    words = kind.words if kind else "values"
    return f"{words.partition(' ')[2]}s" if words.startswith(("a ", "an ")) and " of " not in words else words


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _is_number(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, numbers.Real) and not math.isnan(value)


def _is_whole(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, numbers.Integral)


_PLAIN: dict[Any, Kind] = {
    None: Kind("None", lambda value: value is None),
    type(None): Kind("None", lambda value: value is None),
    bool: Kind("True or False", lambda value: isinstance(value, bool)),
    int: Kind("a whole number", _is_whole),
    float: Kind("a number", _is_number),
    str: Kind("text", lambda value: isinstance(value, str)),
    bytes: Kind("bytes", lambda value: isinstance(value, bytes | bytearray | memoryview)),
    dict: Kind("a dict", lambda value: isinstance(value, Mapping)),
}
