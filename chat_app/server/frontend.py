"""Build of the pages as static files, which runs only when something that they depend on has changed.

Reflex builds on every start, which takes ten seconds, although its output depends only on the sources and
the versions. The build therefore stores a fingerprint of these; while it matches, the server starts in a
second and needs no JavaScript runtime. The pages do not contain the server's address, and for the path below
which they are served they contain a placeholder, which `chat_app.server.pages` replaces: one build fits every
server.
"""

from __future__ import annotations

import atexit
import errno
import gc
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

from chat_app.server.home import packages
from chat_app.server.preflight import NotReadyError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_PACKAGES = ("chat_app", "agent_core")
_SOURCES = ("assets", "reflex.lock", "rxconfig.py", "requirements.txt")
ANY_PATH = "/__base__"
"""Placeholder in the built pages for the path below which they will be served."""
_LOG_LINES = 40
KEPT_SECONDS = 7 * 24 * 3600
"""Seconds for which the scripts of earlier builds are served, as a tab that is still open requests them."""


def is_for_any_site() -> bool:
    """Return whether this process builds pages with placeholders, which `chat_app.server.pages` replaces."""
    return os.environ.get("REFLEX_FRONTEND_PATH") == ANY_PATH


def pause_collections() -> None:
    """Leave garbage collections out of this process, which builds and then ends: they were two fifths of its own time."""
    gc.disable()
    atexit.register(_leave_all_as_it_is)


def _leave_all_as_it_is() -> None:
    gc.freeze()
    sys.unraisablehook = lambda _: None  # weak references that outlive the module of their callback report it


def web_directory() -> Path:
    """Return Reflex's work folder, in which the pages are built."""
    return Path(os.environ.setdefault("REFLEX_WEB_WORKDIR", ".web"))


def built_pages() -> Path:
    """Return the folder of the built pages."""
    return web_directory() / "build" / "client" / ANY_PATH.strip("/")


@contextmanager
def alone() -> Iterator[None]:
    """Lock the pages of a checkout, so that one process at a time builds them; others wait."""
    web = web_directory()
    with ExitStack() as stack:
        try:
            web.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(
                web.with_name(f"{web.name}-lock").open("w")
            )  # Reflex may recreate the folder
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES):
                raise
            # Nobody builds in a folder that cannot be written to.
        else:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_current(extensions: Sequence[Path] = ()) -> bool:
    """Return whether the built pages match the current sources, including the files of extensions."""
    stamp = web_directory() / "fingerprint"
    return built_pages().is_dir() and stamp.is_file() and stamp.read_text() == fingerprint(extensions)


def build(extensions: Sequence[Path] = ()) -> None:
    """Build the pages.

    Raises:
        NotReadyError: the build failed; the message contains the last lines of Reflex's output.
    """
    stamp = web_directory() / "fingerprint"
    stamp.unlink(missing_ok=True)
    with earlier_scripts(built_pages() / "assets"):
        done = subprocess.run(
            [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"],
            env=os.environ | {"REFLEX_FRONTEND_PATH": ANY_PATH},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode or not built_pages().is_dir():
        words = "\n".join(done.stdout.splitlines()[-_LOG_LINES:])
        raise NotReadyError(
            f"{words}\n\nThe pages could not be built; see the output above. "
            "The first build needs network access to download packages from the npm registry."
        )
    stamp.write_text(fingerprint(extensions))  # after the build, which may update reflex.lock


@contextmanager
def earlier_scripts(assets: Path) -> Iterator[None]:
    """Keep the files that a new build deletes from `assets` for a week; their names contain content hashes.

    The age of a file counts from its build, because copies keep the modification time.
    """
    with tempfile.TemporaryDirectory(prefix="earlier-") as folder:
        if assets.is_dir():
            shutil.copytree(assets, folder, dirs_exist_ok=True)
        yield
        for earlier in Path(folder).rglob("*"):
            place = assets / earlier.relative_to(folder)
            fresh = earlier.is_file() and time.time() - earlier.stat().st_mtime < KEPT_SECONDS
            if fresh and assets.is_dir() and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(earlier, place)


def fingerprint(extensions: Sequence[Path] = ()) -> str:
    """Return a hash of everything that the built pages depend on, including the files of extensions."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {version('reflex')}".encode())
    for path in (*_files(), *extensions):
        digest.update(f"\0{path.as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    for source in (*(packages() / name for name in _PACKAGES), *map(Path, _SOURCES)):
        if source.is_file():
            yield source
        # assets/external contains links, created by Reflex, to files of the packages above.
        for path in sorted(source.rglob("*")):
            generated = "__pycache__" in path.parts or path.parts[:2] == ("assets", "external")
            if path.is_file() and not generated:
                yield path
