"""Every test of agent_core that has a database runs on SQLite and on PostgreSQL.

A test has one when it asks for `path` or `database_url`, whoever defines them. Those that are about
one database say so: `@pytest.mark.sqlite` or `@pytest.mark.postgresql`, with the reason.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.databases import PLACE, prepare, url
from tests.support.providers.litellm_paths import both_paths as both_paths

DATABASES = ("sqlite", "postgresql")
NEEDS = {"path", "database_url"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if NEEDS & set(metafunc.fixturenames):
        only = [name for name in DATABASES if metafunc.definition.get_closest_marker(name)]
        metafunc.parametrize("database", only or DATABASES, indirect=True)


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest) -> Generator[str]:
    """Say what a test's paths stand for; the other fixtures of a test come after this one."""
    name = getattr(request, "param", "sqlite")
    if name == "postgresql":
        PLACE.server = request.getfixturevalue("postgresql")
    yield name
    PLACE.clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path that stands for a database; see `databases`."""
    return tmp_path / "agents.db"


@pytest.fixture
def database_url(path: Path) -> str:
    """Return the URL of an empty database of today's schema, on either database."""
    return url(prepare(path))
