"""Count the entries of all containers in a runtime; a container that grows is a leak or a cache."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

_SIZED = (dict, list, set, deque)


def entries(root: object) -> Counter[str]:
    """Return the number of entries of each container, by its path.

    Args:
        root: the object to inspect, with all objects of this library that it holds, directly or in
            containers; the containers of the library's modules are always included.
    """
    found: Counter[str] = Counter()
    _add(found, root, "", set())
    for name, module in list(sys.modules.items()):
        if name.startswith("agent_core."):
            containers = {key: value for key, value in vars(module).items() if isinstance(value, _SIZED)}
            found.update({f"{name}.{key}": len(value) for key, value in containers.items()})
    return found


def _add(found: Counter[str], value: Any, path: str, seen: set[int]) -> None:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, _SIZED):
        found[path] += len(value)
        for item in list(value.values() if isinstance(value, dict) else value):
            _add(found, item, f"{path}[]", seen)
    elif type(value).__module__.startswith("agent_core"):
        for name, attribute in list(_attributes(value)):
            _add(found, attribute, f"{path}.{name}", seen)


def _attributes(value: object) -> Iterator[tuple[str, Any]]:
    yield from getattr(value, "__dict__", {}).items()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names = [slots] if isinstance(slots, str) else slots
        yield from ((name, getattr(value, name, None)) for name in names if name != "__weakref__")
