from __future__ import annotations

import pytest

from tests.agent_core.contract.support import Contract


@pytest.fixture
def contract(database_url: str) -> Contract:
    return Contract(database_url)
