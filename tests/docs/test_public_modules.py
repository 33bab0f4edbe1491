"""Test that the contract, the examples and the docs use only the public modules of architecture.md."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def public() -> set[str]:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    return set(
        re.findall(r"`(agent_core[a-z_.]*)`", page.split("## Public modules\n", 1)[1].split("|\n", 2)[2])
    )


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_contract_allows_only_public_modules() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (held,) = [one for one in contracts if one["name"].endswith("public modules only")]
    allowed = {one.split(" -> ")[1] for one in held["ignore_imports"]}
    assert held["forbidden_modules"] == ["agent_core.*"]
    assert allowed < public()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_imports_public_modules_only(path: Path) -> None:
    ours = {name for name in imported(path.read_text(encoding="utf-8")) if name.split(".")[0] == "agent_core"}
    assert ours <= public()


def test_the_programs_in_docs_import_public_modules_only() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    programs = [
        code for page in pages for code in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)
    ]
    found = {
        name for code in programs for name in re.findall(r"^(?:from|import) (agent_core[a-z_.]*)", code, re.M)
    }
    assert found
    assert found <= public()
