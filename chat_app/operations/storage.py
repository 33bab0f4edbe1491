"""Checks of the folders that the app writes to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from chat_app.operations.findings import Finding
from chat_app.server.settings import Settings

LITTLE_SPACE = 1 << 30  # bytes
NO_SPACE = 100 << 20  # bytes


def check_folders(settings: Settings) -> Iterator[Finding]:
    """Yield whether the data folder, and that of a SQLite file elsewhere, can be written to and have room."""
    folders = [settings.data_dir]
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        folders.append(Path(url.database).absolute().parent)
    for folder in dict.fromkeys(folders):
        yield _writable(folder)


def _writable(folder: Path) -> Finding:
    there = next(each for each in (folder, *folder.parents) if each.exists())  # the start creates the rest
    try:
        if there == folder:
            with tempfile.TemporaryFile(dir=folder):
                pass
        elif not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(13, f"{there} cannot be written to")
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding(
            "folder",
            "problem",
            f"{folder} cannot be written to ({error.strerror or error}). Give it to the user who runs the app, or set "
            "CHAT_DATA_DIR to another folder.",
        )
    text = f"{folder} can be written to; {free / 1e9:,.1f} GB are free."
    if free < NO_SPACE:
        return Finding("folder", "problem", f"{text} Make room: answers are lost to a full disk.")
    return Finding("folder", "note" if free < LITTLE_SPACE else "ok", text)
