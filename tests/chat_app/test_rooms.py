"""Test the folders of the app: scripts keep to the import linter's layers, and old names forward."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

from chat_app.moved import MOVED

ROOT = Path(__file__).parents[2]
APP = ROOT / "chat_app"
MAX_WIDTH = 14
IMPORTED = re.compile(r"""["'](\.[^"']+\.jsx?)["']""")


def layers() -> dict[str, int]:
    """Return the layer of each room, as a number."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (held,) = [contract["layers"] for contract in contracts if contract.get("containers") == ["chat_app"]]
    return {room: -place for place, layer in enumerate(held) for room in re.findall(r"\w+", layer)}


def test_a_script_imports_from_its_own_room_or_from_below() -> None:
    height, seen = layers(), 0
    for script in (*APP.rglob("*.js"), *APP.rglob("*.jsx")):
        room = script.relative_to(APP).parts[0]
        for name in IMPORTED.findall(script.read_text(encoding="utf-8")):
            other = (script.parent / name).resolve().relative_to(APP).parts[0]
            assert other == room or height[other] < height[room], f"{script.name} imports {name}"
            seen += 1
    assert seen > 100


def test_no_room_is_wider_than_a_person_can_look_over() -> None:
    kinds = (".py", ".js", ".jsx", ".json", ".conf")
    for folder in (APP, *(path for path in APP.rglob("*") if path.is_dir() and path.name != "__pycache__")):
        files = [path.name for path in folder.iterdir() if path.suffix in kinds and path.stem != "__init__"]
        assert len(files) <= MAX_WIDTH, folder


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_old_name_gives_the_same_objects_and_warns(old: str) -> None:
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old} is {MOVED[old]} now"):
        forwarded = importlib.import_module(old)
    new = importlib.import_module(MOVED[old])
    names = [name for name in vars(new) if not name.startswith("__")]
    assert all(getattr(forwarded, name) is getattr(new, name) for name in names)
