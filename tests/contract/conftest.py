from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.support import Contract


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return Contract(f"sqlite:///{tmp_path / 'agents.db'}")
