"""Follow pages of docs/ to the letter: save their files, and run their commands."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.M | re.S)
_FILE = re.compile(r"`(\w+\.py)`")
_COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.M)


def steps(name: str) -> Iterator[tuple[str, str]]:
    """Yield the steps of a page in order: (file, its content) or ("$", command and its output)."""
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for block in _BLOCK.finditer(page):
        kind, text = block.groups()
        if kind == "python":
            yield _FILE.findall(page, 0, block.start())[-1], text
        else:
            yield from (("$", f"{command}\n{output}") for command, output in _COMMAND.findall(text))


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a program whose modules are in `folder`."""
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}


def run(folder: Path, *arguments: str) -> str:
    """Run a command in the reader's folder; return its output."""
    done = subprocess.run(
        arguments,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout
