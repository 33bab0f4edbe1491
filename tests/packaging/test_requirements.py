"""Test that pyproject.toml and requirements.txt name the same packages, and that sentences name extras."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.bare import NAME
from tests.packaging.ranges import PROJECT, pinned, pythons

ROOT = Path(__file__).parents[2]
NAMED = re.compile(rf"{NAME}\[([\w,-]+)\]")


def declared() -> list[Requirement]:
    extras = (each for extra in PROJECT["optional-dependencies"].values() for each in extra)
    found = map(Requirement, (*PROJECT["dependencies"], *extras))
    return [each for each in found if each.name != NAME]


def test_every_range_contains_the_version_that_tests_run_on() -> None:
    versions = pinned("requirements.txt", "requirements-dev.txt")
    for each in declared():
        assert each.specifier.contains(versions[canonicalize_name(each.name)], prereleases=True), each


def test_every_package_of_the_app_is_declared() -> None:
    assert pinned("requirements.txt").keys() <= {canonicalize_name(each.name) for each in declared()}


def test_pythons_that_have_been_tried_are_named_in_each_place() -> None:
    oldest, newest = pythons()[0], pythons()[-1]
    assert PROJECT["requires-python"] == f">={oldest}"
    page = (ROOT / "docs" / "reference" / "installation.md").read_text("utf-8")
    assert page.startswith(
        f"# Installation\n\nPython {oldest} or newer; {oldest} to {newest} have been tried."
    )
    assert f"Python {oldest} to {newest} have been tried." in (ROOT / "README.md").read_text("utf-8")
    assert f'python: ["{oldest}", "{newest}"]' in (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    names = " ".join(f"python{version}" for version in reversed(pythons()))
    assert f" python3 {names} python;" in (ROOT / ".ci/find-python").read_text("utf-8")


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
