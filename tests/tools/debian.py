"""Find the servers that tests run, or install Debian's packages of them: `python -m tests.tools.debian`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import NamedTuple

import pytest

_FOLDERS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])


class Program(NamedTuple):
    """A server program: its name, its package, and the tests that run it."""

    name: str
    package: str
    tests: str

    def find(self) -> str | None:
        """Return the path of the program, or None."""
        return shutil.which(self.name, path=_FOLDERS)

    def require(self) -> str:
        """Return the path of the program; without it the test is skipped, and fails in CI."""
        if (path := self.find()) is not None:
            return path
        missing = (
            f"No {self.name} was found and none could be installed, so the tests of {self.tests} CANNOT RUN."
        )
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)


NGINX = Program("nginx", "nginx-light", "proxies")
PGBOUNCER = Program("pgbouncer", "pgbouncer", "poolers")
REDIS = Program("redis-server", "redis-server", "several web processes")
CADDY = Program("caddy", "caddy", "Caddy")
NSPAWN = Program("systemd-nspawn", "systemd-container", "a machine with systemd")
PROGRAMS = (CADDY, NGINX, NSPAWN, PGBOUNCER, REDIS)


def install(packages: list[str]) -> None:
    """Install packages, as root, without starting their services; do nothing where apt is missing."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return
    apt = ["apt-get", "-qq", "-y"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in ([*apt, "update"], [*apt, "install", "--no-install-recommends", *packages]):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, env=environment, timeout=600, stdin=subprocess.DEVNULL, check=False)


def main() -> None:
    """Print which programs the tests will use; never fail, because tests report what they skip."""
    if missing := [each.package for each in PROGRAMS if each.find() is None]:
        install(missing)
    for each in PROGRAMS:
        print(f"The tests of {each.tests} use {each.find() or 'nothing: they CANNOT RUN'}")


if __name__ == "__main__":
    main()
