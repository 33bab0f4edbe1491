"""Test that the site builds without broken links, and that each public name has a docstring and an entry."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "agent_core",
    "agent_core.context",
    "agent_core.errors",
    "agent_core.llm",
    "agent_core.testing",
    "chat_app.extensions",
    "chat_app.hooks",
)


def public_names(module: str) -> Iterator[str]:
    """Return the names in `__all__`, else those of the functions and classes that the module defines."""
    loaded = importlib.import_module(module)
    for name, value in vars(loaded).items():
        defined = (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module
        if name in getattr(loaded, "__all__", [name] if defined and not name.startswith("_") else []):
            yield name


def inventory(site: Path) -> set[str]:
    """Return the names that the site describes; objects.inv has four lines of text, then zlib data."""
    packed = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ", 1)[0] for line in zlib.decompress(packed).decode().splitlines()}


def test_the_site_describes_every_public_name(tmp_path: Path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        [*command, "--config-file", ".ci/docs/mkdocs.yml"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    described = inventory(tmp_path)
    names = [f"{module}.{name}" for module in MODULES for name in public_names(module)]
    assert len(names) > 100
    assert [name for name in names if name not in described] == []


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_a_docstring(module: str):
    loaded = importlib.import_module(module)
    values = {name: getattr(loaded, name) for name in public_names(module)}
    described = {
        name: inspect.getdoc(value)
        for name, value in values.items()
        if inspect.isclass(value) or inspect.isfunction(value)
    }
    assert described
    assert [name for name, words in described.items() if not words] == []
