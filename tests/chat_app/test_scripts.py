"""Test the scripts of the pages: addresses that equal the paths on disk, imports and package versions."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import reflex as rx

import chat_app.chat_app  # noqa: F401 (defines every component of the pages)
from chat_app.scripts import script

ROOT = Path(__file__).parents[2]
APP = ROOT / "chat_app"
SCRIPTS = sorted(path for path in APP.rglob("*.js*") if path.suffix in (".js", ".jsx"))
IMPORTED = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]*)\"""")
DOCUMENTED = re.compile(r"/\*\*.*?\*/", re.DOTALL)
SERVED = "$/public/external/"


def test_every_relative_import_of_a_script_names_a_file_on_disk() -> None:
    imports = [
        (path, name) for path in SCRIPTS for name in IMPORTED.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(imports) > 100
    assert [(str(path), name) for path, name in imports if not (path.parent / name).is_file()] == []


def test_every_script_is_served_once_at_the_path_that_it_has_on_disk(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    shutil.copy(ROOT / "assets" / "favicon.svg", tmp_path / "assets")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "import chat_app.chat_app"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60)
    external = tmp_path / "assets" / "external"
    served = {
        path.relative_to(external).as_posix(): path.resolve()
        for path in external.rglob("*")
        if path.suffix in (".js", ".jsx")
    }
    assert served == {path.relative_to(ROOT).as_posix(): path.resolve() for path in SCRIPTS}


def _components(base: type[rx.Component] = rx.Component) -> Iterator[type[rx.Component]]:
    for component in base.__subclasses__():
        yield component
        yield from _components(component)


WRAPPERS = sorted(
    {wrapper for wrapper in _components() if str(wrapper.library).startswith(f"{SERVED}chat_app/")},
    key=lambda wrapper: str(wrapper.tag),
)


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda wrapper: str(wrapper.tag))
def test_a_wrapper_names_a_component_that_its_script_exports_and_its_props(
    wrapper: type[rx.Component],
) -> None:
    source = (ROOT / str(wrapper.library).removeprefix(SERVED)).read_text(encoding="utf-8")
    assert re.search(rf"^export (?:function|const) {wrapper.tag}\b", source, re.MULTILINE)
    typed = set(re.findall(r"(\w+)\??:", "".join(DOCUMENTED.findall(source))))
    own = inspect.get_annotations(wrapper).keys() - {"lib_dependencies"}
    assert {re.sub(r"_(\w)", lambda match: match[1].upper(), name) for name in own} <= typed


def test_a_script_that_is_not_there_is_named_when_the_page_is_made() -> None:
    with pytest.raises(FileNotFoundError, match=r"no_such\.jsx"):
        script("composer/no_such.jsx")


def test_scripts_are_checked_with_the_versions_that_the_pages_are_built_with() -> None:
    built = json.loads((ROOT / "reflex.lock" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    package = ROOT / ".ci" / "javascript" / "package.json"
    checked = json.loads(package.read_text(encoding="utf-8"))["devDependencies"]
    both = checked.keys() & built.keys()
    assert len(both) > 10
    assert {name: checked[name] for name in both} == {name: built[name] for name in both}
