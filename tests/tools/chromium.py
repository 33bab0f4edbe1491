"""Find Chromium for the browser tests, or install it: `python -m tests.tools.chromium`.

The search order is the path in `CHROMIUM`, a system Chromium or Chrome on PATH, and Playwright's own. If none
is found, Chromium is installed through Playwright or (as root) through apt.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MACOS_APPS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FLAGS = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # containers have a small /dev/shm
)
MISSING = """\
No Chromium was found and none could be installed, so the browser tests CANNOT RUN.
Install Chromium or Chrome, or name one: CHROMIUM=/path/to/chromium make test"""


def find() -> Path | None:
    """Return the path of a Chromium that can be started, or None."""
    if named := os.environ.get("CHROMIUM"):
        return Path(named) if Path(named).exists() else None
    for name in NAMES:
        if path := shutil.which(name):
            return Path(path)
    for app in (*MACOS_APPS, _playwrights_own()):
        if app and Path(app).exists():
            return Path(app)
    return None


def install() -> Path | None:
    """Install Chromium through Playwright, else through apt; return its path, or None."""
    for attempt in (_install_with_playwright, _install_with_apt):
        if attempt() and (path := find()):
            return path
    return None


def _playwrights_own() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _install_with_playwright() -> bool:
    install = [sys.executable, "-m", "playwright", "install", "chromium"]
    if sys.platform == "linux" and os.geteuid() == 0:
        install.insert(-1, "--with-deps")
    return _succeeds(install, timeout=300)


def _install_with_apt() -> bool:
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    apt = ["apt-get", "-qq", "-y"]
    _succeeds([*apt, "update"], timeout=300)
    return _succeeds([*apt, "install", "--no-install-recommends", "chromium"], timeout=600)


def _succeeds(command: list[str], *, timeout: float) -> bool:
    try:
        return subprocess.run(command, timeout=timeout, stdin=subprocess.DEVNULL, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def main() -> None:
    """Print which Chromium the tests will use; never fail, because tests report what they skip."""
    path = find() or install()
    print(f"The browser tests use {path}" if path else MISSING)


if __name__ == "__main__":
    main()
