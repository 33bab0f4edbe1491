"""Hooks of the site's build: its navigation, links to files outside of docs/, and the script that draws diagrams."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
KINDS = {
    "how-to": "How-to guides",
    "explanation": "Explanation",
    "reference": "Reference",
    "decisions": "Decisions",
}
MERMAID = ROOT / ".ci" / "javascript" / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
SCRIPT = "assets/javascripts/mermaid.js"
FOREIGN = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\s(?:src|href)="((?:https?:)?//[^"]*)""")
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


def on_files(files: Any, config: Any) -> Any:
    """Serve mermaid from the site; the theme would have the reader's browser fetch it from elsewhere."""
    if not MERMAID.is_file():
        log.warning("%s does not exist: `make check` and `make docs` install it", MERMAID)
        return files
    files.append(File.generated(config, SCRIPT, abs_src_path=str(MERMAID)))
    return files


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Load mermaid where there is a diagram; the theme then uses what is there."""
    if 'class="mermaid"' not in html:
        return html
    return f'{html}<script src="{get_relative_url(SCRIPT, page.url)}"></script>'


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Complain of what a page would have the reader's browser fetch from another host."""
    for address in FOREIGN.findall(output):
        log.warning("%s loads %s from another host", page.file.src_path, address)
    return output


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
        return name if text.strip("`/") in name else f"{text} ({name})"

    return LINK.sub(shown, markdown)


def _pages(folder: Path) -> list[Any]:
    """Return the pages of a folder, its index first, and those of each folder below it."""
    pages = sorted(folder.glob("*.md"), key=lambda page: (page.name != "index.md", page.name))
    below = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    return [
        *(page.relative_to(DOCS).as_posix() for page in pages),
        *({each.name.capitalize(): _pages(each)} for each in below),
    ]
