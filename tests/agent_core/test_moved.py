"""Moved modules: old import paths work for one release and emit a deprecation warning."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from agent_core.moved import MOVED

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_old_name_gives_the_same_objects_and_warns(old: str):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old} is {MOVED[old]} now"):
        forwarded = importlib.import_module(old)
    new = importlib.import_module(MOVED[old])
    names = [name for name in vars(new) if not name.startswith("__")]
    assert names
    assert all(getattr(forwarded, name) is getattr(new, name) for name in names)


def test_a_name_that_never_was_is_still_not_found():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'agent_core\.nowhere'"):
        importlib.import_module("agent_core.nowhere")


def test_no_old_name_hides_a_module():
    paths = [ROOT.joinpath(*old.split(".")) for old in MOVED]
    assert [
        path for path in paths if path.with_suffix(".py").exists() or (path / "__init__.py").exists()
    ] == []
