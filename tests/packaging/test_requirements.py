"""Test that pyproject.toml and requirements.txt name the same packages, and that sentences name extras."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.bare import NAME

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMED = re.compile(rf"{NAME}\[([\w,-]+)\]")


def declared() -> list[Requirement]:
    extras = (each for extra in PROJECT["optional-dependencies"].values() for each in extra)
    found = map(Requirement, (*PROJECT["dependencies"], *extras))
    return [each for each in found if each.name != NAME]


def pinned(file: str) -> dict[str, str]:
    lines = re.findall(
        r"^([\w-]+)(?:\[\w+\])?==(\S+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
    )
    return {canonicalize_name(name): version for name, version in lines}


def test_every_range_contains_the_version_that_tests_run_on() -> None:
    versions = pinned("requirements.txt") | pinned("requirements-dev.txt")
    for each in declared():
        assert each.specifier.contains(versions[canonicalize_name(each.name)], prereleases=True), each


def test_every_package_of_the_app_is_declared() -> None:
    assert pinned("requirements.txt").keys() <= {canonicalize_name(each.name) for each in declared()}


def test_extras_that_sentences_and_pages_name_exist() -> None:
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    files += [path for name in ("agent_core", "chat_app") for path in (ROOT / name).rglob("*.py")]
    named = {
        extra
        for path in files
        for extras in NAMED.findall(path.read_text(encoding="utf-8"))
        for extra in extras.split(",")
        if extra != "engine"  # CHAT_ENGINE's value
    }
    assert (
        {"app", "mcp", "otel", "postgresql", "procrastinate"}
        <= named
        <= set(PROJECT["optional-dependencies"])
    )
