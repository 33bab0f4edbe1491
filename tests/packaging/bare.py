"""A bare environment: the unpacked wheel, and what its metadata declares, linked from this environment.

No network is needed, and a package that is imported but not declared is missing there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import distribution, distributions
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NAME = "reflex-durable-agents"


class Bare:
    """A folder laid out as a virtual environment, whose packages a Python without its own can import."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "lib" / version / "site-packages"
        with ZipFile(wheel) as archive:
            archive.extractall(self.packages)
        (found,) = distributions(path=[str(self.packages)])
        for name in _closure(found.requires or []):
            _link(name, self.packages)

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs Python with these packages only."""
        return [sys.executable, "-S", "-P", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.packages), "PATH": "/usr/bin:/bin"}


def _closure(requirements: list[str]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(each), "") for each in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += [(Requirement(each), wanted) for each in distribution(name).requires or []]
    yield from {name for name, _ in seen}


def _link(name: str, packages: Path) -> None:
    found = distribution(name)
    for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
        if not (packages / top).exists():
            (packages / top).symlink_to(str(found.locate_file(top)))
