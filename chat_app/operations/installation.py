"""Checks of what is installed: the packages and the built pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent_core.errors import AgentCoreError, words_of
from chat_app import extension_modules
from chat_app.operations.findings import Finding
from chat_app.server import frontend, home
from chat_app.server.settings import Settings

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;#]+)", re.M)
_MAX_NAMED = 5


def check_requirements(settings: Settings) -> Iterator[Finding]:
    """Yield whether a clone runs on the versions of its requirements.txt; pip has checked those of a package."""
    file = Path("requirements.txt")
    if home.packages() != Path() or not file.is_file():
        return
    wrong = [
        f"{name} {found or 'is missing'}, not {pinned}"
        for name, pinned in _PIN.findall(file.read_text("utf-8"))
        if (found := _installed(name)) != pinned
    ]
    if wrong:
        more = f" and {len(wrong) - _MAX_NAMED} more" if len(wrong) > _MAX_NAMED else ""
        text = (
            f"Packages differ from requirements.txt: {'; '.join(wrong[:_MAX_NAMED])}{more}. Run `make run`."
        )
        yield Finding("packages", "problem", text)
    else:
        yield Finding("packages", "ok", "They are those of requirements.txt.")


def check_pages(settings: Settings) -> Iterator[Finding]:
    """Yield whether the extensions can be imported, and whether the pages are built."""
    try:
        extension_modules.require(settings.extensions)
        is_current = frontend.is_current(list(extension_modules.sources(settings.extensions)))
    except AgentCoreError as error:
        yield Finding("extensions", "problem", words_of(error))
        return
    if is_current:
        yield Finding("pages", "ok", "They are built.")
    else:
        text = "They are not built for these sources. The next start builds them, which may need the network."
        yield Finding("pages", "note", text)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
