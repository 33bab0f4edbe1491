"""Test the tutorial to the letter: save its files and run its commands, in order."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.support.docs.doc_pages import run, steps

LOADED = """
from chat_app import extension_modules, extensions
from chat_app.shell.frame import framed

extension_modules.load(["trip_page"])
print(extensions.OFFERED["guide"], extensions.PAGES["/trip"].title)
framed(extensions.PAGES["/trip"].component)().render()
"""


def test_every_step_of_the_tutorial_does_what_the_page_says(tmp_path: Path):
    saved, commands = list[str](), list[str]()
    for name, text in steps("tutorial.md"):
        if name == "$":
            command, output = text.split("\n", 1)
            words = shlex.split(command.replace(".venv/bin/python", sys.executable))
            assert run(tmp_path, *words) == output, command
            commands.append(command)
        else:
            (tmp_path / name).write_text(text, encoding="utf-8")
            saved.append(name)
    assert saved == ["agent.py", "trip.py", "ask.py", "approve.py", "kill.py", "trip_page.py"]
    assert any("kill.py" in command for command in commands)
    assert run(tmp_path, sys.executable, "-c", LOADED) == "Travel guide A trip\n"
