"""The lower ends of the ranges in pyproject.toml: `python -m tests.packaging.ranges` prints them as constraints for pip."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]


def oldest() -> Iterator[tuple[str, str]]:
    """Yield each direct dependency of agent_core with the oldest version that its range has."""
    for line in PROJECT["dependencies"]:
        requirement = Requirement(line)
        (version,) = [each.version for each in requirement.specifier if each.operator == ">="]
        yield requirement.name, version


if __name__ == "__main__":
    print(*(f"{name}=={version}" for name, version in oldest()), sep="\n")
