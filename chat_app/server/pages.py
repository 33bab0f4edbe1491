"""The built pages as they are served below one path, and the hashes of their inline scripts."""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
from html.parser import HTMLParser
from pathlib import Path

from chat_app.server.frontend import ANY_PATH, built_pages, web_directory


def place(base_path: str) -> Path:
    """Return a folder with the built pages for a path; made unless it is there since this build.

    It has the form of Reflex's own folder, so that Reflex serves from it.

    Args:
        base_path: the path below which the pages are served, such as /agents; "" for none.
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
    """Copy files, with `base_path` in place of its placeholder."""
    for path in source.rglob("*"):
        if not path.is_file() or path.suffix == ".gz":  # those go with the files that they are of
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
    """Return a Content-Security-Policy with which these pages run, and nothing else does.

    Scripts are files of the app, or inline in the pages and listed by their hashes. Styles may be anywhere:
    emotion, KaTeX and mermaid write them.

    Args:
        pages: the folder of the pages.
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
    """Collects the text of the scripts in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin with a script that has no file."""
        self._inside = tag == "script" and "src" not in dict(attrs)
        if self._inside:
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        """End with it."""
        self._inside = False

    def handle_data(self, data: str) -> None:
        """Take its text, which may come in pieces."""
        if self._inside:
            self.found[-1] += data
