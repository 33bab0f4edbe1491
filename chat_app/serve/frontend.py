"""The pages as static files: built by Reflex when something they are made of has changed.

Reflex builds on every start; that costs ten seconds, and its output depends on nothing but the
sources, the versions and the port. So the build leaves a fingerprint of these, and while it fits,
the server starts in a second and needs no JavaScript runtime.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from chat_app.serve.preflight import NotReadyError

SOURCES = ("chat_app", "agent_core", "assets", "reflex.lock", "rxconfig.py", "requirements.txt")
LOG_LINES = 40
KEPT_SECONDS = 7 * 24 * 3600
"""How long the scripts of earlier builds are served: a tab that is still open asks for those of its own."""


def web_directory(port: int) -> Path:
    """Return where the pages for `port` are built.

    The port is part of what is built, so two servers from one checkout must not share a folder:
    the second would take the first one's pages away.
    """
    default = ".web" if port == 3000 else f".web-{port}"
    return Path(os.environ.setdefault("REFLEX_WEB_WORKDIR", default))


def is_current(port: int, extensions: Sequence[Path] = ()) -> bool:
    """Say whether the pages on disk are those of the present sources, the files of extensions among them."""
    web = web_directory(port)
    stamp = web / "fingerprint"
    built = (web / "build" / "client").is_dir()
    return built and stamp.is_file() and stamp.read_text() == fingerprint(port, extensions)


def build(port: int, extensions: Sequence[Path] = ()) -> None:
    """Build the pages.

    Raises:
        NotReadyError: Reflex failed; its last words are in the message.
    """
    web = web_directory(port)
    (web / "fingerprint").unlink(missing_ok=True)
    ports = {"REFLEX_FRONTEND_PORT": str(port), "REFLEX_BACKEND_PORT": str(port)}
    with earlier_scripts(web / "build" / "client" / "assets"):
        done = subprocess.run(
            [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"],
            env=os.environ | ports,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode or not (web / "build" / "client").is_dir():
        words = "\n".join(done.stdout.splitlines()[-LOG_LINES:])
        raise NotReadyError(
            f"{words}\n\nThe pages could not be built; the reason stands above. "
            "The first build fetches packages from the npm registry, so it needs the network once."
        )
    (web / "fingerprint").write_text(
        fingerprint(port, extensions)
    )  # only now: the build may update reflex.lock


@contextmanager
def earlier_scripts(assets: Path) -> Iterator[None]:
    """Keep what a new build deletes from `assets` for a week; the names hold hashes of what is in the files.

    The age of a file is that of its build, which copies keep.
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


def fingerprint(port: int, extensions: Sequence[Path] = ()) -> str:
    """Hash everything that the built pages depend on; `extensions` are files of modules that add to them."""
    digest = hashlib.sha256(f"{port} {sys.version_info[:2]} {version('reflex')}".encode())
    for path in (*_files(), *extensions):
        digest.update(f"\0{path.as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    for source in map(Path, SOURCES):
        if source.is_file():
            yield source
        # assets/external holds links that Reflex makes to files of the packages above.
        for path in sorted(source.rglob("*")):
            generated = "__pycache__" in path.parts or path.parts[:2] == ("assets", "external")
            if path.is_file() and not generated:
                yield path
