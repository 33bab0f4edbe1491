"""What pyproject.toml allows: `python -m tests.packaging.ranges` prints the lower ends of its ranges as constraints for pip."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def oldest() -> dict[str, str]:
    """Return each direct dependency of agent_core with the oldest version that its range has for this Python."""
    found = [Requirement(line) for line in PROJECT["dependencies"]]
    here = [each for each in found if each.marker is None or each.marker.evaluate()]
    # Of several lines for a package, the last is the narrowest.
    return {each.name: one.version for each in here for one in each.specifier if one.operator == ">="}


def pinned(*files: str) -> dict[str, str]:
    """Return the packages that requirements files name, and their versions."""
    text = "\n".join((ROOT / file).read_text("utf-8") for file in files)
    lines = re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def pythons() -> list[str]:
    """Return the versions of Python that have been tried, oldest first, such as "3.11"."""
    return [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: 3." in line]


if __name__ == "__main__":
    print(*(f"{name}=={version}" for name, version in oldest().items()), sep="\n")
