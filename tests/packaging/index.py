"""Install packages from the index, for the tests that need others than those of this environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

import pytest


def install(python: str, arguments: Sequence[str]) -> None:
    """Install packages with the pip of a Python; without an index the test is skipped, and fails in CI."""
    command = [python, "-m", "pip", "install", "--quiet", "--no-compile", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "(from versions: none)" in done.stderr and not os.environ.get("CI"):
        pytest.skip(f"No index, or no such package there, so this IS NOT TRIED:\n{done.stderr[-1000:]}")
    assert done.returncode == 0, done.stderr
