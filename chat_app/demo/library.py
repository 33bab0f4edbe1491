"""Search in the project's documents: README.md, CHANGELOG.md and docs/."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_EXCERPT = 500
"""Maximum length of an excerpt, in characters."""

_WORD = re.compile(r"\w+")
_COMMON = frozenset(
    _WORD.findall(
        "a about an and are as at be by can do does docs documentation find for from how i in into is it look"
        " me my of on or search tell that the this to up what when where which why with you your"
    )
)


@dataclass(frozen=True, slots=True)
class _Section:
    """Section of a document: a heading, and the text up to the next heading."""

    file: str
    heading: str
    text: str


def search(query: str, *, root: Path = _ROOT, limit: int = 3) -> list[_Section]:
    """Return the sections that match a query best, best first, with their texts cut to excerpts."""
    words = {word for word in _WORD.findall(query.lower()) if word not in _COMMON}
    sections = list(_sections(root))
    ranked = sorted(
        ((score, place) for place, score in enumerate(_scores(words, sections)) if score > 0),
        key=lambda pair: (-pair[0], pair[1]),
    )
    found = [sections[place] for _, place in ranked[:limit]]
    return [_Section(each.file, each.heading, _excerpt(each.text, words)) for each in found]


def _sections(root: Path) -> Iterator[_Section]:
    for path in [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").rglob("*.md"))]:
        if path.is_file():
            yield from _split(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))


def _split(file: str, text: str) -> Iterator[_Section]:
    heading, lines, in_code = file, list[str](), False
    for line in text.splitlines():
        in_code ^= line.lstrip().startswith("```")
        if line.startswith("#") and not in_code:
            yield _Section(file, heading, "\n".join(lines).strip())
            heading, lines = line.lstrip("# ").strip(), []
        else:
            lines.append(line)
    yield _Section(file, heading, "\n".join(lines).strip())


def _scores(words: set[str], sections: list[_Section]) -> Iterator[float]:
    """Yield the score of each section; rare words and headings weigh more (dampened tf-idf)."""
    counted = [_count(section, words) for section in sections]
    spread = {word: sum(1 for counts in counted if counts.get(word)) for word in words}
    for section, counts in zip(sections, counted, strict=True):
        total = sum(
            math.log1p(count) * math.log1p(len(sections) / spread[word])
            for word, count in counts.items()
            if count
        )
        yield total if section.text else 0.0


def _count(section: _Section, words: set[str]) -> dict[str, int]:
    text = _WORD.findall(section.text.lower()) + 3 * _WORD.findall(section.heading.lower())
    return {word: sum(1 for found in text if found.startswith(word)) for word in words}


def _excerpt(text: str, words: set[str]) -> str:
    """Return the part of a text around the first match of a word."""
    places = [place for word in words if (place := text.lower().find(word)) >= 0]
    start = max(0, min(places, default=0) - 80)
    start = text.rfind("\n", 0, start) + 1
    stretch = text[start : start + _EXCERPT].strip()
    return stretch + ("…" if start + _EXCERPT < len(text) else "")
