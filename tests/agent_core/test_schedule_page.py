"""The example of schedules runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_says_what_it_did(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "examples" / "schedules.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == [
        "The news ran 2 times.",
        "user: Remind me of my tea in a second.",
        "assistant: I will remind you.",
        "user: Reminder: Drink your tea.",
        "assistant: You asked for it: Reminder: Drink your tea.",
    ]
