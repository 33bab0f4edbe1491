"""The examples of docs/, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def run_example(page: str) -> None:
    """Run the first Python example of a page of docs/, as a program."""
    match = re.search(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert match, f"docs/{page} has no example"
    exec(compile(match[1], f"docs/{page}", "exec"), {"__name__": "__main__"})
