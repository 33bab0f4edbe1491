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
    "reference": "Reference",
    "explanation": "Explanation",
    "decisions": "Decisions",
}
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s#:]+)(#[^)\s]*)?\)")

log = get_plugin_logger("docs")


def on_config(config: Any) -> Any:
    """List every page in the navigation, by kind and by title."""
    pages = {kind: sorted((DOCS / kind).rglob("*.md"), key=_order) for kind in KINDS}
    config.nav = [
        "index.md",
        "tutorial.md",
        *({KINDS[kind]: [_name(page) for page in found]} for kind, found in pages.items()),
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


def _order(page: Path) -> tuple[bool, str]:
    """Sort an index before the other pages of its folder."""
    return page.name != "index.md", page.as_posix()


def _name(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()
