"""Find Chromium for the browser tests, or install it: `python -m tests.tools.chromium`.

The search order is the path in `CHROMIUM`, Chromium or Chrome on PATH, and Playwright's own. If none is found,
Chromium is installed through Playwright or (as root) through apt. A headless shell, which is Chromium without
its windows, comes first: a test with it takes half of the processor time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SHELL = "chromium-headless-shell"
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
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
    return next((Path(app) for app in (_playwrights_own(), *MACOS_APPS) if app and Path(app).exists()), None)


def install() -> Path | None:
    """Install Chromium through Playwright, else through apt; return its path, or None."""
    for attempt in (_install_with_playwright, _install_with_apt):
        if attempt() and (path := find()):
            return path
    return None


def _playwrights_own() -> Path:
    """Return the path of the headless shell of Playwright's version, or else of its Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = Path(playwright.chromium.executable_path)
    folder = next((each for each in browser.parents if each.name.startswith("chromium-")), browser)
    shell = f"{folder.name.replace('-', '_headless_shell-')}/*/chrome-headless-shell"
    return next(folder.parent.glob(shell), browser)


def _install_with_playwright() -> bool:
    install = [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
    if sys.platform == "linux" and os.geteuid() == 0:
        install.insert(-1, "--with-deps")
    return _succeeds(install, timeout=300)


def _install_with_apt() -> bool:
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    apt = ["apt-get", "-qq", "-y"]
    _succeeds([*apt, "update"], timeout=300)
    return any(
        _succeeds([*apt, "install", "--no-install-recommends", name], timeout=600)
        for name in (SHELL, "chromium")
    )


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
