"""Other libraries doing the same work, each in a virtual environment that the benchmark creates."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ENVIRONMENT = Path(".venv-bench")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def run_langgraph(work: str, **arguments: int | str) -> dict[str, Any]:
    """Run `langgraph_peer.py` in its own environment and return what it measured.

    Raises:
        subprocess.CalledProcessError: LangGraph could not be installed, or its run failed.
    """
    python = _environment()
    script = Path(__file__).with_name("langgraph_peer.py")
    command = [python, script, work, json.dumps(arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _environment() -> Path:
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / ".installed"
    wanted = REQUIREMENTS.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--compile", "-r", REQUIREMENTS], check=True
        )
        stamp.write_text(wanted)
    return python
