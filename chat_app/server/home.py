"""The folder in which the app runs: the clone, or for an installed package a work folder in the user's cache.

Reflex reads its configuration, the assets and the versions of npm's packages from the current folder, and
builds the pages there. An installed package has these files in `chat_app/site`, where nothing may be written;
they are copied into the work folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

from dotenv import load_dotenv
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from chat_app.server.preflight import NotReadyError

_PACKAGES = Path(__file__).resolve().parents[2]
_SITE = _PACKAGES / "chat_app" / "site"
_STAMP = "site-fingerprint"


def enter(start: Path) -> None:
    """Change to the folder in which the app runs, and keep the meaning of what was relative to `start`.

    Args:
        start: the folder in which the app was started; an installed package reads its `.env`, and has its data
            and the modules of extensions there.

    Raises:
        NotReadyError: the work folder cannot be written.
    """
    if _is_clone():
        os.chdir(_PACKAGES)
        return
    load_dotenv(start / ".env")
    _make_absolute(os.environ, start)
    _make_importable(start)
    folder = work_folder(start, os.environ)
    try:
        _copy_site(folder)
        os.chdir(folder)
    except OSError as error:
        raise NotReadyError(
            f"The pages cannot be built in {folder} ({error.strerror or error}). "
            "Set XDG_CACHE_HOME to a folder that can be written to."
        ) from error


def packages() -> Path:
    """Return the folder of agent_core and chat_app: the current one in a clone, else that of the installed packages."""
    return Path() if _is_clone() else _PACKAGES


def _is_clone() -> bool:
    return (_PACKAGES / "rxconfig.py").is_file()


def work_folder(start: Path, environ: MutableMapping[str, str]) -> Path:
    """Return the work folder of an app that an installed package runs; each start folder has its own."""
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256(f"{_PACKAGES}\0{start}".encode()).hexdigest()[:16]
    return cache / "durable-agents" / key


def _make_absolute(environ: MutableMapping[str, str], start: Path) -> None:
    """Make the paths among the settings absolute; what is invalid is left to `load_settings`."""
    data, logo = environ.get("CHAT_DATA_DIR", "").strip() or "data", environ.get("CHAT_LOGO", "").strip()
    for name, path in (("CHAT_DATA_DIR", data), ("CHAT_LOGO", logo)):
        if path and not path.startswith("~"):
            environ[name] = str(start / path)
    try:
        url = make_url(environ.get("CHAT_DATABASE_URL", "").strip())
    except (ArgumentError, ValueError):
        return
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        path = url.set(database=str(start / str(url.database)))
        environ["CHAT_DATABASE_URL"] = path.render_as_string(hide_password=False)


def _make_importable(start: Path) -> None:
    """Let this process and its children import modules from the start folder, as `python -m` does."""
    if str(start) not in sys.path:
        sys.path.insert(0, str(start))
    paths = [str(start), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


def _copy_site(folder: Path) -> None:
    """Copy the files of the package into the work folder, unless they are there; a build may change them there."""
    paths = sorted(path for path in _SITE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    files = {path.relative_to(_SITE).as_posix(): path.read_bytes() for path in paths}
    fingerprint = hashlib.sha256(repr(files).encode()).hexdigest()
    stamp = folder / _STAMP
    if stamp.is_file() and stamp.read_text() == fingerprint:
        return
    for name, data in files.items():  # without their modes: those of a package may be read-only
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    stamp.write_text(fingerprint)
