"""The tutorial, followed to the letter: its files are saved and its commands are run, in their order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"`(\w+\.py)`")
COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.M)

LOADED = """
from chat_app import extensions
from chat_app.components.shell import framed

extensions.load(["trip_page"])
print(extensions.OFFERED["guide"], extensions.PAGES["/trip"].title)
framed(extensions.PAGES["/trip"].component)().render()
"""


def run(folder: Path, *arguments: str) -> str:
    """Run a command in the tutorial's folder; return what it printed."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_every_step_of_the_tutorial_does_what_the_page_says(tmp_path: Path):
    saved, commands = list[str](), list[str]()
    for block in BLOCK.finditer(PAGE):
        kind, text = block.groups()
        if kind == "python":
            name = FILE.findall(PAGE, 0, block.start())[-1]
            (tmp_path / name).write_text(text, encoding="utf-8")
            saved.append(name)
            continue
        for command, output in COMMAND.findall(text):
            words = shlex.split(command.replace(".venv/bin/python", sys.executable))
            assert run(tmp_path, *words) == output, command
            commands.append(command)
    assert saved == ["agent.py", "trip.py", "ask.py", "approve.py", "kill.py", "trip_page.py"]
    assert any("kill.py" in command for command in commands)
    assert run(tmp_path, sys.executable, "-c", LOADED) == "Travel guide A trip\n"
