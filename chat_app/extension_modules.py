"""Modules named in CHAT_EXTENSIONS: imported by every process before it creates the pages."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent_core.errors import ValidationError


def load(modules: Sequence[str]) -> None:
    """Import the modules that extend the app, in the given order.

    Raises:
        ValidationError: a module cannot be found; an exception inside of a module propagates.
    """
    require(modules)
    for name in modules:
        importlib.import_module(name)


def require(modules: Sequence[str]) -> None:
    """Check that the modules can be found.

    Raises:
        ValidationError: a module cannot be found.
    """
    for name in modules:
        if _spec(name) is None:
            raise ValidationError(
                f"CHAT_EXTENSIONS names {name!r}, which cannot be found; it must be a module that Python "
                "can import from here, such as examples.custom_page."
            )


def sources(modules: Sequence[str]) -> Iterator[Path]:
    """Return the files of the modules; for a package, all files in its folder but what Python compiles."""
    for name in modules:
        spec = _spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        inside = sorted(origin.parent.rglob("*")) if spec.submodule_search_locations else [origin]
        yield from (path for path in inside if path.is_file() and "__pycache__" not in path.parts)


def _spec(name: str) -> Any:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
