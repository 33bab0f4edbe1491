"""Test that the docs list the layers of import-linter's contracts and every setting of the library."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from agent_core.support.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("package", "end"), [("chat_app", "agent_core:"), ("agent_core", "```")])
def test_layers_on_the_page_are_those_that_are_enforced(package: str, end: str) -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    listed = page.split(f"{package}: ", 1)[1].split(end, 1)[0]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (held,) = [contract["layers"] for contract in contracts if contract.get("containers") == [package]]
    assert [re.findall(r"\w+", layer) for layer in listed.split(">")] == [
        re.findall(r"\w+", layer) for layer in held if layer.strip("()") != "__main__"
    ]


def test_every_setting_is_listed_with_its_default() -> None:
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    section = page.split("## The library's durations\n", 1)[1]
    listed = re.findall(r"^\| `(\w+)` \| (\S+) \|", section, re.M)
    assert listed == [(field.name, str(field.default)) for field in fields(Settings)]
