"""Run every test of agent_core that uses a database on both SQLite and PostgreSQL.

A test uses a database if it requests `path` or `database_url`, wherever these fixtures are defined. Tests
of a single database are marked `@pytest.mark.sqlite` or `@pytest.mark.postgresql`, with the reason.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.databases import PLACE, prepared
from tests.support.providers.litellm_paths import both_paths as both_paths

DATABASES = ("sqlite", "postgresql")
NEEDS = {"path", "database_url"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if NEEDS & set(metafunc.fixturenames):
        only = [name for name in DATABASES if metafunc.definition.get_closest_marker(name)]
        metafunc.parametrize("database", only or DATABASES, indirect=True)


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest) -> Generator[str]:
    """Select the database behind a test's paths, before the test's other fixtures are set up."""
    name = getattr(request, "param", "sqlite")
    if name == "postgresql":
        PLACE.server = request.getfixturevalue("postgresql")
    yield name
    PLACE.clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path by which a test names its database; see `databases`."""
    return tmp_path / "agents.db"


@pytest.fixture
def database_url(path: Path) -> str:
    """Return the URL of an empty database with the current schema."""
    return prepared(path)
