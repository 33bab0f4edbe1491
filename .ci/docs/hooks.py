"""Hooks of the site's build: its navigation, and links to files outside of docs/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.plugins import get_plugin_logger

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
KINDS = {
    "how-to": "How-to guides",
    "explanation": "Explanation",
    "reference": "Reference",
    "decisions": "Decisions",
}
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s#:]+)(#[^)\s]*)?\)")

log = get_plugin_logger("docs")


def on_config(config: Any) -> Any:
    """List every page in the navigation, by kind and by title."""
    config.nav = [
        "index.md",
        "tutorial.md",
        *({title: _pages(DOCS / kind)} for kind, title in KINDS.items()),
        "glossary.md",
        "troubleshooting.md",
    ]
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Show links to files of the repository as their paths, for the site has only the pages."""
    folder = (DOCS / page.file.src_path).parent

    def shown(match: re.Match[str]) -> str:
        text, target, _anchor = match.groups()
        path = (folder / target).resolve()
        if path.is_relative_to(DOCS) or not path.is_relative_to(ROOT):
            return match[0]
        if not path.exists():
            log.warning("%s links to %s, which does not exist", page.file.src_path, target)
        name = f"`{path.relative_to(ROOT).as_posix()}`"
        return name if text.strip("`") in name else f"{text} ({name})"

    return LINK.sub(shown, markdown)


def _pages(folder: Path) -> list[Any]:
    """Return the pages of a folder, its index first, and those of each folder below it."""
    pages = sorted(folder.glob("*.md"), key=lambda page: (page.name != "index.md", page.name))
    below = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    return [
        *(page.relative_to(DOCS).as_posix() for page in pages),
        *({each.name.capitalize(): _pages(each)} for each in below),
    ]
