"""The examples in the docs run, and print what the page says they print."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n+It prints `(.*?)`", re.M | re.S)


def examples() -> Iterator[Any]:
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for number, (program, output) in enumerate(EXAMPLE.findall(page.read_text(encoding="utf-8")), 1):
            yield pytest.param(program, output, id=f"{page.relative_to(ROOT).as_posix()} {number}")


@pytest.mark.parametrize(("program", "output"), list(examples()))
def test_an_example_prints_what_its_page_says(program: str, output: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.strip() == output
