"""Test that the programs in docs/ and examples/ run unchanged and print the output that they promise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.docs.programs import ROOT, run_program

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
PROSE = {
    "architecture.md",
    "demo.md",
    "lifecycle.md",
    "providers.md",
    "web-processes.md",
}  # pages that only describe
ELSEWHERE = {
    "api-keys.md",
    "container.md",
    "http-client.md",
    "openai.md",
    "proxy.md",
    "team.md",
    "upgrade.md",
    "use-chat.md",
}
"""Pages that chat_app/api/test_api_keys_page.py, test_many_hosts.py, test_upgrade_page.py, test_team_page.py, test_http_client.py,
browser/connection/test_proxies.py and providers/test_clients.py run."""
PROGRAM = re.compile(r"^```python\n(.*?)^```\n+It prints(?: `(.*?)`|\n+```\n(.*?)^```)", re.M | re.S)
PRINTS = re.compile(r"^It prints `(.*?)`", re.M | re.S)
TOLD = {"human_in_the_loop.py": "I am very late.\n"}  # typed by a person
SAYS = {"human_in_the_loop.py": "The e-mail: sent to ann@example.com"}
EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - {ROOT / "examples" / "ten_lines.py"})
"""Examples that need no key; the other one asks a provider, in tests/docs/test_readme.py."""


def programs() -> Iterator[Any]:
    for page in PAGES:
        for number, match in enumerate(PROGRAM.finditer(page.read_text(encoding="utf-8")), 1):
            program, line, lines = match.groups()
            yield pytest.param(program, line or lines.strip(), id=f"{page.stem} {number}")


@pytest.mark.parametrize(("program", "output"), list(programs()))
def test_a_program_on_a_page_prints_what_the_page_says(program: str, output: str, tmp_path: Path):
    if "from opentelemetry.sdk" in program:
        pytest.importorskip("opentelemetry.sdk", reason="requirements-dev.txt has opentelemetry-sdk")
    assert run_program(program, cwd=tmp_path) == (output, "", 0)


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if page.parent.name in ("how-to", "explanation") and page.name not in PROSE | ELSEWHERE
    ],
    ids=lambda page: page.stem,
)
def test_a_page_has_a_program_that_is_run(page: Path):
    assert PROGRAM.search(page.read_text(encoding="utf-8")), f"no program on {page.name} says what it prints"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_as_a_program_without_a_key(path: Path, tmp_path: Path):
    strict = path.name != "custom_page.py"  # Reflex itself causes warnings
    out, err, code = run_program(path, cwd=tmp_path, told=TOLD.get(path.name, ""), strict=strict)
    assert (err, code) == ("", 0)
    promised = PRINTS.search(path.read_text(encoding="utf-8"))
    assert out == promised[1] if promised else out.endswith(SAYS.get(path.name, ""))
