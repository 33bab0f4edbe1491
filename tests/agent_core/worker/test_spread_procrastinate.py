"""Repeat the tests of shared work with Procrastinate delivering it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent_core.worker.test_spread import *  # noqa: F403
from tests.chaos.colony import Colony
from tests.support.databases import PLACE, prepared

pytestmark = pytest.mark.postgresql  # Procrastinate requires PostgreSQL
del test_workers_of_other_agents_get_no_part, test_turns_without_a_place_wait_in_the_database  # noqa: F821  # no colony


@pytest.fixture
def colony(path: Path) -> Colony:
    PLACE.with_engine = True
    return Colony(prepared(path), workers=3, engine=True, restarts=False)
