"""Test that the code writes every sentence that docs/troubleshooting.md explains."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_app.i18n import ENGLISH

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = sorted(set(re.findall(r"`([^`]*)`", "\n".join(re.findall(r"^\| ([^|]+) \|", PAGE, re.M)))))


def constants(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@functools.cache
def written() -> str:
    """Return all strings of the two packages and of the page's translations."""
    files = [path for package in ("agent_core", "chat_app") for path in (ROOT / package).rglob("*.py")]
    return "\n".join([*(text for path in files for text in constants(path)), *ENGLISH.values()])


def test_the_page_quotes_sentences():
    assert len(QUOTED) > 30


@pytest.mark.parametrize("sentence", QUOTED, ids=lambda text: re.sub(r"\W+", "-", text)[:40])
def test_a_quoted_sentence_is_written_by_the_code(sentence: str):
    for piece in map(str.strip, sentence.split("…")):
        assert piece in written(), piece
