"""Built pages as they are served below one path, and the content policy with their inline scripts' hashes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

from chat_app.branding import ACCENT, ANY_LOGO, Branding, any_tokens, replacements
from chat_app.server.frontend import ANY_PATH, built_pages, web_directory

OWN_BRANDING = Branding()
_OWN_LOGO = "favicon.svg"
_LIGHT_ACCENT = any_tokens("light")["accent"].encode()


def place(base_path: str, branding: Branding = OWN_BRANDING) -> Path:
    """Return a folder with the built pages for a path and a branding; create it unless it exists for this build.

    The folder has the layout of Reflex's work folder, so that Reflex can serve from it. It is there or, where
    nothing may be written, in a new temporary folder.

    Args:
        base_path: path below which the pages are served, such as /agents; "" for none.
        branding: name, logo and accent of the pages.
    """
    key = _key(branding)
    folder = web_directory() / "served" / ((base_path.replace("/", "+") or "+") + key)
    stamp = (web_directory() / "fingerprint").read_text()
    if (folder / "fingerprint").is_file() and (folder / "fingerprint").read_text() == stamp:
        return folder
    if not os.access(web_directory(), os.W_OK):
        folder = Path(tempfile.mkdtemp(prefix="agents-pages-")) / "pages"
    fresh, old = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(web_directory() / "backend", fresh / "backend")
    client = fresh / "build" / "client"
    _copy(built_pages(), client, _changes(base_path, branding), key)
    if branding.logo is not None:
        (client / logo_name(branding)).write_bytes(branding.logo.read_bytes())
    (fresh / "fingerprint").write_text(stamp)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _key(branding: Branding) -> str:
    """Return a name for a branding, which the names of its scripts contain: browsers keep those for ever."""
    if branding == OWN_BRANDING:
        return ""
    logo = branding.logo.read_bytes() if branding.logo else b""
    return "." + hashlib.sha256(f"{sorted(replacements(branding).items())}".encode() + logo).hexdigest()[:8]


def _changes(base_path: str, branding: Branding) -> dict[bytes, bytes]:
    """Return the placeholders in the pages and their values."""
    values = {ANY_PATH: base_path, ANY_LOGO: f"{base_path}/{logo_name(branding)}", **replacements(branding)}
    return {place.encode(): value.encode() for place, value in values.items()}


def logo_name(branding: Branding) -> str:
    """Return the name of the logo among the pages' files."""
    return f"logo{branding.logo.suffix.lower()}" if branding.logo else _OWN_LOGO


def _copy(source: Path, target: Path, changes: Mapping[bytes, bytes], key: str) -> None:
    """Copy files, replace the placeholders in them, and add `key` to the names of scripts and styles."""
    paths = [path for path in source.rglob("*") if path.is_file()]
    assets = [
        path.name for path in paths if key and path.parent == source / "assets" and path.suffix != ".gz"
    ]
    hashed = re.compile(b"|".join(re.escape(name.encode()) for name in sorted(assets, key=len, reverse=True)))
    for path in paths:
        if path.suffix == ".gz":  # written below, with the original
            continue
        written, data = target / path.relative_to(source), path.read_bytes()
        if path.name in assets:
            written = written.with_name(_renamed(path.name, key))
        written.parent.mkdir(parents=True, exist_ok=True)
        changed = _changed(data, changes)
        if assets:
            changed = hashed.sub(lambda found: _renamed(found[0].decode(), key).encode(), changed)
        if path == source / _OWN_LOGO:
            changed = changed.replace(ACCENT["accent"].encode(), changes[_LIGHT_ACCENT])
        written.write_bytes(changed)
        compressed = path.with_name(f"{path.name}.gz")
        if compressed.is_file():
            same = compressed.read_bytes() if changed == data else gzip.compress(changed, mtime=0)
            written.with_name(f"{written.name}.gz").write_bytes(same)


def _changed(data: bytes, changes: Mapping[bytes, bytes]) -> bytes:
    for place, value in changes.items():
        data = data.replace(place, value)
    return data


def _renamed(name: str, key: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}{key}{dot}{suffix}"


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
