"""Built pages as they are served below one path, and the content policy with their inline scripts' hashes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
from html.parser import HTMLParser
from pathlib import Path

from chat_app.server.frontend import ANY_PATH, built_pages, web_directory


def place(base_path: str) -> Path:
    """Return a folder with the built pages for a path; create it unless it exists for this build.

    The folder has the layout of Reflex's work folder, so that Reflex can serve from it.

    Args:
        base_path: path below which the pages are served, such as /agents; "" for none.
    """
    folder = web_directory() / "served" / (base_path.replace("/", "+") or "+")
    stamp = (web_directory() / "fingerprint").read_text()
    if (folder / "fingerprint").is_file() and (folder / "fingerprint").read_text() == stamp:
        return folder
    fresh, old = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(web_directory() / "backend", fresh / "backend")
    _copy(built_pages(), fresh / "build" / "client", base_path.encode())
    (fresh / "fingerprint").write_text(stamp)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _copy(source: Path, target: Path, base_path: bytes) -> None:
    """Copy files, and replace the placeholder in them with `base_path`."""
    for path in source.rglob("*"):
        if not path.is_file() or path.suffix == ".gz":  # written below, with the original
            continue
        written, data = target / path.relative_to(source), path.read_bytes()
        written.parent.mkdir(parents=True, exist_ok=True)
        changed = data.replace(ANY_PATH.encode(), base_path)
        written.write_bytes(changed)
        compressed = path.with_name(f"{path.name}.gz")
        if compressed.is_file():
            same = compressed.read_bytes() if changed == data else gzip.compress(changed, mtime=0)
            written.with_name(compressed.name).write_bytes(same)


def content_policy(pages: Path) -> str:
    """Return a Content-Security-Policy that allows what these pages need, and nothing else.

    Scripts are files of the app, or inline in the pages and listed by their hashes. Inline styles are
    allowed, because emotion, KaTeX and mermaid write them.

    Args:
        pages: folder of the pages.
    """
    hashes = sorted(
        {hash_ for page in pages.rglob("*.html") for hash_ in _script_hashes(page.read_text("utf-8"))}
    )
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *hashes)),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def _script_hashes(page: str) -> set[str]:
    scripts = _InlineScripts()
    scripts.feed(page)
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts.found)
    return {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}


class _InlineScripts(HTMLParser):
    """Parser that collects the text of a page's inline scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Start a text at a script without `src`."""
        self._inside = tag == "script" and "src" not in dict(attrs)
        if self._inside:
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        """End the current text."""
        self._inside = False

    def handle_data(self, data: str) -> None:
        """Append to the current text, which may arrive in pieces."""
        if self._inside:
            self.found[-1] += data
