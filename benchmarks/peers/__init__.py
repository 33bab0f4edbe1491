"""Other libraries doing the same work, each in a virtual environment that the benchmark creates."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = Path(".venv-bench")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def run_langgraph(work: str, **arguments: int | str) -> dict[str, float] | None:
    """Run `langgraph_peer.py` in its own environment and return what it measured.

    If LangGraph cannot be installed, or its run fails, print why and return None.
    """
    python = langgraph_python()
    if python is None:
        return None
    script = Path(__file__).with_name("langgraph_peer.py")
    done = subprocess.run([python, script, work, json.dumps(arguments)], capture_output=True, text=True)
    if done.returncode:
        print(f"  LangGraph was not measured; its run failed:\n{done.stderr}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


@functools.cache
def langgraph_python() -> Path | None:
    """Return the Python that has LangGraph, installed if need be; None, after printing why, if it cannot be."""
    try:
        return _environment()
    except subprocess.CalledProcessError:
        print(
            f"  LangGraph is not measured, because pip could not install {REQUIREMENTS} into "
            f"{ENVIRONMENT}. With a package index that has it, set PIP_INDEX_URL and run this again.",
            file=sys.stderr,
        )
        return None


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
